"""Subnet choice without etcd: a model in which nodes join, crash, race and restart, in any order."""

import ipaddress
import random
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pybernetes.flannel.backends import BACKENDS
from pybernetes.flannel.config import NetworkConfig, parse
from pybernetes.flannel.leases.etcd.allocate import (
    Choice,
    PoolFull,
    Taken,
    choose,
    conflicts,
    earlier_overlap,
    fits,
    free,
    is_mine,
    overlap,
)
from pybernetes.flannel.leases.etcd.format import key_of
from support.profiles import sized

NET = ipaddress.ip_network
IP = ipaddress.ip_address


def config(text: str) -> NetworkConfig:
    return parse(text, frozenset(BACKENDS))


#: Four subnets of each family: small enough to run out.
SMALL = config(
    '{"Network":"10.5.0.0/24","SubnetLen":26,"SubnetMin":"10.5.0.0","EnableIPv6":true,"IPv6Network":"fd00::/62",'
    '"IPv6SubnetLen":64,"IPv6SubnetMin":"fd00::","IPv6SubnetMax":"fd00:0:0:3::"}'
)
FOUR = config('{"Network":"10.5.0.0/16"}')


def taken(text: str, public: str = "192.0.2.99", created: int = 1, reserved: bool = False) -> Taken:
    return Taken(text.replace("/", "-"), {4: NET(text)}, {4: IP(public)} if public else {}, created, reserved)


def pick(*keys: Taken, previous: str = "", me: str = "192.0.2.1", seed: int = 1) -> Choice:
    before = {4: NET(previous)} if previous else {}
    return choose(FOUR, keys, {4: IP(me)}, before, random.Random(seed))


def test_the_lease_that_names_us_is_reused() -> None:
    mine = taken("10.5.7.0/24", "192.0.2.1")
    assert pick(mine, previous="10.5.9.0/24") == Choice(mine.subnets, held=mine)


def test_a_reservation_has_priority_over_a_lease() -> None:
    lease, reserved = taken("10.5.7.0/24", "192.0.2.1"), taken("10.5.8.0/24", "192.0.2.1", 5, True)
    choice = pick(lease, reserved)
    assert choice.held is reserved and choice.drop == ("10.5.7.0-24",)


def test_the_previous_subnet_is_reused_while_free() -> None:
    assert pick(previous="10.5.9.0/24").subnets == {4: NET("10.5.9.0/24")}


@pytest.mark.parametrize("other", ["10.5.9.0/24", "10.5.8.0/23", "10.5.9.128/25"])
@pytest.mark.parametrize("public", ["192.0.2.99", ""])
def test_a_previous_subnet_that_is_taken_is_left_alone(other: str, public: str) -> None:
    choice = pick(taken(other, public), previous="10.5.9.0/24")
    assert not overlap(choice.subnets, {4: NET(other)})


@pytest.mark.parametrize("previous", ["10.6.9.0/24", "10.5.9.0/25", "10.5.0.0/24"])
def test_a_previous_subnet_that_does_not_fit_is_reported_and_ignored(previous: str) -> None:
    choice = pick(previous=previous)
    assert previous in choice.notes[0] and fits(FOUR, choice.subnets)


def test_a_lease_of_ours_from_another_config_is_dropped() -> None:
    choice = pick(taken("10.9.1.0/24", "192.0.2.1"))
    assert choice.drop == ("10.9.1.0-24",) and choice.held is None and fits(FOUR, choice.subnets)


def test_a_full_pool_is_a_clear_error() -> None:
    with pytest.raises(PoolFull, match=r"10\.5\.1\.0 to 10\.5\.255\.0"):
        pick(taken("10.5.0.0/16"))


def test_the_last_free_subnet_is_found() -> None:
    keys = [taken(f"10.5.{n}.0/24") for n in range(1, 256) if n != 200]
    assert pick(*keys).subnets == {4: NET("10.5.200.0/24")}


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(18, 28)), max_size=40))
def test_free_gives_exactly_what_nothing_overlaps(blocks: list[tuple[int, int]]) -> None:
    spans = [NET((int(IP("10.5.0.0")) + at, length), strict=False) for at, length in blocks]
    family = FOUR.families[0]
    every = [NET(f"10.5.{n}.0/24") for n in range(1, 256)]
    assert list(free(family, spans)) == [net for net in every if not any(net.overlaps(span) for span in spans)]


@given(st.lists(st.tuples(st.integers(0, 63), st.integers(26, 32)), max_size=12, unique=True))
def test_of_overlapping_leases_the_first_is_used(blocks: list[tuple[int, int]]) -> None:
    nets = [NET((int(IP("10.5.0.0")) + at, length), strict=False) for at, length in blocks]
    keys = [taken(str(net), created=n) for n, net in enumerate(dict.fromkeys(nets))]
    good: list[Taken] = []
    for key in keys:
        if not any(overlap(key.subnets, other.subnets) for other in good):
            good.append(key)
    assert {key.name for key in keys} - conflicts(keys).keys() == {key.name for key in good}


@dataclass
class ANode:
    """A daemon between two steps of its work."""

    number: int
    choice: Choice | None = None
    created: Taken | None = None
    held: Taken | None = None
    previous: dict[int, object] = field(default_factory=dict)

    @property
    def public(self) -> dict[int, object]:
        return {4: IP(f"192.0.2.{self.number}"), 6: IP(f"2001:db8::{self.number}")}


class Leases(RuleBasedStateMachine):
    """Five nodes and four subnets. Each step of a node is a rule, so that other nodes' steps can come between."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, Taken] = {}
        self.revision = 0
        self.nodes = {number: ANode(number) for number in range(1, 6)}
        self.rng = random.Random(0)

    who = st.integers(1, 5)

    @rule(number=who)
    def look_and_choose(self, number: int) -> None:
        node = self.nodes[number]
        if node.held or node.created:
            return
        try:
            node.choice = choose(SMALL, self.keys.values(), node.public, node.previous, self.rng)  # type: ignore[arg-type]
        except PoolFull as full:
            node.choice = None
            for name in full.drop:
                del self.keys[name]
            free_v4 = list(free(SMALL.families[0], [key.subnets[4] for key in self.keys.values()]))
            free_v6 = list(free(SMALL.families[1], [key.subnets[6] for key in self.keys.values()]))
            assert not free_v4 or not free_v6

    @rule(number=who)
    def write(self, number: int) -> None:
        node = self.nodes[number]
        if node.choice is None:
            return
        choice, node.choice = node.choice, None
        for name in choice.drop:
            self.keys.pop(name, None)
        if choice.held is not None:
            if self.keys.get(choice.held.name) == choice.held:
                node.held = choice.held
            return
        name = key_of(choice.subnets)
        if name not in self.keys:
            self.revision += 1
            node.created = Taken(name, choice.subnets, node.public, self.revision)  # type: ignore[arg-type]
            self.keys[name] = node.created

    @rule(number=who)
    def verify(self, number: int) -> None:
        node = self.nodes[number]
        if node.created is None:
            return
        made, node.created = node.created, None
        if self.keys.get(made.name) != made:
            return
        if earlier_overlap(made, self.keys.values()):
            del self.keys[made.name]
        else:
            node.held, node.previous = made, dict(made.subnets)

    @rule(number=who)
    def crash(self, number: int) -> None:
        """Its keys in etcd stay; its subnet is recorded in subnet.env."""
        old = self.nodes[number]
        self.nodes[number] = ANode(number, previous=old.previous)

    @precondition(lambda self: self.keys)
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        """A lease that is not renewed expires; a running daemon notices."""
        name = data.draw(st.sampled_from(sorted(self.keys)))
        gone = self.keys.pop(name)
        for node in self.nodes.values():
            if node.held == gone:
                node.held = None

    @rule(number=who)
    def reserve(self, number: int) -> None:
        """An administrator removes the expiry of a lease."""
        node = self.nodes[number]
        if node.held:
            self.keys[node.held.name] = node.held = replace(node.held, reserved=True)

    @invariant()
    def no_subnet_is_shared(self) -> None:
        held = [node.held for node in self.nodes.values() if node.held]
        for at, one in enumerate(held):
            assert not any(overlap(one.subnets, other.subnets) for other in held[at + 1 :])

    def teardown(self) -> None:
        """Every key has an owner: after every node has restarted, each remaining key is held."""
        for node in self.nodes.values():
            node.choice = node.created = node.held = None
        for number in self.nodes:
            self.look_and_choose(number)
            self.write(number)
            self.verify(number)
        for key in self.keys.values():
            mine = [node for node in self.nodes.values() if is_mine(key, node.public)]  # type: ignore[arg-type]
            assert len(mine) == 1
            assert key.reserved or mine[0].held == key, key


TestLeases = pytest.mark.slow(Leases.TestCase)
TestLeases.settings = settings(max_examples=sized(50, 500), stateful_step_count=50, deadline=None)
