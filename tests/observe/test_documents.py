"""Health documents: the numbers of a minute, and how many of them the outbox keeps."""

from __future__ import annotations

import json

import pytest

from aegis_enrich.observe.documents import KIND, Minutes, put
from aegis_enrich.observe.vitals import Lag, Sample, Vitals
from aegis_enrich.store import Store

AT_S = 1_795_307_520.0  # a whole minute: 2026-11-22 00:32:00


@pytest.fixture
def vitals() -> Vitals:
    found = Vitals(sources=("dmz", "quiet"))
    found.sample = Sample(lag={("dmz", "conn"): Lag(100, 2.0), ("dmz", "dns"): Lag(50, 7.0)})
    return found


def test_a_minute_s_numbers_are_what_was_added_in_it_and_lag_is_that_at_its_end(vitals):
    minutes = Minutes()
    assert not minutes.due(AT_S + 1)
    vitals.read("dmz", "conn", size=10, rows=5, bad=1)
    vitals.read("dmz", "dns", size=10, rows=2, bad=0)
    vitals.late.add("dmz", "conn", by=3)
    vitals.lost.add("dmz", by=9)
    vitals.evaluated("port_scan", "window", "dmz", 1.0, failed=True)
    assert not minutes.due(AT_S + 59.9)
    assert minutes.due(AT_S + 60.1)
    (ident, body), (other, quiet) = minutes.take(vitals, AT_S + 60.1, outbox=4, refused=2)
    assert (ident, other) == ("dmz-2026-11-22T00:32:00Z", "quiet-2026-11-22T00:32:00Z")
    assert body == {
        "@timestamp": "2026-11-22T00:32:00Z",
        "ecs": {"version": "8.17.0"},
        "event": {"kind": "metric", "category": ["network"], "dataset": "aegis.health", "module": "aegis"},
        "observer": {"name": "dmz"},
        "aegis": {
            "health": {
                "rows": 7,
                "bad_lines": 1,
                "late_rows": 3,
                "lag_bytes": 150,
                "lag_s": 7.0,
                "outbox": 4,
                "failed_windows": 1,
                "lost_bytes": 9,
                "refused": 2,
            }
        },
    }
    assert quiet["aegis"]["health"]["rows"] == 0  # a sensor that fell silent is told of
    vitals.read("dmz", "conn", size=10, rows=1, bad=0)
    (_, after), _ = minutes.take(vitals, AT_S + 120, outbox=0, refused=2)
    assert {k: after["aegis"]["health"][k] for k in ("rows", "bad_lines", "lost_bytes", "refused")} == {
        "rows": 1,
        "bad_lines": 0,
        "lost_bytes": 0,
        "refused": 0,
    }


def test_a_clock_that_is_set_back_ends_the_minute(vitals):
    minutes = Minutes()
    minutes.due(AT_S)
    assert minutes.due(AT_S - 3600)
    minutes.take(vitals, AT_S - 3600, outbox=0, refused=0)
    assert not minutes.due(AT_S - 3599)


def test_they_go_into_the_outbox_beside_all_else(tmp_path, vitals):
    with Store(tmp_path / "state") as store:
        minutes = Minutes()
        minutes.due(AT_S)
        for n in (1, 2):
            with store.transaction() as tx:
                put(tx, minutes.take(vitals, AT_S + 60 * n, outbox=0, refused=0))
        rows = store.query("SELECT kind, id, revision, body FROM outbox ORDER BY seq")
    assert [(k, i, r) for k, i, r, _ in rows] == [
        (KIND, f"{s}-2026-11-22T00:{m}:00Z", 1) for m in (32, 33) for s in ("dmz", "quiet")
    ]
    assert json.loads(rows[-1][3])["observer"]["name"] == "quiet"
