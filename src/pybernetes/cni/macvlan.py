"""macvlan and ipvlan: the pod gets an interface of its own on the node's network card.

macvlan gives it a MAC of its own, ipvlan shares the card's. The kernel may lack either: the error says so.
"""

from __future__ import annotations

import posix

from pybernetes.cni import delegate, errors, iface, spec
from pybernetes.cni.errors import CniError
from pybernetes.linux import ipmsg, linkmsg
from pybernetes.linux.errors import Missing, NotSupported
from pybernetes.linux.rtnl import Netlink, read_u32


def add(call: spec.Call) -> spec.Json:
    """Born under a passing name on the node, moved, then renamed: its final name may be taken on the node."""
    with Netlink() as node, iface.Sandbox(call.netns) as sandbox:
        index, mac = _create(node, sandbox, call)
        try:
            result = delegate.ipam(call)
            for ip in result.get("ips") or []:
                ip["interface"] = 0
            iface.configure(sandbox, call.ifname, index, result)
        except BaseException:
            sandbox.nl.batch([linkmsg.delete(index)])
            raise
        iface.announce(sandbox, index, result.get("ips") or [])
    result["interfaces"] = [{"name": call.ifname, "mac": mac, "sandbox": call.netns}]
    result["dns"] = call.config.get("dns") or result.get("dns") or {}
    return result


def _create(node: Netlink, sandbox: iface.Sandbox, call: spec.Call) -> tuple[int, str]:
    config = call.config
    parent = _parent(node, str(config.get("master") or ""))
    name = f"cni{posix.urandom(5).hex()}"
    ipvlan = config.get("type") == "ipvlan"
    modes = linkmsg.IPVLAN_MODES if ipvlan else linkmsg.MACVLAN_MODES
    mode = str(config.get("mode") or ("l2" if ipvlan else "bridge"))
    if mode not in modes:
        raise errors.invalid_config(f"unknown {config.get('type')} mode {mode!r}: expected one of {', '.join(modes)}")
    mtu = int(config.get("mtu") or 0)
    if ipvlan:
        request = linkmsg.ipvlan(name, parent, mode=mode, mtu=mtu, netns_fd=sandbox.fd)
    else:
        mac = call.runtime.get("mac") or call.args.get("MAC") or ""
        request = linkmsg.macvlan(name, parent, mode=mode, mtu=mtu, mac=mac, netns_fd=sandbox.fd)
    try:
        node.request(request)
    except NotSupported as lacking:
        text = f"this kernel has no {config.get('type')} devices"
        raise CniError(errors.UNSUPPORTED_FIELD, text, str(lacking)) from lacking
    index, _, attrs = sandbox.link(name)
    try:
        sandbox.nl.request(linkmsg.change(index, name=call.ifname))
    except BaseException:
        sandbox.nl.batch([linkmsg.delete(index)])
        raise
    return index, linkmsg.mac_text(attrs.get(linkmsg.IFLA_ADDRESS))


def _parent(node: Netlink, name: str) -> int:
    """The index of `master`, by default of the device of the default route."""
    try:
        if name:
            return linkmsg.decode(node.request(linkmsg.get(name))[0])[0]
        for payload in node.dump(ipmsg.route_dump(ipmsg.AF_INET, table=ipmsg.RT_TABLE_MAIN)):
            fields = ipmsg.RouteFields(payload)
            if fields.dst == "0.0.0.0/0":
                return read_u32(fields.attrs.get(ipmsg.RTA_OIF))
    except Missing as gone:
        raise errors.invalid_config(f"failed to lookup master {name!r}") from gone
    raise errors.invalid_config("no 'master' given, and no default route to take it from")


def delete(call: spec.Call) -> None:
    if spec.section(call.config, "ipam").get("type"):
        delegate.ipam(call)
    iface.delete(call.netns, call.ifname)


def check(call: spec.Call) -> None:
    result = spec.previous_result(call, needed="CHECK")
    delegate.ipam(call)
    iface.check(call, result)


def gc(call: spec.Call) -> None:
    if spec.section(call.config, "ipam").get("type"):
        delegate.ipam(call)
