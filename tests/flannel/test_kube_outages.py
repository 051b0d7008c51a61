"""The API server stops answering without refusing connections; full disks; overridden addresses."""

from __future__ import annotations

import asyncio
import os
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from apiserver.certs import Pki
from client.conftest import client as admin
from client.conftest import https, pki, server, store, tls
from pybernetes.api.core.node import Node
from pybernetes.apiserver.http import Listening
from pybernetes.client.client import Client

from .bgp_world import run_in
from .black_hole import BlackHole
from .kube_world import NOTES, KubeNode, kube_node, paper_node
from .topology import until

__all__ = ["admin", "https", "pki", "server", "store", "tls"]
pytestmark = [pytest.mark.kernel, pytest.mark.slow]
Start = Callable[..., AbstractAsyncContextManager[KubeNode]]


@pytest.fixture
def start(tmp_path: Path, admin: Client, pki: Pki) -> Start:
    """`start(port)` runs node 1 with its way to the API server through that port."""
    return partial(kube_node, tmp_path, f"pbt-{os.getpid()}-{uuid.uuid4().hex[:4]}", admin, pki)


@pytest.fixture
async def hole(https: Listening) -> AsyncIterator[BlackHole]:
    async with BlackHole(https.port) as made:
        yield made


def to(number: int) -> str:
    return f"10.244.{number}.0/24"


async def test_a_watch_without_events_is_restarted(admin: Client, hole: BlackHole, start: Start) -> None:
    """Nodes come and go meanwhile; the data path stays, and is mended without an API server."""
    nodes = admin.of(Node)
    await nodes.create(paper_node(2))
    async with start(hole.port, silence=2.0) as node:
        await until(lambda: node.routes().keys() == {to(2)})
        await until(lambda: node.daemon.ready)
        hole.cut()
        await nodes.create(paper_node(3))
        await nodes.delete("node-2")
        await run_in(node.netns, "ip", "route", "del", to(2))
        await until(lambda: node.routes().keys() == {to(2)})
        await run_in(node.netns, "ip", "link", "del", "flannel.1")
        await until(lambda: node.routes().keys() == {to(2)})
        hole.heal(forget=True)
        await until(lambda: node.routes().keys() == {to(3)})


async def test_the_kernel_looks_after_the_watchs_connection(hole: BlackHole, start: Start) -> None:
    """Where not even the far side's kernel answers, the connection ends long before the watch's own silence."""
    async with start(hole.port) as node:
        await until(lambda: node.daemon.ready)
        command = ["ss", "-tnoH", "state", "established", "dport", "=", f":{hole.port}"]
        shown = (await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)).stdout.decode()
        (watching,) = [line for line in shown.splitlines() if "timer:(keepalive," in line]
        seconds = watching.partition("timer:(keepalive,")[2].partition("sec")[0]
        assert float(seconds) <= 15, watching


async def test_announcing_into_a_hole_does_not_keep_the_kernel_waiting(
    admin: Client, hole: BlackHole, start: Start
) -> None:
    await admin.of(Node).create(paper_node(2))
    async with start(hole.port, patience=0.5) as node:
        await until(lambda: node.daemon.ready and to(2) in node.routes())
        hole.cut()
        node.configure("host-gw")
        await until(lambda: "FLANNEL_MTU=1500" in (node.folder / "run" / "subnet.env").read_text())
        await run_in(node.netns, "ip", "route", "del", to(2))
        await until(lambda: node.routes() == {to(2): "flannel.1"})
        hole.heal()

        async def told() -> str:
            notes = (await admin.of(Node).get("node-1")).metadata.annotations
            return notes.get(NOTES + "backend-type", "")

        async with asyncio.timeout(30):
            while await told() != "host-gw":
                await asyncio.sleep(0.05)


# -- what an administrator overrides ---------------------------------------------------------------------
async def test_the_overwritten_address_is_what_everybody_reads(admin: Client, https: Listening, start: Start) -> None:
    """Peers of the original read `public-ip` alone, so it goes there."""
    nodes = admin.of(Node)
    await nodes.create(paper_node(2, {"public-ip-overwrite": "203.0.113.2"}))
    async with start(https.port) as node:
        await until(lambda: {entry.dst for entry in node.seen.forwarding} == {"203.0.113.2"})
        await nodes.patch("node-1", {"metadata": {"annotations": {NOTES + "public-ip-overwrite": "203.0.113.1"}}})

        async def notes() -> dict[str, str]:
            return dict((await nodes.get("node-1")).metadata.annotations)

        async with asyncio.timeout(30):
            while (await notes()).get(NOTES + "public-ip") != "203.0.113.1":
                await asyncio.sleep(0.05)
        assert '"BehindNAT":"192.0.2.1"' in (await notes())[NOTES + "backend-data"]
        info = node.seen.links["flannel.1"].vxlan
        assert info is not None and info.local == "192.0.2.1"
        await nodes.patch("node-1", {"metadata": {"annotations": {NOTES + "public-ip-overwrite": None}}})
        async with asyncio.timeout(30):
            while (await notes()).get(NOTES + "public-ip") != "192.0.2.1":
                await asyncio.sleep(0.05)
        assert "BehindNAT" not in (await notes())[NOTES + "backend-data"]


GARBAGE = ('{"VtepMAC":"; reboot"}', '{"VtepMAC":7}', '{"VtepMAC":"ff:ff:ff:ff:ff:ff"}', "[", '"x"')


@pytest.mark.parametrize("data", GARBAGE)
async def test_malformed_data_in_our_own_lease_is_replaced(
    admin: Client, https: Listening, start: Start, data: str
) -> None:
    """A stranger wrote into our own annotations: the MAC is taken from there after a reboot, but not such a one."""
    await admin.of(Node).create(paper_node(2))
    async with start(https.port, told=data) as node:
        await until(lambda: node.daemon.ready)
        notes = (await admin.of(Node).get("node-1")).metadata.annotations
        assert f'"VtepMAC":"{node.seen.links["flannel.1"].mac}"' in notes[NOTES + "backend-data"]


# -- a full disk -----------------------------------------------------------------------------------------
@contextmanager
def tiny_disk(path: Path) -> Iterator[None]:
    """8 KB, in a mount of its own."""
    path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k,nr_inodes=16", "pbt-tiny", str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


async def test_a_full_disk_is_named_once_and_the_old_file_stays(
    admin: Client, https: Listening, start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await admin.of(Node).create(paper_node(2))
    run = tmp_path / "run"
    with tiny_disk(run):
        async with start(https.port) as node:
            await until(lambda: node.daemon.ready)
            before = (run / "subnet.env").read_text()
            assert "FLANNEL_MTU=1450" in before
            (run / "ballast").write_bytes(b"x" * 4096)
            node.configure("host-gw")
            await until(lambda: "No space left on device" in caplog.text)
            node.daemon.request_pass()
            await run_in(node.netns, "ip", "route", "del", to(2))
            await until(lambda: to(2) in node.routes())
            said = [record.getMessage() for record in caplog.records if "No space left" in record.getMessage()]
            assert said == [f"[Errno 28] No space left on device: '{run}/subnet.env'"], "once, by its name"
            assert (run / "subnet.env").read_text() == before
            assert sorted(path.name for path in run.iterdir() if path.name.startswith(".subnet")) == []
            (run / "ballast").unlink()
            await until(lambda: "FLANNEL_MTU=1500" in (run / "subnet.env").read_text())
