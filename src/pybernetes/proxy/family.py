"""The names that packet filters have for one address family."""

from dataclasses import dataclass

TABLE = "kube-proxy"


@dataclass(frozen=True, slots=True)
class Family:
    """IPv4 or IPv6, with the options that concern it."""

    version: int
    pod_cidrs: tuple[str, ...] = ()
    """Networks of pods; connections from other sources to a cluster IP are masqueraded. Empty: none are."""
    masquerade_all: bool = False

    @property
    def word(self) -> str:
        """`ip` or `ip6`"""
        return "ip" if self.version == 4 else "ip6"

    @property
    def type(self) -> str:
        """nft's type of an address."""
        return "ipv4_addr" if self.version == 4 else "ipv6_addr"

    @property
    def loopback(self) -> str:
        """Addresses on which node ports are not served."""
        return "127.0.0.0/8" if self.version == 4 else "::1"

    @property
    def reject(self) -> str:
        """The statement that rejects a connection to a Service without endpoints."""
        return f"reject with icmp{'' if self.version == 4 else 'v6'} type port-unreachable"
