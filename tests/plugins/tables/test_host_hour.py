"""Rows of conn in, a row per host inside as client and server out, and one for all."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from aegis_enrich.detect.evaluate import Derivation
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.store.views import View
from aegis_enrich.tables import TABLES
from aegis_plugins.tables.host_hour import HostHour

ADDED = [pa.field("orig_internal", pa.bool_()), pa.field("resp_internal", pa.bool_())]
SCHEMA = pa.schema([*TABLES["conn"].schema, *ADDED])
HOUR = 475_000 * HOUR_US


def conn(at_s: float, **columns: Any) -> dict[str, Any]:
    ts = HOUR + round(at_s * 1_000_000)
    given = {"uid": f"C{at_s}", "orig_h": "10.0.0.1", "resp_h": "10.0.0.2", "resp_p": 443, "proto": "tcp"}
    given |= {"orig_ip_bytes": 1_000, "resp_ip_bytes": 5_000, "orig_pkts": 7, "resp_pkts": 9}
    given |= {"orig_internal": True, "resp_internal": True}
    return given | columns | {"ts": ts, "end_ts": ts + 1_000_000}


def hour(rows: list[dict[str, Any]]) -> dict[str | None, dict[str, Any]]:
    table = pa.table({f.name: pa.array([r.get(f.name) for r in rows], f.type) for f in SCHEMA}, schema=SCHEMA)
    view = View("conn", SCHEMA, HOUR, HOUR + HOUR_US, temporary=table)
    return {r["host"]: r for r in Derivation(HostHour, "s", HOUR, (view,)).run().to_pylist()}


def test_both_sides_and_all() -> None:
    found = hour([conn(5, uid="Cb"), conn(2, uid="Ca")])
    times = {"first_us": HOUR + 2_000_000, "last_us": HOUR + 6_000_000, "uid": "Ca", "packets": 32}
    assert found["10.0.0.1"] == {
        "host": "10.0.0.1",
        "begun": 2,
        "served": 0,
        "sent_bytes": 2_000,
        "received_bytes": 10_000,
        **times,
    }
    assert found["10.0.0.2"] == {
        "host": "10.0.0.2",
        "begun": 0,
        "served": 2,
        "sent_bytes": 10_000,
        "received_bytes": 2_000,
        **times,
    }
    assert found[None] == {
        "host": None,
        "begun": 2,
        "served": 0,
        "sent_bytes": 2_000,
        "received_bytes": 10_000,
        **times,
    }


def test_hosts_outside_have_no_row() -> None:
    assert set(hour([conn(1, resp_internal=False)])) == {"10.0.0.1", None}
    assert set(hour([conn(1, orig_internal=False)])) == {"10.0.0.2", None}
    assert set(hour([conn(1, orig_internal=None, resp_internal=None)])) == {None}


def test_who_does_not_answer_is_no_server_and_the_try_no_connection() -> None:
    found = hour([conn(1, resp_pkts=0, resp_ip_bytes=0)])
    assert set(found) == {"10.0.0.1", None}
    assert (found["10.0.0.1"]["begun"], found["10.0.0.1"]["sent_bytes"]) == (0, 1_000)


def test_what_is_not_told_counts_as_nothing_and_what_cannot_be_is_cut() -> None:
    found = hour([conn(1, orig_ip_bytes=None, resp_ip_bytes=2**62, resp_pkts=None, orig_pkts=-1)])
    row = found["10.0.0.1"]
    assert (row["sent_bytes"], row["received_bytes"], row["packets"], row["begun"]) == (0, 2**44, 0, 1)


def test_an_hour_without_rows_is_nothing() -> None:
    assert hour([]) == {}
