from datetime import UTC, datetime

import pyarrow as pa

from aegis_enrich.decode import decode
from aegis_enrich.decode.assemble import END_US, FIRST_US, assemble, end_of
from aegis_enrich.decode.result import Part
from aegis_enrich.tables import TABLES, TIMESTAMP


def part(numbers, ts_us, table="conn", **columns) -> Part:
    return Part(table, "zeek", pa.array(numbers), {"ts": pa.array(ts_us, TIMESTAMP), **columns})


def test_the_end_of_a_row():
    columns = {"ts": pa.array([10, 10, 10, 10], TIMESTAMP), "duration": pa.array([0.000005, None, -3.0, 3.2e9])}
    assert end_of(columns).cast(pa.int64()).to_pylist() == [15, 10, 10, 3_200_000_000_000_010]
    assert end_of({"ts": columns["ts"]}) == columns["ts"]
    told = {"ts": columns["ts"], "ts_end": pa.array([25, None, 5, 10], TIMESTAMP)}
    assert end_of(told).cast(pa.int64()).to_pylist() == [25, 10, 10, 10]
    assert end_of(told).type == TIMESTAMP
    last = {"ts": pa.array([253_402_300_799_999_999], TIMESTAMP), "duration": pa.array([1.0])}
    assert end_of(last).to_pylist() == [datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]


def test_rows_stand_in_the_order_of_their_lines_and_bad_ones_are_left_out():
    one = part([0, 3, 4], [1, 2, 3], uid=pa.array(["a", "d", "e"]))
    other = part([1, 2], [4, None], uid=pa.array(["b", "c"]))
    reasons = {4: "bad"}
    tables = assemble([one, other], "lab", reasons)
    assert tables["conn"]["uid"].to_pylist() == ["a", "b", "d"]
    assert tables["conn"].schema == TABLES["conn"].schema
    assert set(tables["conn"]["sensor"].to_pylist()) == {"lab"}
    assert reasons == {2: "no ts", 4: "bad"}


def test_no_rows_no_table():
    assert assemble([part([0], [None])], "lab", {}) == {}


def test_names_and_answers_are_measured_in_bytes():
    answers = pa.array([["é", "a\\xbe"], [], None], pa.list_(pa.string()))
    query = pa.array(["j\\xe4g", "é", None])
    row = assemble([part([0, 1, 2], [1, 2, 3], "dns", answers=answers, query=query)], "lab", {})["dns"]
    assert row["query_len"].to_pylist() == [3, 2, None]
    assert row["answer_count"].to_pylist() == [2, 0, None]
    assert row["answer_bytes"].to_pylist() == [4, 0, None]


def test_rows_at_the_ends_of_time_leave_room_for_windows():
    """A window, a day or a span around any row has dates that can be written."""
    first, end = datetime(2, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
    assert tuple(int(t.timestamp()) * 1_000_000 for t in (first, end)) == (FIRST_US, END_US)
    lines = b"#fields\tts\tduration\n#types\ttime\tinterval\n"
    for us in (FIRST_US - 1, FIRST_US, END_US - 1, END_US):
        lines += b"%d.000000\t3e9\n" % (us // 1_000_000)
    found = decode("conn", lines, offset=0, context="", sensor="s")
    assert [b.reason for b in found.bad] == ["ts lies in no year from 2 to 9998"] * 2
    assert found.tables["conn"]["end_ts"].to_pylist()[1] == datetime(9998, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
