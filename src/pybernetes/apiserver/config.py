"""The server's configuration: one frozen value, checked once at start."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class KubeletClient:
    """How the server reaches the nodes' HTTPS servers for logs, exec and port-forward."""

    certificate: str
    """PEM file with the certificate that the server presents to kubelets"""
    key: str
    ca: str = ""
    """PEM file that signed the kubelets' serving certificates; empty: they are not verified, as in kube-apiserver"""
    address_types: tuple[str, ...] = ("InternalIP", "ExternalIP", "Hostname")
    """which of a node's addresses to try, in this order"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """The settings of one API server."""

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
    """whether requests without credentials are authenticated as system:anonymous"""
    max_body: int = 3 * 1024 * 1024
    """bytes; a larger request body is refused with 413"""
    bookmark_seconds: float = 60.0
    """the interval of bookmarks, in seconds"""
    min_watch_seconds: int = 1800
    """a watch without a timeout ends after this time or up to twice as long"""
    request_seconds: float = 60.0
    """the timeout of every request but watch, log, exec, attach, port-forward and proxy"""
    gzip_above: int = 128 * 1024
    """responses of at least this many bytes are compressed if the client accepts it"""

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
