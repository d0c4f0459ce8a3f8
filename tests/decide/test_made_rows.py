"""Rows of a rule's test: repeats, steps, texts, what comes by itself, and what does not fit."""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa
import pytest

from aegis_enrich.decide.cases import Case, CaseRow, Expectation, Repeat
from aegis_enrich.decide.made_rows import START_US, make_rows
from aegis_enrich.enrich import Enrichment
from aegis_enrich.errors import Problems
from aegis_enrich.plugin import DAY_US, HOUR_US, Column, Enricher

BARE = Enrichment([])


class Inside(Enricher):
    name = "inside"
    reads: ClassVar = {"conn": ("orig_h",)}
    adds: ClassVar = {"conn": (Column("inside", "bool", ""), Column("community_id", "string", ""))}

    def enrich(self, table: str, batch: pa.Table) -> dict[str, pa.Array]:
        return {"inside": pa.array([True] * len(batch)), "community_id": pa.array(["1:x"] * len(batch))}


def case(*rows: tuple[str, dict[str, Any], tuple[Repeat, ...]]) -> Case:
    made = tuple(CaseRow(table, columns, repeats, f"a.yml:{n}") for n, (table, columns, repeats) in enumerate(rows, 1))
    return Case("a", made, Expectation(0, "a.yml:9"), "a.yml:1")


def made(table: str, columns: dict[str, Any], *repeats: Repeat, enrichment: Enrichment = BARE) -> list[dict[str, Any]]:
    (rows,) = make_rows(case((table, columns, repeats)), enrichment)
    return list(rows.rows.to_pylist())


def seconds(rows: list[dict[str, Any]], column: str = "ts") -> list[float]:
    return [round(r[column].timestamp() - START_US / 1e6, 6) for r in rows]


def test_what_comes_by_itself():
    assert START_US % DAY_US == START_US % HOUR_US == 0
    (row,) = made("conn", {"orig_h": "2001:DB8:0::1", "duration": 1.5})
    assert (seconds([row]), seconds([row], "end_ts")) == ([0], [1.5])
    assert (row["uid"], row["sensor"], row["source"]) == ("C000000", "sensor", "zeek")
    assert row["orig_h"] == "2001:db8::1"
    (row,) = made("suricata_alert", {"ts": -1})
    assert (row["source"], seconds([row])) == ("suricata", [-1])
    (row,) = made("ssl", {"not_valid_before": 86400, "not_valid_after": None})
    assert seconds([row], "not_valid_before") == [86400]
    assert row["not_valid_after"] is None
    (row,) = made("dns", {"query": "é.test", "answers": ["a", "bcd"]})
    assert (row["query_len"], row["answer_count"], row["answer_bytes"]) == (7, 2, 4)
    (row,) = made("dns", {"query": "a.test", "query_len": 99, "addl": ["b", "a"]})
    assert (row["query_len"], row["answer_bytes"], row["addl"]) == (99, None, ["a", "b"])


def test_repeats_step_numbers_and_addresses():
    rows = made(
        "conn",
        {"orig_h": "10.0.0.254", "resp_h": "fd00::ffff", "resp_p": 20, "duration": 1, "proto": "tcp"},
        Repeat(3, ({"ts": 0.1, "orig_h": 1, "resp_h": 1, "resp_p": 7, "duration": 0.5},)),
    )
    assert seconds(rows) == [0, 0.1, 0.2]
    assert seconds(rows, "end_ts") == [1, 1.6, 2.2]
    assert [r["orig_h"] for r in rows] == ["10.0.0.254", "10.0.0.255", "10.0.1.0"]
    assert [r["resp_h"] for r in rows] == ["fd00::ffff", "fd00::1:0", "fd00::1:1"]
    assert [r["resp_p"] for r in rows] == [20, 27, 34]
    assert [r["uid"] for r in rows] == ["C000000", "C000001", "C000002"]


def test_a_list_of_steps_goes_round():
    rows = made("conn", {"ts": 5}, Repeat(6, ({"ts": 1}, {"ts": 10})))
    assert seconds(rows) == [5, 6, 16, 17, 27, 28]


def test_repeats_nest_the_last_the_fastest():
    rows = made("conn", {"resp_p": 1}, Repeat(2, ({"ts": 3600},)), Repeat(3, ({"ts": 1, "resp_p": 1},)))
    assert seconds(rows) == [0, 1, 2, 3600, 3601, 3602]
    assert [r["resp_p"] for r in rows] == [1, 2, 3, 1, 2, 3]


def test_many_small_steps_do_not_drift():
    rows = made("conn", {}, Repeat(10_000, ({"ts": 0.1},)))
    assert seconds(rows)[-1] == 999.9


def test_texts_of_repeated_rows_are_filled_and_of_others_stay():
    rows = made("dns", {"query": "{n:03}.{hash:.6}.test", "answers": ["TXT {n}"]}, Repeat(3))
    assert [r["answers"] for r in rows] == [["TXT 0"], ["TXT 1"], ["TXT 2"]]
    assert [r["query"][:3] for r in rows] == ["000", "001", "002"]
    assert len({r["query"][4:10] for r in rows}) == 3
    assert all(set(r["query"][4:10]) <= set("0123456789abcdef") for r in rows)
    assert rows == made("dns", {"query": "{n:03}.{hash:.6}.test", "answers": ["TXT {n}"]}, Repeat(3))
    (row,) = made("http", {"uri": "/{n}"})
    assert row["uri"] == "/{n}"


def test_the_nth_rows_of_all_tables_are_one_connection():
    conn = ("conn", {"orig_h": "10.0.0.1"}, (Repeat(2),))
    http = ("http", {"host": "a"}, (Repeat(3),))
    made_of = {r.table: r.rows["uid"].to_pylist() for r in make_rows(case(conn, conn, http), BARE)}
    assert made_of["conn"] == [f"C{n:06}" for n in range(4)]
    assert made_of["http"] == made_of["conn"][:3]


def test_sensors_and_sources_are_segments_of_their_own():
    rows = [("conn", {"sensor": s, "source": o}, ()) for s, o in (("a", "zeek"), ("b", "zeek"), ("a", "suricata"))]
    assert [(r.sensor, r.rows["source"].to_pylist()) for r in make_rows(case(*rows), BARE)] == [
        ("a", ["suricata"]),
        ("a", ["zeek"]),
        ("b", ["zeek"]),
    ]


def test_enrichers_run_and_what_is_written_stays():
    enrichment = Enrichment([Inside({})])
    rows = [("conn", c, ()) for c in ({}, {"inside": False}, {"inside": None}, {"community_id": "1:y"})]
    (found,) = make_rows(case(*rows), enrichment)
    assert found.rows["inside"].to_pylist() == [True, False, None, True]
    assert found.rows["community_id"].to_pylist() == ["1:x", "1:x", "1:x", "1:y"]
    assert found.rows.schema == enrichment.schema("conn")


@pytest.mark.parametrize(
    ("columns", "repeats", "said"),
    [
        ({"resp_p": "ssh"}, (), "resp_p: 'ssh' is no int64"),
        ({"query": 5}, (), "query: there is no such column in conn"),
        ({"proto": 5}, (), "proto: 5 is no string"),
        ({"local_orig": "x"}, (), "local_orig: 'x' is no bool"),
        ({"tunnel_parents": "x"}, (), "tunnel_parents: 'x' is no list<"),
        ({"orig_bytes": 2**70}, (), f"orig_bytes: {2**70} is no int64"),
        ({"ts": "now"}, (), "ts: 'now' is no time; write seconds"),
        ({"ts": None}, (), "a row needs its ts"),
        ({"duration": "long"}, (), "duration: 'long' is not a number of seconds"),
        ({}, (Repeat(2, ({"resp_p": 1},)),), "step: resp_p is None; a step is added to a number or an address"),
        ({"proto": "tcp"}, (Repeat(2, ({"proto": 1},)),), "step: proto is 'tcp'; a step is added"),
        ({"proto": "{m}"}, (Repeat(2),), "'{m}': 'm'; in a repeated row write {n} or {hash}"),
        ({"proto": "{n"}, (Repeat(2),), "'{n': "),
        ({"resp_p": 65_535}, (Repeat(2, ({"resp_p": 0.5},)),), "resp_p: 65535.5 is no int64"),
    ],
)
def test_what_does_not_fit_is_told_with_its_line(columns, repeats, said):
    with pytest.raises(Problems) as caught:
        make_rows(case(("conn", {}, ()), ("conn", columns, repeats)), BARE)
    (problem,) = caught.value.problems
    assert problem.where == "a.yml:2"
    assert problem.what.startswith(said)


def test_a_row_that_says_its_end_ends_there():
    (made,) = make_rows(case(("aegis_scan", {"ts": 1, "ts_end": 40}, ())), BARE)
    assert made.rows["end_ts"].cast(pa.int64()).to_pylist() == [START_US + 40_000_000]
