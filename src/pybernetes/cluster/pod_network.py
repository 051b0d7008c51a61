"""The files by which a local cluster tells flannel and containerd what the pod network is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.layout import Layout, NodePaths

NONE = "none"
"""What `up --backend` calls a pod network that somebody else is to install."""


def net_conf_path(layout: Layout) -> Path:
    """The network config of the cluster; changing it switches the backend of a living network."""
    return layout.state / "flannel" / "net-conf.json"


def is_left_to_others(layout: Layout) -> bool:
    """Whether the cluster was made without a pod network of ours. That never changes."""
    try:
        return bool(json.loads(net_conf_path(layout).read_text())["Backend"]["Type"] == NONE)
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return False


def require_ours(layout: Layout) -> Layout:
    """The same layout; ConfigError when the pod network is somebody else's."""
    if is_left_to_others(layout):
        raise ConfigError(
            f"cluster {layout.cluster!r} was made with --backend none: its pod network is not ours to show or change"
        )
    return layout


def net_conf(layout: Layout, backend: str, options: Mapping[str, Any] | None = None) -> str:
    """A network config for flannel. Rules are in nftables, which tells of changes; flannel's default is iptables."""
    config = {"Network": layout.pod_cidr, "EnableNFTables": True, "Backend": {"Type": backend, **(options or {})}}
    return json.dumps(config, indent=2) + "\n"


def cni_conflist(paths: NodePaths) -> str:
    """What containerd runs for each pod: flannel (which runs bridge and host-local), then portmap."""
    flannel = {
        "type": "flannel",
        "subnetFile": str(paths.subnet_env),
        "dataDir": str(paths.cni_data_dir.parent / "flannel"),
        "delegate": {"hairpinMode": True, "isDefaultGateway": True},
        "ipam": {"dataDir": str(paths.cni_data_dir)},
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"name": "cbr0", "cniVersion": "1.0.0", "plugins": [flannel, portmap]}, indent=2) + "\n"
