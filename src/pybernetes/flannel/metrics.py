"""flanneld's Prometheus metrics. Counting costs almost nothing; the exposition library is loaded at the first request
for /metrics.

Names begin with `flannel_`; `docs/tasks/metrics.md` lists them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.leases.lease import Lease

if TYPE_CHECKING:
    from prometheus_client import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Source = Callable[[], Mapping[str, float]]
"""Values by the name of a peer or device, read when metrics are requested."""


class FlannelMetrics:
    """The figures of one daemon. `now` is the wall clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._want: Desired | None = None
        self._backend = ""
        self._leases = 0
        self._peers: Counter[str] = Counter()
        self._passes = {"complete": 0, "incomplete": 0}
        self._seconds = 0.0
        self._last = {"complete": 0.0, "incomplete": 0.0}
        self._errors = 0
        self._changes = 0
        self._repaired = 0
        self._problems = 0
        self._ready = False
        self.reachable: Source = dict
        """Whether a peer's public address answers, 1 or 0."""
        self.round_trips: Source = dict
        """Round-trip time, in seconds."""
        self.path_mtus: Source = dict
        """The largest packet that reaches a peer's public address unfragmented, in bytes."""
        self.offload_off: Source = dict
        """By device: 1 if flanneld disabled checksum offload because the network card computes wrong checksums."""
        self.policies: Callable[[], int] = lambda: 0
        """NetworkPolicies, which flannel does not enforce."""
        self.bgp_sessions: Source = dict
        """Whether the session is established, 1 or 0."""
        self.bird_starts: Callable[[], int] = lambda: 0

    def saw(self, backend: str, leases: Sequence[Lease], peers: Sequence[Lease]) -> None:
        """The input of a pass."""
        self._backend = backend
        self._leases = len(leases)
        self._peers = Counter(peer.backend for peer in peers)

    def applied(self, want: Desired, done: Sequence[str], rules: Sequence[str], errors: Sequence[str]) -> None:
        """The result of a pass. If the desired state is that of the pass before, all changes are repairs."""
        self._changes += len(done) + len(rules)
        if want == self._want:
            self._repaired += len(done) + len(rules)
        self._want = want
        self._errors += len(errors)

    def passed(self, seconds: float, *, complete: bool, problems: int, ready: bool) -> None:
        """A pass has ended."""
        result = "complete" if complete else "incomplete"
        self._passes[result] += 1
        self._last[result] = self._now()
        self._seconds = seconds
        self._problems = problems
        self._ready = ready

    def expose(self) -> bytes:
        """The text of /metrics, with the process's memory and CPU time."""
        import prometheus_client
        from prometheus_client.exposition import generate_latest

        registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=registry)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """Called by the exposition library."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        def gauge(name: str, text: str, values: Mapping[str, float], label: str) -> Metric:
            family = GaugeMetricFamily(f"flannel_{name}", text, labels=[label])
            for key, value in sorted(values.items()):
                family.add_metric([key], value)
            return family

        yield gauge("backend", "1 for the backend that is configured.", {self._backend: 1}, "type")
        yield GaugeMetricFamily("flannel_leases", "Leases known, our own too.", self._leases)
        yield gauge("peers", "Peers that are served, by the backend that they announce.", self._peers, "backend")
        yield GaugeMetricFamily("flannel_ready", "Whether routes, rules and subnet.env are in place.", self._ready)
        yield GaugeMetricFamily("flannel_problems", "Faults of the last pass, each of which is logged.", self._problems)
        passes = CounterMetricFamily("flannel_reconcile_passes", "Passes.", labels=["result"])
        for result, count in self._passes.items():
            passes.add_metric([result], count)
        yield passes
        yield CounterMetricFamily("flannel_reconcile_errors", "Changes that could not be made.", self._errors)
        yield GaugeMetricFamily("flannel_reconcile_last_seconds", "Duration of the last pass.", self._seconds)
        yield gauge("reconcile_last_timestamp_seconds", "When the last pass ended.", self._last, "result")
        yield CounterMetricFamily("flannel_changes", "Kernel objects and rules changed.", self._changes)
        yield CounterMetricFamily(
            "flannel_drift_mended", "Those of them that repaired what another program changed.", self._repaired
        )
        yield gauge("peer_reachable", "Whether a peer's public address answers.", self.reachable(), "peer")
        yield gauge("peer_round_trip_seconds", "How long its answer took.", self.round_trips(), "peer")
        yield gauge("peer_path_mtu_bytes", "The largest packet that reaches a peer.", self.path_mtus(), "peer")
        off = "1 if checksum offload is disabled because the network card computes wrong checksums."
        yield gauge("checksum_offload_disabled", off, self.offload_off(), "device")
        policies = "NetworkPolicies, which flannel does not enforce."
        yield GaugeMetricFamily("flannel_network_policies_unenforced", policies, self.policies())
        yield gauge("bgp_session_up", "Whether the BGP session is established.", self.bgp_sessions(), "peer")
        yield CounterMetricFamily("flannel_bird_starts", "Starts of BIRD.", self.bird_starts())
