"""macvlan and ipvlan: the pod gets an interface of its own on the node's network card.

macvlan gives it a MAC of its own, ipvlan shares the card's. The kernel may lack either: the error says so.
"""

from __future__ import annotations

import posix

from pybernetes.cni import delegate, errors, iface, spec
from pybernetes.cni.bridge_config import read_mtu, requested_mac
from pybernetes.cni.errors import CniError, invalid_config
from pybernetes.linux import ipmsg, linkmsg
from pybernetes.linux.errors import Missing, NotSupported
from pybernetes.linux.rtnl import Netlink, Request, read_u32


def add(call: spec.Call) -> spec.Json:
    """Born under a passing name on the node, moved, then renamed: its final name may be taken on the node."""
    _read_mode(call)
    with Netlink() as node, iface.Sandbox(call.netns) as sandbox:
        index, mac = _create(node, sandbox, call)
        allocated = False
        try:
            result = delegate.ipam(call)
            allocated = True
            if spec.section(call.config, "ipam").get("type") and not result.get("ips"):
                raise CniError(errors.DELEGATE_FAILED, "IPAM plugin returned missing IP config")
            for ip in result.get("ips") or []:
                ip["interface"] = 0
            iface.configure(sandbox, call.ifname, index, result)
        except BaseException:
            sandbox.nl.batch([linkmsg.delete(index)])
            if allocated:  # one that refused may have done so because the address is there, and in use
                delegate.undo_ipam(call)
            raise
        iface.announce(sandbox, index, result.get("ips") or [])
    result["interfaces"] = [{"name": call.ifname, "mac": mac, "sandbox": call.netns}]
    result["dns"] = call.config.get("dns") or result.get("dns") or {}
    return result


def _is_ipvlan(call: spec.Call) -> bool:
    return call.config.get("type") == "ipvlan"


def _read_mode(call: spec.Call) -> str:
    """Check the settings; the mode."""
    kind = str(call.config.get("type"))
    modes = linkmsg.IPVLAN_MODES if _is_ipvlan(call) else linkmsg.MACVLAN_MODES
    mode = str(call.config.get("mode") or ("l2" if _is_ipvlan(call) else "bridge"))
    if mode not in modes:
        raise invalid_config(f"unknown {kind} mode {mode!r}: expected one of {', '.join(modes)}")
    if not isinstance(call.config.get("linkInContainer"), bool | None):
        raise invalid_config(f"linkInContainer: expected true or false, got {call.config['linkInContainer']!r}")
    length = call.config.get("bcqueuelen") or 0
    if not isinstance(length, int) or not 0 <= length < 1 << 32:
        raise invalid_config(f"bcqueuelen: expected a number of packets, got {length!r}")
    read_mtu(call.config)
    return mode


def _create(node: Netlink, sandbox: iface.Sandbox, call: spec.Call) -> tuple[int, str]:
    # With `linkInContainer` the master is in the pod's namespace already, and so is what sits on it.
    home = sandbox.nl if call.config.get("linkInContainer") else node
    name = f"cni{posix.urandom(5).hex()}"
    try:
        home.request(_request(home, sandbox, call, name))
    except NotSupported as lacking:
        text = f"this kernel has no {call.config.get('type')} devices"
        raise CniError(errors.UNSUPPORTED_FIELD, text, str(lacking)) from lacking
    index, _, attrs = sandbox.link(name)
    try:
        sandbox.nl.request(linkmsg.change(index, name=call.ifname))
    except BaseException:
        sandbox.nl.batch([linkmsg.delete(index)])
        raise
    return index, linkmsg.mac_text(attrs.get(linkmsg.IFLA_ADDRESS))


def _request(home: Netlink, sandbox: iface.Sandbox, call: spec.Call, name: str) -> Request:
    parent, limit = _parent(home, call)
    mtu = read_mtu(call.config)
    if mtu > limit:
        raise invalid_config(f"invalid MTU {mtu}, must be [0, master MTU({limit})]")
    if _is_ipvlan(call):
        return linkmsg.ipvlan(name, parent, mode=_read_mode(call), mtu=mtu, netns_fd=sandbox.fd)
    return linkmsg.macvlan(
        name,
        parent,
        mode=_read_mode(call),
        mtu=mtu,
        mac=requested_mac(call),
        netns_fd=sandbox.fd,
        broadcast_queue=call.config.get("bcqueuelen") or 0,
    )


def _parent(nl: Netlink, call: spec.Call) -> tuple[int, int]:
    """(index, MTU) of `master`, by default of the device of the default route."""
    name = str(call.config.get("master") or "")
    try:
        return _link(nl, name or _default_device(nl))
    except Missing as gone:
        raise invalid_config(f"failed to lookup master {name!r}") from gone


def _link(nl: Netlink, which: str | int) -> tuple[int, int]:
    index, _, attrs = linkmsg.decode(nl.request(linkmsg.get(which))[0])
    return index, read_u32(attrs.get(linkmsg.IFLA_MTU))


def _default_device(nl: Netlink) -> int:
    for payload in nl.dump(ipmsg.route_dump(ipmsg.AF_INET, table=ipmsg.RT_TABLE_MAIN)):
        fields = ipmsg.RouteFields(payload)
        if fields.dst == "0.0.0.0/0":
            return read_u32(fields.attrs.get(ipmsg.RTA_OIF))
    raise invalid_config("no 'master' given, and no default route to take it from")


def delete(call: spec.Call) -> None:
    delegate.ipam(call)
    iface.delete(call.netns, call.ifname)


def check(call: spec.Call) -> None:
    result = spec.previous_result(call, needed="CHECK")
    delegate.ipam(call)
    iface.check(call, result)


def gc(call: spec.Call) -> None:
    delegate.ipam(call)


def status(call: spec.Call) -> None:
    """Ready when the settings make sense, the master is there, and the IPAM plugin is ready."""
    _read_mode(call)
    if not call.config.get("linkInContainer"):
        with Netlink() as node:
            _parent(node, call)
    delegate.ipam(call)
