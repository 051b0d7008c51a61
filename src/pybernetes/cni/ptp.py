"""ptp: a routed veth pair between node and pod, without a bridge.

| object | where | reason |
|---|---|---|
| gateway's address /32 on the host veth | node | the pod's first hop |
| route to the pod's address /32 | node | packets for the pod |
| route to the gateway /32 on the link, to its subnet through it | pod | other pods of the subnet are behind the node |
"""

from __future__ import annotations

import posix

from pybernetes.cni import delegate, errors, iface, spec
from pybernetes.cni.bridge import first_host
from pybernetes.cni.bridge_config import read_mtu, uses_masquerade
from pybernetes.cni.bridge_node import random_mac
from pybernetes.cni.errors import CniError
from pybernetes.cni.result import Interface, Ip, Result, read_dns
from pybernetes.linux import ipmsg, linkmsg, sysctl
from pybernetes.linux.errors import Missing
from pybernetes.linux.rtnl import Netlink, Request


class PtpConfig:
    """The settings of a ptp attachment."""

    __slots__ = ("dns", "masquerade", "mtu")

    def __init__(self, call: spec.Call) -> None:
        self.mtu = read_mtu(call.settings)
        self.masquerade = uses_masquerade(call.settings)
        self.dns = read_dns(call.settings)


def add(call: spec.Call) -> Result:
    """Attach the pod; after a failure nothing of the attachment is left."""
    config = PtpConfig(call)
    result = delegate.ipam(call)
    try:
        if not result.ips:
            raise CniError(errors.DELEGATE_FAILED, "IPAM plugin returned missing IP config")
        for ip in result.ips:
            ip.interface = 1
            ip.gateway = ip.gateway or first_host(ip.address)
        with Netlink() as node, iface.Sandbox(call.netns) as sandbox:
            result.interfaces = _connect(node, sandbox, call, config.mtu, result)
        if config.masquerade:
            from pybernetes.cni import masquerade

            masquerade.add(call, result.ips)
    except BaseException:
        delegate.undo_ipam(call)
        raise
    result.dns = config.dns or result.dns
    return result


def _connect(node: Netlink, sandbox: iface.Sandbox, call: spec.Call, mtu: int, result: Result) -> list[Interface]:
    host, host_mac, mac = "veth" + posix.urandom(4).hex(), random_mac(), random_mac()
    node.request(
        linkmsg.veth(host, call.ifname, mtu=mtu, mac=host_mac, peer_mac=mac, peer_netns_fd=sandbox.fd, up=True)
    )
    try:
        index, _, _ = sandbox.link(call.ifname)
        host_index, _, _ = linkmsg.decode(node.request(linkmsg.get(host))[0])
        iface.configure(sandbox, call.ifname, index, Result(ips=[Ip(ip.address) for ip in result.ips]))
        sandbox.nl.run(_pod_routes(index, result))
        node.run(_node_side(host_index, result))
    except BaseException:
        node.batch([linkmsg.delete(host)])
        raise
    for number in {ip.family for ip in result.ips}:
        sysctl.ensure("net/ipv4/ip_forward" if number == 4 else "net/ipv6/conf/all/forwarding", "1")
    return [
        Interface(host, mac=host_mac),
        Interface(call.ifname, mac=mac, sandbox=call.netns),
    ]


def _pod_routes(index: int, result: Result) -> list[Request]:
    """Replace the kernel's route to the subnet, which assumes that all of the subnet is on the link."""
    requests = []
    for ip in result.ips:
        gateway, subnet = ip.gateway, ipmsg.network(ip.address)
        requests.append(ipmsg.route("delete", subnet, device=index))
        requests.append(ipmsg.route("replace", gateway, device=index))
        requests.append(ipmsg.route("replace", subnet, device=index, gateway=gateway, src=ip.host))
    for route in result.routes:
        via = route.gateway or iface.gateway_for(route, result)
        requests.append(ipmsg.route("replace", route.dst, device=index, gateway=via))
    return requests


def _node_side(host: int, result: Result) -> list[Request]:
    requests = []
    for ip in result.ips:
        flags = ipmsg.IFA_F_NODAD if ":" in ip.gateway else 0
        requests.append(ipmsg.addr_add(host, ip.gateway, flags=flags, replace=True))
        requests.append(ipmsg.route("replace", ip.host, device=host))
    return requests


def delete(call: spec.Call) -> None:
    config = PtpConfig(call)
    delegate.ipam(call)
    iface.delete(call.netns, call.ifname)
    if config.masquerade:
        from pybernetes.cni import masquerade

        masquerade.delete(call)


def check(call: spec.Call) -> None:
    result = spec.required_result(call, "CHECK")
    delegate.ipam(call)
    iface.check(call, result)
    with Netlink() as node:
        for one in result.interfaces:
            if not one.sandbox:
                try:
                    node.request(linkmsg.get(one.name))
                except Missing as gone:
                    raise CniError(errors.CHECK_FAILED, f"host interface {one.name} is missing") from gone


def gc(call: spec.Call) -> None:
    config = PtpConfig(call)
    delegate.ipam(call)
    if config.masquerade:
        from pybernetes.cni import masquerade

        masquerade.gc(call)


def status(call: spec.Call) -> None:
    """Ready when the configuration is valid and the IPAM plugin is ready."""
    PtpConfig(call)
    delegate.ipam(call)
