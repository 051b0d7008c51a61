"""What BIRD is to do, as values."""

from dataclasses import dataclass, field

NAME = "bgp"
"""The backend's type."""


@dataclass(frozen=True, slots=True)
class BgpSpeaker:
    """This node as a BGP speaker, for one family: what BIRD is told."""

    network: str
    """Nothing outside is accepted or announced."""
    subnet: str
    """What we announce."""
    address: str
    asn: int
    restart: int
    """For how many seconds peers keep our routes while our BIRD is away."""


@dataclass(frozen=True, slots=True)
class BgpSession:
    """Somebody whom BIRD talks to."""

    node: str
    address: str
    asn: int
    local: str
    client: bool = False
    """We reflect routes for it."""
    cluster: str = ""
    """The ID that we have in common with other reflectors; empty: BIRD takes our router ID."""
    outside: bool = False
    """It is no node."""
    direct: bool = True
    """On our segment."""
    password: str = field(default="", repr=False)
    reason: str = field(default="", compare=False)
