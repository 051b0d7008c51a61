"""The ends of the udp backend, as values for its proxy."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class UdpEnd:
    """This node's end: the configuration of the proxy."""

    tun: str
    local: str
    port: int
    mtu: int
    network: str


@dataclass(frozen=True, slots=True)
class UdpPeer:
    """A peer's end: the proxy sends there what goes to the subnet."""

    subnet: str
    ip: str
    port: int
    reason: str = field(default="", compare=False)
