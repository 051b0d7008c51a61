"""Follows docs/extending/backend.md: a backend that flannel does not contain is passed in and used."""

import asyncio
import re
import sys
import types
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pybernetes.flannel.backends import BACKENDS, kernel_kinds, named
from pybernetes.flannel.backends.contract import BackendType
from pybernetes.flannel.kernel.reconcile import observe
from pybernetes.flannel.transition.recovery import recover
from pybernetes.linux import link
from pybernetes.linux.rtnl import Netlink

from .bgp_world import Host, World, make_world, until
from .kinds import OPTIONS
from .steady_traffic import add_pod, pinging

PAGE = Path(__file__).parents[2] / "docs" / "extending" / "backend.md"


def recipe() -> BackendType:
    """The entry that the page's code defines."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    module = types.ModuleType("macvlan_backend")
    sys.modules[module.__name__] = module
    exec(compile(code, str(PAGE), "exec"), module.__dict__)
    entry = module.MACVLAN
    assert isinstance(entry, BackendType)
    return entry


MACVLAN = recipe()
WITH_MACVLAN = named(*BACKENDS.values(), MACVLAN)
KINDS = kernel_kinds(OPTIONS, WITH_MACVLAN)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path, racks=(1, 1), linger=1.0, backends=WITH_MACVLAN) as made:
        yield made


def devices(host: Host) -> set[str]:
    """Devices of the routes to pods on other nodes."""
    return {r.link for r in host.seen.routes}


def ours(host: Host) -> set[str]:
    """Devices of backends."""
    with Netlink(host.netns) as nl:
        return set(observe(nl, KINDS).ours)


def test_the_list_has_no_such_backend_by_itself() -> None:
    assert MACVLAN.name not in BACKENDS


def test_its_documentation_is_that_of_its_module() -> None:
    assert "macvlan device on the interface" in MACVLAN.documentation


@pytest.mark.kernel
async def test_it_carries_packets_of_both_families_and_is_repaired(world: World) -> None:
    a, b = world.hosts
    world.configure({"Type": "macvlan"}, dual=True)
    await world.start()
    await until(lambda: all(devices(host) == {"flannel.mv"} and host.daemon.ready for host in world.hosts))
    assert await a.reaches(b) and await a.reaches(b, 6)
    with Netlink(a.netns) as nl:
        have = observe(nl, KINDS)
        assert recover(KINDS, have, []).options == {"macvlan": {}}, "what the next run would find"
        link.delete(nl, "flannel.mv")
    await until(lambda: [r.link for r in a.seen.routes] == ["flannel.mv"] * 2)
    assert await a.reaches(b) and await b.reaches(a, 6)


@pytest.mark.kernel
@pytest.mark.slow
async def test_a_network_switches_to_it_and_back_without_loss(world: World) -> None:
    a, b = world.hosts
    for host in world.hosts:
        add_pod(world, host)
    world.configure({"Type": "vxlan"})
    await world.start()
    await until(lambda: all(devices(host) == {"flannel.1"} for host in world.hosts))
    async with pinging((a, b), (b, a)) as pings:
        for backend, name in (("macvlan", "flannel.mv"), ("vxlan", "flannel.1")):
            world.configure({"Type": backend})
            await until(lambda name=name: all(devices(host) == {name} for host in world.hosts))  # type: ignore[misc]
            await until(lambda name=name: all(ours(host) == {name} for host in world.hosts))  # type: ignore[misc]
            await asyncio.gather(*(ping.answers() for ping in pings))
        assert [ping.lost for ping in pings] == [[], []]
