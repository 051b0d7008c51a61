"""The files that configure the pod network of a local cluster for flannel and containerd."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.layout import Layout, NodePaths

NONE = "none"
"""The value of `up --backend` for a pod network that the user installs."""


def net_conf_path(layout: Layout) -> Path:
    """The network config of the cluster. Changing it switches the backend of the running network."""
    return layout.state / "flannel" / "net-conf.json"


def has_external_network(layout: Layout) -> bool:
    """Whether the cluster was created with --backend none. That never changes."""
    try:
        return bool(json.loads(net_conf_path(layout).read_text())["Backend"]["Type"] == NONE)
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return False


def require_managed_network(layout: Layout) -> Layout:
    """Return the layout. Raises ConfigError if the cluster was created with --backend none."""
    if has_external_network(layout):
        raise ConfigError(
            f"cluster {layout.cluster!r} was created with --backend none: pybernetes does not manage its pod network"
        )
    return layout


def net_conf(layout: Layout, backend: str, options: Mapping[str, Any] | None = None) -> str:
    """A network config for flannel. It selects nftables, which reports changes; flannel's default is iptables."""
    config = {"Network": layout.pod_cidr, "EnableNFTables": True, "Backend": {"Type": backend, **(options or {})}}
    return json.dumps(config, indent=2) + "\n"


def cni_conflist(paths: NodePaths) -> str:
    """The plugins that containerd runs for each pod: flannel (which runs bridge and host-local), then portmap."""
    flannel = {
        "type": "flannel",
        "subnetFile": str(paths.subnet_env),
        "dataDir": str(paths.cni_data_dir.parent / "flannel"),
        "delegate": {"hairpinMode": True, "isDefaultGateway": True},
        "ipam": {"dataDir": str(paths.cni_data_dir)},
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"name": "cbr0", "cniVersion": "1.0.0", "plugins": [flannel, portmap]}, indent=2) + "\n"
