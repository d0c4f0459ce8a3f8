"""The metrics of a run in Prometheus's formats, made at each scrape from what the run and its state tell then."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

from .. import __version__
from ..plugin import MICROS
from .health import Health
from .metrics import METRICS
from .state import COUNTERS, Lanes, Reading, StateReadings
from .vitals import SECONDS, Spread, Vitals

_GROWING = ("read_rows_total", "read_bytes_total", "bad_lines_total", "late_rows_total")
_BOUNDS = (*(format(bound, "g") for bound in SECONDS), "+Inf")


class Exporter:
    """Collects a run's metrics in a registry of its own; `page` gives what a scraper asked for."""

    def __init__(self, vitals: Vitals, state: StateReadings, health: Health) -> None:
        self._vitals, self._state, self._health = vitals, state, health
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def page(self, accept: str) -> tuple[bytes, str]:
        """The text and its content type, in the format that an Accept header names."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def describe(self) -> Iterable[Family]:
        """Nothing is collected to register."""
        return ()

    def collect(self) -> Iterator[Family]:
        found: dict[str, list[tuple[tuple[str, ...], float]]] = {}
        for name, labels, value in self._readings():
            found.setdefault(f"aegis_{name}", []).append((labels, value))
        spreads = {
            "aegis_flush_duration_seconds": self._vitals.flushes.copy(),
            "aegis_evaluation_duration_seconds": self._vitals.evaluations.copy(),
        }
        for name, metric in METRICS.items():
            if metric.kind == "histogram":
                yield _histogram(name, metric.doc, metric.labels, spreads[name])
                continue
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = kind(name, metric.doc, labels=metric.labels)
            for labels, value in found.get(name, ()):
                family.add_metric(labels, value)
            yield family

    def _readings(self) -> Iterator[Reading]:
        yield "build_info", (__version__, platform.python_version()), 1
        yield "ready", (), float(self._health.ready().ok)
        yield "loop_last_round_timestamp_seconds", (), time.time() - self._vitals.silent_s()
        yield from of_run(self._vitals)
        kept = self._state.take()
        yield from kept
        yield from _zeros(kept, self._vitals.sources if self._state.ok else ())
        yield "scrape_state_ok", (), float(self._state.ok)
        yield from of_lanes(self._state.lanes())


def _zeros(kept: Sequence[Reading], sensors: Sequence[str]) -> Iterator[Reading]:
    """Counters of the state that never counted: one that begins above 0 would show no increase to Prometheus."""
    there = {(name, labels) for name, labels, _ in kept}
    for name in (f"{counter}_total" for counter in COUNTERS):
        yield from ((name, (sensor,), 0) for sensor in sensors if (name, (sensor,)) not in there)


def of_run(vitals: Vitals) -> Iterator[Reading]:
    """What the run's own threads noted."""
    for name, tally in zip(_GROWING, (vitals.rows, vitals.bytes, vitals.bad, vitals.late), strict=True):
        yield from ((name, labels, value) for labels, value in tally.copy().items())
    failed = dict.fromkeys(vitals.evaluations.copy(), 0.0)
    for (detector, kind, _), value in vitals.failed.copy().items():
        failed[detector, kind] = failed.get((detector, kind), 0) + value
    yield from (("failed_evaluations_total", labels, value) for labels, value in failed.items())
    for labels, newest_us in vitals.newest_us.copy().items():
        yield "log_newest_row_timestamp_seconds", labels, newest_us / MICROS
    yield from (("log_last_read_timestamp_seconds", labels, at_s) for labels, at_s in vitals.read_s.copy().items())
    yield "reading_paused", (), float(vitals.paused)
    yield "disk_min_free_bytes", (), vitals.min_free_bytes
    yield from _sampled(vitals)
    if vitals.rules:
        yield "rules", ("detector",), vitals.rules.detectors
        yield "rules", ("row",), vitals.rules.rows
        yield "rules_refused", (), float(bool(vitals.rules.refused))
        yield "rules_loaded_timestamp_seconds", (), vitals.rules.since_s


def _sampled(vitals: Vitals) -> Iterator[Reading]:
    sample = vitals.sample
    followed = Counter(sensor for sensor, _ in sample.lag)
    yield from (("followed_logs", (sensor,), followed[sensor]) for sensor in {*vitals.sources, *followed})
    for labels, lag in sample.lag.items():
        yield "log_lag_bytes", labels, lag.bytes
        yield "log_lag_seconds", labels, lag.seconds
    for sensor, watermark_us in sample.watermark_us.items():
        yield "watermark_timestamp_seconds", (sensor,), watermark_us / MICROS
    yield "waiting_rows", (), sample.waiting_rows
    yield "unreadable_files", (), sample.unreadable
    yield "disk_free_bytes", (), sample.free_bytes
    yield from (("enricher_failures_total", (name,), number) for name, number in sample.failures.items())
    for name in sorted({*sample.failures, *sample.disabled}):
        yield "enricher_disabled", (name,), float(name in sample.disabled)


def of_lanes(lanes: Lanes) -> Iterator[Reading]:
    """What delivery counted since the start."""
    for sink, its in lanes.items():
        for lane in its:
            labels = (sink, getattr(lane, "table", "") or "documents")
            yield "delivery_failures", labels, lane.failures
            for outcome, number in dict(getattr(lane, "outcomes", {})).items():
                yield "deliveries_total", (*labels, outcome), number


def _histogram(name: str, doc: str, labels: tuple[str, ...], found: dict[tuple[str, ...], Spread]) -> Family:
    family = HistogramMetricFamily(name, doc, labels=labels)
    for values, spread in found.items():
        buckets = list(zip(_BOUNDS, map(float, accumulate(spread.counts)), strict=True))
        family.add_metric(values, buckets, spread.sum_s)
    return family
