"""What a monitoring system reads: the archive's state and the requests served, as Prometheus metrics.

Rules kept here
 * State is what `status` says at the moment of asking; nothing is remembered that could go stale.
 * Requests are counted by method, route and status, never by path, key or organisation.
 * What calls for a person is a metric of its own, so that an alarm needs no text to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
PREFIX = "trusted_archive_"
SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600)

Status = Mapping[str, Any]


class RequestMetrics:
    """How many requests came, how they ended and how long they took."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route")
        self._requests = Counter(
            f"{PREFIX}http_requests", "Requests answered", (*labels, "status"), registry=self.registry
        )
        self._seconds = Histogram(
            f"{PREFIX}http_request_seconds",
            "Time from the first byte of a request to its answer",
            labels,
            buckets=SECONDS,
            registry=self.registry,
        )
        self._kinds: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        """As few as there are routes and answers."""

    def observe(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """One request was answered; `route` is None for an address that is no route."""
        kind = method if method in {"GET", "HEAD", "POST"} else "other", route or "none", status
        counted = self._kinds.get(kind)
        if counted is None:
            counted = self._kinds[kind] = self._requests.labels(*kind), self._seconds.labels(*kind[:2])
        counted[0].inc()
        counted[1].observe(seconds)


def exposition(requests: RequestMetrics, status: Status, jobs: Mapping[str, Any] | None) -> bytes:
    """All metrics in the text format of Prometheus; `jobs` are those of the embedded scheduler, by name."""
    registry = CollectorRegistry()
    registry.register(_State(lambda: _families(status, jobs)))
    return generate_latest(requests.registry) + generate_latest(registry)


class _State(Collector):
    def __init__(self, families: Callable[[], Iterator[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return self._families()


def _families(status: Status, jobs: Mapping[str, Any] | None) -> Iterator[Metric]:
    objects, batches, trail = status["objects"], status["batches"], status["trail"]
    yield _gauge("objects", "Preservation objects", objects["objects"])
    yield _labelled(
        "versions",
        "Versions of objects by how far they have come",
        "state",
        {state: objects[state] for state in ("replicated", "evidenced")},
    )
    yield _gauge("last_batch", "Number of the newest batch", batches["last"])
    yield _gauge("batches_unfinished", "Batches that wait for a time-stamp", len(batches["unfinished"]))
    yield _gauge("trail_size", "Events in the trail", trail["size"])
    yield _gauge("trail_pending", "Events that wait for the trail (at most 1000 are counted)", trail["pending"])
    stores = {store["name"]: int(not store["error"]) for store in status["stores"]}
    yield _labelled("store_up", "1 when the store answers as a storage root", "store", stores)
    authorities = {one["name"]: one["failures"] for one in status["timestamp_authorities"]}
    yield _labelled(
        "tsa_consecutive_failures", "Tries in a row without a usable time-stamp; 0 is good", "tsa", authorities
    )
    yield _gauge("test_trust", "1 when seals or time-stamps prove nothing to anybody else", int(status["test_trust"]))
    yield _gauge("warnings", "Warnings in the status, of which test trust is one", len(status["warnings"]))
    yield from _job_families(jobs or {})


def _job_families(jobs: Mapping[str, Any]) -> Iterator[Metric]:
    runs = CounterMetricFamily(f"{PREFIX}job_runs", "Rounds of a job of the scheduler", labels=["job"])
    failures = CounterMetricFamily(f"{PREFIX}job_failures", "Rounds that failed", labels=["job"])
    failing = GaugeMetricFamily(
        f"{PREFIX}job_consecutive_failures", "Rounds in a row that failed; 0 is good", labels=["job"]
    )
    for name, health in jobs.items():
        runs.add_metric([name], health["runs"])
        failures.add_metric([name], health["failures"])
        failing.add_metric([name], health["consecutive_failures"])
    yield from (runs, failures, failing)


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}{name}", help_, value=value)


def _labelled(name: str, help_: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}{name}", help_, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
