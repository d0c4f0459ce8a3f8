"""`rules backtest`: old logs and states, alone and compared."""

from __future__ import annotations

import shutil

import pytest

from aegis_enrich.config import shipped_rules
from aegis_enrich.store import Store

SCANS = ("scan_vertical/tsv", "scan_slow/tsv")  # 1,000 ports and 40 ports of a host


@pytest.fixture
def logs(lab):
    return [lab / name for name in SCANS]


def test_what_a_rule_raises(aegis, logs):
    ran = aegis("rules", "backtest", "port_scan", *logs)
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "2 alerts of port_scan")
    told = aegis("rules", "backtest", "port_scan", *logs, "--json").json
    assert [d["source"]["ip"] for d in told["alerts"]] == ["10.10.0.14", "10.10.0.15"]
    assert aegis("rules", "backtest", "beaconing", *logs).out == "no alerts of beaconing\n"


def test_a_changed_threshold(aegis, logs):
    ran = aegis("rules", "backtest", "port_scan", *logs, "--set", "min_ports=300", "--set", "min_hosts=500")
    first, *rows, last = ran.out.splitlines()
    assert first.split() == ["change", "severity", "first", "seen", "about", "why"]
    assert [r.split("  ")[0] for r in rows] == ["only before", "changed"]
    assert "high to medium" in rows[1] and "10.10.0.14" in rows[1]
    assert last == ("port_scan: 2 alerts before, 1 after; 1 only before, 0 only after, 1 of another severity")
    told = aegis("rules", "backtest", "port_scan", *logs, "--set", "min_ports=300", "--set", "min_hosts=500", "--json")
    assert (told.json["before"], told.json["after"], told.json["only_after"]) == (2, 1, [])
    assert [d["source"]["ip"] for d in told.json["only_before"]] == ["10.10.0.15"]
    ((before, after),) = [(c["before"], c["after"]) for c in told.json["changed"]]
    assert (before, after) == ("high", "medium")


def test_of_a_state_which_stays_as_it_is(aegis, logs, tmp_path):
    state = tmp_path / "s"
    analyzed = aegis("analyze", *logs, "--state", state, "--json").json["alerts"]
    files = {p: p.read_bytes() for p in sorted(state.rglob("*")) if p.is_file() and not p.name.startswith("state.db-")}
    for named in ((state,), ("--state", state)):
        told = aegis("rules", "backtest", "port_scan", *named, "--json").json
        assert [d["event"]["id"] for d in told["alerts"]] == [d["event"]["id"] for d in analyzed]
    assert {p: p.read_bytes() for p in files} == files
    later = aegis("rules", "backtest", "port_scan", state, "--days", "0.00001", "--json").json["alerts"]
    assert [d["source"]["ip"] for d in later] == ["10.10.0.14", "10.10.0.15"]  # the window that the last row is in


def test_against_another_folder_of_rules(aegis, logs, tmp_path):
    shutil.copytree(shipped_rules(), tmp_path / "mine")
    (tmp_path / "mine" / "overrides.yml").write_text(
        "rules: {port_scan: {overrides: [{where: {orig_h: 10.10.0.15}, enabled: false}]}}\n", encoding="utf-8"
    )
    told = aegis("rules", "backtest", "port_scan", *logs, "--with", tmp_path / "mine", "--json").json
    assert [d["source"]["ip"] for d in told["only_before"]] == ["10.10.0.15"]
    same = aegis("rules", "backtest", "port_scan", *logs, "--rules", tmp_path / "mine", "--json").json
    assert [d["source"]["ip"] for d in same["alerts"]] == ["10.10.0.14"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("port_scan",), 2, "name a folder of logs, or a state"),
        (("port_scan", "--set", "min_ports"), 2, "write it as TUNABLE=VALUE"),
        (("port_scan", "--set", "min_ports=x"), 1, "--set: min_ports: 'x' is not a number; it is: ports of one"),
        (("port_scan", "--set", "min_prots=20"), 1, "--set: tuning: port_scan has no 'min_prots'; it has min_ports"),
        (("zeek_notice", "--set", "x=1"), 1, "a rule over rows has no tunables"),
        (("port_scam",), 1, "port_scam: no such rule; there are port_scan"),
    ],
)
def test_what_is_wrong_is_told(aegis, tmp_path, monkeypatch, logs, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    ran = aegis("rules", "backtest", *arguments, *(logs if "--set" in arguments else ()))
    assert (ran.code, said in ran.err) == (code, True), ran.err


def test_logs_that_hold_no_rows(aegis, tmp_path):
    (tmp_path / "empty").mkdir()
    ran = aegis("rules", "backtest", "port_scan", tmp_path / "empty")
    assert (ran.code, ran.err.endswith("empty: holds no rows\n")) == (1, True)


def test_of_a_state_while_its_watch_runs(aegis, logs, tmp_path):
    aegis("analyze", *logs, "--state", tmp_path / "s")
    with Store(tmp_path / "s"):
        assert len(aegis("rules", "backtest", "port_scan", tmp_path / "s", "--json").json["alerts"]) == 2
