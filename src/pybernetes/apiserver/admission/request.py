"""What an admission plugin sees: a change that is about to happen, or a connection that is about to be made."""

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import msgspec

from pybernetes.api.kind import Kind
from pybernetes.apiserver.allocate import Changes
from pybernetes.apiserver.types import User

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


class GroupVersionResource(NamedTuple):
    """A resource as clients address it."""

    group: str
    version: str
    resource: str


class GroupVersionKind(NamedTuple):
    """The kind of an object."""

    group: str
    version: str
    kind: str


@dataclass(slots=True, kw_only=True)
class AdmissionRequest:
    """A change about to happen. `admit` may change `obj` in place; `old` is never changed.

    The object is what the request's body holds: for pods/binding a Binding, for deployments/scale a Scale, for
    pods/exec the PodExecOptions of its query.
    """

    operation: Operation
    kind: Kind[Any]
    """the kind whose resource is addressed: of deployments/scale, Deployment"""
    namespace: str
    name: str
    user: User
    obj: Any = None
    """the new object; None for DELETE"""
    old: Any = None
    """the present object; None for CREATE and CONNECT"""
    subresource: str = ""
    options: msgspec.Struct | None = None
    """CreateOptions, UpdateOptions, PatchOptions or DeleteOptions; None for CONNECT"""
    dry_run: bool = False
    uid: str = ""
    """tells this request from all others"""
    requested: GroupVersionResource | None = None
    """the resource as the client addressed it, where that is another version; None: `kind`'s own"""
    warnings: list[str] = field(default_factory=list)
    """texts that the client gets as Warning headers"""
    audit_annotations: dict[str, str] = field(default_factory=dict)
    """what plugins record about the request: `<plugin>/<key>` -> value"""
    reserved: Changes = field(default_factory=Changes)
    """what plugins reserved for this change: kept once it is stored, undone if it is not"""
    reinvocation: bool = False
    """whether this is the second round, which sees what later plugins changed"""
    wants_reinvocation: bool = False
    """set by a plugin that changed the object after others had seen it"""

    @property
    def resource(self) -> str:
        """`pods`, `deployments.apps`, or `pods/status`."""
        return f"{self.kind.resource}/{self.subresource}" if self.subresource else self.kind.resource

    @property
    def request_resource(self) -> GroupVersionResource:
        """The resource as the client addressed it."""
        return self.requested or GroupVersionResource(self.kind.group, self.kind.version, self.kind.plural)

    @property
    def request_kind(self) -> GroupVersionKind:
        """The kind of the object in the request."""
        obj = self.obj if self.obj is not None else self.old
        if obj is None:
            return GroupVersionKind(self.kind.group, self.kind.version, self.kind.name)
        group, _, version = str(obj.api_version).rpartition("/")
        return GroupVersionKind(group, version, str(obj.kind))
