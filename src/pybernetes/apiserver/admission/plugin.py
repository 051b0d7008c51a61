"""What an admission plugin is, and the plugins as one."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from pybernetes.apiserver.admission.request import AdmissionRequest, Operation


@dataclass(frozen=True, slots=True)
class Interest:
    """Which requests a plugin is called for: an empty set means all.

    `resources` holds names such as `pods`, `deployments.apps` and `pods/status`; `pods/*` means every subresource.
    """

    operations: frozenset[Operation] = frozenset()
    resources: frozenset[str] = frozenset()

    def covers(self, operation: Operation, resource: str) -> bool:
        """Whether a request is of interest."""
        if self.operations and operation not in self.operations:
            return False
        if not self.resources or resource in self.resources:
            return True
        name, slash, _ = resource.partition("/")
        return bool(slash) and f"{name}/*" in self.resources


def wants(*operations: Operation, resources: Iterable[str] = ()) -> Interest:
    """`wants("CREATE", resources=["pods"])`"""
    return Interest(frozenset(operations), frozenset(resources))


class Plugin(Protocol):
    """`admit` may change the object, `validate` only refuse; both raise `client.errors.ApiError`.

    Either may reserve something and register in `request.reserved` how to keep and how to release it. `admit` may run
    twice for a request (`request.reinvocation`), so it has to leave alone what it has done already.
    """

    @property
    def name(self) -> str:
        """The name by which kube-apiserver's flags know the plugin."""

    @property
    def interest(self) -> Interest:
        """Which requests the plugin is called for; the same for the plugin's lifetime."""

    async def admit(self, request: AdmissionRequest) -> None:
        """Called in the order of the list, before validation."""

    async def validate(self, request: AdmissionRequest) -> None:
        """Called in the same order, after validation."""


class Base:
    """A plugin that neither changes nor refuses anything: plugins override one of the two."""

    async def admit(self, request: AdmissionRequest) -> None:
        """Change or refuse."""

    async def validate(self, request: AdmissionRequest) -> None:
        """Refuse."""


class Admission:
    """The plugins as one."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self._plugins = tuple(plugins)
        self._interested: dict[tuple[Operation, str], tuple[Plugin, ...]] = {}

    async def admit(self, request: AdmissionRequest) -> None:
        """Let every interested plugin change or refuse the object; once more if one of them asks for it."""
        plugins = self._for(request)
        for plugin in plugins:
            await plugin.admit(request)
        if request.wants_reinvocation:
            request.reinvocation = True
            for plugin in plugins:
                await plugin.admit(request)

    async def validate(self, request: AdmissionRequest) -> None:
        """Let every interested plugin refuse the object as it will be stored."""
        for plugin in self._for(request):
            await plugin.validate(request)

    async def check(self, request: AdmissionRequest) -> None:
        """Both steps, for requests whose object is not validated in between."""
        await self.admit(request)
        await self.validate(request)

    def _for(self, request: AdmissionRequest) -> tuple[Plugin, ...]:
        key = request.operation, request.resource
        found = self._interested.get(key)
        if found is None:
            found = tuple(plugin for plugin in self._plugins if plugin.interest.covers(*key))
            self._interested[key] = found
        return found
