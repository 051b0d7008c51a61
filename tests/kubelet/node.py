"""Starts a containerd for tests in a new network namespace, and removes everything that it leaves."""

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pybernetes.cluster import cgroups, containerd, images
from pybernetes.cluster.layout import NodePaths
from pybernetes.linux import libc

PREFIX = f"pbt-kubelet-{os.getpid()}"
BUSYBOX = "docker.io/library/busybox:1.36"
CACHE = Path(tempfile.gettempdir()) / "pybernetes-test-images"


@dataclass
class Node:
    """A running containerd and its directories."""

    paths: NodePaths
    root: Path
    process: subprocess.Popen[bytes]

    @property
    def socket(self) -> str:
        return str(self.paths.containerd_socket)

    @property
    def cgroup_root(self) -> str:
        return f"/{PREFIX}-{self.root.name}"

    def start(self) -> None:
        log = (self.root / "containerd.log").open("ab")
        self.process = subprocess.Popen(containerd.argv(self.paths), stdout=log, stderr=log)
        log.close()
        containerd.wait_ready(self.paths, self.root / "containerd.log")

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(20)


def _cni(paths: NodePaths) -> None:
    paths.cni_bin_dir.mkdir(parents=True)
    for plugin in ("bridge", "host-local", "loopback", "portmap"):
        (paths.cni_bin_dir / plugin).symlink_to(f"/usr/lib/cni/{plugin}")
    paths.cni_conf_dir.mkdir(parents=True)
    ipam = {"type": "host-local", "dataDir": str(paths.cni_data_dir), "subnet": "10.213.0.0/24"}
    bridge = {"type": "bridge", "bridge": "pbtk0", "isGateway": True, "ipam": ipam}
    conflist = {"cniVersion": "0.4.0", "name": "pbt", "plugins": [bridge]}
    (paths.cni_conf_dir / "10-pbt.conflist").write_text(json.dumps(conflist))


@contextmanager
def new_network_namespace() -> Iterator[None]:
    """Move this thread, and the processes that it starts, into a new network namespace."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    libc.unshare(libc.CLONE_NEWNET)
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        libc.setns(before)
        os.close(before)


@contextmanager
def running_node() -> Iterator[Node]:
    """Run containerd with the standard images; remove containers, mounts, cgroups and processes afterwards."""
    root = Path(tempfile.mkdtemp(prefix="pbt-k-", dir="/tmp"))
    paths = NodePaths("pbt", "node", root / "state", root / "run")
    with new_network_namespace():
        _cni(paths)
        containerd.prepare(paths, containerd.machine_options())
        node = Node(paths, root, None)  # type: ignore[arg-type]
        node.start()
        try:
            for tar in images.standard_images(CACHE):
                _ctr(node, "images", "import", "--all-platforms", str(tar.path))
            yield node
        finally:
            _clear(node)


def _ctr(node: Node, *arguments: str) -> str:
    command = ["ctr", "--address", node.socket, "-n", "k8s.io", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


def _clear(node: Node) -> None:
    for task in _ctr(node, "tasks", "list", "-q").split():
        _ctr(node, "tasks", "delete", "-f", task)
    node.stop()
    _kill_shims(node)
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        target = line.split()[1]
        if target.startswith(str(node.root)):
            libc.umount(target, libc.MNT_DETACH)
    shutil.rmtree(node.root)
    left = cgroups.remove(node.cgroup_root)
    assert not left, left


def _kill_shims(node: Node) -> None:
    """Kill the shims of this containerd, which outlive it by design. Their command lines contain its socket."""
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if b"containerd-shim" in line and node.socket.encode() in line:
            _kill(int(entry.name))


def _kill(pid: int) -> None:
    """Kill a process that is not a child, and wait until it has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        assert select.select([handle], [], [], 10)[0], f"process {pid} does not end"
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)
