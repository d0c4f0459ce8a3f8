"""Looking up many rules at once gives what asking each of them of every row gives; and what a thousand of them cost."""

from __future__ import annotations

import logging
import random
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma_made import by_sql, made_rows, made_rule

from aegis_enrich.decode import decode
from aegis_enrich.decode.result import Decoded
from aegis_enrich.sigma.asked import session
from aegis_enrich.sigma.compiled import compiled
from aegis_enrich.sigma.matcher import Matcher

WORDS = ["evil", "example", "a.evil.test", "EVIL.test", "x", "", "kerberos", "éVIL.test", "evil\n.test", "İevil"]
ITEMS = st.sampled_from(
    [
        {"query|endswith": [".test", "ple"]},
        {"query|contains": "evil"},
        {"query|contains|all": ["evil", "test"]},
        {"query": ["example", "a.evil.*"]},
        {"query|re": r"^a\.evil\.[a-z]+$"},
        {"query|re|i": "EVIL"},
        {"query|startswith": "é"},
        {"query": None},
        {"query|contains": "i"},
        {"query|exists": True},
        {"answers": ["10.0.0.1", "evil"]},
        {"answers|startswith": "10."},
        {"rcode": [0, 3]},
        {"rcode|gte": 3},
        {"rejected": "true"},
        {"id.orig_h|cidr": "10.0.0.0/8"},
        {"query|fieldref": "qtype_name"},
        {"tag_of_ours": "evil"},
    ]
)
ROWS = st.fixed_dictionaries(
    {
        "query": st.sampled_from([*WORDS, None]),
        "qtype_name": st.sampled_from(["A", "x", None]),
        "answers": st.sampled_from([None, [], ["10.0.0.1"], ["evil", "10.9.9.9"], ["EVIL"]]),
        "rcode": st.sampled_from([None, 0, 3]),
        "rejected": st.sampled_from([None, True, False]),
        "orig_h": st.sampled_from([None, "10.1.1.1", "192.0.2.1", "::1"]),
        "extra": st.sampled_from([None, '{"tag_of_ours":"Evil"}', '{"tag_of_ours":["b","evil"]}']),
    }
)
CONDITIONS = ["a", "not a", "a and b", "a or b", "a and not b", "not (a or b)", "not a and not b"]
MANY = 1_000_000


@settings(max_examples=60, deadline=None)
@given(
    rules=st.lists(st.tuples(ITEMS, ITEMS, st.sampled_from(CONDITIONS)), min_size=1, max_size=8),
    rows=st.lists(ROWS, min_size=1, max_size=25),
    words=st.lists(st.sampled_from([*WORDS[:4], "10.9.9.9"]), max_size=2),
)
def test_rows_are_found_as_if_each_were_asked(rules, rows, words) -> None:
    held = {str(n): compiled(made_rule({"a": a, "b": b, "condition": c}), {}) for n, (a, b, c) in enumerate(rules)}
    if words:
        held["words"] = compiled(made_rule({"a": words, "condition": "a"}), {})
    table = made_rows("dns", rows)
    found = Matcher(held).matches("dns", table)
    assert {n: r.tolist() for n, r in found.items()} == {n: m for n, rule in held.items() if (m := by_sql(rule, table))}


def test_batches_may_be_cut_anywhere_and_encoded_anyhow() -> None:
    rule = compiled(made_rule("selection: [{query|contains: evil}, {answers|contains: evil}]"), {})
    rows = [{"query": q, "answers": a} for q in WORDS for a in (None, ["x", "EVIL.test"])]
    whole = made_rows("dns", rows)
    expected = by_sql(rule, whole)
    matcher = Matcher({"rule": rule})
    cut = [matcher.matches("dns", whole.slice(n, 3)).get("rule", np.array([], int)) + n for n in range(0, len(rows), 3)]
    assert np.concatenate(cut).tolist() == expected
    at = whole.schema.get_field_index("query")
    encoded = whole.set_column(at, "query", whole["query"].combine_chunks().dictionary_encode())
    assert matcher.matches("dns", encoded)["rule"].tolist() == expected
    chunked = pa.concat_tables([whole.slice(0, 5), whole.slice(5)])
    assert matcher.matches("dns", chunked)["rule"].tolist() == expected


def test_rows_that_lack_a_column_are_as_if_it_were_null() -> None:
    rule = compiled(made_rule("{selection: {query: a}, f: {answers: b}, condition: selection and not f}"), {})
    assert Matcher({"r": rule}).matches("dns", pa.table({"query": ["a", "b"]}))["r"].tolist() == [0]


def test_no_rules_and_no_rows() -> None:
    rule = compiled(made_rule("selection: {query: a}"), {})
    assert Matcher({}).matches("dns", made_rows("dns", [{"query": "a"}])) == {}
    assert Matcher({"r": rule}).matches("dns", made_rows("dns", [])) == {}
    assert Matcher({"r": rule}).matches("conn", made_rows("conn", [{}])) == {}


def decoded(data: bytes) -> Decoded:
    return decode("dns", data, offset=0, context="", sensor="sensor")


def word(source: random.Random, length: int) -> str:
    return "".join(source.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=length))


def thousand_rules(source: random.Random) -> dict[str, object]:
    """As public rules are: lists of domains for the most part, some words, some regular expressions, a few that ask
    of every row."""
    rules = {}
    for number in range(1000):
        kind = number % 20
        if kind < 9:
            detection = {"selection": {"query|endswith": [f".{word(source, 8)}.com" for _ in range(12)]}}
        elif kind < 12:
            detection = {"selection": {"query": [f"{word(source, 9)}.net" for _ in range(12)]}}
        elif kind < 15:
            detection = {
                "selection": {"query|contains": [word(source, 5), word(source, 7)]},
                "f": {"query|endswith": ".local"},
            }
        elif kind < 16:
            detection = {
                "selection": {"query|re": rf"^[a-z0-9]{{{source.randint(20, 60)}}}\.{word(source, 3)}\.[a-z]{{2,6}}$"}
            }
        elif kind < 18:
            detection = {"selection": {"answers": [f"10.{n}.{source.randint(0, 255)}.7" for n in range(8)]}}
        else:
            detection = {"selection": {"query|startswith": f"{word(source, 4)}.", "qtype_name": "TXT"}}
        detection["condition"] = "selection and not f" if "f" in detection else "selection"
        rules[str(number)] = compiled(made_rule(detection), {})
    everywhere = {
        "selection": {"Z": 0},
        "f": {"query|endswith": [".arpa", ".local"]},
        "condition": "not selection and not f",
    }
    return rules | {"z": compiled(made_rule(everywhere), {})}


@pytest.mark.slow
def test_a_thousand_rules_over_a_million_lookups_cost_less_than_five_passes(tmp_path) -> None:
    """One pass: the rows decoded from Zeek's JSON and written to Parquet. Also told: DuckDB's scan of what is written,
    reading the four columns that the rules name."""
    source = random.Random(7)
    names = [
        f"{word(source, source.randint(3, 10))}.{word(source, 7)}.{source.choice(['com', 'net', 'org'])}"
        for _ in range(150_000)
    ]
    lines = [
        b'{"ts":%d.5,"uid":"C%d","id.orig_h":"10.0.%d.%d","id.orig_p":5353,"id.resp_h":"10.0.0.2","id.resp_p":53,'
        b'"proto":"udp","trans_id":%d,"rtt":0.01,"query":"%s","qclass":1,"qclass_name":"C_INTERNET","qtype":1,'
        b'"qtype_name":"%s","rcode":0,"rcode_name":"NOERROR","AA":false,"TC":false,"RD":true,"RA":true,"Z":0,'
        b'"answers":["93.184.%d.%d"],"TTLs":[300.0],"rejected":false}\n'
        % (
            1_767_571_200 + n // 300,
            n,
            n % 200,
            n % 250,
            n % 65536,
            source.choice(names).encode(),
            source.choice([b"A", b"AAAA", b"TXT"]),
            n % 256,
            n % 199,
        )
        for n in range(MANY // 10)
    ]
    matcher = Matcher(thousand_rules(source))  # type: ignore[arg-type]
    matcher.matches("dns", decoded(b"".join(lines[:100])).tables["dns"])  # builds what it looks up by
    passed = looked = 0.0
    rows = found = 0
    for part in range(10):
        for begin in range(0, len(lines), 12_500):
            data = b"".join(lines[begin : begin + 12_500])
            begun = time.perf_counter()
            (table,) = decoded(data).tables.values()
            path = tmp_path / f"{part}-{begin}.parquet"
            pq.write_table(table, path, compression="zstd", compression_level=1)
            passed += time.perf_counter() - begun
            begun = time.perf_counter()
            found += sum(map(len, matcher.matches("dns", table).values()))
            looked += time.perf_counter() - begun
            rows += table.num_rows
    assert rows == MANY
    asked = session()
    begun = time.perf_counter()
    read = "sum(length(query)), sum(len(answers)), max(qtype_name), sum(Z)"
    asked.execute(f"SELECT {read} FROM '{tmp_path}/*.parquet'").fetchall()
    scanned = time.perf_counter() - begun
    told = f"{rows:,} rows, 1,001 rules: pass {passed:.2f} s, rules {looked:.2f} s, scan {scanned:.2f} s"
    logging.getLogger(__name__).info("%s, %d rows found", told, found)
    assert looked < 5 * passed, told
