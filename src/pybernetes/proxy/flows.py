"""Which UDP flows to delete: those to removed endpoints, and those opened while there was no endpoint.

A TCP client notices a removed endpoint by itself. A UDP client that keeps its source port would continue to send to it
as long as the kernel tracks the flow. Flows to remaining endpoints stay.
"""

from collections.abc import Iterable

from pybernetes.linux.conntrack import UDP, Flow
from pybernetes.proxy.model import Endpoint, VirtualServer


class StaleFlows:
    """A predicate for conntrack flows, built from the changes of one update."""

    def __init__(self, changes: Iterable[tuple[VirtualServer | None, VirtualServer | None]]) -> None:
        self._by_address: dict[tuple[str, int], set[tuple[str, int]]] = {}
        self._by_node_port: dict[int, set[tuple[str, int]]] = {}
        self._unserved: set[tuple[str, int]] = set()
        self._unserved_ports: set[int] = set()
        for old, new in changes:
            self._note(old, new)

    def __bool__(self) -> bool:
        return bool(self._by_address or self._by_node_port or self._unserved or self._unserved_ports)

    def _note(self, old: VirtualServer | None, new: VirtualServer | None) -> None:
        server = old or new
        if server is None or server.protocol != "udp":
            return
        had = _places(old.endpoints) if old else set()
        has = _places(new.endpoints) if new else set()
        addresses = [(ip, server.port) for ip in (server.cluster_ip, *server.external_ips)]
        gone = had - has
        if gone:
            for address in addresses:
                self._by_address.setdefault(address, set()).update(gone)
            if server.node_port:
                self._by_node_port.setdefault(server.node_port, set()).update(gone)
        if has and not had:
            self._unserved.update(addresses)
            if server.node_port:
                self._unserved_ports.add(server.node_port)

    def __call__(self, flow: Flow) -> bool:
        if flow.protocol != UDP:
            return False
        address = (flow.dst, flow.dport)
        answers = (flow.reply_src, flow.reply_sport)
        if answers in self._by_address.get(address, ()) or answers in self._by_node_port.get(flow.dport, ()):
            return True
        # A flow without NAT was opened while there was no endpoint.
        redirected = answers != address
        return not redirected and (address in self._unserved or flow.dport in self._unserved_ports)


def _places(endpoints: Iterable[Endpoint]) -> set[tuple[str, int]]:
    return {(endpoint.ip, endpoint.port) for endpoint in endpoints}
