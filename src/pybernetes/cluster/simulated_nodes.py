"""Names and addresses of simulated nodes. Pure.

A node's address is from the range for benchmarks (RFC 2544). Its pod range does not overlap those of real nodes.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network

from pybernetes.cluster.errors import ConfigError

NODE_RANGE = IPv4Network("198.18.0.0/15")
POD_RANGE = IPv4Network("10.128.0.0/10")
_POD_BITS = 8
LIMIT = 1 << (32 - _POD_BITS - POD_RANGE.prefixlen)
"""The number of pod ranges."""


@dataclass(frozen=True, slots=True)
class SimulatedNode:
    """One simulated node."""

    name: str
    address: str
    pod_cidr: str


def simulated_nodes(count: int) -> list[SimulatedNode]:
    """`simulated-1` to `simulated-<count>`. Raises ConfigError above LIMIT."""
    if not 0 <= count <= LIMIT:
        raise ConfigError(f"--simulated-nodes {count}: choose 0 to {LIMIT}")
    return [_simulated_node(number) for number in range(1, count + 1)]


def _simulated_node(number: int) -> SimulatedNode:
    pods = IPv4Network((int(POD_RANGE.network_address) + ((number - 1) << _POD_BITS), 32 - _POD_BITS))
    return SimulatedNode(f"simulated-{number}", str(NODE_RANGE.network_address + number), str(pods))
