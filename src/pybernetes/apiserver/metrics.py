"""The server's metrics, with kube-apiserver's names. Counting costs a few dictionary writes per request; the exposition
library is imported at the first request for /metrics.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from pybernetes.apiserver.requests import RequestInfo

if TYPE_CHECKING:
    from prometheus_client import Metric

BUCKETS = (
    *(0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0),
    *(3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0),
)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LONG_RUNNING = frozenset({"exec", "attach", "portforward", "log", "proxy"})

#: (verb, group, version, resource, subresource, scope)
_Labels = tuple[str, str, str, str, str, str]
_NAMES = ["verb", "group", "version", "resource", "subresource", "scope"]


def is_long_running(info: RequestInfo) -> bool:
    """Whether the client determines how long a request lasts."""
    return info.verb == "watch" or info.subresource in _LONG_RUNNING


class Metrics:
    """The metrics of one server. `gauges`: name -> (help, function that returns the value)."""

    def __init__(self, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        self._gauges = gauges
        self._counts: dict[tuple[_Labels, int], int] = {}
        self._durations: dict[_Labels, list[float]] = {}
        self.inflight = {"readOnly": 0, "mutating": 0}
        self.long_running = 0

    def observe(self, info: RequestInfo, code: int, seconds: float) -> None:
        """Count a finished request."""
        scope = "resource" if info.name else "namespace" if info.namespace else "cluster" if info.is_resource else ""
        labels = (info.verb.upper(), info.group, info.version, info.resource, info.subresource, scope)
        self._counts[labels, code] = self._counts.get((labels, code), 0) + 1
        if is_long_running(info):
            return
        buckets = self._durations.get(labels)
        if buckets is None:
            # One number per bucket, one for longer durations, and the sum.
            buckets = self._durations[labels] = [0.0] * (len(BUCKETS) + 2)
        buckets[bisect_left(BUCKETS, seconds)] += 1
        buckets[-1] += seconds

    def expose(self) -> bytes:
        """The response body of /metrics."""
        import prometheus_client
        from prometheus_client.exposition import generate_latest

        registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=registry)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> "Iterator[Metric]":
        """Called by the exposition library."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        total = CounterMetricFamily(
            "apiserver_request", "Counter of apiserver requests broken out by code.", labels=[*_NAMES, "code"]
        )
        for (labels, code), count in self._counts.items():
            total.add_metric([*labels, str(code)], count)
        yield total
        duration = HistogramMetricFamily(
            "apiserver_request_duration_seconds", "Response latency distribution in seconds.", labels=_NAMES
        )
        for labels, buckets in self._durations.items():
            duration.add_metric(labels, _cumulative(buckets[:-1]), buckets[-1])
        yield duration
        inflight = GaugeMetricFamily(
            "apiserver_current_inflight_requests", "Requests under way.", labels=["request_kind"]
        )
        for kind, value in self.inflight.items():
            inflight.add_metric([kind], value)
        yield inflight
        yield GaugeMetricFamily("apiserver_longrunning_requests", "Watches and streams.", value=self.long_running)
        for name, (text, value_of) in self._gauges.items():
            yield GaugeMetricFamily(name, text, value=value_of())


def _cumulative(buckets: list[float]) -> list[tuple[str, float]]:
    found, total = [], 0.0
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), buckets, strict=True):
        total += count
        found.append((bound, total))
    return found
