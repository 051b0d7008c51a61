"""bridge: a veth pair joins the pod to a Linux bridge, which can be its gateway as well.

What an attachment leaves in the kernel, and why:

| object | namespace | reason |
|---|---|---|
| bridge `cni0`, with a MAC of its own | node | the switch of all pods of this node |
| its address | node | the pods' gateway (`isGateway`) |
| `vethXXXXXXXX` | node | the pod's port; hairpin so that it can reach itself through a Service |
| `eth0` | pod | addresses and routes from IPAM |
| masquerading rules | node | only with `ipMasq` |
"""

from __future__ import annotations

import posix

from pybernetes.cni import delegate, errors, iface, spec
from pybernetes.cni.errors import CniError, invalid_config
from pybernetes.linux import ipmsg, linkmsg, sysctl
from pybernetes.linux.bridge import PortNote
from pybernetes.linux.errors import Exists, Missing, NotSupported
from pybernetes.linux.rtnl import Netlink, parse_attrs, read_text, read_u32

DEFAULT_BRIDGE = "cni0"
_NAME_TRIES = 5


def add(call: spec.Call) -> spec.Json:
    """Attach the pod; on any failure nothing of it stays."""
    config = _read(call)
    with Netlink() as node, iface.Sandbox(call.netns) as sandbox:
        bridge_index, bridge_mac = ensure_bridge(node, config)
        host, host_mac, index, mac = _add_veth(node, sandbox, call, config, (bridge_index, bridge_mac))
        allocated = False
        try:
            result = delegate.ipam(call)
            allocated = True
            if call.config.get("ipam") and not result.get("ips"):
                raise CniError(errors.DELEGATE_FAILED, "IPAM plugin returned missing IP config")
            _complete(result, config)
            iface.configure(sandbox, call.ifname, index, result)
            iface.wait_until_up(node, host)
            _raise_bridge(node, bridge_index)
            _make_gateway(node, bridge_index, config, result)
            if config.get("ipMasq"):
                from pybernetes.cni import masquerade

                masquerade.add(call, result["ips"])
        except BaseException:
            _undo(node, call, host, allocated)
            raise
        iface.announce(sandbox, index, result.get("ips") or [])
    result["interfaces"] = [
        {"name": _bridge_name(config), "mac": bridge_mac},
        {"name": host, "mac": host_mac},
        {"name": call.ifname, "mac": mac, "sandbox": call.netns},
    ]
    result["dns"] = config.get("dns") or result.get("dns") or {}
    return result


def delete(call: spec.Call) -> None:
    """Undo it all; what is gone already is fine. IPAM first: its record is the only thing that can be lost."""
    if spec.section(call.config, "ipam").get("type"):
        delegate.ipam(call)
    iface.delete(call.netns, call.ifname)
    if call.config.get("ipMasq"):
        from pybernetes.cni import masquerade

        masquerade.delete(call)


def check(call: spec.Call) -> None:
    """The pod's interface as it was reported, and its port in the bridge."""
    result = spec.previous_result(call, needed="CHECK")
    delegate.ipam(call)
    iface.check(call, result)
    name = _bridge_name(call.config)
    with Netlink() as node:
        try:
            bridge, _, _ = linkmsg.decode(node.request(linkmsg.get(name))[0])
        except Missing as gone:
            raise CniError(errors.CHECK_FAILED, f"bridge {name} is missing") from gone
        for entry in result.get("interfaces") or []:
            port = str(entry.get("name"))
            if entry.get("sandbox") or port == name:
                continue
            try:
                _, _, attrs = linkmsg.decode(node.request(linkmsg.get(port))[0])
            except Missing as gone:
                raise CniError(errors.CHECK_FAILED, f"host interface {port} is missing") from gone
            if read_u32(attrs.get(linkmsg.IFLA_MASTER)) != bridge:
                raise CniError(errors.CHECK_FAILED, f"host interface {port} is not a port of {name}")


def gc(call: spec.Call) -> None:
    """Addresses and rules of vanished pods; their veths went with their namespaces."""
    if spec.section(call.config, "ipam").get("type"):
        delegate.ipam(call)
    if call.config.get("ipMasq"):
        from pybernetes.cni import masquerade

        masquerade.gc(call)


def status(call: spec.Call) -> None:
    _read(call)
    if spec.section(call.config, "ipam").get("type"):
        delegate.ipam(call)


# -- configuration ---------------------------------------------------------------------------------------
def _read(call: spec.Call) -> spec.Json:
    config = dict(call.config)
    if config.get("isDefaultGateway"):
        config["isGateway"] = True
    if config.get("hairpinMode") and config.get("promiscMode"):
        raise invalid_config("cannot set hairpin mode and promiscuous mode at the same time.")
    vlan = config.get("vlan") or 0
    if not isinstance(vlan, int) or not 0 <= vlan <= 4094:
        raise invalid_config(f"invalid VLAN ID {vlan} (must be between 0 and 4094)")
    mtu = config.get("mtu") or 0
    if not isinstance(mtu, int) or not 0 <= mtu <= 65535:
        raise invalid_config(f"invalid MTU {mtu!r} (must be a number up to 65535)")
    cni_args = spec.section(spec.section(config, "args"), "cni")
    config["mac"] = call.runtime.get("mac") or cni_args.get("mac") or call.args.get("MAC") or ""
    if config["mac"]:
        try:
            linkmsg.mac_bytes(config["mac"])
        except ValueError as bad:
            raise invalid_config(f"invalid MAC address: {bad}") from bad
    return config


def _bridge_name(config: spec.Json) -> str:
    return str(config.get("bridge") or DEFAULT_BRIDGE)


# -- the node's side -------------------------------------------------------------------------------------
def ensure_bridge(node: Netlink, config: spec.Json) -> tuple[int, str]:
    """The bridge's index and MAC; made, with the settings of a `bridge` configuration, if it is missing.

    A MAC given at birth stays. Otherwise the kernel takes the lowest of the ports', and every pod that comes
    or goes could change the gateway's address under all others.
    """
    name = _bridge_name(config)
    made = False
    try:
        node.request(
            linkmsg.bridge(
                name,
                mtu=config.get("mtu") or 0,
                mac=random_mac(),
                vlan_filtering=bool(config.get("vlan")),
            )
        )
        made = True
    except Exists:
        pass  # another pod's, most of the time
    except NotSupported as lacking:
        if not config.get("vlan"):
            raise
        text = "'vlan' needs a kernel with CONFIG_BRIDGE_VLAN_FILTERING"
        raise CniError(errors.UNSUPPORTED_FIELD, text, str(lacking)) from lacking
    index, _, attrs = linkmsg.decode(node.request(linkmsg.get(name))[0])
    kind = read_text(parse_attrs(attrs.get(linkmsg.IFLA_LINKINFO, b"")).get(linkmsg.IFLA_INFO_KIND))
    if kind != "bridge":
        raise invalid_config(f"{name!r} already exists but is not a bridge: it is a {kind or 'hardware'} device")
    if made:
        _ignore_router_advertisements(name)
    if config.get("promiscMode"):
        node.request(linkmsg.change(index, promiscuous=True))
    return index, linkmsg.mac_text(attrs.get(linkmsg.IFLA_ADDRESS))


def _raise_bridge(node: Netlink, index: int) -> None:
    """A fresh bridge goes up last. Up without a live port it has no carrier, and once the first port is there
    the kernel takes up to a second to look again; until then it drops what the node sends.
    """
    _, flags, _ = linkmsg.decode(node.request(linkmsg.get(index))[0])
    if not flags & linkmsg.IFF_UP:
        node.request(linkmsg.change(index, up=True))


def random_mac() -> str:
    """A locally administered unicast address."""
    raw = bytearray(posix.urandom(6))
    raw[0] = raw[0] & 0xFC | 0x02
    return raw.hex(":")


def _ignore_router_advertisements(name: str) -> None:
    """Pods must not be able to configure the node."""
    try:
        sysctl.write(f"net/ipv6/conf/{name}/accept_ra", 0)
    except Missing:
        pass  # a kernel without IPv6


def _add_veth(
    node: Netlink, sandbox: iface.Sandbox, call: spec.Call, config: spec.Json, bridge: tuple[int, str]
) -> tuple[str, str, int, str]:
    """(host end's name, its MAC, sandbox's end's index, its MAC); the host end is a port and up."""
    host_mac, mac = random_mac(), config["mac"] or random_mac()
    note = PortNote(
        _bridge_name(config), bridge[1], bool(config.get("hairpinMode")), call.network, call.container_id, call.ifname
    )
    for attempt in range(_NAME_TRIES):
        host = "veth" + posix.urandom(4).hex()
        try:
            node.request(
                linkmsg.veth(
                    host,
                    call.ifname,
                    mtu=config.get("mtu") or 0,
                    mac=host_mac,
                    master=bridge[0],
                    up=True,
                    peer_mac=mac,
                    peer_netns_fd=sandbox.fd,
                )
            )
            break
        except Exists:
            if _exists(sandbox.nl, call.ifname):
                text = f"container veth name provided ({call.ifname}) already exists"
                raise CniError(errors.KERNEL_REFUSED, text) from None
            if attempt == _NAME_TRIES - 1:
                raise
    try:
        node.request(linkmsg.change(host, alias=str(note)))
        set_port(node, host, config)
        index, _, _ = sandbox.link(call.ifname)
    except BaseException:
        node.batch([linkmsg.delete(host)])
        raise
    return host, host_mac, index, mac


def _exists(nl: Netlink, name: str) -> bool:
    try:
        nl.request(linkmsg.get(name))
    except Missing:
        return False
    return True


def set_port(node: Netlink, host: str, config: spec.Json) -> None:
    """What a port needs beyond being one: hairpin, isolation, its VLAN."""
    hairpin, isolated = bool(config.get("hairpinMode")), bool(config.get("portIsolation"))
    vlan = config.get("vlan") or 0
    if not (hairpin or isolated or vlan):
        return
    index, _, _ = linkmsg.decode(node.request(linkmsg.get(host))[0])
    requests = []
    if hairpin or isolated:
        requests.append(linkmsg.bridge_port(index, hairpin=hairpin or None, isolated=isolated or None))
    if vlan:
        requests.append(linkmsg.bridge_vlan(index, vlan, pvid=True, untagged=True))
    node.run(requests)


def _complete(result: spec.Json, config: spec.Json) -> None:
    """Gateways and default routes that the settings imply."""
    if not config.get("isGateway"):
        for ip in result.get("ips") or []:
            ip["interface"] = 2
        return
    routes = result["routes"] = list(result.get("routes") or [])
    for ip in result.get("ips") or []:
        ip["interface"] = 2
        ip["gateway"] = ip.get("gateway") or first_host(ip["address"])
        default = iface.DEFAULTS[iface.family(ip["address"])]
        if config.get("isDefaultGateway") and not any(r["dst"] == default for r in routes):
            routes.append({"dst": default, "gw": ip["gateway"]})


def first_host(cidr: str) -> str:
    """The first address of a network: where its gateway is by default."""
    raw, length = ipmsg.split(cidr)
    free = len(raw) * 8 - length
    number = (int.from_bytes(raw, "big") >> free << free) + 1
    return ipmsg.unpack(number.to_bytes(len(raw), "big"))


def _make_gateway(node: Netlink, bridge: int, config: spec.Json, result: spec.Json) -> None:
    """The bridge answers as the pods' gateway, and the node forwards for them."""
    if not config.get("isGateway"):
        return
    target = _vlan_device(node, bridge, config) or bridge
    families = set()
    for ip in result.get("ips") or []:
        families.add(iface.family(ip["address"]))
        ensure_address(
            node, target, f"{ip['gateway']}/{ip['address'].partition('/')[2]}", bool(config.get("forceAddress"))
        )
    for number in families:
        sysctl.ensure("net/ipv4/ip_forward" if number == 4 else "net/ipv6/conf/all/forwarding", "1")


def _vlan_device(node: Netlink, bridge: int, config: spec.Json) -> int:
    """With a VLAN the gateway's address sits on a device for that VLAN on top of the bridge."""
    vlan = config.get("vlan") or 0
    if not vlan:
        return 0
    node.request(linkmsg.bridge_vlan(bridge, vlan, on_bridge=True))
    name = f"{_bridge_name(config)[: 14 - len(str(vlan))]}.{vlan}"
    if not _exists(node, name):
        node.request(linkmsg.vlan(name, bridge, vlan, up=True))
    return linkmsg.decode(node.request(linkmsg.get(name))[0])[0]


def ensure_address(node: Netlink, index: int, cidr: str, force: bool) -> None:
    """Have `cidr` on the bridge. Another one of an overlapping network there is an error, or goes by `force`."""
    flags = ipmsg.IFA_F_NODAD if ":" in cidr else 0
    present = [d for d in (ipmsg.addr_decode(p) for p in node.dump(ipmsg.addr_dump(index))) if d[0] == index]
    for _, other, scope, _, _ in present:
        if other == cidr:
            return
        foreign = iface.family(other) != iface.family(cidr) or scope == ipmsg.RT_SCOPE_LINK
        if foreign or (":" in cidr and not _overlap(other, cidr)):
            continue
        if not force:
            raise invalid_config(f"bridge already has an IP address different from {cidr}", f"it has {other}")
        node.request(ipmsg.addr_del(index, other))
    try:
        node.request(ipmsg.addr_add(index, cidr, flags=flags))
    except Exists:
        pass  # another attachment was faster


def _overlap(one: str, other: str) -> bool:
    (raw, length), (raw2, length2) = ipmsg.split(one), ipmsg.split(other)
    shift = len(raw) * 8 - min(length, length2)
    return int.from_bytes(raw, "big") >> shift == int.from_bytes(raw2, "big") >> shift


def _undo(node: Netlink, call: spec.Call, host: str, allocated: bool) -> None:
    """After a failed ADD: no veth, no address. The first error is the one to report.

    An IPAM plugin that failed has cleaned up itself, and may have failed because the attachment has its
    address already: that one must stay.
    """
    node.batch([linkmsg.delete(host)])
    if not allocated:
        return
    undo = spec.Call(
        "DEL",
        call.config,
        container_id=call.container_id,
        netns=call.netns,
        ifname=call.ifname,
        path=call.path,
        args=call.args,
    )
    try:
        if spec.section(call.config, "ipam").get("type"):
            delegate.ipam(undo)
        if call.config.get("ipMasq"):
            from pybernetes.cni import masquerade

            masquerade.delete(undo)
    except CniError:
        pass
