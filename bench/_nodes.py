"""Two nodes on a wire, with a pod each, as network namespaces."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench._node import subnet
from pybernetes.linux import addr, link, netns, route, sysctl
from pybernetes.linux.rtnl import Netlink


@dataclass(frozen=True, slots=True)
class Wire:
    """The namespaces of nodes 1 and 2 and of the pods on them. Node n is 198.18.0.n on eth0."""

    nodes: tuple[str, str]
    pods: tuple[str, str]


def address(number: int) -> str:
    """Of a node, on the wire."""
    return f"198.18.0.{number}"


def pod(number: int) -> str:
    """The address of the pod on a node."""
    return str(subnet(4, number)[2])


def run(space: str, *words: str) -> str:
    """A command in a namespace; its output."""
    done = subprocess.run(netns.argv_in(space, words), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def wire(name: str) -> Iterator[Wire]:
    """Make them; there is no way between the pods yet."""
    tag = f"pbt-bench-{os.getpid()}-{name}"
    made = Wire((f"{tag}-1", f"{tag}-2"), (f"{tag}-1p", f"{tag}-2p"))
    with ExitStack() as stack:
        for space in (*made.nodes, *made.pods):
            netns.create(space)
            stack.callback(netns.delete, space)
        _join(made.nodes[0], "eth0", made.nodes[1])
        for number, (node, inside) in enumerate(zip(made.nodes, made.pods, strict=True), 1):
            _dress(node, inside, number)
        yield made


def _join(space: str, name: str, other: str) -> None:
    """A veth pair whose other end is eth0."""
    far = netns.open_fd(other)
    try:
        with Netlink(space) as nl:
            link.add_veth(nl, name, "eth0", peer_netns=far)
            link.set_up(nl, name)
    finally:
        os.close(far)


def _dress(node: str, inside: str, number: int) -> None:
    """Addresses, and a pod on a bridge."""
    _join(node, "pod", inside)
    gateway = str(subnet(4, number)[1])
    with Netlink(node) as nl:
        link.set_up(nl, "eth0")
        addr.add(nl, link.link(nl, "eth0").index, f"{address(number)}/24")
        bridge = link.add_bridge(nl, "cni0", up=True).index
        addr.add(nl, bridge, f"{gateway}/24")
        link.set_master(nl, "pod", bridge)
    with Netlink(inside) as nl:
        link.set_up(nl, "eth0")
        addr.add(nl, link.link(nl, "eth0").index, f"{pod(number)}/24")
        route.add(nl, route.Route(route.DEFAULT4, gateway=gateway))
    sysctl.write("net.ipv4.ip_forward", "1", netns=node)
