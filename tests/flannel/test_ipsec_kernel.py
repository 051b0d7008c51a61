"""ipsec on this machine's kernel, which may lack IPsec, and with another program on its ports."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybernetes.flannel.backends.ipsec import charon
from pybernetes.linux import netns, xfrm
from pybernetes.linux.errors import NotSupported
from vm.inside.nodes import pair, until

PSK = "0123456789abcdef" * 6


@pytest.mark.kernel
@pytest.mark.slow
async def test_a_network_keeps_working_when_ipsec_is_not_possible(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        with xfrm.Xfrm() as nl:
            nl.probe()
        possible = True
    except NotSupported:
        possible = False

    def reported() -> bool:
        return any("this kernel lacks the module" in record.getMessage() for record in caplog.records)

    async with pair(tmp_path, {"Type": "vxlan"}, 4) as made:
        await made.settled("flannel.1")
        made.configure({"Type": "ipsec", "PSK": PSK})
        await until(lambda: reported() or all("flannel-ipsec" in host.seen.ours for host in made.hosts))
        if not possible:
            assert reported()
            await asyncio.sleep(0.2)
            assert [set(host.routes().values()) for host in made.hosts] == [{"flannel.1"}] * 2
            assert all(host.manager.posted().backend == "vxlan" for host in made.hosts)
        assert await made.a.ping(made.b)
        made.configure({"Type": "vxlan"})
        await made.settled("flannel.1")
        assert await made.a.ping(made.b)
    assert not any(PSK in record.getMessage() for record in caplog.records)


@pytest.fixture
def space() -> Iterator[str]:
    name = f"pbt-{os.getpid()}-ike"
    netns.create(name)
    yield name
    netns.delete(name)


@pytest.mark.kernel
@pytest.mark.parametrize("port", [500, 4500])
def test_another_daemon_on_our_ports_is_reported(space: str, port: int) -> None:
    assert charon.taken_ports(space) == ""

    def take() -> socket.socket:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("::", port))
        return sock

    with netns.run_in(space, take):
        assert f"charon can't have UDP port {port}: Address already in use" in charon.taken_ports(space)
    assert charon.taken_ports(space) == ""


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


OWNER = """
import asyncio, sys
from pathlib import Path
from pybernetes.flannel.backends.ipsec import charon

async def main():
    made = charon.Charon(Path(sys.argv[2]), sys.argv[1], asyncio.Event().wait)
    made.start(charon.find())
    await made.answers.wait()
    print(made.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.kernel
@pytest.mark.slow
async def test_charon_exits_with_a_killed_flanneld(space: str, tmp_path: Path) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, space, str(tmp_path / "charon"), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert owner.stdout is not None
        pid = int(await owner.stdout.readline())
        assert is_running(pid)
    finally:
        owner.kill()
        await owner.wait()
    await until(lambda: not is_running(pid))


@pytest.mark.kernel
@pytest.mark.slow
async def test_charon_is_restarted(space: str, tmp_path: Path) -> None:
    is_running = 0

    async def alive() -> None:
        nonlocal is_running
        is_running += 1
        await asyncio.Event().wait()

    program = charon.find()
    assert program is not None, "run tools/install.sh dev"
    made = charon.Charon(tmp_path / "charon", space, alive)
    made.start(program)
    try:
        await until(lambda: is_running == 1)
        first = made.pid
        assert first is not None
        os.kill(first, 9)
        await until(lambda: is_running == 2 and made.pid not in (None, first))
        assert made.answers.is_set() and made.starts == 2
        assert made.socket.exists() and (tmp_path / "charon").stat().st_mode & 0o777 == 0o700
    finally:
        await made.end(leave_states=True)
    assert made.pid is None
