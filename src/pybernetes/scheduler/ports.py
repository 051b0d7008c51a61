"""Host ports in use. Few pods have host ports, so the table is sparse: port -> node -> addresses."""

from collections import Counter
from collections.abc import Iterable

from pybernetes.scheduler.template import HostPort

_ALL = "0.0.0.0"


class UsedPorts:
    """The host ports in use, by row."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, int], dict[int, Counter[str]]] = {}

    def add(self, ports: Iterable[HostPort], row: int, number: int) -> None:
        """Mark ports on a node as used (number 1), or free them (-1)."""
        for address, protocol, port in ports:
            rows = self._taken.setdefault((protocol, port), {})
            addresses = rows.setdefault(row, Counter())
            addresses[address] += number
            if not addresses[address]:
                del addresses[address]
            if not addresses:
                del rows[row]
            if not rows:
                del self._taken[protocol, port]

    def conflicts(self, ports: Iterable[HostPort]) -> set[int]:
        """The rows where one of the ports is in use on the same address, or where either side uses all addresses."""
        found: set[int] = set()
        for address, protocol, port in ports:
            for row, taken in self._taken.get((protocol, port), {}).items():
                if address == _ALL or address in taken or _ALL in taken:
                    found.add(row)
        return found
