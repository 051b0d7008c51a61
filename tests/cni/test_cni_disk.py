"""Plugins on a disk that is full, damaged, or shared with other versions: clear errors and no leaks."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cni.cni_world import STOCK, World
from pybernetes.cni import files
from pybernetes.cni.store import Store
from pybernetes.linux import libc, link
from pybernetes.linux.rtnl import Netlink


@pytest.fixture
def small(world: World) -> Iterator[Path]:
    """A disk with one free page."""
    place = world.root / "small"
    place.mkdir()
    libc.mount("tmpfs", str(place), "tmpfs", data="size=64k")
    yield place
    libc.umount(str(place), libc.MNT_DETACH)


def _fill(place: Path) -> Path:
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError as full:
            assert full.errno == 28
    return ballast


def _links(world: World, name: str) -> set[str]:
    with Netlink(f"{world.prefix}-{name}") as nl:
        return {found.name for found in link.links(nl)}


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.parametrize("which", ["networks", "flannel"])
def test_on_a_full_disk_add_fails_and_leaves_nothing(world: World, small: Path, which: str) -> None:
    config = world.flannel()
    if which == "networks":
        config["ipam"]["dataDir"] = str(small)
    else:
        config["dataDir"] = str(small)
    world.make("a")
    world.make("b")
    world.call("flannel", "ADD", config, "a")
    before = sorted(p for p in small.rglob("*"))
    ballast = _fill(small)
    for _ in range(3):
        answer = world.fails("flannel", "ADD", config, "b")
        assert answer["code"] == 5 and "No space left on device" in answer["msg"]
    assert sorted(p for p in small.rglob("*") if p != ballast) == before
    assert _links(world, "b") == {"lo"}
    assert len(_links(world, "node")) == 3  # lo, cni0 and a's port
    world.call("flannel", "DEL", config, "b")  # the runtime does so after a failed ADD
    assert "1 received" in world.run("a", "ping", "-c1", "-W2", "172.20.1.1"), "other pods are not affected"
    ballast.unlink()
    assert world.call("flannel", "ADD", config, "b")["ips"][0]["address"].startswith("172.20.1.")
    for pod in ("a", "b"):
        world.call("flannel", "DEL", config, pod)
    assert [p.name for p in small.rglob("*") if p.is_file() and p.name[0].isdigit()] == []


@pytest.mark.kernel
def test_del_works_on_a_full_disk(world: World, small: Path) -> None:
    config = world.bridge()
    config["ipam"]["dataDir"] = str(small)
    world.make("a")
    world.call("bridge", "ADD", config, "a")
    _fill(small)
    world.call("bridge", "DEL", config, "a")
    assert not (small / "cbr0" / "172.20.1.2").exists()


DAMAGE = {
    "172.20.1.2": b"",  # left by a stock plugin that was killed
    "172.20.1.3": b"half-a-contai",
    "172.20.1.4": b"\xff\xfe\x00garbage\n\n\r",
    "last_reserved_ip.0": b"\x00\x01not an address",
    "lock": b"garbage" * 100,
    "no-address": b"x",
    ".reserving": b"left by a crash",
    "999.1.1.1": b"x",
}


@pytest.mark.kernel
def test_damaged_reservations_are_ignored(world: World) -> None:
    directory = world.root / "networks" / "cbr0"
    directory.mkdir(parents=True)
    for name, data in DAMAGE.items():
        (directory / name).write_bytes(data)
    (directory / "172.20.1.5").mkdir()
    config = world.bridge("1.1.0")
    world.make("a")
    result = world.call("bridge", "ADD", config, "a")
    assert result["ips"][0]["address"] == "172.20.1.2/24", "an empty file is no reservation"
    world.make("b")
    other = world.call("bridge", "ADD", config, "b")
    assert other["ips"][0]["address"] == "172.20.1.6/24", "a possible reservation is kept"
    world.call("bridge", "CHECK", {**config, "prevResult": result}, "a")
    valid = [{"containerID": "a", "ifname": "eth0"}, {"containerID": "b", "ifname": "eth0"}]
    world.call("bridge", "GC", {**config, "cni.dev/valid-attachments": valid}, "x")
    assert {p.name for p in directory.iterdir() if p.name[0] == "1" and p.is_file()} == {"172.20.1.2", "172.20.1.6"}
    for pod in ("a", "b", "a"):
        world.call("bridge", "DEL", config, pod)


@pytest.mark.kernel
@pytest.mark.parametrize("note", [b"", b"{", b'{"type":5}', b"[]", b"\xff\xfe", b'{"type":"bridge"'])
def test_a_damaged_record_of_flannel(world: World, note: bytes) -> None:
    """DEL succeeds and removes everything, using the configuration that ADD would use now."""
    world.make("a")
    config = world.flannel("1.1.0")
    world.call("flannel", "ADD", config, "a")
    (world.root / "flannel" / "a").write_bytes(note)
    world.call("flannel", "DEL", config, "a")
    assert _links(world, "a") == {"lo"} and world.addresses == set() and list((world.root / "flannel").iterdir()) == []
    assert world.fails("flannel", "CHECK", {**config, "prevResult": {"ips": []}}, "a")["code"] == 3
    (world.root / "flannel" / "a").write_bytes(note)
    world.subnet_file.unlink()
    world.call("flannel", "DEL", config, "a")
    assert list((world.root / "flannel").iterdir()) == []


@pytest.mark.kernel
def test_a_data_directory_that_is_a_file(world: World) -> None:
    (world.root / "networks").write_text("a plain file")
    world.make("a")
    for command in ("ADD", "DEL"):
        answer = world.fails("bridge", command, world.bridge(), "a")
        assert answer["code"] == 5 and "Not a directory" in answer["msg"], command
    assert _links(world, "a") == {"lo"}


def test_files_are_written_atomically(tmp_path: Path) -> None:
    path, staging = tmp_path / "file", tmp_path / "staging"
    files.write_whole(str(path), "one", str(staging))
    files.write_whole(str(path), "two", str(staging))
    assert path.read_text() == "two" and not staging.exists()
    assert files.read(str(tmp_path)) == files.read(str(tmp_path / "none")) == files.read(str(path / "below")) == ""
    files.make_directories(str(tmp_path / "a" / "b" / "c"))
    files.make_directories(str(tmp_path / "a" / "b" / "c"))
    assert (tmp_path / "a" / "b" / "c").is_dir() and files.names(str(tmp_path / "gone")) == []


def test_reservations_are_private_to_root(tmp_path: Path) -> None:
    with Store("net", str(tmp_path)) as store:
        assert store.reserve("10.0.0.5", "abc", "eth0", 0) and not store.reserve("10.0.0.5", "def", "eth0", 0)
        assert store.owned("abc", "eth0") == ["10.0.0.5"] and store.owned("abc", "eth1") == []
    assert {oct((tmp_path / "net" / name).stat().st_mode)[-3:] for name in os.listdir(tmp_path / "net")} == {"600"}
    assert (tmp_path / "net" / "10.0.0.5").read_bytes() == b"abc\r\neth0"


@pytest.mark.kernel
@pytest.mark.slow
def test_stock_plugins_and_ours_share_a_directory(world: World) -> None:
    """During an update of a node, the stock plugins and ours attach pods at the same time."""
    config = world.bridge("1.0.0")
    pods = [world.make(f"p{number}").removeprefix(f"{world.prefix}-") for number in range(16)]

    def start(pod: str, command: str, turn: int) -> subprocess.Popen[bytes]:
        place = STOCK if turn % 2 else world.bin_dir
        return world.start("bridge", command, config, pod, bin_dir=place)

    running = [start(pod, "ADD", turn) for turn, pod in enumerate(pods)]
    results: list[dict[str, Any]] = [json.loads(process.communicate()[0]) for process in running]
    addresses = [str(result["ips"][0]["address"]).partition("/")[0] for result in results]
    assert len(set(addresses)) == len(pods) and set(addresses) == world.addresses
    # Each pod is detached by the other kind of plugin.
    assert [process.wait() for process in [start(pod, "DEL", turn + 1) for turn, pod in enumerate(pods)]] == [0] * 16
    assert world.addresses == set() and _links(world, "node") == {"lo", "cni0"}
