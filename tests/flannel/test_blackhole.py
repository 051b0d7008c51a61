"""--ip-blackhole-route: packets to a subnet that no bridge has do not leave by the default gateway."""

import subprocess
import uuid
from collections.abc import Iterator

import pytest

from pybernetes.flannel.kernel.desired import Desired, blackhole_own_subnet
from pybernetes.linux import addr, link, netns, route
from pybernetes.linux.rtnl import Netlink

from .kinds import reconcile
from .test_kernel import Host

pytestmark = pytest.mark.kernel

OURS = blackhole_own_subnet(Host("me", 1).lease("host-gw"))


@pytest.fixture
def node() -> Iterator[Netlink]:
    """A node with default routes, and no objects of flannel."""
    name = f"pbt-{uuid.uuid4().hex[:8]}"
    netns.create(name)
    with Netlink(name) as nl:
        link.set_up(nl, "lo")
        eth0 = link.add_veth(nl, "eth0", "far", up=True).index
        link.set_up(nl, "far")
        for address, default, gateway in (
            ("192.0.2.1/24", route.DEFAULT4, "192.0.2.254"),
            ("2001:db8::1/64", route.DEFAULT6, "2001:db8::fe"),
        ):
            addr.add(nl, eth0, address)
            route.add(nl, route.Route(default, device=eth0, gateway=gateway))
        yield nl
    netns.delete(name)


def outcomes(nl: Netlink) -> list[str]:
    """The device on which packets to the node's subnet leave, or `refused`, for each family."""
    found = []
    for ip in ("10.244.1.7", "fd00:244:0:1::7"):
        argv = netns.argv_in(nl.netns, ["ip", "-o", "route", "get", ip])
        asked = subprocess.run(argv, capture_output=True, text=True, check=False)
        words = (asked.stdout + asked.stderr).split()
        found.append(words[words.index("dev") + 1] if asked.returncode == 0 and words[0] != "blackhole" else "refused")
    return found


def test_packets_are_refused_until_a_bridge_has_the_subnet(node: Netlink) -> None:
    assert outcomes(node) == ["eth0", "eth0"]
    done = reconcile(node, OURS).done
    assert [text.split(" (")[0] for text in done] == ["blackhole 10.244.1.0/24", "blackhole fd00:244:0:1::/64"]
    assert outcomes(node) == ["refused", "refused"]
    assert reconcile(node, OURS).done == (), "the existing route is recognised"
    bridge = link.add_bridge(node, "cni0", up=True).index
    port = link.add_veth(node, "p1", "p2", master=bridge, up=True)
    link.set_up(node, port.peer)
    for address in ("10.244.1.1/24", "fd00:244:0:1::1/64"):
        addr.add(node, bridge, address)
    assert outcomes(node) == ["cni0", "cni0"]
    assert reconcile(node, OURS).done == ()


def test_restart_and_removal(node: Netlink) -> None:
    reconcile(node, OURS)
    route.delete(node, route.Route("10.244.1.0/24", kind="blackhole", metric=2**31))
    assert len(reconcile(node, OURS).done) == 1
    assert outcomes(node) == ["refused", "refused"]
    assert len(reconcile(node, Desired()).done) == 2
    assert outcomes(node) == ["eth0", "eth0"]
