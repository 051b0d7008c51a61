"""When a lease is renewed, with an injected clock and a real etcd: clocks that jump, machines that were suspended."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from pybernetes.etcd import EtcdClient
from pybernetes.flannel.leases.etcd.renewal import Renewal, since_boot
from store.etcdserver import EtcdServer

from .black_hole import BlackHole
from .test_etcd_manager import etcd, shared, until

__all__ = ["etcd", "shared"]
pytestmark = pytest.mark.slow
HOUR = 3600.0


@dataclass
class Clocked:
    """Renewal of a lease of one day, and the changes that it reported."""

    client: EtcdClient
    lease: int = 0
    now: float = 1e6
    changes: int = 0

    def changed(self) -> None:
        self.changes += 1


@asynccontextmanager
async def renewing(url: str) -> AsyncIterator[Clocked]:
    client = EtcdClient([url], None, 0.2)
    clocked = Clocked(client, await client.grant(24 * 3600))
    renewal = Renewal(client, lambda: clocked.lease, margin_seconds=HOUR, clock=lambda: clocked.now, look_seconds=0.01)
    await renewal.start(clocked.lease)
    task = asyncio.create_task(renewal.run(clocked.changed), name="renewal")
    try:
        yield clocked
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()


def count(caplog: pytest.LogCaptureFixture, words: str) -> int:
    return caplog.text.count(words)


async def test_after_a_long_sleep_it_is_renewed_at_once(etcd: EtcdServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pybernetes.flannel"):
        async with renewing(etcd.url) as lease:
            lease.now += 22 * HOUR
            await asyncio.sleep(0.05)
            assert count(caplog, "Lease renewed") == 0, "there is time left"
            lease.now += 1.5 * HOUR
            await until(lambda: count(caplog, "Lease renewed") == 1)
            assert count(caplog, "Waiting for 23h0m0s to renew lease") == 2


async def test_a_lease_that_expired_during_sleep_is_logged(etcd: EtcdServer, caplog: pytest.LogCaptureFixture) -> None:
    async with renewing(etcd.url) as lease:
        await lease.client.revoke(lease.lease)
        lease.now += 30 * HOUR
        await until(lambda: lease.changes == 1)
        assert count(caplog, "Lease has been revoked") == 1


async def test_a_clock_that_is_set_back_does_no_harm(etcd: EtcdServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pybernetes.flannel"):
        async with renewing(etcd.url) as lease:
            lease.now -= 100 * HOUR
            await asyncio.sleep(0.05)
            assert (count(caplog, "Lease renewed"), lease.changes) == (0, 0)
            lease.now += 124 * HOUR
            await until(lambda: count(caplog, "Lease renewed") == 1)


async def test_expiry_is_logged_once_although_renewal_keeps_failing(
    etcd: EtcdServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with BlackHole(etcd.ports[0]) as hole, renewing(hole.url) as lease:
        hole.cut()
        for failures in range(1, 5):
            lease.now += 23 * HOUR
            await until(lambda failures=failures: count(caplog, "Error renewing lease") >= failures)  # type: ignore[misc]
        assert count(caplog, "the lease has expired") == 1
        other = EtcdClient([etcd.url], None, 5)
        await other.revoke(lease.lease)
        await other.close()
        hole.heal()
        lease.now += HOUR
        await until(lambda: lease.changes == 1)


def test_the_clock_includes_suspended_time() -> None:
    """A test cannot suspend the machine, so check that it is the clock with this property, by clock_gettime(2)."""
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= since_boot() <= time.clock_gettime(time.CLOCK_BOOTTIME)
