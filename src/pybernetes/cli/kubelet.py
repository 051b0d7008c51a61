# ruff: noqa: RUF009 - `flag` gives a dataclass field
"""pybernetes kubelet: runs only the kubelet of a node, with kubelet's flags."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import click

from pybernetes.api.core.node import Taint
from pybernetes.api.quantity import value as quantity
from pybernetes.cli.apiserver_setup import host_address
from pybernetes.cli.component import health_context, node_name
from pybernetes.cli.config_file import KUBELET
from pybernetes.cli.flags import component, flag, ignored, listed
from pybernetes.cli.run import run_until_signal
from pybernetes.cli.values import ADDRESS, BOOL, DURATION, FILE, PAIR, PATH, PORT, TAINT, TaintText
from pybernetes.client.informer import Informers
from pybernetes.cluster.connection import connect, endpoint
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.node_parts import run_kubelet
from pybernetes.kubelet.config import KubeletConfig

PERCENT = click.IntRange(0, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The supported flags of kubelet, and those that common unit files contain and that are ignored."""

    kubeconfig: Path | None = flag(None, "How to reach the API server.", type=FILE, shown="the pod's own account")
    hostname_override: str = flag("", "Name of the Node.", shown="the host's name")
    node_ip: tuple[str, ...] = listed((), "Addresses of the node, primary first.", type=ADDRESS, shown="the host's")
    root_dir: Path = flag("/var/lib/kubelet", "Directory of pods and volumes.", type=PATH)
    pod_logs_dir: Path = flag("/var/log/pods", "Directory of containers' logs.", type=PATH)
    container_runtime_endpoint: str = flag("unix:///run/containerd/containerd.sock", "CRI socket of the runtime.")
    cgroup_root: str = flag("", "Parent cgroup of all pods.", shown="the root")
    cgroups_per_qos: bool = flag("true", "Create a cgroup per QoS class and pod.", type=BOOL)
    cluster_dns: tuple[str, ...] = listed((), "Nameservers of pods.", type=ADDRESS)
    cluster_domain: str = flag("cluster.local", "Domain of Services.")
    resolv_conf: Path = flag("/etc/resolv.conf", "The node's resolver configuration.", type=PATH)
    pod_manifest_path: Path | None = flag(None, "Directory of static pod manifests.", type=PATH)
    register_node: bool = flag("true", "Create the Node object.", type=BOOL)
    node_labels: tuple[tuple[str, str], ...] = listed((), "Labels to register the Node with.", type=PAIR)
    register_with_taints: tuple[TaintText, ...] = listed((), "Taints to register the Node with.", type=TAINT)
    max_pods: int = flag(110, "Number of pods that can run on this node.", type=click.IntRange(min=1))
    address: str = flag("0.0.0.0", "Address to serve on.", type=ADDRESS)
    port: int = flag(10250, "Port to serve on, over HTTPS.", type=PORT)
    tls_cert_file: Path | None = flag(None, "Serving certificate.", type=FILE, shown="a self-signed one")
    tls_private_key_file: Path | None = flag(None, "Key of the serving certificate.", type=FILE)
    client_ca_file: Path | None = flag(None, "CA of client certificates; without it no client is served.", type=FILE)
    kube_reserved: tuple[tuple[str, str], ...] = listed(
        (), "Resources reserved from pods, such as cpu=200m,memory=300Mi.", type=PAIR
    )
    system_reserved: tuple[tuple[str, str], ...] = listed((), "Further resources reserved from pods.", type=PAIR)
    image_gc_high_threshold: int = flag(
        85, "Disk usage in per cent that starts image garbage collection.", type=PERCENT
    )
    image_gc_low_threshold: int = flag(80, "Disk usage in per cent at which it stops.", type=PERCENT)
    minimum_image_ttl_duration: float = flag(
        "2m0s", "Minimum age of an unused image before it is removed.", type=DURATION
    )
    container_log_max_size: str = flag("10Mi", "Size at which a log is rotated.")
    container_log_max_files: int = flag(5, "Number of files kept per log.", type=click.IntRange(min=2))
    node_status_update_frequency: float = flag("10s", "Period of checks of the node's state.", type=DURATION)
    sync_frequency: float = flag("1m0s", "Period of synchronizing pods that have not changed.", type=DURATION)
    max_parallel_image_pulls: int = flag(2, "Number of images pulled at the same time.", type=click.IntRange(min=1))
    healthz_bind_address: str = flag("127.0.0.1", "Address for /healthz.", type=ADDRESS)
    healthz_port: int = flag(10248, "Port for /healthz; 0: none.", type=PORT)
    bootstrap_kubeconfig: str | None = ignored("use --kubeconfig with a client certificate.")
    pod_infra_container_image: str | None = ignored("the runtime's setting applies.")
    rotate_certificates: str | None = ignored("certificates are not rotated by the kubelet.")
    cgroup_driver: str | None = ignored("the driver is always cgroupfs.")
    read_only_port: str | None = ignored("there is no read-only port.")
    seccomp_default: str | None = ignored("the runtime's default applies.")


def run(flags: Flags, level: str) -> None:
    """Run only a kubelet, on containerd or CRI-O, for this API server or kube-apiserver.

    The flags are those of kubelet.
    """
    run_until_signal(_work(flags, settings(flags)), level)


def settings(flags: Flags) -> KubeletConfig:
    """The configuration that the flags describe. Raises ConfigError."""
    scheme, found, path = flags.container_runtime_endpoint.rpartition("://")
    if (found and scheme != "unix") or not path.startswith("/"):
        raise ConfigError(
            f"--container-runtime-endpoint {flags.container_runtime_endpoint!r} is not a Unix socket; "
            "give one such as unix:///run/containerd/containerd.sock"
        )
    config = KubeletConfig(
        node_name=node_name(flags.hostname_override),
        node_ips=flags.node_ip or (host_address(),),
        root_dir=flags.root_dir,
        pod_logs_dir=flags.pod_logs_dir,
        runtime_endpoint=path,
        cgroup_root=flags.cgroup_root or "/",
        cgroups_per_qos=flags.cgroups_per_qos,
        cluster_dns=flags.cluster_dns,
        cluster_domain=flags.cluster_domain,
        resolv_conf=flags.resolv_conf,
        max_pods=flags.max_pods,
        static_pod_path=flags.pod_manifest_path,
        address=flags.address,
        port=flags.port,
        tls_cert_file=flags.tls_cert_file,
        tls_key_file=flags.tls_private_key_file,
        client_ca_file=flags.client_ca_file,
        node_labels=dict(flags.node_labels),
        taints=tuple(Taint(key=t.key, value=t.value, effect=t.effect) for t in flags.register_with_taints),
        register_node=flags.register_node,
        reserved=_reserved(flags),
        image_gc_high_percent=flags.image_gc_high_threshold,
        image_gc_low_percent=flags.image_gc_low_threshold,
        image_minimum_age=flags.minimum_image_ttl_duration,
        log_max_size=_bytes("--container-log-max-size", flags.container_log_max_size),
        log_max_files=flags.container_log_max_files,
        status_check_period=flags.node_status_update_frequency,
        sync_period=flags.sync_frequency,
        max_pulls=flags.max_parallel_image_pulls,
    )
    config.check()
    return config


def _reserved(flags: Flags) -> dict[str, str]:
    """The sum of --kube-reserved and --system-reserved."""
    total: dict[str, str] = {}
    for option, pairs in (("--kube-reserved", flags.kube_reserved), ("--system-reserved", flags.system_reserved)):
        for name, text in pairs:
            _bytes(f"{option} {name}", text)
            total[name] = _sum(total[name], text) if name in total else text
    return total


def _sum(one: str, other: str) -> str:
    from pybernetes.api.quantity import milli

    return f"{milli(one) + milli(other)}m"


def _bytes(what: str, text: str) -> int:
    try:
        return int(quantity(text))
    except ValueError as error:
        raise ConfigError(f"{what}: {text!r} is not a quantity; write one such as 200m or 10Mi") from error


async def _work(flags: Flags, config: KubeletConfig) -> None:
    client = connect(endpoint(flags.kubeconfig), "pybernetes-kubelet")
    informers = Informers(client)
    where, port = flags.healthz_bind_address, flags.healthz_port
    try:
        async with health_context(where, port, None, lambda: "", flag="--healthz-port"), asyncio.TaskGroup() as group:
            group.create_task(informers.run(), name="informers")
            group.create_task(run_kubelet(config, client, informers), name="kubelet")
    finally:
        await client.close()


command = component("kubelet", Flags, run, file=KUBELET)
