"""Names and addresses of simulated nodes, which exist on paper only. Pure.

A node's address is from the range for benchmarks (RFC 2544), its pods' are from a range beside that of the real
nodes.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network

from pybernetes.cluster.errors import ConfigError

NODE_RANGE = IPv4Network("198.18.0.0/15")
POD_RANGE = IPv4Network("10.128.0.0/10")
_POD_BITS = 8
LIMIT = 1 << (32 - _POD_BITS - POD_RANGE.prefixlen)
"""As many as there are ranges for pods."""


@dataclass(frozen=True, slots=True)
class PaperNode:
    """One simulated node."""

    name: str
    address: str
    pod_cidr: str


def paper_nodes(count: int) -> list[PaperNode]:
    """`simulated-1` to `simulated-<count>`. Raises ConfigError for more than there are addresses for."""
    if not 0 <= count <= LIMIT:
        raise ConfigError(f"--simulated-nodes {count}: choose 0 to {LIMIT}")
    return [_paper_node(number) for number in range(1, count + 1)]


def _paper_node(number: int) -> PaperNode:
    pods = IPv4Network((int(POD_RANGE.network_address) + ((number - 1) << _POD_BITS), 32 - _POD_BITS))
    return PaperNode(f"simulated-{number}", str(NODE_RANGE.network_address + number), str(pods))
