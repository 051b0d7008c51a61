"""bandwidth: limits the rate at which a pod receives (ingress) and sends (egress), on its host veth.

| object | reason |
|---|---|
| tbf on the host veth | packets that leave it enter the pod |
| an `ifb` device, fed from the host veth's ingress, with a tbf | queues exist only where packets leave a device |

With `unshapedSubnets` or `shapedSubnets`, an htb with two classes replaces each tbf, and filters on the address of the
pod's peer choose between them.
"""

from __future__ import annotations

from pybernetes.cni import errors, spec
from pybernetes.cni.errors import CniError
from pybernetes.cni.names import attachment_hash
from pybernetes.cni.result import Result
from pybernetes.cni.settings import Settings
from pybernetes.linux import ipmsg, linkmsg, tool
from pybernetes.linux.errors import LinuxError, Missing
from pybernetes.linux.rtnl import Netlink, read_text, read_u32

LATENCY = "25ms"
_LIMITED, _FREE = "30", "1"
"""The classes of an htb."""


def add(call: spec.Call) -> Result:
    """Set the configured limits, or those that the runtime passes in the `bandwidth` capability."""
    result = spec.required_result(call, "bandwidth")
    limits, subnets = read(call)
    if not limits:
        return result
    host = _host_interface(result)
    try:
        if "ingress" in limits:
            _shape(host, limits["ingress"], subnets, "src")
        if "egress" in limits:
            _make_ifb(call, host)
            _shape(ifb_name(call), limits["egress"], subnets, "dst")
    except LinuxError:
        delete(call)
        raise
    return result


def delete(call: spec.Call) -> None:
    """Delete the ifb device. The queue of the host veth goes with the veth."""
    try:
        with Netlink() as node:
            node.request(linkmsg.delete(ifb_name(call)))
    except Missing:
        return


def check(call: spec.Call) -> None:
    limits, subnets = read(call)
    if not limits:
        return
    kind = b" htb " if subnets.listed else b" tbf "
    host = _host_interface(spec.required_result(call, "CHECK"))
    for device, wanted in ((host, "ingress" in limits), (ifb_name(call), "egress" in limits)):
        if wanted and kind not in tool.run(["tc", "qdisc", "show", "dev", device]):
            raise CniError(errors.CHECK_FAILED, f"no bandwidth limit on {device}")


def status(call: spec.Call) -> None:
    """Ready when the configuration is valid and tc is installed."""
    read(call)
    if tool.find("tc") is None:
        raise CniError(errors.NOT_AVAILABLE, "tc is not installed: it comes with iproute2")


def gc(call: spec.Call) -> None:
    """Delete the ifb devices of this network's attachments that no longer exist; their aliases name the attachment."""
    keep = {_alias(call.network, container) for container, _ in call.valid_attachments()}
    with Netlink() as node:
        for payload in node.dump(linkmsg.dump()):
            index, _, attrs = linkmsg.decode(payload)
            note = read_text(attrs.get(linkmsg.IFLA_IFALIAS))
            if note.startswith(_alias(call.network, "")) and note not in keep:
                node.batch([linkmsg.delete(index)])


def _alias(network: str, container_id: str) -> str:
    return f"cni-bandwidth:{network} {container_id}"[:255]


def ifb_name(call: spec.Call) -> str:
    """The name of an attachment's ifb device: 15 characters."""
    return ("bwp" + attachment_hash(call.network, call.container_id))[:15]


class Subnets:
    """The subnets to which limits apply: all but the listed ones or, if `shaped`, only those."""

    __slots__ = ("listed", "shaped")

    def __init__(self, listed: list[str], shaped: bool) -> None:
        self.listed = listed
        self.shaped = shaped


def read(call: spec.Call) -> tuple[dict[str, tuple[int, int]], Subnets]:
    """({direction: (bits per second, bits of burst)}, for which subnets); the runtime's limits come first."""
    asked = call.runtime.section("bandwidth")
    found = {}
    for direction in ("ingress", "egress"):
        rate = _number(asked, call.settings, f"{direction}Rate", (1 << 63) - 1)
        burst = _number(asked, call.settings, f"{direction}Burst", (1 << 35) - 1)
        if bool(rate) != bool(burst):
            raise errors.invalid_config(f"if {direction}Rate is set, {direction}Burst must also be set, and vice versa")
        if rate:
            found[direction] = (rate, burst)
    return found, _read_subnets(asked, call.settings)


def _number(asked: Settings, configured: Settings, key: str, high: int) -> int:
    return (asked if asked.has(key) else configured).number(key, 0, high) or 0


def _read_subnets(asked: Settings, configured: Settings) -> Subnets:
    exempt = asked.texts("unshapedSubnets") or configured.texts("unshapedSubnets")
    shaped = asked.texts("shapedSubnets") or configured.texts("shapedSubnets")
    if exempt and shaped:
        raise errors.invalid_config("unshapedSubnets and shapedSubnets cannot be both specified")
    try:
        return Subnets([ipmsg.network(subnet) for subnet in exempt or shaped], bool(shaped))
    except ValueError as bad:
        raise errors.invalid_config(f"unshapedSubnets, shapedSubnets: expected lists of CIDRs: {bad}") from bad


def _host_interface(result: Result) -> str:
    """The host end of the pod's veth: the last veth in the result that is not in a sandbox."""
    with Netlink() as node:
        for one in reversed(result.interfaces):
            if one.sandbox:
                continue
            try:
                _, _, attrs = linkmsg.decode(node.request(linkmsg.get(one.name))[0])
            except Missing:
                continue
            if b"veth\0" in attrs.get(linkmsg.IFLA_LINKINFO, b""):
                return one.name
    raise errors.invalid_config("no host interface in prevResult: bandwidth works on veth pairs")


def _shape(device: str, limit: tuple[int, int], subnets: Subnets, side: str) -> None:
    """Limit what leaves `device`. `side` (src or dst) is the field that holds the address of the pod's peer."""
    rate, burst = limit
    size = ["rate", f"{rate}bit", "burst", f"{max(burst // 8, 1)}"]
    if not subnets.listed:
        tool.run(["tc", "qdisc", "replace", "dev", device, "root", "tbf", *size, "latency", LATENCY])
        return
    usual, special = (_FREE, _LIMITED) if subnets.shaped else (_LIMITED, _FREE)
    tool.run(["tc", "qdisc", "replace", "dev", device, "root", "handle", "1:", "htb", "default", usual])
    for minor, size_of in ((_LIMITED, size), (_FREE, ["rate", "100gbit"])):
        tool.run(["tc", "class", "replace", "dev", device, "parent", "1:", "classid", f"1:{minor}", "htb", *size_of])
    for subnet in subnets.listed:
        protocol, word, priority = ("ipv6", "ip6", "2") if ":" in subnet else ("ip", "ip", "1")
        match = ["protocol", protocol, "prio", priority, "u32", "match", word, side, subnet, "flowid", f"1:{special}"]
        tool.run(["tc", "filter", "add", "dev", device, "parent", "1:", *match])


def _make_ifb(call: spec.Call, host: str) -> None:
    """Redirect what the pod sends from the host veth's ingress to an ifb device, which can limit it."""
    ifb = ifb_name(call)
    with Netlink() as node:
        _, _, attrs = linkmsg.decode(node.request(linkmsg.get(host))[0])
        node.request(linkmsg.new(ifb, "ifb", mtu=read_u32(attrs.get(linkmsg.IFLA_MTU)), up=True))
        node.request(linkmsg.change(ifb, alias=_alias(call.network, call.container_id)))
    tool.run(["tc", "qdisc", "add", "dev", host, "ingress"])
    redirect = ["action", "mirred", "egress", "redirect", "dev", ifb]
    match = ["parent", "ffff:", "protocol", "all", "u32", "match", "u32", "0", "0"]
    tool.run(["tc", "filter", "add", "dev", host, *match, *redirect])
