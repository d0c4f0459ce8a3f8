"""Recorded beacons, from the log's bytes on: decoded, enriched, cut into hours, evaluated window by window."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from aegis_enrich.decode import decode
from aegis_enrich.detect.evaluate import Derivation, Evaluation
from aegis_enrich.detect.windows import Window, with_rows
from aegis_enrich.enrich import Enrichment
from aegis_enrich.plugin import HOUR_US, DerivedTable, Finding
from aegis_enrich.store.views import View
from aegis_enrich.tables import TYPES
from aegis_plugins.detectors.beaconing import Beaconing, Tuning
from aegis_plugins.enrichers.networks import Networks
from aegis_plugins.tables.pair_hour import PairHour
from aegis_plugins.tables.server_hour import ServerHour
from aegis_plugins.tables.server_name_hour import ServerNameHour

ROOT = Path(__file__).parents[3]
LAB = ROOT / "tests" / "data" / "lab"
PUBLIC = Path(os.environ.get("AEGIS_PUBLIC_DATA") or ROOT.parent / "shared" / "data" / "public")
READ = ("conn", "http", "ssl", "quic", "dns")


def rows_of(path: Path) -> dict[str, pa.Table]:
    """The tables of a folder's logs (or of one log), with the networks' columns."""
    enrichment = Enrichment([Networks({})])
    parts: dict[str, list[pa.Table]] = {name: [] for name in READ}
    for log in [path] if path.is_file() else sorted(path.glob("*.log*")):
        name = log.name.split(".")[0]
        if name in (*READ, "eve"):
            decoded = decode(name, _bytes(log), offset=0, context="", sensor="s")
            for table, rows in decoded.tables.items():
                if table in READ:
                    parts[table].append(enrichment.apply(table, rows))
    return {n: pa.concat_tables(p) if p else enrichment.schema(n).empty_table() for n, p in parts.items()}


def _bytes(log: Path) -> bytes:
    return gzip.decompress(log.read_bytes()) if log.suffix == ".gz" else log.read_bytes()


def hours_of(rows: dict[str, pa.Table], table: type[DerivedTable]) -> pa.Table:
    ends = {t for n in table.reads for t in rows[n]["end_ts"].cast(pa.int64()).to_pylist()}
    schema = pa.schema([*((c.name, TYPES[c.kind]) for c in table.columns), ("hour_us", pa.int64())])
    parts = [schema.empty_table()]
    for hour in sorted({t // HOUR_US * HOUR_US for t in ends}):
        views = tuple(View(n, rows[n].schema, hour, hour + HOUR_US, temporary=rows[n]) for n in table.reads)
        made = Derivation(table, "s", hour, views).run()
        parts.append(made.append_column("hour_us", pa.repeat(pa.scalar(hour, pa.int64()), made.num_rows)))
    return pa.concat_tables(parts)


def evaluated(window: Window, derived: dict[str, pa.Table], tuning: Tuning) -> list[Finding]:
    views = [
        View(name, table.schema, window.start_us, window.end_us, derived=True, temporary=table)
        for name, table in derived.items()
    ]
    return Evaluation(Beaconing, "s", window, tuple(views), tuning).run()


def beacons(path: Path, **tuning: Any) -> list[Finding]:
    """The highest-scoring finding of each entity and day."""
    rows = rows_of(path)
    derived = {t.name: hours_of(rows, t) for t in (PairHour, ServerNameHour, ServerHour)}
    hours = sorted({h for t in derived.values() for h in t["hour_us"].to_pylist()})
    best: dict[Any, Finding] = {}
    for window in with_rows(hours, Beaconing.window_s, Beaconing.every_s, after_us=None):
        for found in evaluated(window, derived, Tuning(**tuning)):
            key = (*found.entity.values(), found.period_us // (24 * HOUR_US))
            if key not in best or found.score > best[key].score:
                best[key] = found
    return sorted(best.values(), key=lambda f: f.score, reverse=True)


def pairs(found: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(f.entity["orig_h"], f.entity["key"]) for f in found]


@pytest.mark.parametrize("form", ["tsv", "json", "eve.json.gz"])
def test_calls_over_tls_without_a_name(form: str) -> None:
    (found,) = beacons(LAB / "beacon_https_60s" / form)
    assert pairs([found]) == [("10.10.0.11", "203.0.113.50:8443/tcp")]
    assert (found.evidence["dials"], found.evidence["size_mad_bytes"]) == (40, 0.0)
    assert found.score > 0.9


@pytest.mark.parametrize("form", ["tsv", "json", "eve.json.gz"])
def test_calls_by_http_are_one_beacon_with_their_lookups(form: str) -> None:
    (found,) = beacons(LAB / "beacon_http_60s" / form)
    assert pairs([found]) == [("10.10.0.12", "c2.test")]
    assert found.context["resp_h"] == "203.0.113.50"


def test_both_formats_give_the_same() -> None:
    for scenario in ("beacon_https_60s", "beacon_http_60s"):
        assert beacons(LAB / scenario / "tsv") == beacons(LAB / scenario / "json")


@pytest.mark.parametrize(
    ("scenario", "pair", "tuning"),
    [
        ("beacon_https", ("10.10.0.11", "203.0.113.50:8443/tcp"), {}),
        ("beacon_http", ("10.10.0.12", "c2.test"), {}),
        ("beacon_http_v6", ("fd00:10::12", "c2.test"), {"inside": True}),
    ],
)
def test_fast_beacons_are_found_where_tuning_lowers_the_span(
    scenario: str, pair: tuple[str, str], tuning: dict[str, Any]
) -> None:
    (short,) = beacons(LAB / scenario / "tsv", **tuning)
    (found,) = beacons(LAB / scenario / "tsv", min_span_s=60, **tuning)
    assert pairs([short, found]) == [pair, pair]
    assert (short.evidence["short"], found.evidence["short"]) == (True, False)
    assert short.score == pytest.approx(found.score / 2, abs=1e-6)


@pytest.mark.parametrize("form", ["tsv", "json", "eve.json.gz"])
def test_the_short_beacon_of_the_multistage_attack(form: str) -> None:
    (found,) = beacons(LAB / "multistage" / form)
    assert pairs([found]) == [("10.10.0.14", "203.0.113.50")]
    assert (found.evidence["short"], found.evidence["dials"], round(found.score, 2)) == (True, 30, 0.47)
    assert "30 times in 1.5 min, one each 3.1 ± 0.2 s" in found.reason
    assert found.reason.endswith(": a rhythm too short to be sure")


@pytest.mark.parametrize("form", ["tsv", "json", "eve.json.gz"])
@pytest.mark.parametrize("scenario", ["benign", "benign_tls"])
def test_browsing_has_none(scenario: str, form: str) -> None:
    assert beacons(LAB / scenario / form) == []


public = pytest.mark.skipif(not PUBLIC.is_dir(), reason="AEGIS_PUBLIC_DATA names no folder")


@public
def test_a_dead_controller_s_retries_are_one_dial() -> None:
    (found,) = beacons(PUBLIC / "strato-001" / "conn.log")
    assert pairs([found]) == [("192.168.1.115", "41.108.179.197:1177/tcp")]
    assert (found.evidence["dials"], found.evidence["rows"], found.evidence["answered_rows"]) == (119, 237, 0)


@public
def test_a_beacon_through_a_proxy() -> None:
    found = beacons(PUBLIC / "rita-proxy")
    assert {f.context["name"] for f in found} == {"www.honestimnotevil.com"}
    assert min(f.score for f in found) >= 0.9
    # RITA itself gives 0.979 to the 24 h before the newest row; our windows end with hours
    assert all(0.95 <= f.evidence["rita_score"] <= 0.99 for f in found)
    assert not any("resp_h" in f.context for f in found)


@public
@pytest.mark.parametrize("data", ["strato-002", "strato-005", "slips-test9", "slips-test10", "slips-test14"])
def test_others_have_none(data: str) -> None:
    assert beacons(PUBLIC / data) == []


@public
def test_a_pc_s_own_polls_are_known_ones() -> None:
    rule = yaml.safe_load((ROOT / "rules" / "detectors" / "beaconing.yml").read_text(encoding="utf-8"))
    found = beacons(PUBLIC / "strato-008", pollers=tuple(rule["tuning"]["pollers"]))
    own = [f for f in found if f.entity["orig_h"] == "147.32.81.167"]
    assert len(own) >= 5
    assert [f.evidence["known_poller"] for f in own] == [True] * len(own)
    # those that call it from outside call what all call: a rule makes that low
    assert all(f.evidence["clients_share"] > 0.9 for f in found if f not in own)
