"""macvlan and ipvlan: give the pod an interface on a network card of the node.

A macvlan has its own MAC, an ipvlan shares that of the card. A kernel without either is reported. ipvlan may follow
another plugin in a chain: the interface of the previous result is then its master, and without `ipam` it takes over
the addresses.
"""

from __future__ import annotations

import posix

from pybernetes.cni import delegate, errors, iface, spec
from pybernetes.cni.bridge_config import read_mtu, requested_mac
from pybernetes.cni.errors import CniError, invalid_config
from pybernetes.cni.result import Interface, Result, read_dns
from pybernetes.linux import ipmsg, linkmsg
from pybernetes.linux.errors import Missing, NetlinkError, NotSupported
from pybernetes.linux.rtnl import Netlink, Request, parse_attrs, read_text, read_u32


class MacvlanConfig:
    """The settings of a macvlan or ipvlan attachment."""

    __slots__ = ("dns", "ipvlan", "kind", "link_in_container", "mac", "master", "mode", "mtu", "queue_length")

    def __init__(self, call: spec.Call) -> None:
        source = call.settings
        self.kind = source.text("type")
        self.ipvlan = self.kind == "ipvlan"
        self.mode = source.text("mode") or ("l2" if self.ipvlan else "bridge")
        if self.mode not in self.modes:
            expected = ", ".join(self.modes)
            raise invalid_config(f"unknown {self.kind} mode {self.mode!r}: expected one of {expected}")
        self.master = source.text("master")
        self.mtu = read_mtu(source)
        self.link_in_container = bool(source.switch("linkInContainer"))
        self.queue_length = source.number("bcqueuelen") or 0
        self.mac = "" if self.ipvlan else requested_mac(call)
        self.dns = read_dns(source)

    @property
    def modes(self) -> dict[str, int]:
        """The modes of the device, with the kernel's numbers."""
        return linkmsg.IPVLAN_MODES if self.ipvlan else linkmsg.MACVLAN_MODES


def add(call: spec.Call) -> Result:
    """Create the device on the node under a temporary name, move it, then rename it: its name may be in use there."""
    config = MacvlanConfig(call)
    spec.previous_result(call)  # refuse a malformed one before anything is created
    with Netlink() as node, iface.Sandbox(call.netns) as sandbox:
        index, mac = _create(node, sandbox, call, config)
        allocated = False
        try:
            result = _addresses(call, config)
            allocated = True
            for ip in result.ips:
                ip.interface = 0
            iface.configure(sandbox, call.ifname, index, result)
        except BaseException:
            sandbox.nl.batch([linkmsg.delete(index)])
            if allocated:  # a failed IPAM plugin may have failed because the attachment has its address already
                delegate.undo_ipam(call)
            raise
        iface.announce(sandbox, index, result.ips)
    result.interfaces = [Interface(call.ifname, mac=mac, sandbox=call.netns)]
    result.dns = config.dns or result.dns
    return result


def _addresses(call: spec.Call, config: MacvlanConfig) -> Result:
    """The interface's addresses: from the IPAM plugin, or for ipvlan from the previous plugin."""
    if call.ipam.text("type"):
        result = delegate.ipam(call)
        if not result.ips:
            delegate.undo_ipam(call)
            raise CniError(errors.DELEGATE_FAILED, "IPAM plugin returned missing IP config")
        return result
    if not config.ipvlan:
        return Result()
    before = spec.previous_result(call)
    before.verify()
    if not before.ips:
        raise invalid_config("ipvlan needs addresses: there is no 'ipam', and none came in prevResult")
    return Result(ips=before.ips, routes=before.routes, dns=before.dns)


def _create(node: Netlink, sandbox: iface.Sandbox, call: spec.Call, config: MacvlanConfig) -> tuple[int, str]:
    # With `linkInContainer` the master is in the pod's namespace.
    home = sandbox.nl if config.link_in_container else node
    name = f"cni{posix.urandom(5).hex()}"
    index, attrs = _parent(home, call, config)
    try:
        home.request(_request(sandbox, config, name, index, read_u32(attrs.get(linkmsg.IFLA_MTU))))
    except NotSupported as lacking:
        raise CniError(errors.UNSUPPORTED_FIELD, f"this kernel has no {config.kind} devices", str(lacking)) from lacking
    except NetlinkError as refused:
        master = read_text(attrs.get(linkmsg.IFLA_IFNAME))
        raise CniError(errors.KERNEL_REFUSED, f"failed to create {config.kind} on {master!r}: {refused}") from refused
    index, _, attrs = sandbox.link(name)
    try:
        sandbox.nl.request(linkmsg.change(index, name=call.ifname))
    except BaseException:
        sandbox.nl.batch([linkmsg.delete(index)])
        raise
    return index, linkmsg.mac_text(attrs.get(linkmsg.IFLA_ADDRESS))


def _request(sandbox: iface.Sandbox, config: MacvlanConfig, name: str, parent: int, limit: int) -> Request:
    if config.mtu > limit:
        raise invalid_config(f"invalid MTU {config.mtu}, must be [0, master MTU({limit})]")
    if config.ipvlan:
        return linkmsg.ipvlan(name, parent, mode=config.mode, mtu=config.mtu, netns_fd=sandbox.fd)
    return linkmsg.macvlan(
        name,
        parent,
        mode=config.mode,
        mtu=config.mtu,
        mac=config.mac,
        netns_fd=sandbox.fd,
        broadcast_queue=config.queue_length,
    )


def _parent(nl: Netlink, call: spec.Call, config: MacvlanConfig) -> tuple[int, dict[int, bytes]]:
    """(index, attributes) of `master`; by default the previous plugin's interface, or that of the default route."""
    name = config.master or _chained_master(call, config)
    try:
        index, _, attrs = linkmsg.decode(nl.request(linkmsg.get(name or _default_device(nl)))[0])
        return index, attrs
    except Missing as gone:
        raise invalid_config(f"failed to lookup master {name!r}") from gone


def _chained_master(call: spec.Call, config: MacvlanConfig) -> str:
    if not config.ipvlan or call.config.get("prevResult") is None or call.command != "ADD":
        return ""
    names = [one.name for one in spec.previous_result(call).interfaces]
    if len(names) != 1:
        raise invalid_config("chained master failure. PrevResult lacks a single named interface")
    return names[0]


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
    config = MacvlanConfig(call)
    result = spec.required_result(call, "CHECK")
    delegate.ipam(call)
    iface.check(call, result)
    _check_kind(call, config)


def _check_kind(call: spec.Call, config: MacvlanConfig) -> None:
    """The pod's interface is of the right kind and mode."""
    number = linkmsg.IFLA_IPVLAN_MODE if config.ipvlan else linkmsg.IFLA_MACVLAN_MODE
    with iface.Sandbox(call.netns) as sandbox:
        info = parse_attrs(sandbox.link(call.ifname)[2].get(linkmsg.IFLA_LINKINFO, b""))
    found = read_text(info.get(linkmsg.IFLA_INFO_KIND))
    if found != config.kind:
        text = f"interface {call.ifname} is of kind {found or 'none'}, expected {config.kind}"
        raise CniError(errors.CHECK_FAILED, text)
    value = read_u32(parse_attrs(info.get(linkmsg.IFLA_INFO_DATA, b"")).get(number))
    if value != config.modes[config.mode]:
        present = next((name for name, which in config.modes.items() if which == value), value)
        raise CniError(errors.CHECK_FAILED, f"interface {call.ifname} has mode {present}, expected {config.mode}")


def gc(call: spec.Call) -> None:
    delegate.ipam(call)


def status(call: spec.Call) -> None:
    """Ready when the configuration is valid, the master exists, and the IPAM plugin is ready."""
    config = MacvlanConfig(call)
    if not config.link_in_container:
        with Netlink() as node:
            _parent(node, call, config)
    delegate.ipam(call)
