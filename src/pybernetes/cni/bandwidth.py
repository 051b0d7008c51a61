"""bandwidth: limits what a pod receives (ingress) and sends (egress), with token buckets on its host veth.

| object | reason |
|---|---|
| tbf on the host veth | what leaves it enters the pod |
| an `ifb` device, fed from the host veth's ingress, with a tbf | a queue exists only where packets leave |
"""

from __future__ import annotations

from pybernetes.cni import errors, spec
from pybernetes.cni.errors import CniError
from pybernetes.cni.names import attachment_hash
from pybernetes.linux import linkmsg, tool
from pybernetes.linux.errors import LinuxError, Missing
from pybernetes.linux.rtnl import Netlink, read_u32

LATENCY = "25ms"


def add(call: spec.Call) -> spec.Json:
    """Limit as configured, or as the runtime asks through the `bandwidth` capability."""
    result = spec.previous_result(call, needed="bandwidth")
    limits = _limits(call)
    if not limits:
        return result
    host = _host_interface(result)
    try:
        if "ingress" in limits:
            _shape(host, *limits["ingress"])
        if "egress" in limits:
            _shape_egress(host, ifb_name(call), *limits["egress"])
    except LinuxError:
        delete(call)
        raise
    return result


def delete(call: spec.Call) -> None:
    """The queue of the host veth goes with it; the ifb device is ours to remove."""
    try:
        with Netlink() as node:
            node.request(linkmsg.delete(ifb_name(call)))
    except Missing:
        return


def check(call: spec.Call) -> None:
    limits = _limits(call)
    if not limits:
        return
    host = _host_interface(spec.previous_result(call, needed="CHECK"))
    for device, wanted in ((host, "ingress" in limits), (ifb_name(call), "egress" in limits)):
        if wanted and b" tbf " not in tool.run(["tc", "qdisc", "show", "dev", device]):
            raise CniError(errors.CHECK_FAILED, f"no bandwidth limit on {device}")


def ifb_name(call: spec.Call) -> str:
    """15 characters that tell attachments apart."""
    return ("bwp" + attachment_hash(call.network, call.container_id))[:15]


def _limits(call: spec.Call) -> dict[str, tuple[int, int]]:
    """direction -> (bits per second, bits of burst)."""
    source = {**call.config, **spec.section(call.runtime, "bandwidth")}
    found = {}
    for direction in ("ingress", "egress"):
        rate, burst = source.get(f"{direction}Rate") or 0, source.get(f"{direction}Burst") or 0
        if not (isinstance(rate, int) and isinstance(burst, int)) or rate < 0 or not 0 <= burst < 1 << 35:
            raise errors.invalid_config(f"{direction}Rate and {direction}Burst: expected numbers of bits")
        if bool(rate) != bool(burst):
            raise errors.invalid_config(f"if {direction}Rate is set, {direction}Burst must also be set, and vice versa")
        if rate:
            found[direction] = (rate, burst)
    return found


def _host_interface(result: spec.Json) -> str:
    """The node's end of the pod's veth: the last interface outside a sandbox that is a veth."""
    with Netlink() as node:
        for entry in reversed(result.get("interfaces") or []):
            if entry.get("sandbox"):
                continue
            try:
                _, _, attrs = linkmsg.decode(node.request(linkmsg.get(str(entry["name"])))[0])
            except Missing:
                continue
            if b"veth\0" in attrs.get(linkmsg.IFLA_LINKINFO, b""):
                return str(entry["name"])
    raise errors.invalid_config("no host interface in prevResult: bandwidth works on veth pairs")


def _shape(device: str, rate: int, burst: int) -> None:
    buckets = ["rate", f"{rate}bit", "burst", f"{max(burst // 8, 1)}", "latency", LATENCY]
    tool.run(["tc", "qdisc", "replace", "dev", device, "root", "tbf", *buckets])


def _shape_egress(host: str, ifb: str, rate: int, burst: int) -> None:
    with Netlink() as node:
        _, _, attrs = linkmsg.decode(node.request(linkmsg.get(host))[0])
        node.request(linkmsg.new(ifb, "ifb", mtu=read_u32(attrs.get(linkmsg.IFLA_MTU)), up=True))
    tool.run(["tc", "qdisc", "add", "dev", host, "ingress"])
    redirect = ["action", "mirred", "egress", "redirect", "dev", ifb]
    match = ["parent", "ffff:", "protocol", "all", "u32", "match", "u32", "0", "0"]
    tool.run(["tc", "filter", "add", "dev", host, *match, *redirect])
    _shape(ifb, rate, burst)
