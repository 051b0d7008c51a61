"""Strict field validation: finds unknown and duplicate fields of a body.

Decoding into structs drops unknown fields and uses the last of two duplicates, as `fieldValidation=Ignore` requires.
For Warn and Strict the body is parsed a second time here, by a parser that detects duplicates.
"""

import json
from typing import Any

import yaml

from pybernetes.api.shape import Shape
from pybernetes.apiserver.patch.values import Json

MAX_PROBLEMS = 100
"""The limit of kube-apiserver."""


class _Duplicated(dict[str, Any]):
    """A JSON object in which some keys occurred more than once."""

    duplicates: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    marked = _Duplicated(found)
    marked.duplicates = tuple(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
    return marked


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def find_problems(body: bytes, shape: Shape) -> list[str]:
    """`unknown field "spec.foo"` and `duplicate field "metadata.labels.a"`, in the order of the body.

    A body that is not JSON has none: decoding reports the error.
    """
    try:
        return find_value_problems(_DECODER.decode(body.decode()), shape)
    except (ValueError, RecursionError):
        return []


def find_value_problems(value: Json, shape: Shape) -> list[str]:
    """The same for a decoded value, such as a patched object: it can only have unknown fields."""
    problems: dict[str, None] = {}
    _walk(value, shape, "", problems)
    return list(problems)[:MAX_PROBLEMS]


def find_yaml_problems(body: bytes, shape: Shape) -> list[str]:
    """The same for YAML, where duplicates are reported with their line: `line 4: key "a" already set in map`."""
    try:
        duplicates = yaml_duplicates(body)
        value = yaml.load(body, Loader=yaml.CSafeLoader)
        return (duplicates + find_value_problems(value, shape))[:MAX_PROBLEMS]
    except (yaml.YAMLError, ValueError, RecursionError):
        return []


def yaml_duplicates(body: bytes) -> list[str]:
    """Keys that occur twice in one mapping of a YAML document."""
    problems: list[str] = []
    root = yaml.compose(body, Loader=yaml.CSafeLoader)
    todo, seen = [root], {id(root)}
    while todo:
        node = todo.pop()
        children: list[Any] = []
        if isinstance(node, yaml.SequenceNode):
            children = list(node.value)
        elif isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, child in node.value:
                text = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
                if text in keys:
                    problems.append(f'line {key.start_mark.line + 1}: key "{text}" already set in map')
                keys.add(text)
                children.append(child)
        for child in reversed(children):
            if id(child) not in seen:
                seen.add(id(child))
                todo.append(child)
    return problems


def _walk(value: Json, shape: Shape, path: str, problems: dict[str, None]) -> None:
    """Collect the problems below `path`. Values of wrong types are left to decoding."""
    if isinstance(value, dict):
        _walk_dict(value, shape, path, problems)
    elif isinstance(value, list) and shape.form == "list" and shape.item is not None:
        if not shape.item.is_compound:
            return
        for index, item in enumerate(value):
            _walk(item, shape.item, f"{path}[{index}]", problems)


def _walk_dict(value: dict[str, Any], shape: Shape, path: str, problems: dict[str, None]) -> None:
    if shape.form == "struct":
        for key, member in value.items():
            known = shape.child(key)
            if known is None:
                problems.setdefault(f'unknown field "{_join(path, key)}"')
            elif isinstance(member, (dict, list)):
                _walk(member, known, _join(path, key), problems)
    elif shape.form == "map" and shape.item is not None and shape.item.is_compound:
        for key, member in value.items():
            _walk(member, shape.item, _join(path, key), problems)
    if isinstance(value, _Duplicated) and (shape.form == "struct" or (shape.item and shape.item.form != "any")):
        for key in value.duplicates:
            problems.setdefault(f'duplicate field "{_join(path, key)}"')


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
