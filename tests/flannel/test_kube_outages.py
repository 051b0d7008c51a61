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
from .kube_world import NOTES, KubeNode, annotated_node, kube_node
from .topology import until

__all__ = ["admin", "https", "pki", "server", "store", "tls"]
pytestmark = [pytest.mark.kernel, pytest.mark.slow]
Start = Callable[..., AbstractAsyncContextManager[KubeNode]]


@pytest.fixture
def start(tmp_path: Path, admin: Client, pki: Pki) -> Start:
    """`start(port)` runs node 1, connected to the API server through that port."""
    return partial(kube_node, tmp_path, f"pbt-{os.getpid()}-{uuid.uuid4().hex[:4]}", admin, pki)


@pytest.fixture
async def hole(https: Listening) -> AsyncIterator[BlackHole]:
    async with BlackHole(https.port) as made:
        yield made


def to(number: int) -> str:
    return f"10.244.{number}.0/24"


async def test_a_watch_without_events_is_restarted(admin: Client, hole: BlackHole, start: Start) -> None:
    """Nodes are added and removed meanwhile; the data path stays, and is repaired without an API server."""
    nodes = admin.of(Node)
    await nodes.create(annotated_node(2))
    async with start(hole.port, silence=2.0) as node:
        await until(lambda: node.routes().keys() == {to(2)})
        await until(lambda: node.daemon.ready)
        hole.cut()
        await nodes.create(annotated_node(3))
        await nodes.delete("node-2")
        await run_in(node.netns, "ip", "route", "del", to(2))
        await until(lambda: node.routes().keys() == {to(2)})
        await run_in(node.netns, "ip", "link", "del", "flannel.1")
        await until(lambda: node.routes().keys() == {to(2)})
        hole.heal(forget=True)
        await until(lambda: node.routes().keys() == {to(3)})


async def test_the_kernel_checks_the_watchs_connection(hole: BlackHole, start: Start) -> None:
    """If not even the peer's kernel answers, TCP keepalive ends the connection long before the watch's own timeout."""
    async with start(hole.port) as node:
        await until(lambda: node.daemon.ready)
        command = ["ss", "-tnoH", "state", "established", "dport", "=", f":{hole.port}"]
        shown = (await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)).stdout.decode()
        (watching,) = [line for line in shown.splitlines() if "timer:(keepalive," in line]
        seconds = watching.partition("timer:(keepalive,")[2].partition("sec")[0]
        assert float(seconds) <= 15, watching


async def test_an_announcement_without_an_answer_does_not_delay_the_kernel(
    admin: Client, hole: BlackHole, start: Start
) -> None:
    await admin.of(Node).create(annotated_node(2))
    async with start(hole.port, patience=0.5) as node:
        await until(lambda: node.daemon.ready and to(2) in node.routes())
        hole.cut()
        node.configure("host-gw")
        await until(lambda: "FLANNEL_MTU=1500" in (node.folder / "run" / "subnet.env").read_text())
        await run_in(node.netns, "ip", "route", "del", to(2))
        await until(lambda: node.routes() == {to(2): "flannel.1"})
        hole.heal()

        async def announced_backend() -> str:
            notes = (await admin.of(Node).get("node-1")).metadata.annotations
            return notes.get(NOTES + "backend-type", "")

        async with asyncio.timeout(30):
            while await announced_backend() != "host-gw":
                await asyncio.sleep(0.05)


# -- what an administrator overrides ---------------------------------------------------------------------
async def test_the_overwritten_address_is_announced(admin: Client, https: Listening, start: Start) -> None:
    """Go flanneld reads only `public-ip`, so the overwritten address is written there."""
    nodes = admin.of(Node)
    await nodes.create(annotated_node(2, {"public-ip-overwrite": "203.0.113.2"}))
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
    """Another program wrote to our annotations. A reboot restores the MAC from there, but not a malformed one."""
    await admin.of(Node).create(annotated_node(2))
    async with start(https.port, backend_data=data) as node:
        await until(lambda: node.daemon.ready)
        notes = (await admin.of(Node).get("node-1")).metadata.annotations
        assert f'"VtepMAC":"{node.seen.links["flannel.1"].mac}"' in notes[NOTES + "backend-data"]


# -- a full disk -----------------------------------------------------------------------------------------
@contextmanager
def tiny_disk(path: Path) -> Iterator[None]:
    """Mount a file system of 8 KB."""
    path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k,nr_inodes=16", "pbt-tiny", str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


async def test_a_full_disk_is_logged_once_and_the_old_file_stays(
    admin: Client, https: Listening, start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await admin.of(Node).create(annotated_node(2))
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
            messages = [record.getMessage() for record in caplog.records if "No space left" in record.getMessage()]
            assert messages == [f"[Errno 28] No space left on device: '{run}/subnet.env'"], (
                "one line, with the file's name"
            )
            assert (run / "subnet.env").read_text() == before
            assert sorted(path.name for path in run.iterdir() if path.name.startswith(".subnet")) == []
            (run / "ballast").unlink()
            await until(lambda: "FLANNEL_MTU=1500" in (run / "subnet.env").read_text())
