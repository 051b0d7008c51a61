"""macvlan and ipvlan: the pod gets an interface of its own on the node's network card.

macvlan gives it a MAC of its own, ipvlan shares the card's. The kernel may lack either: the error says so. ipvlan may
follow another plugin: the one interface that came before is then its master, and without `ipam` it takes over the
addresses.
"""

from __future__ import annotations

import posix

from pybernetes.cni import delegate, errors, iface, spec
from pybernetes.cni.bridge_config import read_mtu, requested_mac
from pybernetes.cni.errors import CniError, invalid_config
from pybernetes.linux import ipmsg, linkmsg
from pybernetes.linux.errors import Missing, NetlinkError, NotSupported
from pybernetes.linux.rtnl import Netlink, Request, parse_attrs, read_text, read_u32


def add(call: spec.Call) -> spec.Json:
    """Born under a passing name on the node, moved, then renamed: its final name may be taken on the node."""
    _read_mode(call)
    spec.previous_result(call)
    with Netlink() as node, iface.Sandbox(call.netns) as sandbox:
        index, mac = _create(node, sandbox, call)
        allocated = False
        try:
            result = _addresses(call)
            allocated = True
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


def _addresses(call: spec.Call) -> spec.Json:
    """What the interface gets: from the IPAM plugin, or for ipvlan from the plugin before."""
    if spec.section(call.config, "ipam").get("type"):
        result = delegate.ipam(call)
        if not result.get("ips"):
            delegate.undo_ipam(call)
            raise CniError(errors.DELEGATE_FAILED, "IPAM plugin returned missing IP config")
        return result
    if not _is_ipvlan(call):
        return {}
    before = spec.previous_result(call)
    if not before.get("ips"):
        raise invalid_config("ipvlan needs addresses: there is no 'ipam', and none came in prevResult")
    return {key: before[key] for key in ("ips", "routes", "dns") if key in before}


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
    kind = call.config.get("type")
    index, attrs = _parent(home, call)
    try:
        home.request(_request(sandbox, call, name, index, read_u32(attrs.get(linkmsg.IFLA_MTU))))
    except NotSupported as lacking:
        raise CniError(errors.UNSUPPORTED_FIELD, f"this kernel has no {kind} devices", str(lacking)) from lacking
    except NetlinkError as refused:
        master = read_text(attrs.get(linkmsg.IFLA_IFNAME))
        raise CniError(errors.KERNEL_REFUSED, f"failed to create {kind} on {master!r}: {refused}") from refused
    index, _, attrs = sandbox.link(name)
    try:
        sandbox.nl.request(linkmsg.change(index, name=call.ifname))
    except BaseException:
        sandbox.nl.batch([linkmsg.delete(index)])
        raise
    return index, linkmsg.mac_text(attrs.get(linkmsg.IFLA_ADDRESS))


def _request(sandbox: iface.Sandbox, call: spec.Call, name: str, parent: int, limit: int) -> Request:
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


def _parent(nl: Netlink, call: spec.Call) -> tuple[int, dict[int, bytes]]:
    """(index, attributes) of `master`; by default the interface before in the chain, else that of the default route."""
    name = str(call.config.get("master") or _chained_master(call))
    try:
        index, _, attrs = linkmsg.decode(nl.request(linkmsg.get(name or _default_device(nl)))[0])
        return index, attrs
    except Missing as gone:
        raise invalid_config(f"failed to lookup master {name!r}") from gone


def _chained_master(call: spec.Call) -> str:
    if not _is_ipvlan(call) or call.config.get("prevResult") is None or call.command != "ADD":
        return ""
    names = [entry.get("name") for entry in spec.previous_result(call).get("interfaces") or []]
    if len(names) != 1 or not names[0]:
        raise invalid_config("chained master failure. PrevResult lacks a single named interface")
    return str(names[0])


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
    _check_kind(call)


def _check_kind(call: spec.Call) -> None:
    """The pod's interface is of the right kind and mode."""
    kind, modes, number = ("macvlan", linkmsg.MACVLAN_MODES, linkmsg.IFLA_MACVLAN_MODE)
    if _is_ipvlan(call):
        kind, modes, number = ("ipvlan", linkmsg.IPVLAN_MODES, linkmsg.IFLA_IPVLAN_MODE)
    with iface.Sandbox(call.netns) as sandbox:
        info = parse_attrs(sandbox.link(call.ifname)[2].get(linkmsg.IFLA_LINKINFO, b""))
    found = read_text(info.get(linkmsg.IFLA_INFO_KIND))
    if found != kind:
        text = f"interface {call.ifname} is of kind {found or 'none'}, expected {kind}"
        raise CniError(errors.CHECK_FAILED, text)
    wanted = _read_mode(call)
    value = read_u32(parse_attrs(info.get(linkmsg.IFLA_INFO_DATA, b"")).get(number))
    if value != modes[wanted]:
        present = next((name for name, which in modes.items() if which == value), value)
        raise CniError(errors.CHECK_FAILED, f"interface {call.ifname} has mode {present}, expected {wanted}")


def gc(call: spec.Call) -> None:
    delegate.ipam(call)


def status(call: spec.Call) -> None:
    """Ready when the settings make sense, the master is there, and the IPAM plugin is ready."""
    _read_mode(call)
    if not call.config.get("linkInContainer"):
        with Netlink() as node:
            _parent(node, call)
    delegate.ipam(call)
