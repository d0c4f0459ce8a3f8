import json
import os
import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis_enrich.decode import decode
from aegis_enrich.tables import TABLES

PUBLIC = Path(os.environ.get("AEGIS_PUBLIC_DATA", Path(__file__).parents[2].parent / "shared" / "data" / "public"))

HEADER = b"#separator \\x09\n#fields\tts\tuid\tid.orig_h\tproto\textra_one\n#types\ttime\tstring\taddr\tenum\tcount\n"
OTHER = b"#fields\tts\tuid\tid.orig_p\n#types\ttime\tstring\tport\n"

MIXED = (
    HEADER
    + b"1.5\tC1\t10.0.0.1\ttcp\t7\n"
    + b"short\n"
    + b"2.5\tC2\tnot an address\ttcp\t-\n"
    + b"\n"
    + b'{"ts":3.5,"uid":"C3","id.orig_h":"10.0.0.3","x":{"b":1,"a":null}}\n'
    + b'{"ts":4.5,"uid":\n'
    + b"5.5\tC\\x095\t-\t(empty)\t-\r\n"
    + b"\xef\xbb\xbf6.5\tC6\xff\t10.0.0.6\tudp\t8\n"
    + b"#close\t2026-01-01-00-00-00\n"
    + OTHER
    + b"7.5\tC7\t80\n"
    + b"8.5\tC8\teighty\n"
    + b"-\tC9\t80\n"
    + b"ts\tuid\tproto\n"
    + b"9.5\tC10\ticmp\n"
    + b"10.5\tC11\0\ticmp"
)


def test_a_log_of_everything(whole):
    found = whole("conn", MIXED)
    rows = found.tables["conn"].select(["uid", "orig_h", "orig_p", "proto", "extra"]).to_pylist()
    assert rows == [
        {"uid": "C1", "orig_h": "10.0.0.1", "orig_p": None, "proto": "tcp", "extra": '{"extra_one":7}'},
        {"uid": "C3", "orig_h": "10.0.0.3", "orig_p": None, "proto": None, "extra": '{"x":{"b":1}}'},
        {"uid": "C\t5", "orig_h": None, "orig_p": None, "proto": "", "extra": None},
        {"uid": "C6\\xff", "orig_h": "10.0.0.6", "orig_p": None, "proto": "udp", "extra": '{"extra_one":8}'},
        {"uid": "C7", "orig_h": None, "orig_p": 80, "proto": None, "extra": None},
        {"uid": "C10", "orig_h": None, "orig_p": None, "proto": "icmp", "extra": None},
        {"uid": "C11\\x00", "orig_h": None, "orig_p": None, "proto": "icmp", "extra": None},
    ]
    assert [(MIXED[b.offset :].split(b"\n")[0], b.line, b.reason) for b in found.bad] == [
        (line, line, reason)
        for line, reason in (
            (b"short", "has 1 fields where #fields names 5"),
            (b"2.5\tC2\tnot an address\ttcp\t-", "orig_h: 'not an address' does not read as addr"),
            (b'{"ts":4.5,"uid":', "not JSON"),
            (b"8.5\tC8\teighty", "orig_p: 'eighty' does not read as port"),
            (b"-\tC9\t80", "no ts"),
        )
    ]
    assert (found.lines, found.ignored) == (12, 8)


def lines_of(data: bytes) -> list[bytes]:
    return re.findall(rb"[^\n]*\n|[^\n]+", data)


def cut(data: bytes, at: set[int]) -> list[bytes]:
    lines = lines_of(data)
    chunks, last = [], 0
    for number in sorted({n for n in at if 0 < n < len(lines)} | {len(lines)}):
        chunks.append(b"".join(lines[last:number]))
        last = number
    return chunks


def in_chunks(name: str, chunks: list[bytes]):
    tables: dict[str, list[pa.Table]] = {}
    bad, context, offset, lines = [], "", 0, 0
    for chunk in chunks:
        found = decode(name, chunk, offset=offset, context=context, sensor="lab")
        for table, rows in found.tables.items():
            tables.setdefault(table, []).append(rows)
        bad.extend(found.bad)
        context, offset, lines = found.context, offset + len(chunk), lines + found.lines
    return {t: pa.concat_tables(parts).combine_chunks() for t, parts in tables.items()}, bad, context, lines


def assert_same_in_chunks(name: str, data: bytes, at: set[int]) -> None:
    found = decode(name, data, offset=0, context="", sensor="lab")
    tables, bad, context, lines = in_chunks(name, cut(data, at))
    assert tables == dict(found.tables)
    assert (bad, context, lines) == (list(found.bad), found.context, found.lines)


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(1, 24)))
def test_the_result_does_not_depend_on_where_the_log_is_cut(at):
    assert_same_in_chunks("conn", MIXED, at)


@pytest.mark.parametrize(
    "log",
    ["dns_tunnel/tsv/dns.log", "dns_tunnel/json/dns.log", "multistage/tsv/ssl.log", "benign_tls/eve.json"],
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.sets(st.integers(1, 1200), max_size=8))
def test_real_logs_do_not_depend_on_where_they_are_cut(lab, log, at):
    assert_same_in_chunks("eve" if "eve" in log else log.split("/")[-1].removesuffix(".log"), lab(log), at)


ODD = [
    b"\t#separator \\x2c\n",
    b"#separator \\x0a\n",
    b"#separator \\xe9\n",
    b"#separator \\x00\n",
    b"#separator \\x5c\n",
    b"#separator \\x7c\\x7c\n",
    b"#fields||ts||uid\n",
    b"1.5||C1\n",
    b"#fields\n",
    b"#types\tset[\n",
    b"#set_separator\t\n",
    b"#unset_field\t\n",
    b"#set_separator,;\n",
    b'{"ts":1,"deep":' + b'{"a":' * 2000 + b"1" + b"}" * 2001 + b"\n",
    b'{"ts":1,"long":' + b"1" * 5000 + b"}\n",
    b'{"ts":1,"nan":NaN,"duration":NaN}\n',
    b"#unset_field,*\n",
    b"#\n",
    b"1,2,3,4\n",
    b"\r\n",
    b" \n",
    b"{}\n",
    b"{\n",
    b'{"ts":"x"}\n',
    b'{"ts":"1e400"}\n',
    b'{"ts":1,"ts":2}\n',
    b'{"ts":"2023-11-14T22:13:20.500000Z"}\n',
    b'{"ts":1700000000500}\n',
    b'{"ts":1,"duration":1e300}\n',
    b'{"ts":1,"orig_bytes":18446744073709551615}\n',
    b'{"ts":1,"orig_bytes":"5.0"}\n',
    b'{"ts":1,"":0}\n',
    b'{"ts":1,"uid":"\xff\\u0000\xc3\xa9","id":{"orig_h":"::FFFF:1.2.3.4"},"tunnel_parents":"x"}\n',
]
LINES = st.sampled_from(lines_of(MIXED + b"\n") + ODD) | st.binary(max_size=30).map(
    lambda b: b.replace(b"\n", b"") + b"\n"
)


@settings(max_examples=120, deadline=None)
@given(st.lists(LINES, max_size=12), st.data())
def test_whatever_stands_in_a_log(lines, data):
    """Nothing raises, every line is a row, bad or ignored, and chunks do not matter."""
    log = b"".join(lines)
    found = decode("conn", log, offset=0, context="", sensor="lab")
    rows = sum(t.num_rows for t in found.tables.values())
    assert rows + len(found.bad) == found.lines
    assert found.lines + found.ignored == log.count(b"\n")
    for name, rows_of in found.tables.items():
        rows_of.validate(full=True)
        assert rows_of.schema == TABLES[name].schema
    assert_same_in_chunks("conn", log, data.draw(st.sets(st.integers(1, 12))))


def test_nothing_at_all(whole):
    found = whole("conn", b"")
    assert (dict(found.tables), list(found.bad), found.context, found.lines, found.ignored) == ({}, [], "", 0, 0)


def test_a_header_is_carried_to_the_next_chunk(whole):
    context = whole("conn", HEADER).context
    assert json.loads(context)["fields"] == ["ts", "uid", "id.orig_h", "proto", "extra_one"]
    found = decode("conn", b"1.5\tC1\t10.0.0.1\ttcp\t7\n", offset=100, context=context, sensor="lab")
    assert found.tables["conn"]["uid"].to_pylist() == ["C1"]
    assert found.context == context


def test_a_bad_line_has_its_place_in_the_log(whole):
    found = decode("conn", b"#x\nbad\r\n", offset=1000, context="", sensor="lab")
    assert [(b.offset, b.line) for b in found.bad] == [(1003, b"bad")]
    assert found.bad[0].reason == "neither JSON nor below a #fields line"


def test_a_huge_line_is_kept_short_when_bad_and_read_when_good(whole):
    long = b"x" * 3_000_000
    found = whole(
        "conn", HEADER + b"1.5\t" + long + b"\t-\ttcp\t1\n" + long + b"\n" + b'{"ts":1,"uid":"' + long + b'"}'
    )
    assert [len(u) for u in found.tables["conn"]["uid"].to_pylist()] == [3_000_000, 3_000_000]
    assert [len(b.line) for b in found.bad] == [4096]


def test_one_log_of_zeek_is_equal_as_tsv_and_as_json(lab, table):
    """Every log of the lab in both formats; rows of one moment may stand in another order."""
    compared = 0
    folder = Path(__file__).parent.parent / "data" / "lab"
    for path in sorted(folder.glob("*/json/*.log*")):
        name = path.name.split(".")[0]
        scenario = path.parts[-3]
        if name not in TABLES:
            continue
        keys = [(c, "ascending") for c in ("ts", "uid", "trans_id", "qtype", "fuid") if c in TABLES[name].kinds]
        tsv = table(name, lab(f"{scenario}/tsv/{name}.log")).sort_by(keys)
        compact = table(name, lab(f"{scenario}/json/{name}.log")).sort_by(keys)
        assert tsv.equals(compact), (scenario, name)
        compared += tsv.num_rows
    assert compared > 8000


@pytest.mark.skipif(not PUBLIC.is_dir(), reason="the public logs are not there")
@pytest.mark.parametrize(
    ("log", "good", "bad"),
    [
        ("rita-truncated/conn.log", 58, 1),
        ("rita-truncated/conn_top.log", 0, 59),
        ("rita-truncated/conn_json.log", 3, 1),
        ("rita-unknown-field/http.log", 4, 1),
        ("rita-text-file/conn.log", 0, 5),
        ("rita-json-all-fields/open_conn.log", 59, 0),
        ("slips-test10/notice.log", 12, 1),
        ("slips-test10/conn.log", 141, 0),
    ],
)
def test_the_oddities_of_public_logs(whole, log, good, bad):
    path = PUBLIC / log
    name = path.stem if path.stem in TABLES else path.stem.split("_")[0]
    found = whole(name, path.read_bytes())
    assert (sum(t.num_rows for t in found.tables.values()), len(found.bad)) == (good, bad)
