"""`--config FILE`: configuration files of kubelet and kube-proxy, read as defaults of the corresponding flags.

A flag on the command line takes precedence over the file, as in Kubernetes. Unsupported fields give a warning.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """Maps fields of a file to flags."""

    kind: str
    """`kind` of the file"""
    group: str
    """API group that its `apiVersion` begins with"""
    fields: Mapping[str, str]
    """dotted path in the file -> the flag's field"""

    def option(self) -> click.Option:
        """The flag."""
        return click.Option(
            ["--config"],
            type=click.STRING,
            metavar="FILE",
            is_eager=True,
            expose_value=False,
            callback=self._load,
            help=f"A {self.kind} file; flags take precedence over it.",
        )

    def _load(self, context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if not value:
            return
        found = flatten(self._read(context, parameter, Path(value)))
        several = {option.name for option in context.command.params if getattr(option, "multiple", False)}
        defaults: dict[str, Any] = {}
        for path, item in found.items():
            if path in self.fields:
                name = self.fields[path]
                defaults[name] = [item] if name in several and isinstance(item, str) else item
            else:
                click.echo(f"{value}: {path} is accepted but has no effect", err=True)
        context.default_map = defaults

    def _read(self, context: click.Context, parameter: click.Parameter, path: Path) -> dict[str, Any]:
        import yaml

        try:
            content = yaml.safe_load(path.read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise click.BadParameter(f"cannot read {str(path)!r}: {error}", context, parameter) from error
        if not isinstance(content, dict) or content.pop("kind", None) != self.kind:
            raise click.BadParameter(f"{str(path)!r} is not a {self.kind}: expected this kind", context, parameter)
        version = content.pop("apiVersion", "")
        if not str(version).startswith(f"{self.group}/"):
            wanted = f"{self.group}/..."
            raise click.BadParameter(f"{str(path)!r}: apiVersion must be {wanted}, not {version!r}", context, parameter)
        return content


def flatten(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted paths, and values as they would be written on the command line.

    Empty values and durations of zero are skipped: in these files, both stand for the default.
    """
    found: dict[str, Any] = {}
    for key, value in content.items():
        path = f"{prefix}{key}"
        if value is None or value in ("", [], {}, "0s"):
            continue
        if isinstance(value, dict) and not path.endswith("Reserved"):
            found |= flatten(value, f"{path}.")
        else:
            found[path] = _text(value)
    return found


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return [f"{key}={item}" for key, item in value.items()]
    if isinstance(value, list):
        return [_taint(item) if isinstance(item, dict) else str(item) for item in value]
    return str(value)


def _taint(item: Mapping[str, Any]) -> str:
    return f"{item.get('key', '')}={item.get('value', '')}:{item.get('effect', '')}"


KUBELET = ConfigFile(
    "KubeletConfiguration",
    "kubelet.config.k8s.io",
    {
        "address": "address",
        "authentication.x509.clientCAFile": "client_ca_file",
        "cgroupRoot": "cgroup_root",
        "cgroupsPerQOS": "cgroups_per_qos",
        "clusterDNS": "cluster_dns",
        "clusterDomain": "cluster_domain",
        "containerLogMaxFiles": "container_log_max_files",
        "containerLogMaxSize": "container_log_max_size",
        "containerRuntimeEndpoint": "container_runtime_endpoint",
        "healthzBindAddress": "healthz_bind_address",
        "healthzPort": "healthz_port",
        "imageGCHighThresholdPercent": "image_gc_high_threshold",
        "imageGCLowThresholdPercent": "image_gc_low_threshold",
        "imageMinimumGCAge": "minimum_image_ttl_duration",
        "kubeReserved": "kube_reserved",
        "maxParallelImagePulls": "max_parallel_image_pulls",
        "maxPods": "max_pods",
        "nodeStatusUpdateFrequency": "node_status_update_frequency",
        "podLogsDir": "pod_logs_dir",
        "port": "port",
        "registerNode": "register_node",
        "registerWithTaints": "register_with_taints",
        "resolvConf": "resolv_conf",
        "staticPodPath": "pod_manifest_path",
        "syncFrequency": "sync_frequency",
        "systemReserved": "system_reserved",
        "tlsCertFile": "tls_cert_file",
        "tlsPrivateKeyFile": "tls_private_key_file",
    },
)

PROXY = ConfigFile(
    "KubeProxyConfiguration",
    "kubeproxy.config.k8s.io",
    {
        "clientConnection.kubeconfig": "kubeconfig",
        "clusterCIDR": "cluster_cidr",
        "healthzBindAddress": "healthz_bind_address",
        "hostnameOverride": "hostname_override",
        "iptables.masqueradeAll": "masquerade_all",
        "iptables.minSyncPeriod": "iptables_min_sync_period",
        "iptables.syncPeriod": "iptables_sync_period",
        "metricsBindAddress": "metrics_bind_address",
        "mode": "proxy_mode",
        "nftables.masqueradeAll": "masquerade_all",
        "nftables.minSyncPeriod": "nftables_min_sync_period",
        "nftables.syncPeriod": "nftables_sync_period",
    },
)
