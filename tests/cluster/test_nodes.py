"""Nodes with real containerds: start, containers, kill -9 of anything, removal without leftovers."""

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from pybernetes.cluster import nodes as local_nodes
from pybernetes.cluster.down import down, halt
from pybernetes.cluster.errors import CommandFailed, ConfigError, StartTimeout
from pybernetes.cluster.host import prepare_host
from pybernetes.cluster.image_load import present
from pybernetes.cluster.inventory import Inventory, Roots, inventory
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.network import node_addresses
from pybernetes.cluster.processes import ProcessId, is_alive, send
from pybernetes.cluster.registry import NodeRecord, Registry, default_node_names
from pybernetes.cluster.supervise import process, status, supervise

pytestmark = [pytest.mark.node, pytest.mark.slow]


def up(registry: Registry, name: str, count: int, racks: int = 1) -> tuple[Layout, list[NodeRecord]]:
    layout, nodes = registry.allocate(name, default_node_names(count), racks=racks)
    prepare_host(registry)
    local_nodes.prepare_nodes(layout, nodes, racks)
    supervise(layout, [local_nodes.containerd_spec(layout, node.name) for node in nodes])
    local_nodes.wait_for_containerds(layout, nodes)
    local_nodes.load_standard_images(layout, nodes)
    return layout, nodes


def ctr(layout: Layout, node: str, *words: str) -> str:
    command = ["ctr", "--address", str(layout.node(node).containerd_socket), "--namespace", "k8s.io", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def start(layout: Layout, node: str, image: str, container: str, *command: str) -> None:
    """Run a container in the node's network namespace, in the cgroup where its pods live."""
    paths = layout.node(node)
    ctr(
        layout, node, "run", "--detach", "--null-io", "--runc-root", str(paths.runc_root),
        "--cgroup", f"{paths.cgroup}/kubepods/{container}", "--env", "NODE_NAME=" + node,
        "--with-ns", f"network:{paths.netns_path}", image, container, *command,
    )  # fmt: skip


def containerd(layout: Layout, node: str) -> ProcessId:
    found = process(layout, local_nodes.containerd_name(node))
    assert found is not None
    return found


def fetch(layout: Layout, node: str, url: str) -> str:
    netns = layout.node(node).netns_path
    command = ["nsenter", f"--net={netns}", "--", "busybox", "wget", "-qO-", url]
    for _ in range(100):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout
        time.sleep(0.02)
    raise AssertionError(done.stderr)


def field(number: int, value: str | bytes | int) -> bytes:
    """Encode a field of a protobuf message shorter than 16 KB: enough for CRI without generated code."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    data = value.encode() if isinstance(value, str) else value
    length = bytes([len(data)]) if len(data) < 128 else bytes([len(data) & 127 | 128, len(data) >> 7])
    return bytes([number << 3 | 2]) + length + data


def cri(layout: Layout, node: str, method: str, request: bytes) -> bytes:
    with grpc.insecure_channel(f"unix://{layout.node(node).containerd_socket}") as channel:
        call = channel.unary_unary(f"/runtime.v1.RuntimeService/{method}", lambda data: data, lambda data: data)
        answer: bytes = call(request, timeout=10)
        return answer


@pytest.fixture
def before(roots: Roots) -> Iterator[Inventory]:
    """The inventory below these roots, which must be the same after the test."""
    yield machine(roots)


def machine(roots: Roots) -> Inventory:
    everything = inventory(None, roots)
    mine = tuple(line for line in everything.processes if str(roots.run) in line)
    # Other clusters may start and stop meanwhile: compare only what these tests create.
    return everything._replace(
        processes=mine,
        links=(),
        cgroups=tuple(path for path in everything.cgroups if "pbt-" in path),
        namespaces=tuple(path for path in everything.namespaces if "pbt-" in path),
        nft_tables=tuple(path for path in everything.nft_tables if "pbt-" in path),
    )


def test_three_nodes_serve_each_other_and_leave_nothing(
    registry: Registry, roots: Roots, name: str, before: Inventory, tmp_path: Path
) -> None:
    layout, nodes = up(registry, name, 3, racks=2)
    for node in nodes:
        start(layout, node.name, "docker.io/pybernetes/hello:latest", "hello")
        start(layout, node.name, "docker.io/pybernetes/pause:3.10", "pause")
    mine = node_addresses(layout, nodes[0])[0]
    for node in nodes[1:]:
        address = node_addresses(layout, node)[0]
        answer = fetch(layout, "node-1", f"http://{address}:8080/")
        assert f"node: {node.name}" in answer
        assert f"client: {mine}" in answer
        assert fetch(layout, "node-1", f"http://{address}:8080/healthz") == "ok\n"
    shown = inventory(name, roots)
    assert len(shown.namespaces) == 4
    assert sum("/pause" in line for line in shown.processes) == 3
    assert any("rootfs" in point for point in shown.mounts)
    assert any("kubepods" in path for path in shown.cgroups)
    report = down(name, roots=roots, user_kubeconfig=tmp_path / "none")
    assert (report.existed, report.left, report.warnings) == (True, (), ())
    assert machine(roots) == before
    assert not down(name, roots=roots, user_kubeconfig=tmp_path / "none").existed


def test_kill_9_of_containerd_leaves_containers_running(registry: Registry, name: str) -> None:
    layout, nodes = up(registry, name, 1)
    start(layout, "node-1", "docker.io/pybernetes/pause:3.10", "pause")
    listed = ctr(layout, "node-1", "tasks", "ls")
    old = containerd(layout, "node-1")
    send(old, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while process(layout, "containerd-node-1") in (None, old):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    local_nodes.wait_for_containerds(layout, nodes)
    assert ctr(layout, "node-1", "tasks", "ls") == listed
    assert "RUNNING" in listed


def test_a_pod_sandbox_through_cri_carries_the_clusters_marks(
    registry: Registry, roots: Roots, name: str, before: Inventory, tmp_path: Path
) -> None:
    layout, _ = up(registry, name, 1)
    assert b"RuntimeReady" in cri(layout, "node-1", "Status", b"")
    metadata = field(1, "a-pod") + field(2, "uid-1") + field(3, "default")
    host_network = field(2, field(1, field(1, 2)))
    linux = field(1, f"{layout.node('node-1').cgroup}/kubepods/poduid-1") + host_network
    config = field(1, metadata) + field(3, str(tmp_path)) + field(8, linux)
    sandbox = cri(layout, "node-1", "RunPodSandbox", field(1, config))[2:].decode()
    shown = inventory(name, roots)
    assert any(f"kubepods/poduid-1/{sandbox}" in path for path in shown.cgroups)
    assert sum(sandbox in point for point in shown.mounts) == 2
    assert any(sandbox in process for process in shown.processes)
    bundle = layout.node("node-1").containerd_state / "io.containerd.runtime.v2.task" / "k8s.io" / sandbox
    shim_socket = Path((bundle / "address").read_text().removeprefix("unix://"))
    assert shim_socket.exists()
    assert down(name, roots=roots, user_kubeconfig=tmp_path / "none").left == ()
    assert machine(roots) == before
    assert not shim_socket.exists()


def test_down_after_kill_9_of_everything_that_supervises(
    registry: Registry, roots: Roots, name: str, before: Inventory, tmp_path: Path
) -> None:
    layout, _ = up(registry, name, 2)
    for node in ("node-1", "node-2"):
        start(layout, node, "docker.io/pybernetes/pause:3.10", "pause")
    state = status(layout)
    assert state is not None
    for victim in (state.supervisor, containerd(layout, "node-1"), containerd(layout, "node-2")):
        send(victim, signal.SIGKILL)
    (layout.supervisor_run / "state.json").write_text("rubbish")
    layout.registry.unlink()
    report = down(name, roots=roots, user_kubeconfig=tmp_path / "none")
    assert report.left == ()
    assert machine(roots)._replace(files=()) == before._replace(files=())


def test_halt_keeps_addresses_and_images(registry: Registry, roots: Roots, name: str) -> None:
    layout, nodes = up(registry, name, 1)
    start(layout, "node-1", "docker.io/pybernetes/pause:3.10", "pause")
    halt(name, roots=roots)
    left = inventory(name, roots)
    assert left._replace(files=()).is_empty()
    assert left.files == (str(layout.state),)
    again, same = registry.allocate(name, ["node-1"])
    assert (again, same) == (layout, nodes)
    local_nodes.prepare_nodes(again, same, 1)
    supervise(again, [local_nodes.containerd_spec(again, "node-1")])
    local_nodes.wait_for_containerds(again, same)
    assert "docker.io/library/busybox:latest" in present(again.node("node-1").containerd_socket)


def test_two_clusters_are_independent(registry: Registry, roots: Roots, name: str, tmp_path: Path) -> None:
    one, _ = up(registry, name, 1)
    other, _ = up(registry, f"{name}-b", 1)
    start(one, "node-1", "docker.io/pybernetes/pause:3.10", "pause")
    start(other, "node-1", "docker.io/pybernetes/pause:3.10", "pause")
    alive = containerd(other, "node-1")
    listed = inventory(other.cluster, roots)
    assert down(one.cluster, roots=roots, user_kubeconfig=tmp_path / "none").left == ()
    assert inventory(other.cluster, roots) == listed
    assert is_alive(alive)
    assert "RUNNING" in ctr(other, "node-1", "tasks", "ls")


def test_a_containerd_that_cannot_start_names_its_log(registry: Registry, name: str) -> None:
    layout, nodes = registry.allocate(name, ["node-1"])
    local_nodes.prepare_nodes(layout, nodes, 1)
    layout.node("node-1").containerd_config.write_text("invalid =")
    supervise(layout, [local_nodes.containerd_spec(layout, "node-1")])
    with pytest.raises(StartTimeout, match=r"containerd-node-1\.log"):
        local_nodes.wait_for_containerds(layout, nodes, timeout=0.3)
    assert "expecting a value" in local_nodes.log_path(layout, "containerd-node-1").read_text()


def test_loading_a_file_that_is_not_an_image(registry: Registry, name: str, tmp_path: Path) -> None:
    layout, nodes = up(registry, name, 1)
    file = tmp_path / "x.tar"
    file.write_bytes(b"rubbish")
    with pytest.raises(ConfigError, match="docker save"):
        local_nodes.load_archive(layout, nodes, file)
    truncated = tmp_path / "short.tar"
    [archive] = layout.images.glob("*.tar")
    truncated.write_bytes(archive.read_bytes()[:-3_000_000])
    with pytest.raises((ConfigError, CommandFailed)):
        local_nodes.load_archive(layout, nodes, truncated)
    assert "docker.io/library/busybox:1.36" in local_nodes.load_archive(layout, nodes, archive)
