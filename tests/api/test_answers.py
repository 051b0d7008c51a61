"""Bodies with one field of a wrong type: our decoder returns the errors that kube-apiserver 1.37.2 returned."""

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

#: Go has named types for strings and lists and mentions them in errors; ours are plain.
NAMED = re.compile(r" of type (\[\]|map\[string\])*((v1|types)\.\w+|string)$")
#: Our structs do not distinguish absent from empty, so these are accepted.
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


def refusal(body: bytes, kind: Kind[Any]) -> str:
    try:
        decode(body, kind.schema.type)
    except DecodeError as error:
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("kind", [k for k in KINDS if file_of(k).exists()], ids=lambda k: f"{k.group}.{k.name}")
def test_wrong_types(kind: Kind[Any]) -> None:
    bodies = [(body, expected) for body, expected in cases(kind) if body.startswith(b"{")]
    for body, expected in bodies:
        got = refusal(body, kind)
        if EMPTY.match(expected) and not got:
            continue
        if NAMED.search(expected):
            expected, got = NAMED.sub("", expected), NAMED.sub("", got)
        assert got == expected, body
