import json
from datetime import UTC, datetime

import pytest

from aegis_enrich.decode import decode

MOMENT = datetime(2023, 11, 14, 22, 13, 20, 500000, tzinfo=UTC)


def log(*rows: dict) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize(
    "ts", [1700000000.5, 1700000000500, "2023-11-14T22:13:20.500000Z", "1700000000.5", 1700000000.5000001]
)
def test_the_forms_of_a_timestamp(table, ts):
    assert table("conn", log({"ts": ts}))["ts"].to_pylist() == [MOMENT]


def test_other_times_take_the_form_of_their_row(table):
    late = 253_402_300_799  # the last second of 9999, as certificates have it
    rows = table(
        "x509",
        log(
            {"ts": 1700000000.5, "certificate.not_valid_after": late, "certificate.not_valid_before": 0.0},
            {"ts": 1700000000500, "certificate.not_valid_after": late * 1000, "certificate.not_valid_before": 86400000},
        ),
    )
    assert rows["certificate_not_valid_after"].to_pylist() == [datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)] * 2
    assert rows["certificate_not_valid_before"].to_pylist() == [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1970, 1, 2, tzinfo=UTC),
    ]


def test_vectors_of_signed_numbers(table):
    rows = table("aegis_packets", log({"ts": 1.5, "sizes": [60, -60, -1500], "gaps": [0.000023, 1]}))
    assert rows.select(["sizes", "gaps"]).to_pylist() == [{"sizes": [60, -60, -1500], "gaps": [0.000023, 1.0]}]


def test_missing_null_and_empty(table):
    rows = table("conn", log({"ts": 1.5, "service": None, "tunnel_parents": []}, {"ts": 2.5, "service": ""}))
    assert rows.select(["service", "tunnel_parents", "duration"]).to_pylist() == [
        {"service": None, "tunnel_parents": [], "duration": None},
        {"service": "", "tunnel_parents": None, "duration": None},
    ]


def test_nested_id(table):
    ids = {"orig_h": "10.0.0.1", "orig_p": 1, "resp_h": "FE80::1", "resp_p": 2}
    rows = table("conn", log({"ts": 1.5, "id": ids}, {"ts": 2.5, "id.orig_h": "10.0.0.2"}))
    assert rows.select(["orig_h", "orig_p", "resp_h", "resp_p", "extra"]).to_pylist() == [
        {"orig_h": "10.0.0.1", "orig_p": 1, "resp_h": "fe80::1", "resp_p": 2, "extra": None},
        {"orig_h": "10.0.0.2", "orig_p": None, "resp_h": None, "resp_p": None, "extra": None},
    ]


def test_sets_are_sorted_and_vectors_are_not(table):
    row = table("http", log({"ts": 1.5, "tags": ["b", "a"], "resp_fuids": ["F2", "F1"], "proxied": "one"})).to_pylist()
    assert (row[0]["tags"], row[0]["resp_fuids"], row[0]["proxied"]) == (["a", "b"], ["F2", "F1"], ["one"])


def test_unknown_fields_go_to_extra(table):
    rows = table("conn", log({"ts": 1.5, "_path": "dns", "b": None, "a": [0.1234567, {"z": 1}]}, {"ts": 2.5}))
    assert rows["extra"].to_pylist() == ['{"_path":"dns","a":[0.123457,{"z":1}]}', None]


def test_control_characters_read_as_zeek_writes_them(table):
    rows = table("dns", b'{"ts":1.5,"query":"a\\u0000b\\n","answers":["\\u001b"]}\n')
    assert rows.select(["query", "answers"]).to_pylist() == [{"query": "a\\x00b\n", "answers": ["\\x1b"]}]


def test_bytes_that_are_no_utf8(table):
    assert table("dns", b'{"ts":1.5,"query":"a\xffb"}\n')["query"].to_pylist() == ["a\\xffb"]


def test_numbers_and_truth_as_text(table):
    row = table("conn", log({"ts": 1.5, "id.orig_p": "80", "orig_bytes": 5.0, "local_orig": "true"})).to_pylist()[0]
    assert (row["orig_p"], row["orig_bytes"], row["local_orig"]) == (80, 5, True)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"ts":1.5', "not JSON"),
        (b'{"ts":1.5}{"ts":2.5}', "not JSON"),
        (b'{"ts":1.5,"uid":"a\tb"}', "not JSON"),
        (b"{}", "no ts"),
        (b'{"ts":null}', "no ts"),
        (b'{"ts":"soon"}', "ts: 'soon' does not read as time"),
        (b'{"ts":1.5,"TTLs":["x"]}', "TTLs: '[\"x\"]' does not read as intervals"),
    ],
)
def test_bad_lines_harm_no_other(whole, line, reason):
    found = whole("dns", b'{"ts":1.5}\n' + line + b'\n{"ts":2.5}\n')
    assert [b.reason for b in found.bad] == [reason]
    assert found.tables["dns"].num_rows == 2


def test_a_line_that_names_its_fields_otherwise_blinds_no_other():
    """Rows do not depend on the lines beside them: one column may stand in several fields of a chunk."""
    good = b'{"ts":1,"orig_h":"10.0.0.1"}\n'
    other = b'{"ts":2,"id.orig_h":"10.0.0.2","orig_h":"10.0.0.3"}\n{"ts":3,"id.orig_h":null,"orig_h":"10.0.0.4"}\n'
    table = decode("conn", good + other, offset=0, context="", sensor="s").tables["conn"]
    assert table["orig_h"].to_pylist() == ["10.0.0.1", "10.0.0.2", "10.0.0.4"]
    assert table["extra"].to_pylist() == [None, '{"orig_h":"10.0.0.3"}', None]


def test_what_is_no_json_and_ends_in_half_a_character_is_a_bad_line():
    line = b'{"' + "\u00e4".encode() * 200 + b"\n"
    for cut in range(100, 140):
        found = decode("conn", b'{"ts":1}\n' + line[:cut] + b"x" * 60 + line, offset=0, context="", sensor="s")
        assert (found.tables["conn"].num_rows, [b.offset for b in found.bad]) == (1, [9])
