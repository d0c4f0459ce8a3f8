"""Rows of dns in, a row per client and name out: what counts as a name below a domain is decided here."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

from aegis_enrich.detect.evaluate import Derivation
from aegis_enrich.enrich import Enrichment
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.store.views import View
from aegis_enrich.tables import TABLES
from aegis_plugins.enrichers.domain import Domain
from aegis_plugins.tables.name_hour import NameHour

HOUR = 475_000 * HOUR_US
ENRICHMENT = Enrichment([Domain({})])
LONG = "0123456789abcdef" * 3


def dns(query: str, at_s: float = 1.0, **columns: Any) -> dict[str, Any]:
    ts = HOUR + round(at_s * 1_000_000)
    row = {"uid": f"C{at_s}", "orig_h": "10.0.0.1", "resp_h": "10.0.0.2", "resp_p": 53, "query": query}
    row |= {"qtype_name": "A", "rcode_name": "NOERROR", "answers": ["198.51.100.7"]}
    return row | columns | {"ts": ts, "end_ts": ts}


def hour(rows: list[dict[str, Any]], shards: int = 1) -> list[dict[str, Any]]:
    schema = TABLES["dns"].schema
    table = pa.table({f.name: pa.array([r.get(f.name) for r in rows], f.type) for f in schema}, schema=schema)
    view = View("dns", ENRICHMENT.schema("dns"), HOUR, HOUR + HOUR_US, temporary=ENRICHMENT.apply("dns", table))
    found = Derivation(NameHour, "s", HOUR, (view,), shards=shards).run().to_pylist()
    return sorted(found, key=lambda r: (r["orig_h"], r["query_domain"], r["first_us"], r["name_hash"] or ""))


def test_a_name_s_numbers() -> None:
    asked = {"qtype_name": "TXT", "answers": ["TXT 3 abc"]}
    name, again = hour(
        [dns(f"{LONG}.evil.test", 2, **asked), dns(f"{LONG}.EVIL.test.", 9, **asked), dns("b.evil.test", 4)]
    )
    assert len(name.pop("name_hash")) == 16
    assert name == {
        "orig_h": "10.0.0.1",
        "query_domain": "evil.test",
        "names": 1,
        "queries": 2,
        "sub_bytes": 48,
        "longest_bytes": 48,
        "millibits": 191_998,  # 48 letters of 4 bits, each letter's term rounded
        "typed": 1,
        "typed_millibits": 191_998,  # 48 letters of 4 bits, each letter's term rounded
        "tcp": 0,
        "resolver": "10.0.0.2",
        "nxdomain": 0,
        "answered": 2,
        "loopback": 0,
        "answer_bytes": 18,
        "typed_answer_bytes": 18,
        "qtype": "TXT",
        "first_us": HOUR + 2_000_000,
        "last_us": HOUR + 9_000_000,
        "uid": "C2",
        "example": f"{LONG}.evil.test",
    }
    assert (again["sub_bytes"], again["millibits"], again["typed"], again["answer_bytes"]) == (1, 0, 0, 12)


def test_information_is_shannon_s() -> None:
    (name,) = hour([dns("abracadabra." * 5 + "evil.test")])
    text = ("abracadabra." * 5)[:-1]
    bits = -sum(text.count(c) * math.log2(text.count(c) / len(text)) for c in set(text))
    assert name["millibits"] == pytest.approx(1000 * bits, abs=5)


def test_bytes_that_are_no_ascii_are_one_each() -> None:
    (name,) = hour([dns(r"\xbe\xef" * 30 + ".evil.test", qtype_name="TXT")])
    assert name["sub_bytes"] == 60
    (text,) = hour([dns("ä" * 30 + ".evil.test", qtype_name="TXT")])
    assert text["sub_bytes"] == 60


def test_answers_are_counted() -> None:
    asked = [dns(f"{LONG}.a.test", 1, rcode_name="NXDOMAIN", answers=None), dns(f"{LONG}.a.test", 2, answers=[])]
    asked += [dns(f"{LONG}.a.test", 3, answers=["127.0.0.4", "127.0.0.9"])]
    (name,) = hour(asked)
    assert (name["queries"], name["nxdomain"], name["answered"], name["loopback"]) == (3, 1, 1, 1)


@pytest.mark.parametrize(
    "query",
    ["www.evil.test", "evil.test", "localhost", f"{LONG}.local", "4.3.2.1.in-addr.arpa", "7.100.51.198.dnsbl.test"],
)
def test_names_that_carry_nothing_are_not_kept(query: str) -> None:
    assert hour([dns(query, n) for n in range(50)]) == []


@pytest.mark.parametrize("columns", [{"resp_p": 5353}, {"resp_p": 137}, {"qtype_name": "PTR"}, {"qtype_name": "NB"}])
def test_queries_that_are_left_out(columns: dict[str, Any]) -> None:
    assert hour([dns(f"{LONG}.evil.test", **columns)]) == []


def test_short_names_with_long_texts_are_kept() -> None:
    assert len(hour([dns("a.evil.test", qtype_name="TXT", answers=["TXT 250 " + "x" * 250])])) == 1


def test_a_service_s_name_is_not_counted_as_text() -> None:
    (name,) = hour([dns(f"_x.{LONG}.corp.test", qtype_name="SRV", answers=[])])
    assert (name["typed"], name["typed_millibits"], name["qtype"]) == (0, 0, "SRV")


def test_names_beyond_the_cap_share_a_row() -> None:
    rows = hour([dns(f"{n:032}.evil.test", n / 10) for n in range(1_200)])
    assert len(rows) == 1_001
    (rest,) = [r for r in rows if r["name_hash"] is None]
    assert (rest["names"], rest["queries"], rest["sub_bytes"], rest["longest_bytes"]) == (200, 200, 200 * 32, 32)
    assert sum(r["example"] is not None for r in rows) in {2, 3}


def test_shards_change_nothing() -> None:
    rows = [dns(f"{n}{LONG}.evil.test", n, orig_h=f"10.0.0.{n % 5}") for n in range(40)]
    assert hour(rows, shards=4) == hour(rows)
