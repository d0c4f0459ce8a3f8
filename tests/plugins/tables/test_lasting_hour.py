"""Rows of conn in, how long pairs' connections lasted and pieces of cut ones out."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from aegis_enrich.detect.evaluate import Derivation
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.store.views import View
from aegis_enrich.tables import TABLES
from aegis_plugins.tables.lasting_hour import LastingHour

ADDED = [
    pa.field("direction", pa.string()),
    pa.field("orig_internal", pa.bool_()),
    pa.field("resp_internal", pa.bool_()),
]
SCHEMA = pa.schema([*TABLES["conn"].schema, *ADDED])
HOUR = 475_000 * HOUR_US


def conn(at_s: float, lasts_s: float = 90, **columns: Any) -> dict[str, Any]:
    ts = HOUR + round(at_s * 1_000_000)
    given = {"uid": f"C{at_s}", "orig_h": "10.0.0.1", "orig_p": 40_000, "resp_h": "198.51.100.7", "resp_p": 443}
    given |= {"proto": "tcp", "history": "ShADadFf", "conn_state": "SF", "orig_pkts": 5, "resp_pkts": 4}
    given |= {"orig_bytes": 10, "resp_bytes": 20, "direction": "outbound", "orig_internal": True}
    return given | columns | {"ts": ts, "end_ts": ts + round(lasts_s * 1_000_000)}


def hour(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    table = pa.table({f.name: pa.array([r.get(f.name) for r in rows], f.type) for f in SCHEMA}, schema=SCHEMA)
    view = View("conn", SCHEMA, HOUR, HOUR + HOUR_US, temporary=table)
    return sorted(Derivation(LastingHour, "s", HOUR, (view,)).run().to_pylist(), key=lambda r: r["orig_p"] or 0)


def test_the_longest_of_a_pair() -> None:
    (row,) = hour([conn(5, 60, orig_p=1), conn(9, 300, orig_p=2), conn(10, 59.9, orig_p=3)])
    assert (row["orig_p"], row["connections"], row["longest_us"]) == (None, 2, 300_000_000)
    assert (row["first_us"], row["last_us"]) == (HOUR + 5_000_000, HOUR + 309_000_000)


def test_short_ones_are_not_kept() -> None:
    assert hour([conn(1, 59.999999)]) == []


def test_pieces_of_two_sockets_are_one_row_an_hour() -> None:
    begun = conn(1, 1, uid="Cz", history="ShADa", conn_state="S1")
    (row,) = hour([begun, *(conn(400 * n, 1, history="Da", conn_state="OTH") for n in (1, 2, 3))])
    assert (row["orig_p"], row["connections"], row["uid"]) == (40_000, 4, "Cz")
    assert (row["begun_us"], row["first_us"], row["last_us"]) == (
        HOUR + 1_000_000,
        HOUR + 1_000_000,
        HOUR + 1_201_000_000,
    )
    assert (row["orig_bytes"], row["resp_bytes"], row["orig_pkts"], row["resp_pkts"]) == (40, 80, 20, 16)
    (rest,) = hour([conn(400, 1, history="Da", conn_state="OTH")])
    assert rest["begun_us"] is None


@pytest.mark.parametrize(
    "columns",
    [
        {"history": None, "conn_state": "S1"},  # Suricata
        {"history": "Da", "resp_pkts": 0},
        {"history": "ShADadFf"},
        {"history": "Dd", "proto": "udp"},
        {"history": "Dd", "proto": "icmp"},
        {"history": "Da", "resp_h": "224.0.0.1"},
        {"history": "Da", "resp_h": "ff02::1"},
        {"history": "Da", "orig_h": None},
    ],
)
def test_what_is_no_piece(columns) -> None:
    assert hour([conn(1, 1, **columns)]) == []
