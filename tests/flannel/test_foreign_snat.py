"""SNAT rules of other programs that hide pods' addresses: reported and left alone."""

import asyncio
import ipaddress
import logging
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.flannel.background.foreign_snat import ForeignSnat, hiding, sentence
from pybernetes.flannel.masquerade import PodNetwork

from .bgp_world import World, make_world, run_in, until

NET = PodNetwork(ipaddress.ip_network("172.7.0.0/16"), ipaddress.ip_network("172.7.21.0/24"))
DOCKERS = "-A POSTROUTING -s 172.7.21.0/24 ! -o docker0 -j MASQUERADE"


@pytest.mark.parametrize(
    ("rule", "hides"),
    [
        (DOCKERS, True),
        ("-A POSTROUTING -s 172.7.21.0/24 ! -d 172.7.0.0/16 ! -o docker0 -j MASQUERADE", False),
        ("-A POSTROUTING -j MASQUERADE", True),
        ("-A POSTROUTING -j SNAT --to-source 10.4.7.21", True),
        ('-A POSTROUTING -s 172.7.0.0/16 -m comment --comment "a b" -j MASQUERADE --random-fully', True),
        ("-A POSTROUTING -o flannel.1 -j MASQUERADE", True),
        ("-A POSTROUTING -o flan+ -j MASQUERADE", True),
        ("-A POSTROUTING -o eth0 -j MASQUERADE", False),
        ("-A POSTROUTING ! -o flannel.1 -j MASQUERADE", False),
        ("-A POSTROUTING ! -s 172.7.0.0/16 -j MASQUERADE", False),
        ("-A POSTROUTING -s 192.168.0.0/16 -j MASQUERADE", False),
        ("-A POSTROUTING -s fd00::/8 -j MASQUERADE", False),
        ("-A POSTROUTING -s 172.7.21.0/24 -d 8.8.8.8/32 -j MASQUERADE", False),
        ("-A POSTROUTING -s 172.7.21.0/24 -p tcp -m tcp --dport 80 -j MASQUERADE", False),
        ("-A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE", False),
        ('-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG', False),
        ("-A KUBE-POSTROUTING -j MASQUERADE --random-fully", False),
        ("-A POSTROUTING -s", False),
        ("-A POSTROUTING -s x -j MASQUERADE", False),
        ("-A POSTROUTING", False),
        ('-A POSTROUTING -j MASQUERADE -m comment --comment "', False),
        ("", False),
    ],
)
def test_which_rules_hide(rule: str, hides: bool) -> None:
    assert hiding(rule, NET, {"flannel.1"}) is hides


def test_plain_routes_leave_by_the_interface() -> None:
    assert hiding("-A POSTROUTING -o eth0 -j MASQUERADE", NET, {"eth0"})
    assert not hiding("-A POSTROUTING -j MASQUERADE", NET, set()), "no device leads to other nodes"
    assert "add '! -d 172.7.0.0/16' to it" in sentence(DOCKERS, NET) and DOCKERS in sentence(DOCKERS, NET)


@given(st.lists(st.sampled_from(["!", "-s", "-d", "-o", "-j", "-m", "comment", "MASQUERADE", "x", "10.0.0.0/8"])))
def test_garbage_does_no_harm(words: list[str]) -> None:
    hiding(" ".join(["-A", "POSTROUTING", *words]), NET, {"eth0"})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path, (1, 1)) as made:
        made.configure({"Type": "vxlan"})
        yield made


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.parametrize("tool", ["iptables", "iptables-legacy"])
async def test_the_daemon_logs_it(world: World, tool: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pybernetes.flannel")
    a = world.hosts[0]
    rule = "POSTROUTING -s 10.244.1.0/24 ! -o docker0 -j MASQUERADE"
    assert (await run_in(a.netns, tool, "-t", "nat", "-A", *rule.split()))[0] == 0
    await world.start()
    await until(lambda: f"'-A {rule}'; add '! -d 10.244.0.0/16' to it" in caplog.text)
    assert rule in (await run_in(a.netns, f"{tool}-save"))[1], "it is left alone"
    assert caplog.text.count(rule) == 1


@pytest.mark.kernel
@pytest.mark.slow
async def test_rules_are_checked_again(world: World) -> None:
    space, changed = world.hosts[0].netns, asyncio.Event()
    looking = ForeignSnat(space, every=0.05)
    looking.see((NET,), frozenset({"flannel.1"}))
    task = asyncio.create_task(looking.run(changed.set), name="foreign SNAT")
    try:
        for verb in ("-A", "-D"):
            words = ["iptables", "-t", "nat", verb, *DOCKERS.split()[1:]]
            await asyncio.to_thread(subprocess.run, ["ip", "netns", "exec", space, *words], check=True)
            await until(lambda verb=verb: bool(looking.problems) == (verb == "-A"), 30)  # type: ignore[misc]
            await asyncio.wait_for(changed.wait(), 30)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
