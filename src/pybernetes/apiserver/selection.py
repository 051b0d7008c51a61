"""Label and field selectors over stored objects.

The selectable parts of an object (labels and a few fields) are decoded once per revision and cached on the stored
value, so that a thousand watches with a field selector cost one decode.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from pybernetes.api import fields, labels
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object
from pybernetes.apiserver import errors
from pybernetes.apiserver.resource import Resource
from pybernetes.store.types import KeyValue


class _Meta(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}


class _Head(msgspec.Struct):
    metadata: _Meta


_decode_head = msgspec.json.Decoder(_Head).decode


class View(msgspec.Struct, gc=False):
    """The selectable parts of one revision of an object; cached in `KeyValue.cache`."""

    labels: dict[str, str]
    fields: dict[str, str] | None = None
    kind: Kind[Any] | None = None
    """the kind that `fields` belong to"""


def _view(kv: KeyValue) -> View:
    view = kv.cache
    if view is None:
        view = kv.cache = View(_decode_head(kv.value).metadata.labels)
    found: View = view
    return found


def _fields(kv: KeyValue, kind: Kind[Any]) -> dict[str, str]:
    view = _view(kv)
    if view.fields is None or view.kind is not kind:
        obj: Object = kind.schema.load(kv.value)
        values = {name: get(obj) for name, get in kind.selectable.items()}
        values["metadata.name"], values["metadata.namespace"] = obj.metadata.name, obj.metadata.namespace
        view.fields, view.kind = values, kind
    return view.fields


@dataclass(frozen=True, slots=True)
class Selection:
    """Selects objects of a collection."""

    resource: Resource
    labels: labels.Selector
    fields: tuple[Any, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether every object is selected."""
        return self.labels.everything and not self.fields

    @property
    def name(self) -> str:
        """The one name that can match, if the selector says so."""
        for requirement in self.fields:
            if requirement.field == "metadata.name" and requirement.op == "=":
                return str(requirement.value)
        return ""

    def matches(self, kv: KeyValue) -> bool:
        """Whether an object, in the served version, is selected."""
        if not self.labels.everything and not self.labels.matches(_view(kv).labels):
            return False
        if not self.fields:
            return True
        values = _fields(kv, self.resource.kind)
        return all((values.get(r.field, "") == r.value) == (r.op == "=") for r in self.fields)


def selection(resource: Resource, label_selector: str, field_selector: str, name: str = "") -> Selection:
    """Parse the two selectors; `name` adds a requirement on the name. Raises BadRequest."""
    try:
        by_label = labels.parse(label_selector)
    except labels.SelectorError as error:
        raise errors.bad_request(str(error)) from error
    found = list(_parse_fields(resource, field_selector)) if field_selector else []
    if name:
        found.append(fields.Requirement("metadata.name", "=", name))
    return Selection(resource, by_label, tuple(found))


def _parse_fields(resource: Resource, text: str) -> list[Any]:
    try:
        found = list(fields.parse(text))
    except ValueError as error:
        raise errors.bad_request(str(error)) from error
    kind = resource.kind
    allowed = set(kind.selectable) | {"metadata.name"} | ({"metadata.namespace"} if kind.namespaced else set())
    for requirement in found:
        if requirement.field not in allowed:
            raise errors.bad_request(
                f'Unable to find "{kind.api_version}, Resource={kind.plural}" that match label selector "", field '
                f'selector "{text[:200]}": field label not supported: {requirement.field}'
            )
    return found
