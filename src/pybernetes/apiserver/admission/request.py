"""What an admission plugin sees, and what it is."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pybernetes.api.kind import Kind
from pybernetes.apiserver.types import User

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


@dataclass(slots=True, kw_only=True)
class AdmissionRequest:
    """A change about to happen. `obj` may be changed in place by `admit`; `old` never."""

    operation: Operation
    kind: Kind[Any]
    namespace: str
    name: str
    user: User
    obj: Any = None
    """the new object; None for DELETE"""
    old: Any = None
    """the stored object; None for CREATE"""
    subresource: str = ""
    dry_run: bool = False

    @property
    def resource(self) -> str:
        """`pods`, `deployments.apps`, or `pods/status`."""
        return f"{self.kind.resource}/{self.subresource}" if self.subresource else self.kind.resource


class Plugin(Protocol):
    """`admit` may change the object, `validate` only refuse; both raise `client.errors.ApiError`."""

    async def admit(self, request: AdmissionRequest) -> None:
        """Called in the order of the list, before validation."""

    async def validate(self, request: AdmissionRequest) -> None:
        """Called in the same order, after validation."""


class Admission:
    """The plugins as one."""

    def __init__(self, plugins: tuple[Plugin, ...]) -> None:
        self._plugins = plugins

    async def admit(self, request: AdmissionRequest) -> None:
        """Let every plugin change or refuse the object."""
        for plugin in self._plugins:
            await plugin.admit(request)

    async def validate(self, request: AdmissionRequest) -> None:
        """Let every plugin refuse the object as it will be stored."""
        for plugin in self._plugins:
            await plugin.validate(request)


class Base:
    """A plugin that has no objection."""

    async def admit(self, request: AdmissionRequest) -> None:
        """Nothing to add."""

    async def validate(self, request: AdmissionRequest) -> None:
        """Nothing to refuse."""
