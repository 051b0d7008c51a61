"""The words of one address family, in every packet filter."""

from dataclasses import dataclass

TABLE = "kube-proxy"


@dataclass(frozen=True, slots=True)
class Family:
    """IPv4 or IPv6, and what the options say of it."""

    version: int
    pod_cidrs: tuple[str, ...] = ()
    """Where pods live; connections from elsewhere to a cluster IP are masqueraded. Empty: nobody is."""
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
        """Addresses at which no node port is served."""
        return "127.0.0.0/8" if self.version == 4 else "::1"

    @property
    def reject(self) -> str:
        """The answer to a connection that nobody serves."""
        return f"reject with icmp{'' if self.version == 4 else 'v6'} type port-unreachable"
