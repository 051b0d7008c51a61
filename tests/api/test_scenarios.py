"""Scenarios: manifests in, defaulted objects or error texts out.

A file is a list of cases. `=== title` starts one; then come one or two manifests (`--- then` before the second, which
is an update of the first), and `--- errors` or `--- object` with the expected result. `REWRITE=1 pytest ...` writes the
actual results into the files, to be reviewed as a diff.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from pybernetes.api.codec import DecodeError, decode
from pybernetes.api.field import Errors
from pybernetes.api.kinds import BY_NAME
from pybernetes.api.meta_validation import validate_meta, validate_meta_update
from pybernetes.api.quantity import QuantityError

FOLDER = Path(__file__).parent / "scenarios"


@dataclass
class Case:
    title: str
    manifests: list[str]
    wants: str
    expected: str
    got: str = field(default="", compare=False)


def read(path: Path) -> list[Case]:
    cases = []
    for block in re.split(r"^=== ", path.read_text(), flags=re.M)[1:]:
        title, _, rest = block.partition("\n")
        body, wants, expected = re.split(r"^--- (errors|object)\n", rest, flags=re.M)
        cases.append(Case(title, re.split(r"^--- then\n", body, flags=re.M), wants, expected.strip()))
    return cases


def write(path: Path, cases: list[Case]) -> None:
    blocks = []
    for case in cases:
        manifests = "--- then\n".join(case.manifests)
        blocks.append(f"=== {case.title}\n{manifests}--- {case.wants}\n{case.got}\n")
    path.write_text("\n".join(blocks))


def run(case: Case) -> str:
    """Apply defaults, strategy and validation to the manifests."""
    documents: list[dict[str, Any]] = [yaml.safe_load(text) for text in case.manifests]
    kind = BY_NAME[documents[0]["apiVersion"], documents[0]["kind"]]
    errors = Errors()
    try:
        objects = [decode(msgspec.json.encode(document), kind.schema.type) for document in documents]
        for obj in objects:
            if kind.namespaced and not obj.metadata.namespace:
                obj.metadata.namespace = "default"
            kind.schema.default(obj)
    except (DecodeError, QuantityError) as error:
        return str(error)
    last = objects[-1]
    if kind.has_status and not kind.status_on_create:
        kind.schema.clear_status(objects[0])
    kind.prepare_create(objects[0])
    if len(objects) == 2:
        if kind.has_status:
            kind.schema.keep_status(last, objects[0])
        kind.prepare_update(last, objects[0])
    validate_meta(kind, last.metadata, errors)
    kind.schema.validate(last, errors)
    if len(objects) == 2:
        validate_meta_update(last.metadata, objects[0].metadata, errors)
        kind.validate_update(last, objects[0], errors)
    if case.wants == "object":
        assert not errors, errors.all
        return yaml.safe_dump(msgspec.to_builtins(last), sort_keys=False, default_flow_style=None, width=110).strip()
    return "\n".join(map(str, errors.all)).rstrip("\n") or "(none)"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda p: p.stem)
def test_scenarios(path: Path) -> None:
    cases = read(path)
    assert cases
    for case in cases:
        case.got = run(case)
    if os.environ.get("REWRITE"):
        write(path, cases)
        return
    for case in cases:
        assert case.got == case.expected, case.title
