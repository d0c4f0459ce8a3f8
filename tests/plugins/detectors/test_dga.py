"""Failed names in, generators out: recorded ones, and what fails often and is none."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from aegis_enrich.errors import ConfigError
from aegis_plugins.detectors.dga import Dga, Tuning, benign
from aegis_plugins.detectors.dga.generators import generate
from aegis_plugins.detectors.dga.model import SHIPPED
from aegis_plugins.detectors.dga.words import LETTERS

CLIENT = "10.0.0.1"
WORDS = re.findall(
    r"\w+",
    """
    weather market travel garden winter summer kitchen doctor music school office camera ticket window bridge harbour
    forest planet silver orange coffee butter cinema letter number paper simple strong people friend
    """,
)


def made(count: int, letters: str = LETTERS, length: int = 12, seed: int = 1) -> list[str]:
    """Labels of even letters, the same each time."""
    chance = random.Random(seed)
    return ["".join(chance.choices(letters, k=length)) for _ in range(count)]


def queries(names: list[str], *, gap_s: float = 1.0, **columns: Any) -> list[dict[str, Any]]:
    row = {"orig_h": CLIENT, "orig_p": 40_000, "resp_h": "10.0.0.2", "resp_p": 53, "proto": "udp"}
    row |= {"qtype_name": "A", "rcode_name": "NXDOMAIN"}
    return [row | {"query": name, "ts": 5 + gap_s * n} | columns for n, name in enumerate(names)]


def coms(labels: list[str]) -> list[str]:
    return [f"{label}.com" for label in labels]


@pytest.fixture
def generators(evaluate, rows):
    return lambda asked, **tuning: evaluate(Dga, rows("dns", asked), **tuning)


@pytest.mark.parametrize(
    ("scenario", "names", "code", "resolved"), [("dga", 120, "refused", 0), ("dga_nxdomain", 150, "nxdomain", 4)]
)
@pytest.mark.parametrize("form", ["tsv", "json"])
def test_recorded_generators_are_found(evaluate, lab, scenario, names, code, resolved, form):
    found = evaluate(Dga, lab(scenario, form))
    assert {f.entity["orig_h"] for f in found} == {"10.10.0.14"}
    best = max(found, key=lambda f: f.score)
    assert (best.evidence["failed_domains"], best.evidence[code]) == (names, names)
    assert best.evidence["resolved_alike"] == resolved
    assert best.score > 0.6
    assert 0 < len(best.uids) <= 20


@pytest.mark.parametrize("scenario", ["benign", "benign_tls", "dns_tunnel", "multistage", "exfil_small"])
@pytest.mark.parametrize("form", ["tsv", "eve.json.gz"])
def test_recorded_traffic_without_one_is_quiet(evaluate, lab, scenario, form):
    assert evaluate(Dga, lab(scenario, form)) == []


def test_the_evidence_tells_the_numbers(generators):
    failed = coms(made(40, LETTERS + "0123456789"))
    known = queries(["x7k2q9zjf4wv.com"], rcode_name="NOERROR", answers=["cname.example.com", "203.0.113.7"])
    words = queries(coms(WORDS), rcode_name="NOERROR", answers=["198.51.100.7"])
    (found,) = generators(queries(failed) + known + words)
    evidence = found.evidence
    assert (evidence["failed_domains"], evidence["nxdomain"], evidence["known_domains"]) == (40, 40, len(WORDS) + 1)
    assert evidence["resolved_sample"] == ["x7k2q9zjf4wv.com 203.0.113.7"]
    assert 38 <= evidence["unlikely_domains"] <= 40
    assert evidence["suffixes"] == ["com"]
    assert evidence["duration_s"] == 39.0
    assert found.reason.startswith("10.0.0.1 asked for 40 registered domains in 39 s that all failed, ")
    assert found.reason.endswith("; 1 alike resolved")


@pytest.mark.parametrize(("names", "hits"), [(12, 1), (11, 0)])
def test_names_must_be_enough(generators, names, hits):
    assert len(generators(queries(coms(made(names, length=16))))) == hits


def test_half_of_what_failed_must_be_unlikely(generators):
    words = [f"www.{a}{b}.com" for a in WORDS for b in WORDS[:2]]
    unsure = coms(generate("headed", 36, "detector"))
    assert len(generators(queries(unsure + words[:20]))) == 1
    assert generators(queries(unsure + words[:60])) == []


@pytest.mark.parametrize("code", ["NXDOMAIN", "SERVFAIL", "REFUSED"])
def test_each_kind_of_failure_counts(generators, code):
    assert generators(queries(coms(made(30)), rcode_name=code))[0].evidence[code.lower()] == 30


@pytest.mark.parametrize(
    "asked",
    [
        queries(made(60)),  # single labels: a browser's probes, NetBIOS names
        queries([f"{x}.corp.example.com" for x in made(60)]),  # with the site's own suffix appended
        queries([f"{x}.lan" for x in made(60)]),
        queries([f"{x}.local" for x in made(60)]),
        queries([f"{x}.fritz.box" for x in made(60)]),
        queries([f"d{x}.cloudfront.example.net" for x in made(60)]),
        queries([f"d{x}.cloudfront.net" for x in made(60)]),
        queries([f"{n}.{n}.51.198.zen.dnsbl.org" for n in range(60)]),
        queries([f"{n}.{n}.51.198.in-addr.arpa" for n in range(60)], qtype_name="PTR"),
        queries([f"{n}.{n}.51.198.in-addr.arpa" for n in range(60)]),
        queries(coms(made(60)), resp_p=5353),
        queries(coms(made(60)), resp_p=5355),
        queries(coms(made(60)), resp_p=137),
        queries(coms(made(60)), rcode_name="NOERROR", answers=["203.0.113.7"]),
        queries(coms(made(60)), rcode_name=None),
        queries(coms(made(60)), qtype_name="TXT"),
        queries([f"xn--{x}.com" for x in made(60)]),
        queries([f"{a}{b}.com" for a in WORDS[:10] for b in WORDS[:10]], rcode_name="SERVFAIL"),  # a resolver down
        queries([f"{a[:2]}{a[3:]}.com" for a in WORDS]),  # mistyped
        queries([f"{x}.com" for x in made(5)] * 40),  # few, again and again
        queries(coms(made(60)), gap_s=600),  # one each ten minutes
        queries(coms([x[:4] for x in made(60)]), rcode_name="SERVFAIL"),  # too short to tell
    ],
)
def test_what_fails_and_is_none(generators, asked):
    assert generators(asked) == []


def test_a_domain_that_was_known_meanwhile_did_not_fail(generators):
    names = coms(made(30))
    later = queries(names, rcode_name="NOERROR", answers=["203.0.113.7"])
    assert generators(queries(names, rcode_name="SERVFAIL") + later) == []


def test_clients_of_ipv6_alone(generators):
    row = {"orig_h": "2001:db8::9", "resp_h": "2001:db8::53", "qtype_name": "AAAA"}
    (found,) = generators(queries(coms(made(40)), **row))
    assert (found.entity, found.context["resp_h"]) == ({"orig_h": "2001:db8::9"}, "2001:db8::53")


def test_clients_are_apart_and_skipped_domains_are_none(generators):
    names = coms(made(22))
    assert generators(queries(names[:11]) + queries(names[11:], orig_h="10.0.0.9")) == []
    assert len(generators(queries(names))) == 1
    assert generators(queries(names), skip_domains=tuple(names[:12])) == []


def test_dynamic_dns_counts_each_name(generators):
    assert len(generators(queries([f"{x}.duckdns.org" for x in made(30)]))) == 1


def test_the_first_thousand_are_judged(generators):
    (found,) = generators(queries(coms(made(2500)), gap_s=0.5))
    assert (found.evidence["failed_domains"], found.evidence["judged_domains"]) == (2500, 1000)


@pytest.mark.parametrize("family", ["word_pairs", "word_triples"])
def test_names_of_words_are_told_by_how_they_fail_alone(generators, family):
    asked = coms(generate(family, 60, "detector"))
    (found,) = generators(queries(asked))
    assert (found.evidence["kind"], found.evidence["bare_domains"]) == ("words", 60)
    assert 0 < found.score < 0.4
    assert "60 of them without a host, and for 0 that exist" in found.reason
    known = queries(coms(generate("word_pairs", 70, "other")), rcode_name="NOERROR", answers=["198.51.100.7"])
    assert generators(queries(asked) + known) == []  # one who asks for much fails much
    assert generators(queries(asked[:39])) == []
    assert generators(queries([f"www.{name}" for name in asked])) == []  # pages, blockers
    assert generators(queries(asked, rcode_name="SERVFAIL")) == []  # a resolver that is down


@pytest.mark.parametrize(
    "family", ["hex_short", "letters_middle", "consonant_vowel", "base32", "digits_mixed", "dated"]
)
def test_families_are_told_by_thirty_names(generators, family):
    (found,) = generators(queries(coms(generate(family, 30, "detector"))))
    assert (found.evidence["kind"], found.evidence["failed_domains"]) == ("letters", 30)


def test_a_generator_behind_a_nat_or_beside_a_blocker_is_told_by_its_surest_names(generators):
    others = [f"www.{name}.com" for name in benign.names(1500, "others")]
    known = queries(coms(benign.names(3000, "known")), rcode_name="NOERROR", answers=["198.51.100.7"], gap_s=0.5)
    assert generators(queries(others) + known) == []
    (found,) = generators(queries(others[:900]) + known + queries(coms(made(100, length=16))))
    assert found.evidence["kind"] == "letters among others"
    assert 60 < found.evidence["sure_domains"] <= 105
    assert "of them unlikelier names than 999 of 1,000" in found.reason
    assert 0.45 < found.score < 0.7


def test_another_model_can_be_named(generators, tmp_path):
    asked = queries(coms(made(40)))
    (shipped,) = generators(asked)
    copy = tmp_path / "trees.json"
    copy.write_text(SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
    assert generators(asked, model=str(copy)) == [shipped]
    assert re.fullmatch("[0-9a-f]{8}", shipped.evidence["model"])
    assert Dga.idle(Tuning()) == Dga.idle(Tuning(model=str(copy))) == ""
    with pytest.raises(ConfigError, match="cannot be read"):
        Dga.idle(Tuning(model=str(tmp_path / "none.json")))


def test_public_generator(evaluate, public):
    found = {f.entity["orig_h"]: f for f in evaluate(Dga, public("strato-005"))}
    best = found["fd77:48a1:c0bb:0:b96c:506d:6c7f:e8be"]
    assert (best.evidence["failed_domains"], best.evidence["suffixes"]) == (112, ["com"])
    assert set(found) == {"fd77:48a1:c0bb:0:b96c:506d:6c7f:e8be", "192.168.1.116"}  # the same machine twice


@pytest.mark.parametrize(
    "folder", ["dnscat2-txt", "rita-proxy", "rita-json-all-fields", "slips-test9", "slips-test10", "ctu-botnet-4"]
)
def test_public_logs_without_one_are_quiet(evaluate, public, folder):
    assert evaluate(Dga, public(folder)) == []
