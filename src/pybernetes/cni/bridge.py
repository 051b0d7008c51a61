"""bridge: connects the pod to a Linux bridge by a veth pair. The bridge can be its gateway.

What an attachment adds to the kernel, and why:

| object | namespace | reason |
|---|---|---|
| bridge `cni0`, with a fixed MAC | node | the switch of all pods of this node |
| its address | node | the pods' gateway (`isGateway`) |
| `vethXXXXXXXX` | node | the pod's port; hairpin so that it can reach itself through a Service |
| `eth0` | pod | addresses and routes from IPAM |
| masquerading rules | node | only with `ipMasq` |
| an nftables rule for the port | node | only with `macspoofchk` |
"""

from __future__ import annotations

from pybernetes.cni import delegate, errors, iface, spec
from pybernetes.cni.bridge_config import BridgeConfig
from pybernetes.cni.bridge_node import Bridge, Veth, add_veth, ensure_bridge, make_gateway, raise_bridge
from pybernetes.cni.errors import CniError
from pybernetes.cni.result import Interface, Result, Route
from pybernetes.linux import ipmsg, linkmsg
from pybernetes.linux.errors import LinuxError, Missing
from pybernetes.linux.rtnl import Netlink, read_u32


def add(call: spec.Call) -> Result:
    """Attach the pod; after a failure nothing of the attachment is left."""
    config = BridgeConfig(call)
    with Netlink() as node, iface.Sandbox(call.netns) as sandbox:
        bridge = ensure_bridge(node, config)
        veth = add_veth(node, sandbox, call, config, bridge)
        allocated = False
        try:
            result = delegate.ipam(call)
            allocated = True
            if call.ipam.text("type") and not result.ips:
                raise CniError(errors.DELEGATE_FAILED, "IPAM plugin returned missing IP config")
            _complete(result, config)
            _connect(node, sandbox, call, config, bridge, veth, result)
        except BaseException:
            _undo(node, call, config, veth.host, allocated)
            raise
        iface.announce(sandbox, veth.index, result.ips)
    result.interfaces = [
        Interface(config.bridge, mac=bridge.mac),
        Interface(veth.host, mac=veth.host_mac),
        Interface(call.ifname, mac=veth.mac, sandbox=call.netns),
    ]
    result.dns = config.dns or result.dns
    return result


def _connect(
    node: Netlink,
    sandbox: iface.Sandbox,
    call: spec.Call,
    config: BridgeConfig,
    bridge: Bridge,
    veth: Veth,
    result: Result,
) -> None:
    """Configure the pod's interface, the gateway, and the rules on the node."""
    if not config.disable_container_interface:
        iface.configure(sandbox, call.ifname, veth.index, result, dad=config.dad)
        iface.wait_until_up(node, veth.host)
    raise_bridge(node, bridge)
    make_gateway(node, bridge, config, result)
    if config.masquerade and result.ips:
        from pybernetes.cni import masquerade

        masquerade.add(call, result.ips)
    if config.mac_spoof_check:
        from pybernetes.cni import macspoof

        macspoof.add(call, veth.host, veth.mac)
    if config.dad:
        iface.wait_for_addresses(sandbox, veth.index)


def delete(call: spec.Call) -> None:
    """Undo the attachment; whatever is gone already is fine. IPAM first: its record is the only thing that can leak."""
    config = BridgeConfig(call)
    delegate.ipam(call)
    iface.delete(call.netns, call.ifname)
    _remove_rules(call, config)


def _remove_rules(call: spec.Call, config: BridgeConfig) -> None:
    if config.masquerade:
        from pybernetes.cni import masquerade

        masquerade.delete(call)
    if config.mac_spoof_check:
        from pybernetes.cni import macspoof

        macspoof.delete(call)


def check(call: spec.Call) -> None:
    """The pod's interface is as reported by ADD, and its host interface is a port of the bridge."""
    config = BridgeConfig(call)
    result = spec.required_result(call, "CHECK")
    delegate.ipam(call)
    iface.check(call, result, up=not config.disable_container_interface)
    if config.mac_spoof_check:
        from pybernetes.cni import macspoof

        if not macspoof.present(call):
            raise CniError(errors.CHECK_FAILED, "the rule that restricts the pod to its MAC is missing")
    ports = [one.name for one in result.interfaces if not one.sandbox and one.name != config.bridge]
    _check_ports(config.bridge, ports)


def _check_ports(name: str, ports: list[str]) -> None:
    with Netlink() as node:
        try:
            bridge, _, _ = linkmsg.decode(node.request(linkmsg.get(name))[0])
        except Missing as gone:
            raise CniError(errors.CHECK_FAILED, f"bridge {name} is missing") from gone
        for port in ports:
            try:
                _, _, attrs = linkmsg.decode(node.request(linkmsg.get(port))[0])
            except Missing as gone:
                raise CniError(errors.CHECK_FAILED, f"host interface {port} is missing") from gone
            if read_u32(attrs.get(linkmsg.IFLA_MASTER)) != bridge:
                raise CniError(errors.CHECK_FAILED, f"host interface {port} is not a port of {name}")


def gc(call: spec.Call) -> None:
    """Remove addresses and rules of pods that no longer exist; their veths went with their namespaces."""
    config = BridgeConfig(call)
    delegate.ipam(call)
    if config.masquerade:
        from pybernetes.cni import masquerade

        masquerade.gc(call)
    if config.mac_spoof_check:
        from pybernetes.cni import macspoof

        macspoof.gc(call)


def status(call: spec.Call) -> None:
    """Ready when the configuration is valid and the IPAM plugin is ready."""
    BridgeConfig(call)
    delegate.ipam(call)


def _complete(result: Result, config: BridgeConfig) -> None:
    """Add the gateways and default routes that the settings imply."""
    for ip in result.ips:
        ip.interface = 2
        if not config.gateway:
            continue
        ip.gateway = ip.gateway or first_host(ip.address)
        default = iface.DEFAULTS[ip.family]
        if config.default_gateway and not any(route.dst == default for route in result.routes):
            result.routes.append(Route(default, ip.gateway))


def first_host(cidr: str) -> str:
    """The first address of a network: its gateway by default."""
    raw, length = ipmsg.split(cidr)
    free = len(raw) * 8 - length
    number = (int.from_bytes(raw, "big") >> free << free) + 1
    return ipmsg.unpack(number.to_bytes(len(raw), "big"))


def _undo(node: Netlink, call: spec.Call, config: BridgeConfig, host: str, allocated: bool) -> None:
    """Remove what a failed ADD made. Errors are ignored: the one that made ADD fail is reported.

    An IPAM plugin that failed has cleaned up itself, and may have failed because the attachment has its address
    already: that one must stay.
    """
    node.batch([linkmsg.delete(host)])
    if not allocated:
        return
    delegate.undo_ipam(call)
    try:
        _remove_rules(call, config)
    except (CniError, LinuxError):
        pass
