"""ptp: a veth pair between node and pod, routed, without a bridge.

| object | where | reason |
|---|---|---|
| gateway's address /32 on the host veth | node | the pod's first hop |
| route to the pod's address /32 | node | packets for the pod |
| route to the gateway /32 on the link, its subnet through it | pod | neighbours are behind the node as well |
"""

from __future__ import annotations

import posix

from pybernetes.cni import delegate, errors, iface, spec
from pybernetes.cni.bridge import first_host
from pybernetes.cni.bridge_config import read_mtu
from pybernetes.cni.bridge_node import random_mac
from pybernetes.cni.errors import CniError
from pybernetes.linux import ipmsg, linkmsg, sysctl
from pybernetes.linux.errors import Missing
from pybernetes.linux.rtnl import Netlink, Request


def add(call: spec.Call) -> spec.Json:
    """Attach the pod; on any failure nothing of it stays."""
    mtu = read_mtu(call.config)
    result = delegate.ipam(call)
    try:
        if not result.get("ips"):
            raise CniError(errors.DELEGATE_FAILED, "IPAM plugin returned missing IP config")
        for ip in result["ips"]:
            ip["interface"] = 1
            ip["gateway"] = ip.get("gateway") or first_host(ip["address"])
        with Netlink() as node, iface.Sandbox(call.netns) as sandbox:
            result["interfaces"] = _connect(node, sandbox, call, mtu, result)
        if call.config.get("ipMasq"):
            from pybernetes.cni import masquerade

            masquerade.add(call, result["ips"])
    except BaseException:
        delegate.undo_ipam(call)
        raise
    result["dns"] = call.config.get("dns") or result.get("dns") or {}
    return result


def _connect(node: Netlink, sandbox: iface.Sandbox, call: spec.Call, mtu: int, result: spec.Json) -> list[spec.Json]:
    host, host_mac, mac = "veth" + posix.urandom(4).hex(), random_mac(), random_mac()
    node.request(
        linkmsg.veth(host, call.ifname, mtu=mtu, mac=host_mac, peer_mac=mac, peer_netns_fd=sandbox.fd, up=True)
    )
    try:
        index, _, _ = sandbox.link(call.ifname)
        host_index, _, _ = linkmsg.decode(node.request(linkmsg.get(host))[0])
        iface.configure(sandbox, call.ifname, index, {"ips": _alone(result["ips"])})
        sandbox.nl.run(_pod_routes(index, result))
        node.run(_node_side(host_index, result))
    except BaseException:
        node.batch([linkmsg.delete(host)])
        raise
    for number in {iface.family(ip["address"]) for ip in result["ips"]}:
        sysctl.ensure("net/ipv4/ip_forward" if number == 4 else "net/ipv6/conf/all/forwarding", "1")
    return [
        {"name": host, "mac": host_mac},
        {"name": call.ifname, "mac": mac, "sandbox": call.netns},
    ]


def _alone(ips: list[spec.Json]) -> list[spec.Json]:
    return [{"address": ip["address"]} for ip in ips]


def _pod_routes(index: int, result: spec.Json) -> list[Request]:
    """The kernel's own route to the subnet would look for neighbours on a link that holds only the node."""
    requests = []
    for ip in result["ips"]:
        gateway, subnet = ip["gateway"], ipmsg.network(ip["address"])
        requests.append(ipmsg.route("delete", subnet, device=index))
        requests.append(ipmsg.route("replace", gateway, device=index))
        requests.append(ipmsg.route("replace", subnet, device=index, gateway=gateway, src=iface.plain(ip["address"])))
    for route in result.get("routes") or []:
        via = route.get("gw") or iface.gateway_for(route["dst"], result)
        requests.append(ipmsg.route("replace", route["dst"], device=index, gateway=via))
    return requests


def _node_side(host: int, result: spec.Json) -> list[Request]:
    requests = []
    for ip in result["ips"]:
        flags = ipmsg.IFA_F_NODAD if ":" in ip["gateway"] else 0
        requests.append(ipmsg.addr_add(host, ip["gateway"], flags=flags, replace=True))
        requests.append(ipmsg.route("replace", iface.plain(ip["address"]), device=host))
    return requests


def delete(call: spec.Call) -> None:
    delegate.ipam(call)
    iface.delete(call.netns, call.ifname)
    if call.config.get("ipMasq"):
        from pybernetes.cni import masquerade

        masquerade.delete(call)


def check(call: spec.Call) -> None:
    result = spec.previous_result(call, needed="CHECK")
    delegate.ipam(call)
    iface.check(call, result)
    with Netlink() as node:
        for entry in result.get("interfaces") or []:
            if not entry.get("sandbox"):
                try:
                    node.request(linkmsg.get(str(entry["name"])))
                except Missing as gone:
                    raise CniError(errors.CHECK_FAILED, f"host interface {entry['name']} is missing") from gone


def gc(call: spec.Call) -> None:
    delegate.ipam(call)
    if call.config.get("ipMasq"):
        from pybernetes.cni import masquerade

        masquerade.gc(call)


def status(call: spec.Call) -> None:
    read_mtu(call.config)
    delegate.ipam(call)
