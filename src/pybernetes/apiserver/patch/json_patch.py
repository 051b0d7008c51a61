"""JSON Patch (RFC 6902) over JSON pointers (RFC 6901), with the error texts of kube-apiserver.

Either all operations are applied or none: the given document is never changed.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from pybernetes.apiserver.patch.errors import PatchError
from pybernetes.apiserver.patch.values import Json, clone, guarded, same

MAX_OPERATIONS = 10_000
MAX_COPIED_BYTES = 3 * 1024 * 1024
"""The limit on what copy operations may add in total: repeated doubling would exhaust memory."""

REJECTED = "the server rejected our request due to an error in our request"


def apply(doc: Json, ops: Json) -> Json:
    """The patched document. PatchError: 400 not a patch, 413 too many operations, 422 not applicable."""
    if not isinstance(ops, list):
        raise PatchError("a JSON patch must be a list of operations")
    if len(ops) > MAX_OPERATIONS:
        limit = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(ops)}"
        raise PatchError(f"Request entity too large: {limit}", 413)
    return guarded(lambda: _Document(clone(doc)).run(ops))


def _refuse(message: str) -> PatchError:
    return PatchError(f"{REJECTED}: {message}", 422)


def parse_pointer(pointer: Json) -> list[str]:
    """`/a~1b/0` -> `["a/b", "0"]`; the empty pointer is the whole document."""
    if not isinstance(pointer, str):
        raise PatchError("a JSON pointer must be a string")
    if pointer == "":
        return []
    if not pointer.startswith("/"):
        raise _refuse(f"invalid JSON pointer {msgspec.json.encode(pointer).decode()}: it must start with '/'")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def _index(token: str, size: int) -> int:
    """An array index below `size`; leading zeros and signs are not indexes."""
    if not (token.isascii() and token.isdigit()) or (token[0] == "0" and token != "0") or len(token) > 9:
        raise _refuse(f"Unable to access invalid index: {token}: invalid index referenced")
    number = int(token)
    if number >= size:
        raise _refuse(f"Unable to access invalid index: {token}: invalid index referenced")
    return number


class _Document:
    """A private copy of the document, changed operation by operation."""

    def __init__(self, root: Json) -> None:
        self.root = root
        self.copied = 0
        self.handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "add": self.add,
            "remove": self.remove,
            "replace": self.replace,
            "move": self.move,
            "copy": self.copy,
            "test": self.test,
        }

    def run(self, ops: list[Json]) -> Json:
        for op in ops:
            if not isinstance(op, dict):
                raise PatchError("each operation of a JSON patch must be an object")
            name = op.get("op")
            handler = self.handlers.get(name) if isinstance(name, str) else None
            if handler is None:
                raise _refuse(f"Unexpected kind: {name if isinstance(name, str) else 'unknown'}")
            if "path" not in op:
                raise _refuse(f"{name} operation has no path: missing value")
            handler(op)
        return self.root

    def add(self, op: dict[str, Any]) -> None:
        self._put("add", op["path"], clone(_value(op)))

    def remove(self, op: dict[str, Any]) -> None:
        self._take("remove", op["path"])

    def replace(self, op: dict[str, Any]) -> None:
        value = clone(_value(op))
        tokens = parse_pointer(op["path"])
        if not tokens:
            self.root = value
            return
        parent = self._parent("replace", op["path"], tokens)
        if isinstance(parent, dict):
            if tokens[-1] not in parent:
                raise _refuse(f"replace operation does not apply: doc is missing key: {op['path']}: missing value")
            parent[tokens[-1]] = value
        else:
            parent[_index(tokens[-1], len(parent))] = value

    def move(self, op: dict[str, Any]) -> None:
        source, target = parse_pointer(op.get("from")), parse_pointer(op["path"])
        if len(target) > len(source) and target[: len(source)] == source:
            raise _refuse(f"move operation does not apply: {op['path']} lies within {op['from']}")
        if source == target:
            self._get("move", op["from"])
            return
        self._put("move", op["path"], self._take("move", op["from"]))

    def copy(self, op: dict[str, Any]) -> None:
        value = clone(self._get("copy", op.get("from")))
        self.copied += len(msgspec.json.encode(value))
        if self.copied > MAX_COPIED_BYTES:
            text = f"Unable to complete the copy, the accumulated size increase of copy is {self.copied}, "
            raise PatchError(f"{text}exceeding the limit {MAX_COPIED_BYTES}", 413)
        self._put("copy", op["path"], value)

    def test(self, op: dict[str, Any]) -> None:
        path, wanted = op["path"], op.get("value")
        try:
            found = self._get("test", path)
        except PatchError:
            # A missing member equals null, as in kube-apiserver.
            if wanted is None and parse_pointer(path):
                return
            raise
        if not same(found, wanted):
            raise _refuse(f"testing value {path} failed: test failed")

    def _parent(self, name: str, path: str, tokens: list[str]) -> Any:
        """The map or list that contains the last token."""
        node = self.root
        for token in tokens[:-1]:
            if isinstance(node, dict) and token in node:
                node = node[token]
            elif isinstance(node, list):
                node = node[_index(token, len(node))]
            else:
                raise _missing_path(name, path)
        if not isinstance(node, (dict, list)):
            raise _missing_path(name, path)
        return node

    def _get(self, name: str, path: Json) -> Json:
        tokens = parse_pointer(path)
        if not tokens:
            return self.root
        parent = self._parent(name, path, tokens)
        if isinstance(parent, list):
            return parent[_index(tokens[-1], len(parent))]
        if tokens[-1] not in parent:
            raise _missing_path(name, path)
        return parent[tokens[-1]]

    def _put(self, name: str, path: Json, value: Json) -> None:
        tokens = parse_pointer(path)
        if not tokens:
            self.root = value
            return
        parent = self._parent(name, path, tokens)
        if isinstance(parent, dict):
            parent[tokens[-1]] = value
        elif tokens[-1] == "-":
            parent.append(value)
        else:
            parent.insert(_index(tokens[-1], len(parent) + 1), value)

    def _take(self, name: str, path: Json) -> Json:
        tokens = parse_pointer(path)
        if not tokens:
            raise _refuse(f"{name} operation does not apply: the whole document can't be removed")
        parent = self._parent(name, path, tokens)
        if isinstance(parent, list):
            return parent.pop(_index(tokens[-1], len(parent)))
        if tokens[-1] not in parent:
            raise _refuse(f"Unable to remove nonexistent key: {tokens[-1]}: missing value")
        return parent.pop(tokens[-1])


def _value(op: dict[str, Any]) -> Json:
    if "value" not in op:
        raise _refuse(f"{op['op']} operation has no value: missing value")
    return op["value"]


def _missing_path(name: str, path: Json) -> PatchError:
    return _refuse(f'{name} operation does not apply: doc is missing path: "{path}": missing value')
