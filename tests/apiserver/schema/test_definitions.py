"""Our definitions against models that were generated from the original's own OpenAPI."""

import importlib
import inspect
import re
from typing import Any

import pytest

from pybernetes.api.kinds import KINDS
from pybernetes.apiserver.schema.definitions import Definitions

#: Newer originals require these; the version presented does not.
NEWER = {("DaemonSet", "spec"), ("Deployment", "spec"), ("ReplicaSet", "spec")}
#: The version presented requires these; newer originals do not.
OLDER = {"PodDisruptionBudgetStatus": {"currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"}}


def definitions() -> dict[str, Any]:
    found = Definitions("v3", KINDS)
    for kind in KINDS:
        found.ref(kind.struct)
    return found.found


def model(name: str) -> type | None:
    """`io.k8s.api.core.v1.Pod` -> the class of that name."""
    parts = name.split(".")
    module = f"{parts[3]}_{parts[4]}" if name.startswith("io.k8s.api.") else "meta_v1"
    found = getattr(importlib.import_module(f"lightkube.models.{module}"), parts[-1], None)
    return found if inspect.isclass(found) else None


DEFINITIONS = definitions()
MODELS = {n: found for n, d in DEFINITIONS.items() if "properties" in d and (found := model(n)) is not None}


def test_there_is_a_model_for_every_definition() -> None:
    plain = {"Time", "MicroTime", "FieldsV1", "Quantity", "IntOrString", "RawExtension"}
    assert {n.rpartition(".")[2] for n in DEFINITIONS.keys() - MODELS.keys()} <= plain


@pytest.mark.parametrize("name", sorted(MODELS))
def test_fields_and_required_fields(name: str) -> None:
    source = inspect.getsource(MODELS[name])
    fields = dict(re.findall(r"^    (\w+?)_?: '[^'\n]*'( = .*)?$", source, flags=re.M))
    schema, struct = DEFINITIONS[name], name.rpartition(".")[2]
    required = {field for field, default in fields.items() if not default and (struct, field) not in NEWER}
    required |= OLDER.get(struct, set())
    assert set(schema["properties"]) == set(fields)
    assert set(schema.get("required", [])) == required
