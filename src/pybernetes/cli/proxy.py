# ruff: noqa: RUF009 - `flag` gives a dataclass field
"""pybernetes proxy: runs the Service proxy alone, with the flags of kube-proxy."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import click

from pybernetes.cli.component import health_context, node_name
from pybernetes.cli.config_file import PROXY
from pybernetes.cli.flags import component, flag, ignored, listed
from pybernetes.cli.run import run_until_signal
from pybernetes.cli.values import BOOL, CIDR, DURATION, FILE, HOST_PORT
from pybernetes.client.informer import Informers
from pybernetes.cluster.connection import connect, endpoint
from pybernetes.cluster.node_parts import make_proxy
from pybernetes.proxy.daemon import MODES
from pybernetes.proxy.options import ProxyOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The flags of kube-proxy that have a meaning here, and those that common manifests set."""

    kubeconfig: Path | None = flag(None, "Path of the kubeconfig.", type=FILE, shown="the pod's service account")
    master: str = flag("", "URL of the API server; overrides the kubeconfig.")
    hostname_override: str = flag("", "Name of the node.", shown="the hostname")
    proxy_mode: str = flag("nftables", "How Services are implemented in the kernel.", type=click.Choice(sorted(MODES)))
    cluster_cidr: tuple[str, ...] = listed(
        (), "Networks of pods; traffic to a ClusterIP from other sources is masqueraded.", type=CIDR
    )
    masquerade_all: bool = flag("false", "Masquerade all traffic to a ClusterIP.", type=BOOL)
    iptables_min_sync_period: float = flag(
        "1s", "With --proxy-mode=iptables: changes within this time are applied together.", type=DURATION
    )
    iptables_sync_period: float = flag(
        "30s", "With --proxy-mode=iptables: how often all rules are checked.", type=DURATION
    )
    nftables_min_sync_period: float = flag(
        "50ms", "With --proxy-mode=nftables: changes within this time are applied together.", type=DURATION
    )
    nftables_sync_period: float = flag(
        "30s", "With --proxy-mode=nftables: how often all rules are checked.", type=DURATION
    )
    healthz_bind_address: tuple[str, int] = flag(
        "0.0.0.0:10256", "Address and port of /healthz; port 0 disables it.", type=HOST_PORT
    )
    metrics_bind_address: tuple[str, int] = flag(
        "127.0.0.1:10249", "Address and port of /metrics; port 0 disables it.", type=HOST_PORT
    )
    bind_address: str | None = ignored("rules apply to all addresses of the node.")
    conntrack_max_per_core: str | None = ignored("the host's setting applies.")
    conntrack_min: str | None = ignored("the host's setting applies.")
    oom_score_adj: str | None = ignored("the host's setting applies.")


def run(flags: Flags, level: str) -> None:
    """Run the Service proxy alone, in this network namespace, for this or a stock API server.

    Flags are those of kube-proxy.
    """
    run_until_signal(_work(flags, settings(flags)), level)


def settings(flags: Flags) -> ProxyOptions:
    """The proxy's options. IPv6 is served if --cluster-cidr contains an IPv6 network."""
    nft = flags.proxy_mode == "nftables"
    return ProxyOptions(
        node_name=node_name(flags.hostname_override),
        mode=flags.proxy_mode,
        cluster_cidrs=flags.cluster_cidr,
        versions=(4, 6) if any(":" in cidr for cidr in flags.cluster_cidr) else (4,),
        masquerade_all=flags.masquerade_all,
        min_sync_seconds=flags.nftables_min_sync_period if nft else flags.iptables_min_sync_period,
        sync_seconds=flags.nftables_sync_period if nft else flags.iptables_sync_period,
    )


async def _work(flags: Flags, options: ProxyOptions) -> None:
    client = connect(endpoint(flags.kubeconfig, flags.master), "pybernetes-proxy")
    informers = Informers(client)
    proxy = make_proxy(options, informers)

    def check() -> str:
        return "" if proxy.ready else "not all Services known at the start are in the kernel yet"

    try:
        async with (
            health_context(*flags.healthz_bind_address, None, check, flag="--healthz-bind-address"),
            health_context(*flags.metrics_bind_address, None, check, flag="--metrics-bind-address"),
            asyncio.TaskGroup() as group,
        ):
            group.create_task(informers.run(), name="informers")
            group.create_task(proxy.run(), name="proxy")
    finally:
        await client.close()


command = component("proxy", Flags, run, file=PROXY)
