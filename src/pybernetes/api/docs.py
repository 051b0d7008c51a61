"""The documentation of fields for `kubectl explain` and OpenAPI: the string literal after a field in its class.

Python discards such literals, so they are read from the module's source on first use.
"""

import ast
import importlib
import inspect
from functools import cache

import msgspec


@cache
def _documented_fields(module: str) -> dict[str, dict[str, str]]:
    """Class name -> field name -> text, of one module."""
    found: dict[str, dict[str, str]] = {}
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = _fields(node)
    return found


def _fields(node: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, text in zip(node.body, node.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            found[field.target.id] = inspect.cleandoc(text.value.value)
    return found


@cache
def field_docs(struct: type[msgspec.Struct]) -> dict[str, str]:
    """JSON name -> text, of every documented field of a struct, including inherited ones."""
    texts: dict[str, str] = {}
    for base in reversed(struct.__mro__):
        if base.__module__.startswith("pybernetes."):
            texts |= _documented_fields(base.__module__).get(base.__name__, {})
    return {f.encode_name: texts[f.name] for f in msgspec.structs.fields(struct) if f.name in texts}


def type_doc(struct: type[msgspec.Struct]) -> str:
    """The docstring of a type's class."""
    return inspect.cleandoc(struct.__doc__ or "")
