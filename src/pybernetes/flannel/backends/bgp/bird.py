"""BIRD's config as text. Pure.

BIRD has three sources of routes: this node's subnet as a static route, which is announced but not installed; peers'
routes by BGP, installed with a metric that marks them as ours; and the kernel's other routes, to resolve next hops
behind a router, which are never announced. Nothing outside the pod network is accepted or announced.

Names of nodes appear in quoted strings only, without characters that could end these; protocols are named after
addresses. So the name of a node can't change what BIRD does.
"""

import ipaddress
import re
from collections.abc import Sequence
from pathlib import Path

from pybernetes.flannel.backends.bgp.learned import LEARNED_METRIC
from pybernetes.flannel.backends.bgp.speaker import BgpSession, BgpSpeaker
from pybernetes.flannel.kernel.routes import ROUTE_PROTOCOL

_LOG_BYTES = 1 << 20
_UNSAFE = re.compile(r"[^A-Za-z0-9 ._:/&@-]")
#: How long BIRD, restarted after a crash, waits for peers before it removes routes that were not announced again.
_RECOVERY_SECONDS = 10
_FAMILY = {4: "ipv4", 6: "ipv6"}


def render(speakers: Sequence[BgpSpeaker], sessions: Sequence[BgpSession], log: Path) -> str:
    """The complete config. Raises ValueError if it can't contain the log's path."""
    if '"' in str(log) or "\n" in str(log):
        raise ValueError(f"the path {log} holds a quotation mark or a line break, which BIRD's config can't contain")
    levels = "{ info, remote, warning, error, auth, fatal, bug }"
    lines = [
        "# Written by flanneld. Changes by hand are lost.",
        f'log "{log}" {_LOG_BYTES} "{log}.1" {levels};',
        f"router id {router_id(speakers[0].address)};",
        f"graceful restart wait {_RECOVERY_SECONDS};",
        "protocol device {}",
    ]
    for speaker in speakers:
        lines += _family(speaker)
        version = ipaddress.ip_network(speaker.network).version
        for session in sessions:
            if ipaddress.ip_address(session.address).version == version:
                lines += _session(speaker, session)
    return "\n".join(lines) + "\n"


def router_id(address: str) -> ipaddress.IPv4Address:
    """The router ID of this node: its IPv4 address, or its IPv6 address folded to 32 bits, never 0."""
    number = int(ipaddress.ip_address(address))
    folded = 0
    while number:
        folded ^= number & 0xFFFFFFFF
        number >>= 32
    return ipaddress.IPv4Address(folded or 1)


def protocol_name(address: str) -> str:
    """`node_192_0_2_7`: name of the session with this address, in BIRD's log and in birdc."""
    return "node_" + re.sub(r"[.:]", "_", address)


def _family(speaker: BgpSpeaker) -> list[str]:
    version = ipaddress.ip_network(speaker.network).version
    family, pods = _FAMILY[version], f"net ~ [ {speaker.network}+ ]"
    return [
        f"protocol direct connected{version} {{ {family} {{ import where !({pods}); }}; }}",
        f"protocol static own{version} {{ {family}; route {speaker.subnet} blackhole; }}",
        f"protocol kernel kernel{version} {{",
        "  learn;",
        "  scan time 1;",
        f"  metric {LEARNED_METRIC};",
        "  graceful restart;",
        f"  {family} {{",
        f"    import where krt_source != {ROUTE_PROTOCOL} && !({pods});",
        f"    export where source = RTS_BGP && {pods};",
        "  };",
        "}",
    ]


def _session(speaker: BgpSpeaker, session: BgpSession) -> list[str]:
    family = _FAMILY[ipaddress.ip_address(session.address).version]
    foreign = f"net ~ [ {speaker.network}+ ] && !(net ~ [ {speaker.subnet}+ ])"
    lines = [
        f"protocol bgp {protocol_name(session.address)} {{",
        f'  description "{_UNSAFE.sub("?", session.node)}";',
        f"  local {session.local} as {speaker.asn};",
        f"  neighbor {session.address} as {session.asn};",
        *([f'  password "{session.password}";'] if session.password else []),
        "  graceful restart on;",
        f"  graceful restart time {speaker.restart};",
        "  connect delay time 1;",
        "  connect retry time 2;",
        "  error wait time 1, 5;",
    ]
    internal = session.asn == speaker.asn
    if internal and session.client:
        lines.append("  rr client;")
        if session.cluster:
            lines.append(f"  rr cluster id {session.cluster};")
    if not internal:
        if not session.direct:
            lines.append("  multihop;")
        # A router between racks passes on routes of other nodes, which are in our own autonomous system.
        lines.append("  allow local as 1;")
    # Only reflectors pass on routes of other nodes, and never to outside peers.
    passed_on = "source = RTS_STATIC" if session.outside else "(source = RTS_STATIC || source = RTS_BGP)"
    lines += [
        f"  {family} {{",
        f"    import where {foreign};",
        f"    export where {passed_on} && net ~ [ {speaker.network}+ ];",
        "  };",
        "}",
    ]
    return lines
