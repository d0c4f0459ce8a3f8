"""Rules that change under a running watch: a threshold, a broken file, a suppression, without a restart."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aegis_enrich import doctor, registry
from aegis_enrich.config import Config, shipped_rules
from aegis_enrich.pipeline import engine as module
from aegis_enrich.pipeline.engine import Engine

HOUR_S = 3600
PATIENCE_S = 120


@pytest.fixture
def rules(tmp_path, monkeypatch) -> Path:
    """A folder of rules that the watch looks at every 50 ms."""
    monkeypatch.setattr(module, "RULES_S", 0.05)
    folder = tmp_path / "rules"
    (folder / "detectors").mkdir(parents=True)
    shutil.copy(shipped_rules() / "detectors" / "port_scan.yml", folder / "detectors")
    return folder


@pytest.fixture
def acted(tmp_path, rules, start) -> Callable[..., None]:
    """Runs a live watch through steps: (what to wait for, what to do then); ends after the last."""

    def run(*steps: tuple[Callable[[Engine], Any], Callable[[Engine], Any]]) -> None:
        left = list(steps)

        def progress(engine: Engine) -> None:
            if left and left[0][0](engine):
                left.pop(0)[1](engine)
            if not left:
                engine.stopping.set()

        with start(tmp_path / "logs", live=True, rules=str(rules), progress=progress) as engine:
            engine.run(until_s=time.monotonic() + PATIENCE_S)
            assert not left, f"{len(left)} steps are not reached"

    return run


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the engine warned of."""
    return [r.getMessage() for r in caplog.records if r.name == module.__name__]


def sealed(hour: int) -> Callable[[Engine], bool]:
    """Whether the scans of this hour (after the logs' first) are decided on."""
    from .conftest import BASE_S

    at_us = (BASE_S + (hour + 1) * HOUR_S) * 1_000_000

    def look(engine: Engine) -> bool:
        mark = engine.store.sealed("sensor", "detector:port_scan")
        return mark is not None and mark >= at_us

    return look


def found(engine: Engine) -> list[tuple[str, str]]:
    """Source and hash of the configuration of each alert about a scan, in the order of time."""
    return engine.store.query(
        "SELECT json_extract(document, '$.source.ip'), json_extract(document, '$.aegis.config_hash') FROM alerts"
        " WHERE rule_id = 'port_scan' ORDER BY first_us"
    )


def test_a_threshold_and_a_broken_file(tmp_path, rules, write, probes, acted, caplog) -> None:
    rule, log = rules / "detectors" / "port_scan.yml", tmp_path / "logs" / "conn.log"
    text = rule.read_text(encoding="utf-8")
    lower, broken = text.replace("min_ports: 15 ", "min_ports: 8 "), text.replace("min_ports: 15 ", "min_ports: many ")
    config = Config(state=str(tmp_path / "state"), rules=str(rules))
    hashes: list[str] = []
    configs: list[str] = []
    alerts: list[tuple[str, str]] = []
    said: list[list[Any]] = []

    def scan(hour: int, host: str) -> None:
        """Ten ports of a host in an hour, and a row that lets time go on."""
        later = [{**row, "id.resp_p": 443, "history": "ShADadFf", "conn_state": "SF"} for row in probes(1)]
        write(log, probes(10, first_s=hour * HOUR_S + 10, source=host))
        write(log, [{**row, "ts": (hour + 2) * HOUR_S} for row in later])

    def now(engine: Engine) -> None:
        hashes.append(engine.rules.hash)
        configs.append(engine.decider.config_hash)

    def change(text: str) -> None:
        rule.write_text(text, encoding="utf-8")

    scan(0, "10.0.0.1")
    with caplog.at_level(logging.WARNING, logger=module.__name__):
        acted(
            (sealed(0), lambda e: (now(e), change(lower))),
            (lambda e: e.rules.hash != hashes[0], lambda e: scan(3, "10.0.0.2")),
            (sealed(3), lambda e: (now(e), change(broken))),
            (
                lambda e: warnings(caplog),
                lambda e: (said.append(list(doctor.taken_up(config, registry.load()))), scan(6, "10.0.0.3")),
            ),
            (sealed(6), lambda e: change(text)),
            (lambda e: e.rules.hash == hashes[0], lambda e: scan(9, "10.0.0.4")),
            (
                sealed(9),
                lambda e: (
                    said.append(list(doctor.taken_up(config, registry.load()))),
                    alerts.extend(found(e)),
                    now(e),
                ),
            ),
        )
    assert [source for source, _ in alerts] == ["10.0.0.2", "10.0.0.3"]  # by the lower threshold; by it still
    assert {config_hash for _, config_hash in alerts} == {configs[1]}
    assert configs[0] == configs[2] != configs[1]
    (told,) = warnings(caplog)
    assert "\n" not in told
    assert told.startswith("the changed rules do not check, so the old ones stay in force: ")
    assert "port_scan.yml:" in told and "'many' is not a number" in told
    ((refused,), (well,)) = said
    assert refused.level == "problem" and "'many' is not a number" in refused.what
    assert (well.level, well.what) == ("ok", f"the watch uses those in {rules}")


def test_a_suppression_withdraws_what_is_open(tmp_path, rules, write, probes, acted) -> None:
    log = tmp_path / "logs" / "conn.log"
    write(log, probes(20))
    write(log, [{**probes(1)[0], "ts": 40 * 60}])  # half an hour's window is sealed, the alert's hour is not over
    entry = "- {rule: [port_scan], where: {orig_h: 10.0.0.9}, reason: mine, author: me, expires: 2200-01-01}\n"
    seen: list[Any] = []

    def status(engine: Engine) -> list[tuple[str, int]]:
        return engine.store.query("SELECT status, revision FROM alerts WHERE rule_id = 'port_scan'")

    acted(
        (status, lambda e: (seen.append(status(e)), (rules / "suppress.yml").write_text(entry))),
        (lambda e: status(e)[0][0] == "withdrawn", lambda e: (rules / "suppress.yml").write_text("[]\n")),
        (lambda e: status(e)[0][0] == "open", lambda e: seen.append(status(e))),
    )
    assert seen == [[("open", 1)], [("open", 3)]]


def test_an_expired_suppression_is_said_at_the_start(tmp_path, rules, start, caplog) -> None:
    (rules / "suppress.yml").write_text("- {where: {orig_h: 10.0.0.9}, reason: mine, expires: 2020-01-01}\n")
    (tmp_path / "logs").mkdir()
    with caplog.at_level(logging.WARNING, logger=module.__name__), start(tmp_path / "logs", rules=str(rules)):
        (said,) = warnings(caplog)
    assert said.endswith("suppress.yml:1: a suppression has expired: mine (until 2020-01-01)")


def test_where_no_rule_is_left_the_old_ones_stay(tmp_path, rules, start, caplog) -> None:
    (tmp_path / "logs").mkdir()
    with start(tmp_path / "logs", live=True, rules=str(rules)) as engine:
        before = engine.rules
        shutil.rmtree(rules)
        engine._due_s.clear()
        engine._keep_house()
        assert engine.rules is before
        assert "no such folder of rules" in caplog.text


def test_changes_of_the_folder_that_is_extended_are_seen(tmp_path, rules, start) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "overrides.yml").write_text("extends: ../rules\n")
    with start(tmp_path / "logs", live=True, rules=str(tmp_path / "site")) as engine:
        before = engine.rules
        rule = rules / "detectors" / "port_scan.yml"
        rule.write_text(rule.read_text(encoding="utf-8").replace("ports: 15 ", "ports: 16 "), encoding="utf-8")
        engine._due_s.clear()
        engine._keep_house()
        assert engine.rules.hash != before.hash
        assert engine.rules.detectors["port_scan"].tuning.min_ports == 16
