"""Understanding and answering: a plan runs nothing, names that only the state knows, and figures that are right."""

from __future__ import annotations

import csv
import gzip
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aegis_enrich import ask
from aegis_enrich.ask.entities import Entity
from aegis_enrich.ask.lexicon import Lexicon, known_words
from aegis_enrich.ask.reading import Reading
from aegis_enrich.ask.scope import Scope, scope_of
from aegis_enrich.ask.times import Span

LAB = Path(__file__).resolve().parents[1] / "data" / "lab"


def rows(scenario: str, log: str) -> Iterator[dict[str, str]]:
    """A log's rows, read by hand."""
    text = gzip.decompress((LAB / scenario / "tsv" / f"{log}.log.gz").read_bytes()).decode()
    lines = text.splitlines()
    fields = next(line.split("\t")[1:] for line in lines if line.startswith("#fields"))
    for row in csv.reader((x for x in lines if not x.startswith("#")), delimiter="\t", quoting=csv.QUOTE_NONE):
        yield dict(zip(fields, row, strict=True))


def of_table(told: ask.Answer, title: str) -> list[dict[str, Any]]:
    return next(t.records() for t in told.tables if t.title == title)


def test_every_step_says_what_it_does_and_has_its_values_apart(state: Callable[[str], Any]) -> None:
    for _, examples in ask.examples():
        for example in examples:
            asked = state("multistage").understand(example)
            for step in asked.plan.steps:
                shown = ask.shown(step)
                assert shown["what"] and (shown["sql"] or step.where in ("rules", "guidance"))
                for value in (e.value for e in asked.reading.entities if e.kind in ("host", "domain")):
                    assert value not in shown["sql"]


def test_names_that_only_the_alerts_know(state: Callable[[str], Any]) -> None:
    asked, told = state("multistage").ask("alerts to Example Hosting")
    assert [str(e) for e in asked.reading.entities] == ["AS to example", "AS to hosting"][:1] and told.found


def test_a_host_s_connections_are_those_of_the_log(state: Callable[[str], Any]) -> None:
    _, told = state("multistage").ask("who talked to 203.0.113.50?")
    mine = [r for r in rows("multistage", "conn") if "203.0.113.50" in (r["id.orig_h"], r["id.resp_h"])]
    assert sum(r["connections"] for r in of_table(told, "connections")) == len(mine) == 30
    assert sum(r["bytes out"] for r in of_table(told, "connections")) == sum(int(r["orig_ip_bytes"]) for r in mine)


def test_talkers_are_those_of_the_log(state: Callable[[str], Any]) -> None:
    _, told = state("multistage").ask("top talkers by bytes")
    sums: dict[str, int] = {}
    for row in rows("multistage", "conn"):
        sums[row["id.orig_h"]] = sums.get(row["id.orig_h"], 0) + int(row["orig_ip_bytes"]) + int(row["resp_ip_bytes"])
    assert [(r["client"], r["bytes"]) for r in of_table(told, "talkers")] == sorted(sums.items(), key=lambda s: -s[1])


def test_failed_look_ups_are_those_of_the_log(state: Callable[[str], Any]) -> None:
    _, told = state("benign_tls").ask("show failed lookups")
    failed = [r for r in rows("benign_tls", "dns") if r["rcode_name"] not in ("-", "NOERROR")]
    assert sum(r["times"] for r in of_table(told, "look-ups")) == len(failed) >= 16


def test_a_network_is_its_addresses(state: Callable[[str], Any]) -> None:
    _, told = state("multistage").ask("what did 10.10.0.12/31 connect to?")
    clients = {"10.10.0.12", "10.10.0.13"}
    mine = [r for r in rows("multistage", "conn") if r["id.orig_h"] in clients]
    assert sum(r["connections"] for r in of_table(told, "connections")) == len(mine) > 0
    assert {r["client"] for r in of_table(told, "connections")} == clients


def test_two_periods_add_up(state: Callable[[str], Any]) -> None:
    _, told = state("multistage").ask("compare 02:28-02:30 with 02:30-02:33")
    (line,) = [r for r in of_table(told, "comparison") if r["what"] == "connections"]
    assert sum(v for v in line.values() if isinstance(v, int)) == len(list(rows("multistage", "conn")))


@pytest.mark.parametrize("evil", ["10.0.0.5'; DROP TABLE alerts; --", "x' OR 1=1", "a.test' UNION SELECT 1 --"])
def test_a_question_is_no_sql(evil: str, state: Callable[[str], Any]) -> None:
    asked = state("multistage").understand(f"who talked to {evil}")
    if isinstance(asked, ask.Asked):
        assert ask.answer(asked, list).found is False
    assert state("multistage").ask("show all alerts")[1].found


def test_two_sensors_are_told_apart(tmp_path: Path) -> None:
    """Both see the same link: what they saw is listed by sensor, not added up."""
    from aegis_enrich.cli import main
    from aegis_enrich.config import Config
    from aegis_enrich.store import Store

    west = shutil.copytree(LAB / "scan_slow" / "tsv", tmp_path / "west")
    both = [f"--sensor=east={LAB / 'scan_slow' / 'tsv'}", f"--sensor=west={west}"]
    with pytest.raises(SystemExit):
        main(["analyze", *both, "--state", str(tmp_path / "state"), "--json"])
    with Store(tmp_path / "state", read_only=True) as store:
        asked = ask.understand("who connected to 10.20.0.10?", store, Config())
        assert isinstance(asked, ask.Asked)
        told = ask.answer(asked, list)
        assert "east: 10.10.0.15 talked to 10.20.0.10" in told.summary and "; west: 10.10.0.15" in told.summary
        assert {r["sensor"] for r in of_table(told, "connections")} == {"east", "west"}
        narrowed = ask.understand("connections to 10.20.0.10 seen by east", store, Config())
        assert isinstance(narrowed, ask.Asked)
        assert {r["client"] for r in of_table(ask.answer(narrowed, list), "connections")} == {"10.10.0.15"}
        assert [str(e) for e in narrowed.reading.all("sensor")] == ["sensor east"]


KINDS: dict[str, Any] = {
    "host": "10.10.0.14",
    "net": "10.10.0.0/24",
    "domain": "tunnel.test",
    "country": "RU",
    "as": 64500,
    "port": 22,
    "service": "ssh",
    "protocol": "udp",
    "scope": False,
    "direction": "outbound",
    "detector": ("beaconing",),
    "severity": 47,
    "status": "open",
    "technique": "T1046",
    "tactic": "TA0007",
    "sensor": "tap",
    "time": Span(1_795_314_600_000_000, 1_795_314_700_000_000, "then"),
}


def test_what_an_intent_takes_it_uses(state: Callable[[str], Any]) -> None:
    """No condition is taken and then left out in silence: it changes a query, or a note says that it does not."""
    held = scope_of(state("multistage").store, state("multistage").config)
    words = known_words()
    unused = []
    for intent in words.intents:
        least = (Entity("host", "10.10.0.12", "10.10.0.12"),) if intent.name in ("host_timeline", "is_benign") else ()
        plain = planned(Reading("q", intent, least, frozenset()), held, words)
        for kind in sorted(intent.takes - {"limit", "id"}):
            entity = Entity(kind, KINDS[kind], "x", (5, 6))
            if planned(Reading("q", intent, (*least, entity), frozenset()), held, words) == plain:
                unused.append((intent.name, kind))
    # a detector and a technique choose among rules that are read; look-ups are DNS
    assert [u for u in unused if u[0] != "coverage"] == [("domain_lookups", "service")]


def planned(reading: Reading, held: Scope, words: Lexicon) -> list[Any]:
    asked = ask.planned(reading, held, words)
    return [*asked.plan.notes, *((s.sql, s.values, s.words, s.start_us, s.end_us, s.sensors) for s in asked.plan.steps)]
