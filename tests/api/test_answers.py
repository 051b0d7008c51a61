"""What kube-apiserver 1.37.2 answered to objects with one field of a wrong type: our decoder accepts and refuses alike."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pybernetes.api.codec import DecodeError, decode
from pybernetes.api.kind import Kind
from pybernetes.api.kinds import KINDS

ANSWERS = Path(__file__).parents[1] / "testdata" / "answers"

#: Go has types for strings, which it names where JSON has another type; ours are all strings.
NAMED_STRING = re.compile(r" of type (\[\])?(v1|types)\.\w+$")
#: Absent and empty are the same to our structs, so these can't be refused.
EMPTY = re.compile(r'parsing time ""|quantities must match')


def file_of(kind: Kind[Any]) -> Path:
    group = "rbac.authorization.k8s.io" if kind.group.startswith("rbac") else kind.group
    return ANSWERS / f"{group or 'core'}.{kind.version}.{kind.name}.jsonl.gz"


def cases(kind: Kind[Any]) -> Iterator[tuple[bytes, str]]:
    """(body with one field, the decoding error or "")"""
    with gzip.open(file_of(kind)) as lines:
        for case in map(json.loads, lines):
            message = case["answer"].get("message", "") if isinstance(case["answer"], dict) else ""
            refused = "cannot be handled as a" in message
            if case["mode"] != "create" or (case["code"] == 400) != refused:
                continue
            value = json.dumps(case["value"]) if case["how"] == "string" else case["value"]
            for step in reversed(case["at"]):
                value = [value] if isinstance(step, int) else {step: value}
            yield json.dumps(value).encode(), message.split(": ", 1)[1] if refused else ""


@pytest.mark.slow
@pytest.mark.parametrize("kind", [k for k in KINDS if file_of(k).exists()], ids=lambda k: f"{k.group}.{k.name}")
def test_wrong_types(kind: Kind[Any]) -> None:
    count = 0
    for body, expected in cases(kind):
        if not body.startswith(b"{"):
            continue
        try:
            decode(body, kind.schema.type)
            got = ""
        except DecodeError as error:
            got = str(error)
        if EMPTY.match(expected) and not got:
            continue
        count += 1
        assert NAMED_STRING.sub(r" of type \1string", expected) == expected or got.endswith("string") or got == expected
        if not NAMED_STRING.search(expected):
            assert got == expected, body
    assert count > 10
