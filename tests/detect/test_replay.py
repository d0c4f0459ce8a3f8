"""A replay over rows at hand gives what the scheduler gives at the end of the input."""

from __future__ import annotations

from pathlib import Path

from aegis_enrich import registry
from aegis_enrich.detect.evaluate import Limits
from aegis_enrich.detect.replay import Held, Replay
from aegis_enrich.detect.scheduler import Scheduler, Watch
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.store import Rows, Store

PLUGINS = registry.load()


def test_it_equals_the_scheduler(lab, schema, tmp_path: Path) -> None:
    rows = lab("multistage", "tsv")
    found = []
    with Store(tmp_path) as store:
        store.flush([Rows(name, "sensor", held) for name, held in rows.items()], [])
        scheduler = Scheduler(
            store,
            [Watch(d, d.tuning()) for d in PLUGINS.detectors.values()],
            PLUGINS.tables,
            schema,
            lambda tx, detector, sensor, window, findings: found.extend(findings),
            lambda tx, unit: None,
            Limits(),
        )
        for job in (job for group in scheduler.finish(["sensor"]) for job in group):
            job.run_here()
    held = {name: Held(table) for name, table in rows.items()}
    replayed = [f for d in PLUGINS.detectors.values() for f in Replay(schema, PLUGINS.tables).findings(d, held)]
    assert replayed == found and len(found) >= 3


def test_columns_that_rows_lack_are_null(lab, schema) -> None:
    detector = PLUGINS.detectors["port_scan"]
    conn = lab("scan_udp", "tsv")["conn"]
    replay = Replay(schema, PLUGINS.tables)
    (whole,) = replay.findings(detector, {"conn": Held(conn)})
    (bare,) = replay.findings(detector, {"conn": Held(conn.drop_columns(["orig_internal", "resp_internal"]))})
    assert whole.evidence["source_internal"] is True
    assert bare.evidence["source_internal"] is None
    assert bare.evidence["ports"] == whole.evidence["ports"]


def test_hours_of_rows(lab) -> None:
    hours = Held(lab("scan_udp", "tsv")["conn"]).hours()
    assert hours and all(h % HOUR_US == 0 for h in hours)
