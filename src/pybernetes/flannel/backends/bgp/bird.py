"""The config of our BIRD, as text. Pure.

What flows through it: this node's subnet as a static route, never to the kernel; routes of peers by BGP, to the
kernel with a metric by which they are known as ours; and, for finding the way to next hops behind a router, the
kernel's other routes, never to anybody. Nothing outside the pod network is accepted or announced.

Names from outside (of nodes) stand in quoted strings only, without what could end these; protocols are named after
addresses. So nothing that somebody calls a node can change what BIRD does.
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
#: How long a BIRD that starts after a crash waits for its peers before it drops routes that nobody renewed.
_RECOVERY_SECONDS = 10
_FAMILY = {4: "ipv4", 6: "ipv6"}


def render(speakers: Sequence[BgpSpeaker], sessions: Sequence[BgpSession], log: Path) -> str:
    """The whole config. Raises ValueError if the log's path can't be written down."""
    if '"' in str(log) or "\n" in str(log):
        raise ValueError(f"the path {log} holds a quotation mark or a line break, which BIRD's config can't express")
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
    """32 bits that tell this node from others: its IPv4 address, or its IPv6 address folded, never 0."""
    number = int(ipaddress.ip_address(address))
    folded = 0
    while number:
        folded ^= number & 0xFFFFFFFF
        number >>= 32
    return ipaddress.IPv4Address(folded or 1)


def protocol_name(address: str) -> str:
    """`node_192_0_2_7`: what the session with this address is called, in BIRD's log and in birdc."""
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
        # A router between racks hands on what other nodes, of our own system, told it.
        lines.append("  allow local as 1;")
    # What we heard is passed on by reflectors only, and never to the outside: each node speaks for itself.
    passed_on = "source = RTS_STATIC" if session.outside else "(source = RTS_STATIC || source = RTS_BGP)"
    lines += [
        f"  {family} {{",
        f"    import where {foreign};",
        f"    export where {passed_on} && net ~ [ {speaker.network}+ ];",
        "  };",
        "}",
    ]
    return lines
