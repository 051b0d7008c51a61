"""flanneld: a loop that turns leases into kernel objects.

Every event (a lease changed, the kernel reported a change to one of our objects, the config was replaced, a timer
expired) only wakes the loop. Each pass computes the complete desired state and applies the difference, so a missed
event does no harm.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Protocol

from pybernetes.flannel import backends as backend_list
from pybernetes.flannel import interface, masquerade, network, overlap, pod_bridge, subnet_file
from pybernetes.flannel.address_warnings import address_warnings
from pybernetes.flannel.backends import BACKENDS, Backends
from pybernetes.flannel.backends.actor import Actor
from pybernetes.flannel.background.checks import Background
from pybernetes.flannel.clock import Clock, SystemClock
from pybernetes.flannel.config import ConfigError, IPNetwork, NetworkConfig
from pybernetes.flannel.config_reader import ConfigReader
from pybernetes.flannel.identity import Identity
from pybernetes.flannel.kernel.desired import Desired, blackhole_own_subnet, merge
from pybernetes.flannel.kernel.kind import AnyKind
from pybernetes.flannel.kernel.reconcile import observe
from pybernetes.flannel.leases.lease import Lease, LeaseError, Node
from pybernetes.flannel.leases.manager import ManagerUnavailable, SubnetManager
from pybernetes.flannel.leases.peer_log import PeerLog
from pybernetes.flannel.metrics import FlannelMetrics
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.problem_log import ProblemLog
from pybernetes.flannel.reconciler import Reconciler
from pybernetes.flannel.transition.orphans import OrphanRoutes
from pybernetes.flannel.transition.recovery import recover
from pybernetes.flannel.transition.transition import Transition
from pybernetes.linux.errors import LinuxError
from pybernetes.linux.link import Link
from pybernetes.linux.rtnl import Netlink

log = logging.getLogger(__name__)

_SETTLE = 0.02
_STUCK = 60.0
_RETRY_FIRST, _RETRY_MAX = 0.1, 5.0


class Rules(Protocol):
    """Keeps the masquerade and forward rules in the kernel."""

    async def ensure(self, wanted: masquerade.Wanted) -> list[str]:
        """Install the rules if they are missing or differ; returns what was done, in words."""


class Drift(Protocol):
    """Reports changes in the kernel that may concern us."""

    def changes(self, kinds: Sequence[AnyKind]) -> AsyncGenerator[str, None]:
        """A few words for each change, as it happens."""

    def follow(self, link: str) -> None:
        """Report changes of this link too."""


class Facts(Protocol):
    """What is known about the cluster besides leases."""

    @property
    def services(self) -> tuple[IPNetwork, ...]:
        """Ranges of Services."""

    @property
    def policies(self) -> Mapping[str, int]:
        """NetworkPolicies by namespace."""

    async def learned(self) -> None:
        """Wait a limited time for the first answers."""

    async def run(self, changed: Callable[[], None]) -> None:
        """Keep it up to date; call `changed` when the ranges of Services change."""


class Flanneld:
    """The daemon of one node."""

    def __init__(
        self,
        options: FlannelOptions,
        manager: SubnetManager,
        *,
        rules: Rules,
        drift: Drift,
        actors: Sequence[Actor] | None = None,
        facts: Facts | None = None,
        rng: random.Random | None = None,
        backends: Backends = BACKENDS,
        clock: Clock | None = None,
    ) -> None:
        """`actors`: in place of those of the backends."""
        rng = rng or random.Random()
        self._clock = clock or SystemClock()
        self._backends = backends
        self._kinds = backend_list.kernel_kinds(options, backends)
        self._options = options
        self._manager = manager
        self._rules = rules
        self._drift = drift
        orphans = OrphanRoutes(options.netns, self._is_ours)
        self._actors = (orphans, *backend_list.actors(options, backends)) if actors is None else actors
        self._wake = asyncio.Event()
        self._problem_log = ProblemLog()
        self._reader = ConfigReader(manager, backends)
        self._identity = Identity(
            options.selection, manager, drift.follow, rng, backends=backends, is_ours=self._is_ours
        )
        self._peers = PeerLog()
        self._memo = network.Memo()
        self._kernel = Reconciler(self._kinds)
        self._transition = Transition(
            options.linger_seconds,
            backends=backends,
            replaced={device: entry.name for entry in backends.values() for device in entry.lingering},
        )
        self._next_check = options.resync_seconds
        self._ready = asyncio.Event()
        self._ended = self._clock.monotonic()
        self.metrics = FlannelMetrics(self._clock.time)
        self._background = Background(
            lambda: self._memo.peers,
            options.netns,
            self.metrics,
            rng,
            backends=backends,
            devices=backend_list.device_kinds(options, backends),
        )
        self._guard = overlap.Guard(subnet_file.previous_networks(options.subnet_file).values())
        self._facts = facts
        if facts is not None:
            self.metrics.policies = lambda: sum(facts.policies.values())
        for actor in self._actors:
            actor.measure(self.metrics)

    @property
    def ready(self) -> bool:
        """Whether routes, rules and subnet.env are in place."""
        return self._ready.is_set()

    def stuck(self) -> str:
        """A sentence if no pass has ended for too long; otherwise empty."""
        elapsed = self._clock.monotonic() - self._ended
        return f"no pass has ended for {elapsed:.0f} s" if elapsed > 3 * self._options.resync_seconds + _STUCK else ""

    async def wait_ready(self) -> None:
        """Wait for the first complete pass."""
        await self._ready.wait()

    async def run(self) -> None:
        """Keep the network as desired until cancelled; the data path then stays as it is."""
        log.info("Created subnet manager: %s", self._manager.describe())
        for actor in self._actors:
            actor.start(self.request_pass)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch_kernel(), name="flannel: kernel watch")
                group.create_task(self._manager.run(self.request_pass), name="flannel: subnet manager")
                group.create_task(self._loop(), name="flannel: reconcile")
                for name, work in self._background.work(self.request_pass).items():
                    group.create_task(work, name=name)
                if self._facts is not None:
                    group.create_task(self._facts.run(self.request_pass), name="flannel: facts of the cluster")
        finally:
            for actor in self._actors:
                await actor.close()

    def request_pass(self) -> None:
        """Ask for a pass."""
        self._wake.set()

    async def _watch_kernel(self) -> None:
        async with aclosing(self._drift.changes(self._kinds)) as changes:
            async for change in changes:
                log.debug("kernel: %s", change)
                self._wake.set()

    async def _loop(self) -> None:
        await self._manager.synced()
        if self._facts is not None:
            await self._facts.learned()
        delay = _RETRY_FIRST
        while True:
            self._wake.clear()
            began = self._clock.monotonic()
            try:
                complete = await self._pass()
            except (ConfigError, interface.InterfaceError, LeaseError, LinuxError, OSError) as error:
                self._problem_log.report([str(error)])
                complete = False
            except ManagerUnavailable as error:
                log.debug("%s", error)
                complete = False
            self._ended = self._clock.monotonic()
            seconds, problems = self._ended - began, self._problem_log.problems
            self.metrics.passed(seconds, complete=complete, problems=problems, ready=self.ready)
            delay = _RETRY_FIRST if complete else min(delay * 2, _RETRY_MAX)
            try:
                async with asyncio.timeout(min(self._next_check, self._options.resync_seconds) if complete else delay):
                    await self._wake.wait()
            except TimeoutError:
                continue
            # A single event gets its pass at once; of a burst, the events after the first share the next pass.
            await asyncio.sleep(max(0.0, self._ended + _SETTLE - self._clock.monotonic()))

    async def _pass(self) -> bool:
        """One pass; whether everything is as desired."""
        with Netlink(self._options.netns) as nl:
            config, faults = self._reader.read(partial(self._refuse_overlap, nl))
            facts: dict[str, str] = {}
            for actor in self._actors:
                facts |= await actor.prepare(config)
            me = await self._identity.of(nl, config, facts)
            leases, bad = self._manager.leases(config)
            if not self._transition.is_recovered:
                config = self._recall(nl, leases)
            linger, former = self._transition.follow(config.backend, leases, self._clock.monotonic())
            want = network.desired_state(
                config, me, leases, linger=linger, former=former, memo=self._memo, backends=self._backends
            )
            want = self._transition.keep(want, self._clock.monotonic())
            if self._options.blackhole:
                want = merge([want, blackhole_own_subnet(me.lease)])
            # Before the kernel: a route must not lead to a device that no process reads yet.
            errors = await self._act(config, me, want)
            outcome = await asyncio.to_thread(self._kernel.reconcile, nl, want, self._clock.time())
            gateways = [f"{part.gateway}/{part.subnet.prefixlen}" for part in me.lease.families]
            repaired = pod_bridge.repair(nl, gateways, network.mtu(config, me.underlay, self._backends))
            repaired += self._background.after(nl, config, me, self._memo.peers, want)
            warnings = address_warnings(me.lease, me.underlay, self._memo.peers)
            if self.ready:
                own = [part.subnet for part in me.lease.families]
                warnings += self._guard.warnings(config, self._occupied(nl, own))
        for line in (*outcome.done, *repaired):
            log.info("%s", line)
        errors += outcome.errors
        self._peers.report(self._memo.peers)
        self.metrics.saw(config.backend, leases, self._memo.peers)
        rules = await self._ensure_rules(config, me)
        self.metrics.applied(want, [*outcome.done, *repaired], rules, errors)
        self._write_subnet_file(config, me)
        self._problem_log.report([*faults, *bad, *want.problems, *warnings, *self._background.problems, *errors])
        self._problem_log.waiting(outcome.waiting)
        again = self._transition.next_check(self._clock.monotonic(), waiting=bool(outcome.waiting))
        self._next_check = min(again, self._resync(config, want))
        if errors or not self._identity.confirmed:
            return False
        await self._manager.announce(me.lease)
        if not self.ready:
            log.info("Running backend.")
        self._ready.set()
        self._guard.used(config)
        return True

    def _refuse_overlap(self, nl: Netlink, config: NetworkConfig) -> None:
        """Called before there is a lease: this node's subnets are those of its previous run. Raises ConfigError."""
        here = {address.ip for _, address in overlap.node_addresses(nl, self._is_ours)}
        leases, _ = self._manager.leases(config)
        own = [part.subnet for lease in leases for part in lease.families if part.public_ip in here]
        own += subnet_file.previous_subnets(self._options.subnet_file).values()
        self._guard.refuse(config, self._occupied(nl, own))

    def _occupied(self, nl: Netlink, own: Sequence[IPNetwork]) -> overlap.Occupied:
        """What the pod network must not overlap; `own` are this node's subnets."""
        services = self._options.services + (self._facts.services if self._facts is not None else ())
        return overlap.Occupied(overlap.without_pods(overlap.node_addresses(nl, self._is_ours), own), services)

    def _resync(self, config: NetworkConfig, want: Desired) -> float:
        """Seconds until the next pass if nothing happens. The kernel reports no changes of iptables and some kinds."""
        every = self._options.resync_seconds
        polled = [kind.poll_seconds for kind in self._kinds if kind.poll_seconds and want.of(kind.type)]
        return min([every, *polled, *([] if config.enable_nftables else [self._options.rules_seconds])])

    def _is_ours(self, found: Link) -> bool:
        return any(kind.is_ours(found) for kind in self._kinds)

    async def _act(self, config: NetworkConfig, me: Node, want: Desired) -> list[str]:
        errors: list[str] = []
        for actor in self._actors:
            errors += await actor.apply(config, me, want)
        return errors

    def _recall(self, nl: Netlink, leases: list[Lease]) -> NetworkConfig:
        """Learn from the kernel what the previous run did; the config with that."""
        left = recover(self._kinds, observe(nl, self._kinds), leases)
        self._transition.recovered(left)
        return self._reader.recall(left.options)

    async def _ensure_rules(self, config: NetworkConfig, me: Node) -> list[str]:
        pods = masquerade.pod_networks(config, me.lease)
        done = await self._rules.ensure(masquerade.Wanted(pods, config.enable_nftables))
        for line in done:
            log.info("%s", line)
        return done

    def _write_subnet_file(self, config: NetworkConfig, me: Node) -> None:
        families = {}
        for family in config.families:
            part = me.lease.family(family.version)
            if part is not None:
                families[family.version] = (str(family.network), f"{part.gateway}/{part.subnet.prefixlen}")
        content = subnet_file.SubnetFile(
            families, network.mtu(config, me.underlay, self._backends), self._options.ip_masq
        )
        if subnet_file.write(self._options.subnet_file, content):
            log.info(
                "Wrote subnet file to %s: %s", self._options.subnet_file, content.render().replace("\n", " ").strip()
            )
