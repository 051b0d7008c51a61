"""The sandbox's end of an attachment: its interface gets addresses and routes, and is checked for them."""

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
"""Seconds; after that the pod is handed over all the same, as its packets will be."""
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
        """(index, flags, attributes) of a link in there; Missing when there is none."""
        return linkmsg.decode(self.nl.request(linkmsg.get(name))[0])


def configure(sandbox: Sandbox, ifname: str, index: int, result: Result, *, dad: bool = False) -> None:
    """Addresses, link up, routes: one system call. With `dad` the kernel looks for duplicates of IPv6 addresses."""
    if any([ip.family == 6 for ip in result.ips]):
        _enable_ipv6(sandbox, ifname, dad)
    requests = [linkmsg.change(index, up=True)]
    for ip in result.ips:
        flags = ipmsg.IFA_F_NODAD if ip.family == 6 and not dad else 0
        requests.append(ipmsg.addr_add(index, ip.address, flags=flags))
    requests += [_route(index, route, result) for route in result.routes]
    for error in sandbox.nl.batch(requests):
        # The kernel makes the route of the subnet itself; being told of it again is no failure.
        if error is not None and not isinstance(error, Exists):
            raise error
        if isinstance(error, Exists) and error.op == "add address":
            raise error


def announce(sandbox: Sandbox, index: int, ips: list[Ip]) -> None:
    """Ask for the gateway's MAC; the real purpose is the asker's name on the question.

    An address comes back into use, and the node and the other pods may still have its last owner's MAC; the
    broadcast corrects them. The kernel does it, since closing a packet socket of our own would take 10 ms.
    """
    sandbox.nl.batch([ipmsg.neigh_probe(index, ip.gateway) for ip in ips if ip.gateway])


def wait_until_up(nl: Netlink, name: str, seconds: float = PATIENCE) -> None:
    """Until a link may carry packets. The kernel tells the bridge of a new carrier a little after the fact."""
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
    """The gateway of the first address of the same family: what a route without one goes through."""
    for ip in result.ips:
        if ip.family == route.family and ip.gateway:
            return ip.gateway
    return ""


def _enable_ipv6(sandbox: Sandbox, ifname: str, dad: bool) -> None:
    """Runtimes may hand over namespaces with IPv6 switched off. DAD costs a second, and older kernels hear
    themselves under hairpin: who wants it asks for it.
    """
    for name, value in (("disable_ipv6", "0"), ("accept_dad", "1" if dad else "0")):
        for target in ("lo", ifname) if name == "disable_ipv6" else (ifname,):
            path = f"net/ipv6/conf/{target}/{name}"
            try:
                sysctl.ensure(path, value, sandbox.fd)
            except Missing as missing:
                raise CniError(errors.KERNEL_REFUSED, "IPv6 address asked for, but the kernel has no IPv6") from missing


def wait_for_addresses(sandbox: Sandbox, index: int, seconds: float = 10.0) -> None:
    """Until the kernel has looked for duplicates of all addresses; one that is taken is an error."""
    deadline = monotonic() + seconds
    while True:
        flags = [(a[1], a[3]) for a in map(ipmsg.addr_decode, sandbox.nl.dump(ipmsg.addr_dump(index))) if a[0] == index]
        for address, flag in flags:
            if flag & ipmsg.IFA_F_DADFAILED:
                raise CniError(errors.KERNEL_REFUSED, f"address {address} is in use by somebody else on the link")
        waiting = [address for address, flag in flags if flag & ipmsg.IFA_F_TENTATIVE]
        if not waiting:
            return
        if monotonic() > deadline:
            raise CniError(errors.TRY_AGAIN_LATER, f"address {waiting[0]} is still tentative after {seconds:g} s")
        sleep(0.02)


def check(call: spec.Call, result: Result, *, up: bool = True) -> None:
    """CHECK: the interface is up and has the addresses and routes of the earlier result."""
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
    """Remove the sandbox's interface; a sandbox or an interface that is gone is fine."""
    if not netns_path:
        return
    try:
        with Netlink(netns_path) as nl:
            nl.request(linkmsg.delete(ifname))
    except Missing:
        return
    except OSError as error:
        # The path may by now lead to a plain file: a namespace whose mount went first.
        if error.errno != 22:
            raise LinuxError(f"enter {netns_path}: {error}") from error
