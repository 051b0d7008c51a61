"""The containerd of a local node: its configuration, its command line, and when it is ready.

Each node's containerd has its own directories, socket, CNI directories and cgroup, and runs in the node's network
namespace, where it creates pods' veth pairs and serves exec streams. It shares the host's mount namespace: its
directories are distinct, and `down` can see every mount.
"""

import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from pybernetes.cluster.errors import StartTimeout
from pybernetes.cluster.files import write_if_changed
from pybernetes.cluster.layout import NodePaths

PAUSE_IMAGE = "docker.io/pybernetes/pause:3.10"
CAP_SYS_RESOURCE = 24

# Plugins that CRI on overlayfs does not need; each costs start-up time or memory.
_DISABLED = (
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.snapshotter.v1.native",
    "io.containerd.internal.v1.tracing",
    "io.containerd.tracing.processor.v1.otlp",
    "io.containerd.internal.v1.opt",
)


@dataclass(frozen=True, slots=True)
class ContainerdOptions:
    """Options that depend on the machine."""

    restrict_oom_score_adj: bool
    """Without CAP_SYS_RESOURCE the kernel rejects negative OOM scores, and runc fails."""
    snapshotter: str = "overlayfs"
    sandbox_image: str = PAUSE_IMAGE


def machine_options() -> ContainerdOptions:
    """Options that fit this machine."""
    return ContainerdOptions(restrict_oom_score_adj=not has_capability(CAP_SYS_RESOURCE))


def has_capability(number: int) -> bool:
    """Whether this process has the capability effective (capabilities(7) numbers)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def config_toml(paths: NodePaths, options: ContainerdOptions) -> str:
    """The node's config.toml, version 2. Pure."""
    q = _quote
    return f"""version = 2
root = {q(paths.containerd_root)}
state = {q(paths.containerd_state)}
oom_score = 0
disabled_plugins = [{", ".join(q(name) for name in _DISABLED)}]

[grpc]
  address = {q(paths.containerd_socket)}

[plugins."io.containerd.gc.v1.scheduler"]
  startup_delay = "10s"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = {q(options.sandbox_image)}
  restrict_oom_score_adj = {str(options.restrict_oom_score_adj).lower()}
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = {q(paths.cni_bin_dir)}
    conf_dir = {q(paths.cni_conf_dir)}

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = {q(options.snapshotter)}
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = {q(paths.runc_root)}
        SystemdCgroup = false
"""


def prepare(paths: NodePaths, options: ContainerdOptions) -> bool:
    """Create the node's directories and configuration; returns whether the configuration changed."""
    for directory in (paths.containerd_root, paths.containerd_state, paths.cni_bin_dir, paths.cni_conf_dir):
        directory.mkdir(parents=True, exist_ok=True)
    return write_if_changed(paths.containerd_config, config_toml(paths, options), 0o644)


def argv(paths: NodePaths) -> list[str]:
    """The command line of the node's containerd."""
    return ["containerd", "--config", str(paths.containerd_config), "--log-level", "warn"]


def wait_ready(paths: NodePaths, log: Path, *, timeout: float = 20.0) -> None:
    """Wait until the socket accepts connections; containerd opens it after loading its plugins."""
    deadline = time.monotonic() + timeout
    while not accepts(paths.containerd_socket):
        if time.monotonic() > deadline:
            raise StartTimeout(f"containerd of node {paths.name!r} did not open its socket; its log is {log}")
        time.sleep(0.01)


def accepts(path: Path) -> bool:
    """Whether a process listens on this Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _quote(value: str | Path) -> str:
    # TOML basic strings use the same escapes as JSON.
    return json.dumps(str(value))
