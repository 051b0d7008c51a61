"""bridge: a veth pair joins the pod to a Linux bridge, which can be its gateway as well.

What an attachment leaves in the kernel, and why:

| object | namespace | reason |
|---|---|---|
| bridge `cni0`, with a MAC of its own | node | the switch of all pods of this node |
| its address | node | the pods' gateway (`isGateway`) |
| `vethXXXXXXXX` | node | the pod's port; hairpin so that it can reach itself through a Service |
| `eth0` | pod | addresses and routes from IPAM |
| masquerading rules | node | only with `ipMasq` |
| a rule at the port | node | only with `macspoofchk` |
"""

from __future__ import annotations

from pybernetes.cni import bridge_config, delegate, errors, iface, spec
from pybernetes.cni.bridge_node import Bridge, Veth, add_veth, ensure_bridge, make_gateway, raise_bridge
from pybernetes.cni.errors import CniError
from pybernetes.linux import ipmsg, linkmsg
from pybernetes.linux.errors import LinuxError, Missing
from pybernetes.linux.rtnl import Netlink, read_u32


def add(call: spec.Call) -> spec.Json:
    """Attach the pod; on any failure nothing of it stays."""
    config = bridge_config.read(call)
    with Netlink() as node, iface.Sandbox(call.netns) as sandbox:
        bridge = ensure_bridge(node, config)
        veth = add_veth(node, sandbox, call, config, bridge)
        allocated = False
        try:
            result = delegate.ipam(call)
            allocated = True
            if spec.section(call.config, "ipam").get("type") and not result.get("ips"):
                raise CniError(errors.DELEGATE_FAILED, "IPAM plugin returned missing IP config")
            _complete(result, config)
            _connect(node, sandbox, call, config, bridge, veth, result)
        except BaseException:
            _undo(node, call, veth.host, allocated)
            raise
        iface.announce(sandbox, veth.index, result.get("ips") or [])
    result["interfaces"] = [
        {"name": config["bridge"], "mac": bridge.mac},
        {"name": veth.host, "mac": veth.host_mac},
        {"name": call.ifname, "mac": veth.mac, "sandbox": call.netns},
    ]
    result["dns"] = config.get("dns") or result.get("dns") or {}
    return result


def _connect(
    node: Netlink,
    sandbox: iface.Sandbox,
    call: spec.Call,
    config: spec.Json,
    bridge: Bridge,
    veth: Veth,
    result: spec.Json,
) -> None:
    """From the bare pair to a pod that is on the network, with whatever guards it on the node."""
    if not config.get("disableContainerInterface"):
        iface.configure(sandbox, call.ifname, veth.index, result, dad=bool(config.get("enabledad")))
        iface.wait_until_up(node, veth.host)
    raise_bridge(node, bridge)
    make_gateway(node, bridge, config, result)
    if config.get("ipMasq") and result.get("ips"):
        from pybernetes.cni import masquerade

        masquerade.add(call, result["ips"])
    if config.get("macspoofchk"):
        from pybernetes.cni import macspoof

        macspoof.add(call, veth.host, veth.mac)
    if config.get("enabledad"):
        iface.wait_for_addresses(sandbox, veth.index)


def delete(call: spec.Call) -> None:
    """Undo it all; what is gone already is fine. IPAM first: its record is the only thing that can be lost."""
    delegate.ipam(call)
    iface.delete(call.netns, call.ifname)
    _remove_rules(call)


def _remove_rules(call: spec.Call) -> None:
    if call.config.get("ipMasq"):
        from pybernetes.cni import masquerade

        masquerade.delete(call)
    if call.config.get("macspoofchk"):
        from pybernetes.cni import macspoof

        macspoof.delete(call)


def check(call: spec.Call) -> None:
    """The pod's interface as it was reported, and its port in the bridge."""
    result = spec.previous_result(call, needed="CHECK")
    delegate.ipam(call)
    config = bridge_config.read(call)
    iface.check(call, result, up=not config.get("disableContainerInterface"))
    if config.get("macspoofchk"):
        from pybernetes.cni import macspoof

        if not macspoof.present(call):
            raise CniError(errors.CHECK_FAILED, "the rule that holds the pod to its MAC is missing")
    name = config["bridge"]
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
    delegate.ipam(call)
    if call.config.get("ipMasq"):
        from pybernetes.cni import masquerade

        masquerade.gc(call)
    if call.config.get("macspoofchk"):
        from pybernetes.cni import macspoof

        macspoof.gc(call)


def status(call: spec.Call) -> None:
    bridge_config.read(call)
    delegate.ipam(call)


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


def _undo(node: Netlink, call: spec.Call, host: str, allocated: bool) -> None:
    """After a failed ADD: no veth, no address. The first error is the one to report.

    An IPAM plugin that failed has cleaned up itself, and may have failed because the attachment has its
    address already: that one must stay.
    """
    node.batch([linkmsg.delete(host)])
    if not allocated:
        return
    delegate.undo_ipam(call)
    try:
        _remove_rules(call)
    except (CniError, LinuxError):
        pass
