"""Volumes: the contract of every kind, and unknown kinds."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.secret import Secret
from pybernetes.api.core.volume import NFSVolumeSource, Volume
from pybernetes.api.meta import ObjectMeta
from pybernetes.kubelet.api_objects import ObjectKey
from pybernetes.kubelet.errors import StartFailed, VolumesNotReady
from pybernetes.kubelet.mounts import MountMaker
from pybernetes.kubelet.simulated.parts import SimulatedVolumes
from pybernetes.kubelet.volumes.kinds import volume_plugins
from pybernetes.kubelet.volumes.manager import VolumeManager
from pybernetes.kubelet.volumes.plugin import (
    BlockVolume,
    Host,
    MountedVolume,
    PublishedVolume,
    Target,
    VolumeError,
    VolumePlugin,
)
from pybernetes.linux import mount

from .builders import NOW, FakeObjects, FakeTokens, pod
from .harness import config


@dataclass
class Node:
    """The volumes of a node whose kubelet can restart."""

    root: Path
    objects: FakeObjects
    tokens: FakeTokens
    volumes: VolumeManager
    now: float = NOW

    def host(self) -> Host:
        return Host(objects=self.objects, tokens=self.tokens, allocatable={"cpu": "4"}, clock=lambda: self.now)

    def restart(self, *more: VolumePlugin[Any]) -> None:
        plugins = (*volume_plugins(self.host()), *more)
        self.volumes = VolumeManager(config(self.root), plugins, lambda: self.now)

    def path(self, of: Pod, name: str = "v") -> Path:
        found = self.volumes.published(of.metadata.uid, name)
        assert isinstance(found, MountedVolume)
        return found.path


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path, FakeObjects(m={"k": b"one"}), FakeTokens(), None)  # type: ignore[arg-type]
    made.restart()
    yield made
    mount.unmount_all(tmp_path)


def with_volume(source: dict[str, Any], **spec: Any) -> Pod:
    return pod({"volumes": [{"name": "v", **source}], **spec})


PROJECTED = {
    "sources": [
        {"configMap": {"name": "m", "items": [{"key": "k", "path": "dir/config"}]}},
        {"secret": {"name": "m", "items": [{"key": "k", "path": "secret", "mode": 0o400}]}},
        {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        {"serviceAccountToken": {"path": "token"}},
    ]
}
KINDS = {
    "empty-dir": {"emptyDir": {}},
    "empty-dir-in-memory": {"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
    "no-source": {},
    "host-path": {"hostPath": {"path": "ROOT/host", "type": "DirectoryOrCreate"}},
    "configmap": {"configMap": {"name": "m"}},
    "secret": {"secret": {"secretName": "m"}},
    "downward-api": {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    "projected": {"projected": PROJECTED},
}


@pytest.mark.kernel
@pytest.mark.parametrize("source", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("group", [None, 4242], ids=["", "fsGroup"])
async def test_every_kind(node: Node, source: dict[str, Any], group: int | None) -> None:
    spec = {"securityContext": {"fsGroup": group}} if group is not None else {}
    of = with_volume(json.loads(json.dumps(source).replace("ROOT", str(node.root))), **spec)
    await node.volumes.set_up(of)
    first = node.volumes.published(of.metadata.uid, "v")
    path = node.path(of)
    assert path.is_dir()
    before = {p: p.stat() for p in path.rglob("*")}
    await node.volumes.set_up(of)
    assert node.volumes.published(of.metadata.uid, "v") == first, "a second call changes nothing"
    node.restart()
    await node.volumes.set_up(of)
    assert node.volumes.published(of.metadata.uid, "v") == first, "nor does one after a restart"
    assert {p: p.stat() for p in path.rglob("*")} == before
    node.restart()
    await node.volumes.tear_down(Pod(metadata=ObjectMeta(uid=of.metadata.uid)))
    assert node.volumes.uids() == set(), "the uid alone is enough to remove everything"
    assert not mount.under(node.root)
    assert path.exists() == ("hostPath" in source), "only what the pod owns is removed"


async def test_names_of_plugins_are_unique(node: Node) -> None:
    names = [plugin.name for plugin in volume_plugins(node.host())]
    assert len(set(names)) == len(names)
    assert all(name.startswith("kubernetes.io/") for name in names)


def test_references_of_volumes(node: Node) -> None:
    of = pod({"volumes": [{"name": "a", **KINDS["projected"]}, {"name": "b", "secret": {"secretName": "s"}}]})
    assert node.volumes.references(of) == {
        ObjectKey(ConfigMap, "default", "m"),
        ObjectKey(Secret, "default", "m"),
        ObjectKey(Secret, "default", "s"),
    }


async def test_files_follow_a_changed_object(node: Node) -> None:
    of = with_volume(KINDS["configmap"])
    await node.volumes.refresh(of)
    assert node.volumes.uids() == set(), "a volume that has not been set up is not refreshed"
    await node.volumes.set_up(of)
    node.objects.data["m"] = {"k": b"two"}
    await node.volumes.refresh(of)
    assert (node.path(of) / "k").read_text() == "two"
    del node.objects.data["m"]
    await node.volumes.refresh(of)
    assert (node.path(of) / "k").read_text() == "two", "an object that cannot be read leaves the files as they are"


@pytest.mark.kernel
async def test_token_is_refreshed_when_it_is_due(node: Node) -> None:
    of = with_volume({"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}})
    await node.volumes.set_up(of)
    assert node.volumes.next_refresh() == NOW + 100
    assert node.volumes.due() == set()
    node.now = NOW + 100
    assert node.volumes.due() == {of.metadata.uid}
    node.tokens.renew_at = NOW + 200
    await node.volumes.refresh(of)
    assert (node.path(of) / "token").read_text() == "token-2"
    assert node.volumes.due() == set()
    await node.volumes.tear_down(of)
    assert node.volumes.next_refresh() == float("inf")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMap": {"name": "none"}}, "not found"),
        ({"configMap": {"name": "m", "items": [{"key": "x", "path": "x"}]}}, "non-existent configmap key: x"),
        ({"secret": {"secretName": "m", "items": [{"key": "k", "path": "../k"}]}}, "invalid path"),
        ({"downwardAPI": {"items": [{"path": "x", "fieldRef": {"fieldPath": "spec.x"}}]}}, "unsupported fieldPath"),
        ({"hostPath": {"path": "/etc", "type": "File"}}, "/etc is not a file"),
        ({"hostPath": {"path": "/etc", "type": "Bogus"}}, "Bogus is an invalid volume type"),
        ({"projected": {"sources": [{"clusterTrustBundle": {"path": "x"}}]}}, "source is not supported"),
    ],
)
async def test_errors_name_the_volume(node: Node, source: dict[str, Any], message: str) -> None:
    with pytest.raises(VolumesNotReady, match=message) as caught:
        await node.volumes.set_up(with_volume(source))
    assert str(caught.value).startswith('MountVolume.SetUp failed for volume "v" : ')


async def test_unknown_kind_is_an_error_and_the_others_are_set_up(node: Node) -> None:
    volumes = [{"name": "share", "nfs": {"server": "s", "path": "/"}}, {"name": "v", "emptyDir": {}}]
    of = pod({"volumes": volumes})
    with pytest.raises(VolumesNotReady) as caught:
        await node.volumes.set_up(of)
    assert str(caught.value) == (
        "Unable to attach or mount volumes: unmounted volumes=[share], unattached volumes=[], failed to process "
        'volumes=[share]: failed to get Plugin from volumeSpec for volume "share" err=no volume plugin matched'
    )
    assert node.path(of).is_dir()


@pytest.mark.kernel
async def test_full_disk_is_an_error_and_the_old_files_stay(tmp_path: Path) -> None:
    root = tmp_path / "kubelet"
    root.mkdir()
    mount.tmpfs(root, size=128 * 1024)
    try:
        node = Node(tmp_path, FakeObjects(m={"k": b"small"}), FakeTokens(), None)  # type: ignore[arg-type]
        node.restart()
        of = with_volume(KINDS["configmap"])
        await node.volumes.set_up(of)
        node.objects.data["m"]["k"] = b"x" * 300_000
        with pytest.raises(VolumesNotReady, match="No space left on device"):
            await node.volumes.set_up(of)
        assert (node.path(of) / "k").read_bytes() == b"small"
        await node.volumes.tear_down(of)
        assert node.volumes.uids() == set()
    finally:
        mount.unmount_all(tmp_path)


class Disk(VolumePlugin[NFSVolumeSource]):
    """A raw block device."""

    name = "example.com/disk"

    def __init__(self) -> None:
        self.torn_down: list[Path] = []
        self.busy = False

    def source(self, volume: Volume) -> NFSVolumeSource | None:
        return volume.nfs

    def references(self, pod: Pod, source: NFSVolumeSource) -> Iterable[ObjectKey]:
        yield ObjectKey(ConfigMap, pod.metadata.namespace, source.server)

    async def set_up(self, source: NFSVolumeSource, target: Target) -> PublishedVolume:
        target.directory.mkdir(parents=True, exist_ok=True)
        return BlockVolume(device=Path("/dev/null"), read_only=source.read_only)

    async def tear_down(self, directory: Path) -> None:
        if self.busy:
            raise VolumeError("device is busy")
        self.torn_down.append(directory)


class Check(Disk):
    """A kind that needs no real node."""

    name = "example.com/check"
    needs_node = False

    async def set_up(self, source: NFSVolumeSource, target: Target) -> PublishedVolume:
        if source.server == "none":
            raise VolumeError("not bound yet")
        return BlockVolume(device=Path("/dev/null"))


def disk(server: str = "s", **container: Any) -> Pod:
    return with_volume(
        {"nfs": {"server": server, "path": "/", "readOnly": True}},
        containers=[{"name": "c", "image": "b", **container}],
    )


async def test_a_block_volume_becomes_a_device(node: Node) -> None:
    plugin = Disk()
    node.restart(plugin)
    of = disk(volumeDevices=[{"name": "v", "devicePath": "/dev/xvda"}])
    await node.volumes.set_up(of)
    made = MountMaker(config(node.root), node.volumes).make(of, of.spec.containers[0], 0, ("10.0.0.5",), {})
    assert [(d.host_path, d.container_path, d.permissions) for d in made.devices] == [("/dev/null", "/dev/xvda", "r")]
    assert [m.container_path for m in made.mounts] == ["/etc/hosts", "/dev/termination-log"]
    assert node.volumes.references(of) == {ObjectKey(ConfigMap, "default", "s")}
    node.restart(plugin)
    plugin.busy = True
    with pytest.raises(OSError, match=r'UnmountVolume\.TearDown failed for volume "v" : device is busy'):
        await node.volumes.tear_down(of)
    assert node.volumes.uids() == {"u1"}
    plugin.busy = False
    await node.volumes.tear_down(Pod(metadata=ObjectMeta(uid=of.metadata.uid)))
    assert [p.parts[-2:] for p in plugin.torn_down] == [("example.com~disk", "v")]


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, "has volumeMode Block"),
        ({"volumeDevices": [{"name": "w", "devicePath": "/dev/a"}]}, "has volumeMode Filesystem"),
        ({"volumeMounts": [{"name": "x", "mountPath": "/x"}]}, 'cannot find volume "x" to mount into container "c"'),
    ],
)
async def test_mounts_that_do_not_fit_their_volume(node: Node, container: dict[str, Any], message: str) -> None:
    node.restart(Disk())
    of = disk(**container)
    of = msgspec.structs.replace(
        of, spec=msgspec.structs.replace(of.spec, volumes=[*of.spec.volumes, Volume(name="w")])
    )
    await node.volumes.set_up(of)
    with pytest.raises(StartFailed, match=message):
        MountMaker(config(node.root), node.volumes).make(of, of.spec.containers[0], 0, ("10.0.0.5",), {})


async def test_a_simulated_node_sets_up_only_what_needs_no_real_node() -> None:
    volumes = SimulatedVolumes([Disk()])
    await volumes.set_up(disk(server="none"))
    volumes = SimulatedVolumes([Disk(), Check()])
    await volumes.set_up(with_volume({"hostPath": {"path": "/nowhere", "type": "Directory"}}))
    await volumes.set_up(disk())
    with pytest.raises(VolumesNotReady, match="not bound yet"):
        await volumes.set_up(disk(server="none"))


async def test_mounts_of_a_container(node: Node, tmp_path: Path) -> None:
    mounts = [
        {"name": "v", "mountPath": "relative", "mountPropagation": "HostToContainer"},
        {"name": "m", "mountPath": "/etc/hosts"},
    ]
    volumes = [{"name": "v", "emptyDir": {}}, {"name": "m", "configMap": {"name": "m"}}]
    of = pod({"volumes": volumes, "containers": [{"name": "c", "image": "b", "volumeMounts": mounts}]})
    await node.volumes.set_up(of)
    made = MountMaker(config(node.root), node.volumes).make(of, of.spec.containers[0], 3, ("10.0.0.5",), {})
    first, second, log = made.mounts
    assert (first.container_path, first.read_only, first.propagation) == ("/relative", False, "host-to-container")
    assert (second.container_path, second.read_only) == ("/etc/hosts", True)
    assert first.selinux_relabel
    assert os.path.basename(log.host_path) == "00000003"
