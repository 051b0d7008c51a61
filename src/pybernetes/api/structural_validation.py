"""Validation of plain JSON values by a structural OpenAPI v3 schema, with the messages of kube-apiserver.

Every rule appends to an `Errors`; nothing is raised. Rules in CEL (x-kubernetes-validations) are not evaluated here.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pybernetes.api.field import Errors, Path
from pybernetes.api.formats import FORMATS

Json = Any
OpenApi = Mapping[str, Any]

_BOUNDS = {"int32": 1 << 31, "int64": 1 << 63}


def validate(value: Json, schema: OpenApi, errors: Errors, path: Path = Path("")) -> None:
    """Check a value, and everything below it."""
    if value is None and schema.get("nullable"):
        return
    if not _has_type(value, schema, path, errors):
        return
    _enum(value, schema, path, errors)
    if isinstance(value, bool) or value is None:
        pass
    elif isinstance(value, str):
        _string(value, schema, path, errors)
    elif isinstance(value, (int, float)):
        _number(value, schema, path, errors)
    elif isinstance(value, list):
        _array(value, schema, path, errors)
    elif isinstance(value, dict):
        _object(value, schema, path, errors)
    _combined(value, schema, path, errors)


def type_of(value: Json) -> str:
    """A value's type in the words of OpenAPI."""
    if value is None:
        return "null"
    names = {bool: "boolean", str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return names[type(value)]


def _types(schema: OpenApi) -> tuple[str, ...]:
    if schema.get("x-kubernetes-int-or-string"):
        return ("integer", "string")
    return (schema["type"],) if schema.get("type") else ()


def _has_type(value: Json, schema: OpenApi, path: Path, errors: Errors) -> bool:
    wanted, got = _types(schema), type_of(value)
    if not wanted or got in wanted or (got == "integer" and "number" in wanted):
        return True
    if got == "number" and "integer" in wanted and float(value).is_integer():
        return True
    errors.type_invalid(path, got, f'{path} in body must be of type {",".join(wanted)}: "{got}"')
    return False


def _enum(value: Json, schema: OpenApi, path: Path, errors: Errors) -> None:
    allowed = schema.get("enum")
    if allowed and not any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in allowed):
        errors.not_supported(path, value, list(allowed))


def _string(value: str, schema: OpenApi, path: Path, errors: Errors) -> None:
    least, most, pattern, form = (schema.get(k) for k in ("minLength", "maxLength", "pattern", "format"))
    if most is not None and len(value) > most:
        errors.too_long(path, most)
    if least is not None and len(value) < least:
        errors.invalid(path, value, f"{path} in body should be at least {least} chars long")
    if pattern and re.search(pattern, value) is None:
        errors.invalid(path, value, f"{path} in body should match '{pattern}'")
    check = FORMATS.get(form or "")
    if check is not None and not check(value):
        errors.type_invalid(path, value, f'{path} in body must be of type {form}: "{value}"')


def _number(value: float, schema: OpenApi, path: Path, errors: Errors) -> None:
    least, most, step = (schema.get(k) for k in ("minimum", "maximum", "multipleOf"))
    bound = _BOUNDS.get(schema.get("format", ""))
    if bound is not None and not -bound <= value < bound:
        text = f"Checked value must be of type {_types(schema)[0]} with format {schema['format']}"
        errors.type_invalid(path, value, text)
    if most is not None and (value >= most if schema.get("exclusiveMaximum") else value > most):
        word = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        errors.invalid(path, value, f"{path} in body should be {word} {show_bound(most)}")
    if least is not None and (value <= least if schema.get("exclusiveMinimum") else value < least):
        word = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        errors.invalid(path, value, f"{path} in body should be {word} {show_bound(least)}")
    if step and Decimal(str(value)) % Decimal(str(step)):
        errors.invalid(path, value, f"{path} in body should be a multiple of {show_bound(step)}")


def show_bound(value: float) -> str:
    """A number in the format of Go's %v for float64: `10`, `0.5`, `1e+06`."""
    number = Decimal(repr(float(value))).normalize()
    exponent = number.adjusted()
    if -4 <= exponent < 6:
        return f"{number:f}"
    mantissa = number.scaleb(-exponent).normalize()
    return f"{mantissa:f}e{exponent:+03d}"


def _array(value: list[Json], schema: OpenApi, path: Path, errors: Errors) -> None:
    least, most = schema.get("minItems"), schema.get("maxItems")
    if most is not None and len(value) > most:
        errors.too_many(path, len(value), most)
    if least is not None and len(value) < least:
        errors.invalid(path, len(value), f"{path} in body should have at least {least} items")
    items = schema.get("items")
    if isinstance(items, Mapping):
        for index, item in enumerate(value):
            validate(item, items, errors, path @ index)
    _unique(value, schema, path, errors)


def _unique(value: list[Json], schema: OpenApi, path: Path, errors: Errors) -> None:
    """The items of a set are distinct, those of a map differ in their keys."""
    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("set", "map"):
        return
    seen: list[Json] = []
    for index, item in enumerate(value):
        mark = item
        if kind == "map" and isinstance(item, dict):
            mark = {key: item[key] for key in schema.get("x-kubernetes-list-map-keys", ()) if key in item}
        if mark in seen:
            errors.duplicate(path @ index, mark)
        seen.append(mark)


def _object(value: dict[str, Json], schema: OpenApi, path: Path, errors: Errors) -> None:
    least, most = schema.get("minProperties"), schema.get("maxProperties")
    if most is not None and len(value) > most:
        errors.too_many(path, len(value), most)
    if least is not None and len(value) < least:
        errors.invalid(path, len(value), f"{path} in body should have at least {least} properties")
    for name in schema.get("required", ()):
        if name not in value:
            errors.required(path / name)
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name, member in value.items():
        part = known.get(name, others)
        if isinstance(part, Mapping):
            validate(member, part, errors, path / name)
    if schema.get("x-kubernetes-embedded-resource"):
        for name in ("apiVersion", "kind"):
            if not value.get(name):
                errors.required(path / name, "must not be empty")


def _combined(value: Json, schema: OpenApi, path: Path, errors: Errors) -> None:
    """allOf, anyOf, oneOf and not. An error names the combination, not what each part lacks, except for allOf."""
    for part in schema.get("allOf", ()):
        validate(value, part, errors, path)
    for name in ("anyOf", "oneOf"):
        parts = schema.get(name, ())
        valid = sum(_is_valid(value, part) for part in parts)
        if parts and not valid and name == "anyOf":
            errors.invalid(path, "", f'"{path}" must validate at least one schema (anyOf)')
        elif parts and valid != 1 and name == "oneOf":
            found = f"Found {valid} valid alternatives" if valid else "Found none valid"
            errors.invalid(path, "", f'"{path}" must validate one and only one schema (oneOf). {found}')
    if "not" in schema and _is_valid(value, schema["not"]):
        errors.invalid(path, "", f'"{path}" must not validate the schema (not)')


def _is_valid(value: Json, schema: OpenApi) -> bool:
    found = Errors()
    validate(value, schema, found)
    return not found
