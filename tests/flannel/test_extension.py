"""The extension backend: when each command runs, and with which environment."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest

from pybernetes.flannel.backends import BACKENDS, make
from pybernetes.flannel.backends.extension.actor import ExtensionActor
from pybernetes.flannel.config import ConfigError, NetworkConfig, parse
from pybernetes.flannel.leases.backend_data import TEXT
from pybernetes.flannel.leases.lease import FamilyLease, Lease, LeaseError, Node, Underlay
from pybernetes.flannel.network import desired_state

ETH0 = Underlay("eth0", 2, 1500, (ipaddress.ip_interface("192.0.2.1/24"),))


def lease(number: int, text: str = "") -> Lease:
    subnet, ip = ipaddress.ip_network(f"10.5.{number}.0/24"), ipaddress.ip_address(f"192.0.2.{number}")
    return Lease(f"node-{number}", "extension", (FamilyLease(subnet, ip, {TEXT: text} if text else {}),))


ME = Node(lease(1), ETH0)


def config(**options: Any) -> NetworkConfig:
    text = json.dumps({"Network": "10.5.0.0/16", "Backend": {"Type": "extension", **options}})
    return parse(text, frozenset(BACKENDS))


async def run(actor: ExtensionActor, what: NetworkConfig, *peers: Lease) -> list[str]:
    await actor.prepare(what)
    return list(await actor.apply(what, ME, desired_state(what, ME, peers, linger=frozenset())))


async def test_commands_in_their_order_with_what_they_need(tmp_path: Path) -> None:
    book = tmp_path / "book"
    note = f'>> {book} echo "{{}} $NETWORK $SUBNET $PUBLIC_IP $(cat)"'
    what = config(
        PreStartupCommand="echo my key",
        PostStartupCommand=note.format("post"),
        SubnetAddCommand=note.format("add"),
        SubnetRemoveCommand=["sh", "-c", note.format("remove")],
        ShutdownCommand=f"echo bye >> {book}",
    )
    actor = ExtensionActor(None)
    facts = await actor.prepare(what)
    assert make("extension", what.options).announce(4, facts) == {TEXT: "my key"}
    evil = "$(touch /nowhere); 'x"
    assert await run(actor, what, lease(2, evil)) == []
    assert await run(actor, what, lease(2, evil)) == [], "nothing twice"
    assert await run(actor, what, lease(3)) == []
    await actor.close()
    assert book.read_text().splitlines() == [
        "post 10.5.0.0/16 10.5.1.0/24 192.0.2.1 ",
        f"add  10.5.2.0/24 192.0.2.2 {evil}",
        f"remove  10.5.2.0/24 192.0.2.2 {evil}",
        "add  10.5.3.0/24 192.0.2.3 ",
        "bye",
    ]


async def test_a_failing_command_is_reported_and_run_again(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    what = config(SubnetAddCommand=f"test -e {gate} || {{ echo no gate; exit 3; }}")
    actor = ExtensionActor(None)
    (problem,) = await run(actor, what, lease(2))
    assert "Backend.SubnetAddCommand for 10.5.2.0/24" in problem and "code 3: no gate" in problem
    gate.touch()
    assert await run(actor, what, lease(2)) == []


async def test_without_its_pre_startup_command_there_is_no_lease() -> None:
    with pytest.raises(LeaseError, match=r"Backend\.PreStartupCommand: 'exit 7' ended with code 7"):
        await ExtensionActor(None).prepare(config(PreStartupCommand="exit 7"))


async def test_a_command_that_hangs_is_killed() -> None:
    (problem,) = await run(ExtensionActor(None, timeout=0.1), config(SubnetAddCommand="sleep 60"), lease(2))
    assert "did not end within 0.1 s" in problem


async def test_a_missing_command() -> None:
    (problem,) = await run(ExtensionActor(None), config(SubnetAddCommand=["/no/such/command"]), lease(2))
    assert "can't be run" in problem


async def test_another_backend_takes_over(tmp_path: Path) -> None:
    book = tmp_path / "book"
    actor = ExtensionActor(None)
    what = config(SubnetRemoveCommand=f"echo remove $SUBNET >> {book}", ShutdownCommand=f"echo bye >> {book}")
    await run(actor, what, lease(2))
    other = parse('{"Network":"10.5.0.0/16","Backend":{"Type":"host-gw"}}', frozenset(BACKENDS))
    assert await run(actor, other) == []
    assert book.read_text().splitlines() == ["remove 10.5.2.0/24", "bye"]


@pytest.mark.parametrize("value", [7, {}, [], [1], ["x", None]])
def test_values_that_are_not_commands(value: object) -> None:
    with pytest.raises(ConfigError, match=r"Backend\.SubnetAddCommand"):
        make("extension", config(SubnetAddCommand=value).options)
