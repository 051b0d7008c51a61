"""The user's kubeconfig keeps its other entries; the components' kubeconfigs are private."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pybernetes.cluster import kubeconfig
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.pki import Pki

THEIRS: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "work", "cluster": {"server": "https://work:6443"}}],
    "users": [{"name": "work", "user": {"exec": {"command": "login", "apiVersion": "v1", "args": ["ä"]}}}],
    "contexts": [{"name": "work", "context": {"cluster": "work", "user": "work", "namespace": "x"}}],
    "current-context": "work",
    "extensions": [{"name": "theirs"}],
}


def ours(name: str = "pybernetes-dev") -> dict[str, Any]:
    return kubeconfig.kubeconfig(name, "https://127.0.0.1:6443", ca=b"CA", certificate=b"CERT", key=b"KEY")


def test_merge_and_remove_keep_other_entries(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(THEIRS, sort_keys=False))
    kubeconfig.merge(path, ours())
    kubeconfig.merge(path, ours())
    merged = kubeconfig.read(path)
    assert [entry["name"] for entry in merged["contexts"]] == ["work", "pybernetes-dev"]
    assert merged["current-context"] == "pybernetes-dev"
    assert merged["extensions"] == THEIRS["extensions"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert kubeconfig.remove(path, "pybernetes-dev")
    assert kubeconfig.read(path) == {**THEIRS, "current-context": ""}
    assert not kubeconfig.remove(path, "pybernetes-dev")


def test_without_switch_the_current_context_stays(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(THEIRS))
    kubeconfig.merge(path, ours(), switch=False)
    assert kubeconfig.read(path)["current-context"] == "work"


def test_a_file_without_other_entries_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config"
    kubeconfig.merge(path, ours("pybernetes-a"))
    kubeconfig.merge(path, ours("pybernetes-b"))
    kubeconfig.remove(path, "pybernetes-a")
    assert path.exists()
    kubeconfig.remove(path, "pybernetes-b")
    assert not path.exists()
    assert not kubeconfig.remove(path, "pybernetes-b")


def test_a_symbolic_link_is_kept(tmp_path: Path) -> None:
    target, link = tmp_path / "real", tmp_path / "link"
    target.write_text(yaml.safe_dump(THEIRS))
    link.symlink_to(target)
    kubeconfig.merge(link, ours())
    assert link.is_symlink()
    assert len(kubeconfig.read(target)["users"]) == 2


@pytest.mark.parametrize("garbage", [b"{", b"- a\n- b\n", b"text", b"clusters: 5\n", b"users: [1]\n", b"\xff\xfe\x00"])
def test_a_damaged_file_is_not_changed(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "config"
    path.write_bytes(garbage)
    with pytest.raises(ConfigError, match="config"):
        kubeconfig.merge(path, ours())
    with pytest.raises(ConfigError):
        kubeconfig.remove(path, "pybernetes-dev")
    assert path.read_bytes() == garbage


def test_the_path_of_the_users_file(tmp_path: Path) -> None:
    assert kubeconfig.user_path({"HOME": "/h"}) == Path("/h/.kube/config")
    assert kubeconfig.user_path({"HOME": "/h", "KUBECONFIG": "/a:/b"}) == Path("/a")
    assert kubeconfig.user_path({"HOME": "/h", "KUBECONFIG": ""}) == Path("/h/.kube/config")


def test_kubectl_reads_the_file(tmp_path: Path) -> None:
    layout = Layout("dev", 0, state_root=tmp_path)
    pki = Pki(layout.pki)
    pki.ensure_control_plane(("localhost",))
    pki.ensure_node("node-1", ())
    kubeconfig.write_components(layout, pki, ["node-1"])
    for name in ("admin", "controller-manager", "nodes/node-1"):
        path = kubeconfig.component_path(layout, name)
        assert path.stat().st_mode & 0o777 == 0o600
        shown = subprocess.run(
            ["kubectl", "--kubeconfig", str(path), "config", "current-context"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stdout.strip() == "pybernetes-dev"
    text = kubeconfig.component_path(layout, "nodes/node-1").read_text()
    assert "https://10.89.7.1:6443" in text


@pytest.mark.parametrize("kind", ["Pod", "", 5])
def test_a_manifest_is_not_taken_for_a_kubeconfig(tmp_path: Path, kind: object) -> None:
    path = tmp_path / "pod.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}}))
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="not changed"):
        kubeconfig.merge(path, ours())
    assert path.read_bytes() == before
