"""Change the backend of a running pod network: check the request, write the config atomically, report progress."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pybernetes.client.client import Client
from pybernetes.cluster import backend_choice
from pybernetes.cluster.errors import ConfigError, StartTimeout
from pybernetes.cluster.files import write_atomic
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.pod_network import net_conf_path
from pybernetes.cluster.registry import Registry
from pybernetes.flannel import config as network_config
from pybernetes.flannel.backends import BACKENDS
from pybernetes.flannel.backends.bgp.learned import is_learned
from pybernetes.flannel.backends.bgp.speaker import BgpSpeaker
from pybernetes.flannel.config import NetworkConfig
from pybernetes.flannel.kernel.desired import LearnedRoute
from pybernetes.insight import expected, gather
from pybernetes.insight.facts import ClusterFacts, NodeFacts

_LOOK_EVERY = 0.2


@dataclass(frozen=True, slots=True)
class SwitchRequest:
    """The backend and options that the user asks for."""

    backend: str
    options: Mapping[str, Any] = field(default_factory=dict)
    force: bool = False
    timeout: float = 60.0


def with_backend(text: str, request: SwitchRequest) -> tuple[str, NetworkConfig]:
    """The config with another backend and everything else unchanged. Raises ConfigError."""
    backend = backend_choice.document(request.backend, request.options)
    try:
        kept = {key: value for key, value in json.loads(text).items() if key.lower() != "backend"}
        made = json.dumps({**kept, "Backend": backend}, indent=2) + "\n"
        return made, network_config.parse(made, frozenset(BACKENDS))
    except (ValueError, AttributeError, network_config.ConfigError) as error:
        raise ConfigError(str(error)) from error


def routed_pairs(facts: ClusterFacts) -> list[tuple[str, str]]:
    """The pairs of nodes with a router between them, which cannot use host-gw. Each pair once."""
    found = set()
    for node, peer in expected.pairs(facts):
        assert node.kernel is not None and node.lease is not None and peer.lease is not None
        below = expected.underlay(node.kernel, node.lease)
        for part in peer.lease.families:
            if below is not None and not below.on_segment(part.public_ip):
                found.add((min(node.name, peer.name), max(node.name, peer.name)))
    return sorted(found)


def pending_step(facts: ClusterFacts, node: NodeFacts) -> str:
    """What a node still has to do; empty once it has changed over and nothing of the old backend is left."""
    if node.kernel is None:
        return "its network namespace is missing"
    if node.lease is None or node.lease.backend != facts.config.backend:
        return f"still announces {node.lease.backend if node.lease else 'nothing'}"
    want = expected.desired(facts, node)
    if want is None:
        return "has no usable interface"
    names = {link.name for link in want.devices}
    old = [li.name for li in node.kernel.links if li.name.startswith("flannel") and li.name not in names]
    missing = [name for name in sorted(names) if node.kernel.link(name) is None]
    if missing:
        return f"has no {missing[0]} yet"
    routes = {(r.dst, r.gateway, node.kernel.name(r.device)) for r in node.kernel.routes}
    # Blackhole routes have no link and matter only when the others are missing.
    if any((r.dst, r.gateway, r.link) not in routes for r in want.routes if r.link):
        return "moves its routes"
    learned = {r.dst for r in node.kernel.routes if is_learned(r)}
    if unknown := [r.dst for r in want.of(LearnedRoute) if r.dst not in learned]:
        return f"has not learned the route to {unknown[0]} yet"
    if learned and not want.of(BgpSpeaker):
        return "keeps BIRD for packets in flight"
    if f"FLANNEL_MTU={expected.mtu(facts, node)}" not in (node.subnet_env or "").splitlines():
        return "writes subnet.env, which CNI reads for new pods"
    return f"keeps {', '.join(old)} for packets in flight" if old else ""


async def switch(layout: Layout, client: Client, request: SwitchRequest, report: Callable[[str], None]) -> None:
    """Switch and wait for all nodes. Raises ConfigError, or StartTimeout that names the nodes that are late."""
    path = net_conf_path(layout)
    with Registry().exclusive(layout.cluster):
        text, config = with_backend(path.read_text(), request)
        backend_choice.require(config.backend)
        facts = await gather.cluster(layout, client)
        _refuse(config, facts, request)
        write_atomic(path, text, 0o600 if backend_choice.is_secret(config.options) else 0o644)
    shown = backend_choice.shown(json.loads(text)["Backend"])
    report(f"{path}: backend {facts.config.backend} -> {json.dumps(shown)}")
    await _watch(layout, client, request, report)


def _refuse(config: NetworkConfig, facts: ClusterFacts, request: SwitchRequest) -> None:
    alone = config.backend == "bgp" and not config.options.get("peers")
    apart = routed_pairs(facts) if config.backend == "host-gw" or alone else []
    if apart and not request.force:
        pairs = "; ".join(f"{one} and {other}" for one, other in apart)
        if alone:
            raise ConfigError(
                f"there is a router between {pairs} that is not a BGP peer and would not learn the routes to pods: set "
                "--option Peers=[...], or use vxlan; --force switches anyway"
            )
        raise ConfigError(
            f"host-gw needs all nodes on one segment, but there is a router between {pairs}: use vxlan, or vxlan "
            "with --option DirectRouting=true; --force switches anyway, and these nodes cannot reach each other's pods"
        )


async def _watch(layout: Layout, client: Client, request: SwitchRequest, report: Callable[[str], None]) -> None:
    begun = time.monotonic()
    shown: dict[str, str] = {}
    while True:
        facts = await gather.cluster(layout, client)
        waiting = {node.name: pending_step(facts, node) for node in facts.nodes}
        now = time.monotonic() - begun
        for name, what in waiting.items():
            if shown.get(name) != what:
                report(f"  {now:5.1f} s  {name}: {what or 'done'}")
        shown = waiting
        late = [name for name, what in waiting.items() if what]
        if not late:
            return
        if now > request.timeout:
            raise StartTimeout(
                f"not done after {request.timeout:.0f} s: {'; '.join(f'{name} {waiting[name]}' for name in late)}; "
                f"'pybernetes network check --name {layout.cluster}' shows why"
            )
        await asyncio.sleep(_LOOK_EVERY)
