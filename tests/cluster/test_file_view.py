"""A node's own view of the directories where a pod network is installed: writes are private, nothing is left over."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybernetes.cluster import file_view
from pybernetes.cluster.host import prepare_host, restore_host
from pybernetes.cluster.inventory import Roots
from pybernetes.cluster.layout import Layout, NodePaths
from pybernetes.cluster.registry import Registry
from pybernetes.linux import mount

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


@pytest.fixture
def places(roots: Roots, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """The same paths, below a directory of the test."""
    top = roots.state.parent / "machine"
    mine = tuple(f"{top}{place}" for place in file_view.PLACES)
    monkeypatch.setattr(file_view, "PLACES", mine)
    return mine


@pytest.fixture
def nodes(roots: Roots, registry: Registry, places: tuple[str, ...]) -> Iterator[list[NodePaths]]:
    """Two nodes with views."""
    prepare_host(registry, places)
    layout = Layout("dev", 0, state_root=roots.state, run_root=roots.run)
    found = [layout.node(name) for name in ("a", "b")]
    for paths in found:
        file_view.prepare(paths)
    yield found
    for paths in found:
        mount.unmount_all(paths.run)


def sh(paths: NodePaths, script: str) -> str:
    return subprocess.check_output(file_view.inside(paths, ("sh", "-ec", script)), text=True)


def test_each_node_writes_to_its_own_directories(nodes: list[NodePaths], places: tuple[str, ...]) -> None:
    for paths in nodes:
        sh(paths, f"echo {paths.name} >{places[1]}/plugin; echo x >{places[2]}/subnet.env")
    for paths in nodes:
        assert sh(paths, f"cat {places[1]}/plugin") == f"{paths.name}\n"
        assert (paths.cni_bin_dir / "plugin").read_text() == f"{paths.name}\n"
        assert paths.subnet_env.read_text() == "x\n"
    assert [list(Path(place).iterdir()) for place in places] == [[]] * len(places), "the machine's directories"


def test_the_view_is_created_once(nodes: list[NodePaths]) -> None:
    namespace = sh(nodes[0], "readlink /proc/self/ns/mnt")
    before = len(mount.under(nodes[0].run))
    file_view.prepare(nodes[0])
    assert sh(nodes[0], "readlink /proc/self/ns/mnt") == namespace
    assert len(mount.under(nodes[0].run)) == before


def test_other_files_are_the_machines(nodes: list[NodePaths], tmp_path: Path) -> None:
    assert sh(nodes[0], f"ls -d {tmp_path}").strip() == str(tmp_path)
    (tmp_path / "file").write_text("content")
    assert sh(nodes[0], f"cat {tmp_path}/file") == "content"


def test_created_directories_are_removed_unless_they_are_used(registry: Registry, places: tuple[str, ...]) -> None:
    top = Path(places[0]).parents[2]
    top.mkdir()
    registry.allocate("dev", ["node-1"], api_port=46443, port_is_free=lambda port: True)
    prepare_host(registry, places)
    prepare_host(registry, places)
    restore_host(registry)
    assert all(Path(place).is_dir() for place in places), "there is a cluster"
    registry.release("dev")
    (Path(places[1]) / "other-plugin").touch()
    restore_host(registry)
    assert sorted(str(path.relative_to(top)) for path in top.rglob("*")) == [
        "opt",
        "opt/cni",
        "opt/cni/bin",
        "opt/cni/bin/other-plugin",
    ]
    assert registry.read().made_directories == []
