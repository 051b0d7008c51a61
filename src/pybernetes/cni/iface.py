"""The pod's interface: configures its addresses and routes, and checks them."""

from __future__ import annotations

import posix
from time import monotonic, sleep

from pybernetes.cni import errors, spec
from pybernetes.cni.errors import CniError
from pybernetes.cni.result import Ip, Result, Route
from pybernetes.linux import ipmsg, linkmsg, netns, sysctl
from pybernetes.linux.errors import Exists, LinuxError, Missing
from pybernetes.linux.rtnl import Netlink, Request

PATIENCE = 1.0
"""Seconds to wait for a link. After that the attachment succeeds anyway; the first packets may be lost."""
OPER_UP = b"\x06"
DEFAULTS = {4: "0.0.0.0/0", 6: "::/0"}


def family(text: str) -> int:
    """4 or 6 of an address or prefix."""
    return 6 if ":" in text else 4


def plain(cidr: str) -> str:
    """The address without its prefix length."""
    return cidr.partition("/")[0]


class Sandbox:
    """The pod's network namespace; a context manager that holds its descriptor and a socket in it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = netns.open_fd(path)
        try:
            self.nl = Netlink(self.fd)
        except OSError:
            posix.close(self.fd)
            raise

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.nl.close()
        posix.close(self.fd)

    def link(self, name: str) -> tuple[int, int, dict[int, bytes]]:
        """(index, flags, attributes) of a link in the namespace. Raises Missing."""
        return linkmsg.decode(self.nl.request(linkmsg.get(name))[0])


def configure(sandbox: Sandbox, ifname: str, index: int, result: Result, *, dad: bool = False) -> None:
    """Add addresses, set the link up, add routes: one system call. `dad`: detect duplicate IPv6 addresses."""
    if any([ip.family == 6 for ip in result.ips]):
        _enable_ipv6(sandbox, ifname, dad)
    requests = [linkmsg.change(index, up=True)]
    for ip in result.ips:
        flags = ipmsg.IFA_F_NODAD if ip.family == 6 and not dad else 0
        requests.append(ipmsg.addr_add(index, ip.address, flags=flags))
    requests += [_route(index, route, result) for route in result.routes]
    for error in sandbox.nl.batch(requests):
        # The kernel adds the route of the subnet itself, so it may exist.
        if error is not None and not isinstance(error, Exists):
            raise error
        if isinstance(error, Exists) and error.op == "add address":
            raise error


def announce(sandbox: Sandbox, index: int, ips: list[Ip]) -> None:
    """Announce the pod's addresses, by making the kernel ask for the gateway's MAC.

    If an address is reused, the node and the other pods may still have the previous owner's MAC; the broadcast corrects
    that. The kernel sends it, because closing a packet socket would take 10 ms.
    """
    sandbox.nl.batch([ipmsg.neigh_probe(index, ip.gateway) for ip in ips if ip.gateway])


def wait_until_up(nl: Netlink, name: str, seconds: float = PATIENCE) -> None:
    """Wait until a link can carry packets: the kernel notifies the bridge of a new carrier with a delay."""
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        _, _, attrs = linkmsg.decode(nl.request(linkmsg.get(name))[0])
        if attrs.get(linkmsg.IFLA_OPERSTATE) == OPER_UP:
            return
        sleep(0.0003)


def _route(index: int, route: Route, result: Result) -> Request:
    return ipmsg.route(
        "add",
        route.dst,
        gateway=route.gateway or gateway_for(route, result),
        device=index,
        mtu=route.mtu,
        advmss=route.advmss,
        metric=route.priority,
        table=route.table or ipmsg.RT_TABLE_MAIN,
        scope=route.scope,
    )


def gateway_for(route: Route, result: Result) -> str:
    """The gateway for a route that has none: that of the first address of the same family."""
    for ip in result.ips:
        if ip.family == route.family and ip.gateway:
            return ip.gateway
    return ""


def _enable_ipv6(sandbox: Sandbox, ifname: str, dad: bool) -> None:
    """Enable IPv6, which runtimes may have disabled in the namespace, and enable or disable DAD.

    DAD takes a second, and with hairpin mode older kernels detect themselves, so it is off unless configured.
    """
    for name, value in (("disable_ipv6", "0"), ("accept_dad", "1" if dad else "0")):
        for target in ("lo", ifname) if name == "disable_ipv6" else (ifname,):
            path = f"net/ipv6/conf/{target}/{name}"
            try:
                sysctl.ensure(path, value, sandbox.fd)
            except Missing as missing:
                raise CniError(errors.KERNEL_REFUSED, "IPv6 address requested, but the kernel has no IPv6") from missing


def wait_for_addresses(sandbox: Sandbox, index: int, seconds: float = 10.0) -> None:
    """Wait until duplicate address detection has finished. Raises CniError if an address is in use."""
    deadline = monotonic() + seconds
    while True:
        flags = [(a[1], a[3]) for a in map(ipmsg.addr_decode, sandbox.nl.dump(ipmsg.addr_dump(index))) if a[0] == index]
        for address, flag in flags:
            if flag & ipmsg.IFA_F_DADFAILED:
                raise CniError(errors.KERNEL_REFUSED, f"address {address} is in use by another host on the link")
        waiting = [address for address, flag in flags if flag & ipmsg.IFA_F_TENTATIVE]
        if not waiting:
            return
        if monotonic() > deadline:
            raise CniError(errors.TRY_AGAIN_LATER, f"address {waiting[0]} is still tentative after {seconds:g} s")
        sleep(0.02)


def check(call: spec.Call, result: Result, *, up: bool = True) -> None:
    """CHECK: the interface is up and has the addresses and routes of the result of ADD."""
    result.verify()
    with Sandbox(call.netns) as sandbox:
        try:
            index, flags, attrs = sandbox.link(call.ifname)
        except Missing as gone:
            raise _fault(f"interface {call.ifname} is missing in {call.netns}") from gone
        if up and not flags & linkmsg.IFF_UP:
            raise _fault(f"interface {call.ifname} is down")
        _check_mac(call, result, linkmsg.mac_text(attrs.get(linkmsg.IFLA_ADDRESS)))
        present = {ipmsg.addr_decode(p)[1] for p in sandbox.nl.dump(ipmsg.addr_dump(index)) if _of(p, index)}
        for ip in result.ips:
            if _canonical(ip.address) not in present:
                raise _fault(f"address {ip.address} is missing on {call.ifname}")
        _check_routes(sandbox, result)


def _check_mac(call: spec.Call, result: Result, mac: str) -> None:
    for one in result.interfaces:
        if one.name == call.ifname and one.sandbox and one.mac and one.mac.lower() != mac:
            raise _fault(f"interface {call.ifname} has MAC {mac}, expected {one.mac}")


def _check_routes(sandbox: Sandbox, result: Result) -> None:
    present = set()
    for number in (ipmsg.AF_INET, ipmsg.AF_INET6):
        for payload in sandbox.nl.dump(ipmsg.route_dump(number)):
            present.add(ipmsg.RouteFields(payload).dst)
    for route in result.routes:
        if ipmsg.network(route.dst) not in present:
            raise _fault(f"route to {route.dst} is missing")


def _of(payload: bytes, index: int) -> bool:
    return ipmsg.addr_decode(payload)[0] == index


def _canonical(cidr: str) -> str:
    raw, length = ipmsg.split(cidr)
    return f"{ipmsg.unpack(raw)}/{length}"


def _fault(message: str) -> CniError:
    return CniError(errors.CHECK_FAILED, message)


def delete(netns_path: str, ifname: str) -> None:
    """Delete the pod's interface, if it and its namespace still exist."""
    if not netns_path:
        return
    try:
        with Netlink(netns_path) as nl:
            nl.request(linkmsg.delete(ifname))
    except Missing:
        return
    except OSError as error:
        # The path may be an ordinary file, after the namespace was unmounted.
        if error.errno != 22:
            raise LinuxError(f"enter {netns_path}: {error}") from error
