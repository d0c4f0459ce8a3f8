"""Views: one table's rows of one sensor, in the span and not beyond it."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from aegis_enrich.decode import decode
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.store import Rows
from aegis_enrich.store.views import View, create_view
from aegis_enrich.tables import TABLES

LAB = Path(__file__).parents[1] / "data" / "lab"
ALL = {"start_us": -(2**62), "end_us": 2**62}
HOUR = pa.schema([("orig_h", pa.string()), ("bytes", pa.int64()), ("hour_us", pa.int64())])


def rows_of(view, sql="SELECT * FROM {}", **options):
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        create_view(connection, view, **options)
        return connection.sql(sql.format(f'"{view.name}"')).to_arrow_table().to_pylist()


def uids_of(view, **options):
    return sorted(r["uid"] for r in rows_of(view, **options))


def test_a_view_ends_at_the_end_of_the_window(store, flush):
    flush(-2, -1, 0, 1, 2.999999, 3, 4, 3600)
    flush(5, 2)
    schema = TABLES["conn"].schema
    assert uids_of(store.view("conn", "sensor", 0, 3_000_000, schema)) == ["C0", "C1", "C2", "C2.999999"]
    assert uids_of(store.view("conn", "sensor", -2_000_000, 0, schema)) == ["C-1", "C-2"]
    assert uids_of(store.view("conn", "sensor", HOUR_US, 2 * HOUR_US, schema)) == ["C3600"]
    assert uids_of(store.view("conn", "other", 0, HOUR_US, schema)) == []
    assert uids_of(store.view("dns", "sensor", 0, HOUR_US, TABLES["dns"].schema)) == []


def test_it_gives_times_in_microseconds_beside_those_of_the_log(store, flush):
    flush(1.5)
    (row,) = rows_of(store.view("conn", "sensor", 0, HOUR_US, TABLES["conn"].schema))
    assert (row["ts_us"], row["end_us"]) == (1_500_000, 1_500_000)
    assert row["ts"].isoformat() == "1970-01-01T00:00:01.500000+00:00"


def test_what_a_segment_has_not_is_null_and_what_nobody_asks_for_is_left_out(store, flush, made):
    flush(1)
    store.flush([Rows("conn", "sensor", made(2).append_column("asked", [["x"]]).append_column("other", [[1]]))], [])
    schema = TABLES["conn"].schema.append(pa.field("asked", pa.string())).append(pa.field("never", pa.int64()))
    rows = rows_of(store.view("conn", "sensor", 0, HOUR_US, schema))
    assert sorted((r["uid"], r["asked"], r["never"]) for r in rows if "other" not in r) == [
        ("C1", None, None),
        ("C2", "x", None),
    ]


def test_the_shards_of_a_view_are_its_rows_each_once(store, flush):
    flush(*range(100), orig_h=[f"10.0.0.{n % 7}" for n in range(100)])
    view = store.view("conn", "sensor", 0, HOUR_US, TABLES["conn"].schema)
    shards = [rows_of(view, shard=("orig_h", 4, n)) for n in range(4)]
    assert sorted(r["uid"] for s in shards for r in s) == uids_of(view)
    hosts = [{r["orig_h"] for r in s} for s in shards]
    assert sum(len(h) for h in hosts) == len(set().union(*hosts)) == 7
    assert [len(rows_of(view, shard=("client", 4, n))) for n in range(4)] == [100] * 4  # no such column: whole in each


def test_a_derived_view_takes_sealed_hours_and_temporary_ones(store):
    def hour(number):
        values = [["h"], [number], [number * HOUR_US]]
        return pa.table([pa.array(v, f.type) for v, f in zip(values, HOUR, strict=True)], schema=HOUR)

    for number in (1, 2, 3):
        store.commit_derived("pair_hour", "sensor", number * HOUR_US, hour(number), "hour:pair_hour")
    assert store.sealed("sensor", "hour:pair_hour") == 4 * HOUR_US
    view = store.derived_view("pair_hour", "sensor", 2 * HOUR_US, 9 * HOUR_US, HOUR, [hour(4), hour(9)])
    assert sorted(r["bytes"] for r in rows_of(view)) == [2, 3, 4]
    assert [r["bytes"] for r in rows_of(store.derived_view("pair_hour", "sensor", 0, 2 * HOUR_US, HOUR))] == [1]


def test_a_path_may_hold_quotes(tmp_path, made):
    import pyarrow.parquet as pq

    path = tmp_path / "it's"
    pq.write_table(made(1), path)
    assert uids_of(View("conn", TABLES["conn"].schema, **ALL, paths=(str(path),))) == ["C1"]


# EVE's dns v2


def lab(name, log, path):
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return decode(log, data, offset=0, context="", sensor=name).tables["dns"]


@pytest.mark.parametrize("scenario", ["benign", "dns_tunnel", "beacon_http_60s"])
def test_pairs_of_eve_are_the_rows_of_zeek(store, scenario):
    zeek = next((LAB / scenario / "tsv").glob("dns.log*"))
    store.flush([Rows("dns", "zeek", lab("zeek", "dns", zeek))], [])
    store.flush([Rows("dns", "suricata", lab("suricata", "eve", LAB / scenario / "eve.json.gz"))], [])
    told = []
    for sensor in ("zeek", "suricata"):
        rows = rows_of(store.view("dns", sensor, **ALL, schema=TABLES["dns"].schema))
        told.append(
            sorted(
                (r["ts_us"] // 1000, r["orig_h"], r["query"], r["qtype_name"], r["rcode_name"] or "", r["answer_count"])
                for r in rows
            )
        )
        assert all(0 <= r["rtt"] < 10 for r in rows if r["rcode_name"])
    assert len(told[0]) == len(told[1])
    same = sum(a == b for a, b in zip(*told, strict=True))
    assert same >= 0.98 * len(told[0]), [(a, b) for a, b in zip(*told, strict=True) if a != b][:5]


def dns(made, *rows):
    """(time, event, trans_id, answers) as EVE has them."""
    times, events, ids, answers = zip(*rows, strict=True)
    return made(
        *times,
        table="dns",
        source="suricata",
        uid=["F"] * len(rows),
        trans_id=list(ids),
        query=["a.example"] * len(rows),
        qtype_name=["A"] * len(rows),
        event=list(events),
        answers=list(answers),
        rcode_name=[None if e == "query" else "NOERROR" for e in events],
    )


def paired(store):
    rows = rows_of(store.view("dns", "sensor", **ALL, schema=TABLES["dns"].schema))
    return sorted((r["ts_us"] / 1e6, r["event"], r["answers"], r["rtt"]) for r in rows)


def test_the_nth_query_has_the_nth_answer(store, made):
    store.flush(
        [
            Rows("dns", "sensor", dns(made, (1, "query", 7, None), (2, "answer", 7, ["x"]), (3, "query", 7, None))),
            Rows("dns", "sensor", dns(made, (5, "answer", 7, ["y"]), (6, "query", 8, None))),
        ],
        [],
    )
    assert paired(store) == [(1, "query", ["x"], 1), (3, "query", ["y"], 2), (6, "query", None, None)]


def test_an_answer_without_its_query_stands_by_itself(store, made):
    store.flush([Rows("dns", "sensor", dns(made, (2, "answer", 7, ["x"]), (3, "answer", 9, None)))], [])
    assert [(t, e) for t, e, _, _ in paired(store)] == [(2, "answer"), (3, "answer")]


def test_rows_of_zeek_pass_as_they_are(store, flush):
    flush(1, 2, 2, table="dns", trans_id=[1, 2, 2], query=["q"] * 3, uid=["C"] * 3)
    rows = rows_of(store.view("dns", "sensor", **ALL, schema=TABLES["dns"].schema))
    assert sorted((r["ts_us"], r["trans_id"]) for r in rows) == [(1_000_000, 1), (2_000_000, 2), (2_000_000, 2)]
