"""Turns changes of Services into changes of virtual servers. Pure."""

from collections.abc import Iterable

from pybernetes.client.service_tracker import ServiceChange
from pybernetes.proxy.model import VirtualServer, virtual_servers

Change = tuple[VirtualServer | None, VirtualServer | None]
"""(old, new): old is None for a virtual server that appeared, new is None for one that went."""


class ServerChanges:
    """Remembers the virtual servers of each Service, so that an update names only those that differ."""

    def __init__(self, node: str, versions: Iterable[int]) -> None:
        self._node = node
        self._versions = tuple(versions)
        self._known: dict[str, dict[int, dict[str, VirtualServer]]] = {}

    def update(self, services: Iterable[ServiceChange]) -> dict[int, list[Change]]:
        """The resulting changes, by address family (4 or 6)."""
        changes: dict[int, list[Change]] = {version: [] for version in self._versions}
        for changed in services:
            before = self._known.pop(changed.key, {})
            after = self._servers(changed)
            if changed.service is not None:
                self._known[changed.key] = after
            for version in self._versions:
                changes[version] += _differences(before.get(version, {}), after.get(version, {}))
        return changes

    def _servers(self, changed: ServiceChange) -> dict[int, dict[str, VirtualServer]]:
        if changed.service is None:
            return {}
        return {
            version: {
                server.key: server for server in virtual_servers(changed.service, changed.slices, self._node, version)
            }
            for version in self._versions
        }


def _differences(old: dict[str, VirtualServer], new: dict[str, VirtualServer]) -> list[Change]:
    return [(old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key)]
