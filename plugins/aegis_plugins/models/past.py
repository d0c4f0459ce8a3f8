"""The rows that a detector's query gives for each window of the past: of a state, or of logs that are read for it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from aegis_enrich.config import Config
from aegis_enrich.decide import RuleSet
from aegis_enrich.detect.evaluate import Derivation, Evaluation, stamped
from aegis_enrich.detect.replay import Held
from aegis_enrich.detect.windows import Window
from aegis_enrich.enrich import Enrichment
from aegis_enrich.errors import ConfigError
from aegis_enrich.follow import Follower
from aegis_enrich.pipeline.engine import Engine, Parts
from aegis_enrich.plugin import DAY_US, HOUR_US, DerivedTable, Detector
from aegis_enrich.registry import Registry
from aegis_enrich.store import Store


@contextlib.contextmanager
def opened(config: Config, registry: Registry, paths: Sequence[Path]) -> Iterator[tuple[Store, Enrichment]]:
    """The state's lake, or one of these logs that is gone afterwards; raises ConfigError where there are no rows."""
    settings = config.enricher_settings()
    enrichment = Enrichment([kind(settings.get(name, {})) for name, kind in registry.enrichers.items()])
    with contextlib.ExitStack() as stack:
        if not paths:
            if not (config.state_dir / "state.db").exists():
                what = "holds no state; name that of a `watch` with --state, or logs with --from"
                raise ConfigError(what, where=str(config.state_dir))
            yield stack.enter_context(Store(config.state_dir, read_only=True)), enrichment
            return
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aegis-train-")))
        store = stack.enter_context(Store(folder))
        sources = {"sensor" if len(paths) == 1 else f"sensor{n}": [path] for n, path in enumerate(paths, 1)}
        follower = stack.enter_context(Follower(sources, poll=True))
        Engine(Parts(config, registry, enrichment, RuleSet.of([])), store, follower, {}, live=False).run_to_end()
        if not store.progress():
            where = ", ".join(map(str, paths))
            raise ConfigError("no log that AegisEnrich reads; name a folder of Zeek logs or an eve.json", where=where)
        yield store, enrichment


def sensors(store: Store) -> list[str]:
    """Those that have rows of conn."""
    return sorted(str(sensor) for (sensor,) in store.query("SELECT DISTINCT sensor FROM segments WHERE tbl = 'conn'"))


def features(
    store: Store,
    enrichment: Enrichment,
    tables: Mapping[str, type[DerivedTable]],
    detector: type[Detector],
    tuning: Any,
    *,
    days: float | None = None,
) -> pd.DataFrame:
    """What the detector's query gives for each hour, with `sensor` and `hour_us`, in the order of these and `orig_h`.

    For detectors whose window is the hour of their derived tables. `days`: back from each sensor's newest row.
    """
    needed = {name: tables[name] for name in detector.derived}
    logs = tuple(dict.fromkeys(log for table in needed.values() for log in table.reads))
    frames = []
    for sensor in sensors(store):
        hours = store.hours(logs, sensor)
        since = hours[-1] + HOUR_US - days * DAY_US if days is not None and hours else None
        for hour in (h for h in hours if since is None or h >= since):
            views = tuple(_hour(store, enrichment, needed, sensor, hour))
            frame = _features(detector, sensor, hour, views, tuning)
            frames.append(frame.assign(sensor=sensor, hour_us=hour))
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return pd.DataFrame()
    return pd.concat(frames, ignore_index=True).sort_values(["sensor", "hour_us", "orig_h"], ignore_index=True)


def _hour(
    store: Store, enrichment: Enrichment, tables: Mapping[str, type[DerivedTable]], sensor: str, hour: int
) -> Iterator[Any]:
    end = hour + HOUR_US
    for name, table in tables.items():
        views = tuple(store.view(log, sensor, hour, end, enrichment.schema(log)) for log in table.reads)
        rows = stamped(Derivation(table, sensor, hour, views).run(), sensor, hour)
        yield Held(rows).view(name, rows.schema, hour, end, derived=True)


def _features(detector: type[Detector], sensor: str, hour: int, views: tuple[Any, ...], tuning: Any) -> pd.DataFrame:
    """The frames that its score would get."""
    seen: list[pd.DataFrame] = []

    def score(self: Detector, frame: pd.DataFrame, tuning: Any) -> pd.DataFrame:
        seen.append(frame)
        return pd.DataFrame()

    listening = type(detector.__name__, (detector,), {"score": score, "__module__": detector.__module__})
    Evaluation(listening, sensor, Window(hour, hour + HOUR_US), views, tuning).run()
    seen = [frame for frame in seen if len(frame)]
    return pd.concat(seen, ignore_index=True) if seen else pd.DataFrame()
