"""BIRD's configuration, as values."""

from dataclasses import dataclass, field

NAME = "bgp"
"""The backend's type."""


@dataclass(frozen=True, slots=True)
class BgpSpeaker:
    """This node as a BGP speaker, for one family."""

    network: str
    """The pod network: nothing outside is accepted or announced."""
    subnet: str
    """What we announce."""
    address: str
    asn: int
    restart: int
    """For how many seconds peers keep our routes while our BIRD is not running."""


@dataclass(frozen=True, slots=True)
class BgpSession:
    """A BGP session."""

    node: str
    address: str
    asn: int
    local: str
    client: bool = False
    """It is a client of this reflector."""
    cluster: str = ""
    """The cluster ID of this reflector; empty: BIRD uses the router ID."""
    outside: bool = False
    """The peer is not a node."""
    direct: bool = True
    """The peer is on our segment."""
    password: str = field(default="", repr=False)
    reason: str = field(default="", compare=False)
