"""Messages to charon about peers, and from charon about tunnels. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from pybernetes.flannel.backends.ipsec.policies import REQID, IpsecEnd, IpsecPeer
from pybernetes.flannel.backends.ipsec.vici import Message, section, text

#: Key exchange: ours, and that of Go flannel.
_IKE = ("aes256-sha256-ecp256", "aes256-sha256-modp4096")
_REKEY = "1h"
#: Dead peer detection starts after this long without packets from the peer.
_DPD = "300s"


def name_of(peer: IpsecPeer) -> str:
    """Name of the connection in charon."""
    return f"flannel-{peer.remote}"


def shared(end: IpsecEnd, peer: IpsecPeer) -> Message:
    """For `load-shared`."""
    return {"id": name_of(peer), "type": "IKE", "data": end.psk, "owners": [peer.identity, peer.remote]}


def connection(end: IpsecEnd, peer: IpsecPeer) -> Message:
    """For `load-conn`. charon makes no policies (`policies.py` does), and sets up no tunnel by itself."""
    child: Message = {
        "local_ts": [peer.near],
        "remote_ts": [peer.far],
        "esp_proposals": [end.proposal],
        "mode": "tunnel",
        "policies": "no",
        "reqid": str(REQID),
        "if_id_in": str(peer.if_id),
        "if_id_out": str(peer.if_id),
        "rekey_time": _REKEY,
        "start_action": "none",
        "close_action": "none",
        "dpd_action": "clear",
    }
    name = name_of(peer)
    return {
        name: {
            "version": "2",
            "local_addrs": [peer.local],
            "remote_addrs": [peer.remote],
            "proposals": _IKE,
            "encap": "yes" if end.encap else "no",
            "dpd_delay": _DPD,
            "mobike": "no",
            "keyingtries": "1",
            # A restarted charon must not make its peers delete the states that packets still use.
            "unique": "never",
            "local": {"auth": "psk", "id": peer.identity},
            "remote": {"auth": "psk", "id": peer.remote},
            "children": {name: child},
        }
    }


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A pair of states that charon has made."""

    connection: str
    ike: str
    """charon's number of its IKE SA."""
    spis: tuple[str, str]


def tunnels(events: Iterable[Message]) -> list[Tunnel]:
    """The established ones, of the events in answer to `list-sas`."""
    found = []
    for event in events:
        for name, value in event.items():
            ike = section(value)
            for child in map(section, section(ike.get("child-sas")).values()):
                if text(child.get("state")) in _ESTABLISHED:
                    spis = (text(child.get("spi-in")), text(child.get("spi-out")))
                    found.append(Tunnel(name, text(ike.get("uniqueid")), spis))
    return found


_ESTABLISHED = frozenset({"INSTALLED", "REKEYING", "REKEYED", "UPDATING"})


def goes_first(peer: IpsecPeer) -> bool:
    """Whether this node is the initiator. The other node sets up the tunnel only if this one does not."""
    return int(ip_address(peer.identity)) < int(ip_address(peer.remote))


#: What charon logs when a tunnel can't be set up, and the explanation.
_REASONS = (
    ("AUTHENTICATION_FAILED", "one of us refuses the other's PSK: give both nodes the same Backend.PSK"),
    ("MAC mismatched", "one of us refuses the other's PSK: give both nodes the same Backend.PSK"),
    ("NO_PROPOSAL_CHOSEN", "it does not accept our proposal, or does not expect us: compare Backend.ESPProposal"),
    ("TS_UNACCEPTABLE", "it does not expect our subnet: its lease of us may be outdated"),
    ("unable to install", "the kernel refuses the keys: does it have the modules esp4 and those of ESPProposal?"),
    ("giving up after", "it does not answer on UDP port 500 or 4500: is it up, and is a firewall between us?"),
    ("network unreachable", "there is no route to it"),
)


def reason(lines: Sequence[str]) -> str:
    """Why a tunnel could not be set up, given what charon logged."""
    for sign, meaning in _REASONS:
        if any(sign in line for line in lines):
            return meaning
    last = next((line for line in reversed(lines) if line), "")
    return f"charon says: {last[:200]}" if last else "charon gives no reason"
