"""Correlations as detectors: what they find, to the second; how their rows lie must not matter; what is refused."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma_made import made_rows

from aegis_enrich.detect.conformance import refused
from aegis_enrich.detect.replay import Held, Replay
from aegis_enrich.detect.trial import CHECKS, Trial
from aegis_enrich.plugin import Detector, Finding
from aegis_enrich.sigma.compiled import compiled
from aegis_enrich.sigma.correlation import correlation
from aegis_enrich.tables import TABLES

START_US = 1_767_571_200_000_000
BASE = """
title: Failed lookup
name: nx
logsource: {product: zeek, service: dns}
detection: {selection: {rcode_name: NXDOMAIN}, condition: selection}
---
title: Odd port
name: odd
logsource: {product: zeek, service: conn}
detection: {selection: {id.resp_p: 4444}, condition: selection}
---
title: Odd name
name: long
logsource: {category: dns}
detection: {selection: {query|startswith: long}, condition: selection}
---
"""


def made(correlation_text: str) -> type[Detector]:
    text = f"{BASE}\ntitle: C\nname: c\ncorrelation: {{{correlation_text}}}\n"
    collection = SigmaCollection.from_dicts(list(yaml.safe_load_all(text)))
    rules = {id(r): compiled(r, {}) for r in collection.rules if not isinstance(r, SigmaCorrelationRule)}
    (rule,) = (r for r in collection.rules if isinstance(r, SigmaCorrelationRule))
    return correlation(rule, "c", rules)


def row(second: float, orig: str = "10.0.0.1", **columns: Any) -> dict[str, Any]:
    us = START_US + round(second * 1_000_000)
    base = {"ts": us, "end_ts": us, "uid": f"C{us}", "sensor": "sensor", "source": "zeek", "orig_h": orig}
    return base | {"resp_h": "10.0.0.2"} | columns


def nx(second: float, orig: str = "10.0.0.1", **columns: Any) -> dict[str, Any]:
    return row(second, orig, rcode_name="NXDOMAIN", **columns)


def odd(second: float, orig: str = "10.0.0.1", **columns: Any) -> dict[str, Any]:
    return row(second, orig, resp_p=4444, **columns)


def replay() -> Replay:
    return Replay(lambda table: TABLES[table].schema)


def held(dns: Sequence[dict[str, Any]] = (), conn: Sequence[dict[str, Any]] = ()) -> dict[str, pa.Table]:
    tables = {"dns": made_rows("dns", dns), "conn": made_rows("conn", conn)}
    return {name: rows for name, rows in tables.items() if rows.num_rows}


def found(detector: type[Detector], **rows: Sequence[dict[str, Any]]) -> list[Finding]:
    return replay().findings(detector, {n: Held(t) for n, t in held(**rows).items()})


def test_an_event_count_is_reached_within_the_timespan() -> None:
    detector = made("type: event_count, rules: nx, group-by: src_ip, timespan: 5m, condition: {gte: 3}")
    assert (detector.window_s, detector.every_s, detector.entity, detector.shard_key) == (
        600,
        300,
        ("orig_h",),
        "orig_h",
    )
    (one,) = found(detector, dns=[nx(0), nx(150), nx(300), nx(900), row(901, rcode_name="NOERROR")])
    assert one.entity == {"orig_h": "10.0.0.1"} and one.context == {"resp_h": "10.0.0.2"}
    assert one.evidence == {"event_count": 3, "rows": 3, "timespan_s": 300, "least": 3, "rules": ["Failed lookup"]}
    assert (one.first_us, one.last_us) == (START_US, START_US + 300_000_000)
    assert one.reason == "3 rows of orig_h 10.0.0.1 match “Failed lookup” within 300 s (at least 3)"
    assert one.score == 0.5 and len(one.uids) == 3
    assert found(detector, dns=[nx(0), nx(150), nx(300.000001)]) == []
    assert found(detector, dns=[nx(0), nx(1), nx(2, "10.0.0.9")]) == []
    more = made("type: event_count, rules: nx, group-by: src_ip, timespan: 5m, condition: {gt: 3}")
    assert found(more, dns=[nx(0), nx(1), nx(2)]) == []


def test_a_value_count_counts_values_without_regard_to_case() -> None:
    detector = made("type: value_count, rules: nx, group-by: src_ip, timespan: 1h, condition: {field: query, gte: 3}")
    rows = [nx(n, query=q) for n, q in enumerate(["a", "A", "b", None, "b"])]
    assert found(detector, dns=rows) == []
    (one,) = found(detector, dns=[*rows, nx(10, query="c")])
    assert one.evidence["value_count"] == 3 and "value count 3 of query" in one.reason


def test_sums_and_shares_of_numbers() -> None:
    total = made(
        "type: value_sum, rules: odd, group-by: src_ip, timespan: 1m, condition: {field: orig_bytes, gte: 100}"
    )
    (one,) = found(total, conn=[odd(0, orig_bytes=60), odd(10, orig_bytes=40), odd(20)])
    assert one.evidence["value_sum"] == 100
    median = made("type: value_median, rules: odd, timespan: 1m, condition: {field: orig_bytes, gte: 50}")
    (one,) = found(median, conn=[odd(0, orig_bytes=60), odd(1, orig_bytes=60), odd(2, orig_bytes=1)])
    assert one.evidence["value_median"] == 60 and one.entity == {"key": "all"}


def test_temporal_rules_occur_near_each_other_in_any_order() -> None:
    detector = made("type: temporal, rules: [nx, odd], group-by: src_ip, timespan: 10m")
    (one,) = found(detector, dns=[nx(30)], conn=[odd(20)])
    assert one.evidence["rules"] == ["Failed lookup", "Odd port"]
    assert found(detector, dns=[nx(0)], conn=[odd(601)]) == []
    assert found(detector, dns=[nx(0)], conn=[odd(1, "10.0.0.9")]) == []
    any_two = made("type: temporal, rules: [nx, odd, long], group-by: src_ip, timespan: 10m, condition: {gte: 2}")
    assert len(found(any_two, dns=[nx(1, query="longer")])) == 1  # one row may meet two rules


def test_a_condition_may_be_a_text_of_rules() -> None:
    detector = made("type: temporal, condition: odd and (nx or long), group-by: src_ip, timespan: 10m")
    assert len(found(detector, dns=[nx(30)], conn=[odd(20)])) == 1
    assert len(found(detector, dns=[row(30, query="longer")], conn=[odd(20)])) == 1
    assert found(detector, dns=[nx(30, query="longer")]) == []
    assert found(detector, conn=[odd(30)]) == []


def test_ordered_rules_follow_each_other() -> None:
    detector = made("type: temporal_ordered, rules: [nx, odd], group-by: src_ip, timespan: 10m")
    (one,) = found(detector, dns=[nx(10)], conn=[odd(20)])
    assert (one.first_us, one.last_us) == (START_US + 10_000_000, START_US + 20_000_000)
    assert found(detector, dns=[nx(30)], conn=[odd(20)]) == []
    assert found(detector, dns=[nx(20)], conn=[odd(20)]) == []
    assert found(detector, dns=[nx(0)], conn=[odd(601)]) == []
    # the latest beginning counts: the first is too far away
    assert len(found(detector, dns=[nx(0), nx(500)], conn=[odd(900)])) == 1
    three = made("type: temporal_ordered, rules: [nx, long, odd], group-by: src_ip, timespan: 10m")
    assert len(found(three, dns=[nx(0), row(5, query="longer")], conn=[odd(9)])) == 1
    assert found(three, dns=[nx(5), row(0, query="longer")], conn=[odd(9)]) == []


def test_aliases_name_a_field_of_each_rule() -> None:
    text = "rules: [nx, odd], aliases: {host: {nx: src_ip, odd: dst_ip}}, group-by: host, timespan: 10m"
    detector = made(f"type: temporal, {text}")
    assert (detector.entity, detector.shard_key) == (("host",), "")
    (one,) = found(detector, dns=[nx(0, "10.0.0.7")], conn=[odd(1, "10.0.0.8", resp_h="10.0.0.7")])
    assert one.entity == {"host": "10.0.0.7"}


def test_rows_that_two_rules_match_count_once() -> None:
    detector = made("type: event_count, rules: [nx, long], group-by: src_ip, timespan: 5m, condition: {gte: 2}")
    assert found(detector, dns=[nx(0, query="longer")]) == []
    assert len(found(detector, dns=[nx(0, query="x"), row(1, query="longer")])) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("type: event_count, rules: nx, timespan: 5m, condition: {lt: 3}", "holds at the first row already"),
        ("type: event_count, rules: nx, timespan: 2d, condition: {gte: 3}", "longer than a day"),
        ("type: event_count, rules: nx, group-by: answers, timespan: 5m, condition: {gte: 3}", "'answers' holds lists"),
        ("type: value_sum, rules: nx, timespan: 5m, condition: {field: query, gte: 3}", "'query' holds no numbers"),
        ("type: temporal, condition: nx and not odd, timespan: 5m", "what may still come is not absent"),
        ("type: temporal_ordered, condition: nx and odd, timespan: 5m", "list them under rules"),
        ("type: temporal_ordered, rules: [nx, odd], timespan: 5m, condition: {gte: 1}", "leave the condition out"),
        ("type: event_count, rules: long, group-by: nobody, timespan: 5m, condition: {gte: 3}", "no field 'nobody'"),
    ],
)
def test_what_cannot_be_is_refused(text, told) -> None:
    with pytest.raises(SigmaError, match=told):
        made(text)


KINDS = [
    "type: event_count, rules: [nx, odd], group-by: src_ip, timespan: 5m, condition: {gte: 2}",
    "type: value_count, rules: nx, group-by: [src_ip, dst_ip], timespan: 15m, condition: {field: query, gte: 2}",
    "type: temporal, rules: [nx, odd], group-by: src_ip, timespan: 20m",
    "type: temporal_ordered, rules: [nx, odd], group-by: src_ip, timespan: 1h",
    "type: event_count, rules: nx, timespan: 3h, condition: {gte: 2}",
]


@pytest.mark.parametrize("text", KINDS)
def test_the_query_holds_to_what_detectors_hold_to(text, tmp_path) -> None:
    detector = made(text)
    assert refused(detector.sql(), tables=detector.reads, parameters={"window_end"}) == []
    assert detector.window_s % detector.every_s == 0 and 2 * detector.every_s <= detector.window_s
    rows = held(
        dns=[nx(200 * n, f"10.0.0.{n % 3}", query=f"q{n % 5}") for n in range(60)],
        conn=[odd(200 * n + 7, f"10.0.0.{n % 4}") for n in range(60)],
    )
    trial = Trial(detector, rows, replay(), tmp_path)
    for name, check in CHECKS.items():
        assert check(trial) == [], name


@pytest.mark.parametrize("text", KINDS)
def test_it_can_be_sent_to_another_process(text) -> None:
    detector = made(text)
    assert pickle.loads(pickle.dumps(detector)) is detector


@settings(max_examples=60, deadline=None)
@given(times=st.lists(st.integers(0, 4000), min_size=1, max_size=30), least=st.integers(1, 4))
def test_every_timespan_with_enough_rows_is_found_once_a_window(times, least) -> None:
    """Against a count in Python: a last row tells if so many rows lie in the 5 minutes up to it."""
    detector = made(f"type: event_count, rules: nx, group-by: src_ip, timespan: 5m, condition: {{gte: {least}}}")
    reached = {t // 300 for t in times if sum(t - 300 <= other <= t for other in times) >= least}
    windows = {f.window_end_us for f in found(detector, dns=[nx(t) for t in times])}
    assert windows == {START_US + (slot + 1) * 300_000_000 for slot in reached}
