"""The shipped model of names: what it tells, on names that it has not seen; and what is no model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from publicsuffixlist import PSLFILE, PublicSuffixList

from aegis_enrich.errors import ConfigError
from aegis_plugins.detectors.dga import benign
from aegis_plugins.detectors.dga.generators import FAMILIES, WORD_FAMILIES, generate
from aegis_plugins.detectors.dga.model import SHIPPED, load, read
from aegis_plugins.detectors.dga.names import is_encoded


def domains_of(*tables) -> set[str]:
    """The labels next to the suffix of the names that a log's clients asked for."""
    pairs = {
        (row["query_domain"], row["query_suffix"])
        for table in tables
        for row in table.select(["query_domain", "query_suffix"]).to_pylist()
        if row["query_domain"]
    }
    return {domain[: -len(suffix) - 1] for domain, suffix in pairs if not is_encoded(domain)}


def owners_of_suffixes() -> set[str]:
    """Real names of companies and people: those below whose domains others register, by the Public Suffix List."""
    private = Path(PSLFILE).read_text(encoding="utf-8").partition("===BEGIN PRIVATE DOMAINS===")[2]
    cut = PublicSuffixList(only_icann=True).privatesuffix
    lines = [line.strip().lstrip("*.!") for line in private.splitlines() if line and not line.startswith("//")]
    labels = {domain.split(".")[0] for domain in map(cut, lines) if domain}
    return {label for label in labels if not is_encoded(label)}


def false(labels, least) -> float:
    return float(np.mean(load().log_odds(sorted(labels)) > least))


def test_it_is_small_and_says_how_it_was_made():
    assert SHIPPED.stat().st_size < 100_000
    trees = load()
    assert set(trees.about["families"]) == {*FAMILIES, *WORD_FAMILIES}
    assert trees.about["auroc_mean"] > 0.96
    assert trees.about["recall_mean"] > 0.6
    assert trees.text() == SHIPPED.read_text(encoding="utf-8")
    assert len(trees.digest()) == 8


def test_it_keeps_to_one_false_name_in_a_thousand():
    trees = load()
    least = trees.about["one_in_1000"]
    assert false(benign.names(20_000, "other"), least) < 0.002
    assert false(owners_of_suffixes(), least) < 0.004  # of 1,700


def test_half_of_real_names_are_far_from_unlikely():
    assert 0.02 < false(owners_of_suffixes(), 0) < 0.08
    assert false(benign.names(5_000, "other"), 0) < 0.08


@pytest.mark.parametrize(
    ("family", "least"), [("hex_short", 0.9), ("letters_long", 0.99), ("consonant_vowel", 0.8), ("base32", 0.99)]
)
def test_names_of_generators_are_likelier_than_not(family, least):
    assert false(generate(family, 300, "model"), 0) > least


@pytest.mark.parametrize("family", WORD_FAMILIES)
def test_it_does_not_see_names_of_words(family):
    assert false(generate(family, 300, "model"), 0) < 0.15


@pytest.mark.parametrize("scenario", ["benign", "benign_tls", "multistage"])
def test_recorded_names_of_the_lab(lab, scenario):
    assert false(domains_of(lab(scenario, "tsv")["dns"]), 0) == 0


def test_recorded_names_of_generators(lab):
    failed = {c for c in domains_of(lab("dga", "tsv")["dns"]) if len(c) > 7}
    assert false(failed, 0) > 0.95


def test_public_names(public):
    """Of real browsing, the hosts of a content network aside, which look generated since they are."""
    known = domains_of(*(public(f)["dns"] for f in ("slips-test9", "slips-test10", "rita-proxy", "ctu-botnet-4")))
    plain = {name for name in known if not (name.startswith("d2") and len(name) == 14)}
    assert len(plain) > 100
    assert false(plain, load().about["one_in_1000"]) == 0
    assert false(plain, 0) < 0.1


def test_public_names_of_a_pc(public):
    """Its DNS was not recorded; servers' names in TLS and HTTP were."""
    tables = public("strato-008")
    domains = {*tables["ssl"]["server_domain"].to_pylist(), *tables["http"]["host_domain"].to_pylist()} - {None}
    labels = {domain.split(".")[0] for domain in domains}
    assert len(labels) >= 8
    assert false(labels, 0) == 0


def test_public_generator(public):
    dns = public("strato-005")["dns"]
    failed = dns.filter(np.array([c in ("NXDOMAIN", "SERVFAIL", "REFUSED") for c in dns["rcode_name"].to_pylist()]))
    names = domains_of(failed) - {"wpad"}
    assert false(names, 0) > 0.9


def test_no_label_is_no_row():
    assert load().probabilities([]).tolist() == []


def changed(**parts) -> str:
    return json.dumps(json.loads(SHIPPED.read_text(encoding="utf-8")) | parts)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        changed(format=2),
        changed(features=["letters"]),
        changed(roots=[]),
        changed(roots=[99_999]),
        changed(feature=[0]),
        changed(left=[0] * 3000),
        changed(right=["x"]),
        changed(base=None),
        changed(about={}),
        changed(about={"one_in_1000": "x"}),
    ],
)
def test_what_is_no_model_says_what_to_do(text):
    with pytest.raises(ConfigError, match="make one by `aegis-enrich train dga`"):
        read(text, "here")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load(str(tmp_path / "none.json"))


def test_a_file_that_is_replaced_is_read_again(tmp_path):
    file = tmp_path / "m.json"
    file.write_text(changed(base=7), encoding="utf-8")
    assert load(str(file)).base == 7
    file.write_text(changed(base=-12), encoding="utf-8")
    assert load(str(file)).base == -12
