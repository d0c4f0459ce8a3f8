"""What `doctor` says of the rules, and of those that a running watch has."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_enrich import registry
from aegis_enrich.config import Config
from aegis_enrich.correlate import load_correlation
from aegis_enrich.decide import in_force, load_rules
from aegis_enrich.doctor import rules, taken_up
from aegis_enrich.store import Store

ODD = """
id: odd
name: Odd
table: weird
entity: [orig_h]
severity: low
reason: odd
"""
EXPIRED = "- {where: {orig_h: 10.0.0.5}, reason: a scanner, author: me, expires: 2026-01-31}\n"
AFTER_US, BEFORE_US = 1_780_000_000_000_000, 1_760_000_000_000_000


@pytest.fixture
def config(tmp_path) -> Config:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "odd.yml").write_text(ODD)
    return Config(state=str(tmp_path / "state"), rules=str(tmp_path / "rules"))


def said(checks) -> list[tuple[str, str]]:
    return [(c.level, c.what) for c in checks]


def test_rules_that_check(config):
    assert said(rules(config, registry.load(), 0)) == [("ok", "0 detectors, 1 row rules")]


def test_every_problem(config):
    Path(config.rules, "odd.yml").write_text(ODD.replace("odd", "[odd"))
    ((level, what),) = said(rules(config, registry.load(), 0))
    assert (level, "not YAML" in what) == ("problem", True)


def test_an_expired_suppression_is_a_note(config):
    Path(config.rules, "suppress.yml").write_text(EXPIRED)
    note, _ = said(rules(config, registry.load(), AFTER_US))
    assert note == (
        "note",
        f"{config.rules}/suppress.yml:1: a suppression has expired: a scanner (me, until 2026-01-31); take it out, or"
        " give it a later day",
    )
    assert len(said(rules(config, registry.load(), BEFORE_US))) == 1


def test_a_watch_that_runs(config):
    plugins = registry.load()
    assert said(taken_up(config, plugins)) == []
    with Store(Path(config.state)) as store:
        assert said(taken_up(config, plugins)) == []
        digest = f"{load_rules(Path(config.rules), {}).hash} {load_correlation(Path(config.rules)).hash}"
        with store.transaction() as tx:
            in_force.note(tx, in_force.InForce(config.rules, digest))
        assert said(taken_up(config, plugins)) == [("ok", f"the watch uses those in {config.rules}")]
        Path(config.rules, "odd.yml").write_text(ODD.replace("low", "high"))
        ((level, what),) = said(taken_up(config, plugins))
        assert (level, what.startswith(f"{config.rules} has changed, and the watch")) == ("note", True)
        with store.transaction() as tx:
            in_force.note(tx, in_force.InForce(config.rules, digest, "odd.yml:1: wrong"))
        ((level, what),) = said(taken_up(config, plugins))
        assert (level, what.endswith("do not check: odd.yml:1: wrong")) == ("problem", True)
    assert said(taken_up(config, plugins)) == []  # nobody runs
