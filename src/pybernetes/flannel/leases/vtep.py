"""The MAC of a tunnel's end, as a lease announces it (VTEP: VXLAN tunnel endpoint)."""

import random
import re

VTEP_MAC = "VtepMAC"
"""The key in the backend data."""
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", re.IGNORECASE)


def is_unicast(mac: str) -> bool:
    """Whether it can belong to one node: no group's MAC and not all zeros, which the kernel takes as a default."""
    return _MAC.fullmatch(mac) is not None and not int(mac[:2], 16) & 1 and mac.strip("0:") != ""


def random_mac(rng: random.Random) -> str:
    """A locally administered unicast MAC."""
    octets = [(rng.getrandbits(8) & 0xFC) | 0x02, *(rng.getrandbits(8) for _ in range(5))]
    return ":".join(f"{octet:02x}" for octet in octets)
