"""Two nodes on this machine's kernel, which may lack the module that a backend needs."""

import asyncio
import logging
from pathlib import Path

import pytest

from vm.inside.nodes import pair, until


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.parametrize(("kind", "device"), [("ipip", "flannel.ipip"), ("wireguard", "flannel-wg")])
async def test_a_network_keeps_working_when_the_new_backend_is_not_possible(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, device: str
) -> None:
    caplog.set_level(logging.INFO)

    def reported() -> bool:
        return any(f"this kernel lacks the module {kind}" in record.message for record in caplog.records)

    async with pair(tmp_path, {"Type": "vxlan"}, 4) as made:
        await made.settled("flannel.1")
        made.configure({"Type": kind})
        await until(lambda: reported() or all(device in host.seen.ours for host in made.hosts))
        await asyncio.sleep(0.2)
        if reported():
            assert [host.routes() for host in made.hosts] == [
                {"10.244.2.0/24": "flannel.1"},
                {"10.244.1.0/24": "flannel.1"},
            ]
            assert all(host.manager.posted().backend == "vxlan" for host in made.hosts)
        assert await made.a.ping(made.b)
        made.configure({"Type": "vxlan"})
        await made.settled("flannel.1")
        assert await made.a.ping(made.b)
