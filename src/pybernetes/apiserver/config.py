"""The server's configuration: one frozen value, checked once at start."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class KubeletClient:
    """How the server reaches the nodes' HTTPS servers for logs, exec and port-forward."""

    certificate: str
    """PEM file that the kubelets know the server by"""
    key: str
    ca: str = ""
    """PEM file that signed the kubelets' serving certificates; empty: they are not checked, as in the original"""
    address_types: tuple[str, ...] = ("InternalIP", "ExternalIP", "Hostname")
    """which of a node's addresses to try, in this order"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """How one API server behaves."""

    service_cidrs: tuple[str, ...] = ("10.96.0.0/12",)
    """where ClusterIPs come from: one network, or one of each family, the first being the default family"""
    node_port_range: tuple[int, int] = (30000, 32767)
    """first and last port for NodePorts"""
    advertise_address: str = "127.0.0.1"
    """the address in the endpoints of the `kubernetes` service"""
    advertise_port: int = 6443
    kubelet_client: KubeletClient | None = None
    """None: logs, exec and the like answer 503"""
    anonymous: bool = True
    """whether requests without credentials go on as system:anonymous"""
    max_body: int = 3 * 1024 * 1024
    """bytes; a larger request body is refused with 413"""
    bookmark_seconds: float = 60.0
    """how often a watch that asked for bookmarks gets one"""
    min_watch_seconds: int = 1800
    """a watch without a timeout ends after this time or up to twice as long"""
    request_seconds: float = 60.0
    """how long anything but a watch, log, exec or proxy may take"""
    gzip_above: int = 128 * 1024
    """bytes from which on an answer is compressed, if the client accepts that"""

    def networks(self) -> tuple[Network, ...]:
        """The service networks, parsed."""
        return tuple(ip_network(cidr) for cidr in self.service_cidrs)

    def check(self) -> None:
        """Raises ValueError that names the field and the fix."""
        families = [network.version for network in self.networks()]
        if not 1 <= len(families) <= 2 or len(set(families)) != len(families):
            raise ValueError(f"service_cidrs needs one network, or one of each family, got {self.service_cidrs}")
        first, last = self.node_port_range
        if not 0 < first <= last < 65536:
            raise ValueError(f"node_port_range needs two ports in order within 1-65535, got {first}-{last}")
        ip_address(self.advertise_address)
