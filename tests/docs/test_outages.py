"""docs/tasks/outages.md: its quotes are log lines of the daemon, and its times are those of the code."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from pybernetes.cli import flanneld_etcd
from pybernetes.client import http, reflector
from pybernetes.etcd import client as etcd_client
from pybernetes.flannel.leases.etcd import manager, view
from pybernetes.flannel.leases.kube.manager import KubeManager
from pybernetes.flannel.leases.lease import BEHIND_NAT

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/tasks/outages.md").read_text()
SOURCE = "".join(path.read_text() for path in (ROOT / "src/pybernetes/flannel").rglob("*.py"))


def test_quotes_are_log_lines() -> None:
    code = re.sub(r'"\n\s+f?"', "", SOURCE)
    quoted = [words for words in re.findall(r"`([^`]+)`", PAGE) if " " in words and "No space" not in words]
    assert len(quoted) >= 5
    for words in quoted:
        for part in re.split(r"…|\bN\b", words):
            assert part.strip(": ;") in code, part


def test_times_match_the_code() -> None:
    options = dict(etcd_client._OPTIONS)
    assert (options["grpc.keepalive_time_ms"] + options["grpc.http2.ping_timeout_ms"]) / 1000 == 15
    assert flanneld_etcd._ETCD_SECONDS == view._DELAY_MAX == reflector._RETRY_MAX == 5
    idle, interval, count = http._PROBES.values()
    assert (idle + interval * count, http._WATCH_SILENCE) == (30, 150)
    assert inspect.signature(KubeManager.__init__).parameters["patience"].default == 5
    assert (manager.LEASE_SECONDS, manager.MARGIN_SECONDS) == (24 * 3600, 3600)
    assert f"`{BEHIND_NAT}`" in PAGE
