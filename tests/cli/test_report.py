"""`report` and `analyze --report`, as an analyst uses them."""

from __future__ import annotations

import pytest

from aegis_enrich.store import Store


@pytest.fixture
def state(aegis, lab, tmp_path):
    assert aegis("analyze", lab / "scan_vertical/tsv", "--state", tmp_path / "s").code == 0
    return tmp_path / "s"


def test_a_page_of_a_state(aegis, state, tmp_path):
    ran = aegis("report", "--state", state, "-o", tmp_path / "r.html")
    written = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert (ran.code, ran.out) == (0, f"{len(written.encode()):,} bytes in {tmp_path / 'r.html'}\n")
    assert written.startswith("<!DOCTYPE html>")
    assert "10.10.0.14" in written


def test_without_a_file_it_goes_to_standard_output(aegis, state, tmp_path):
    aegis("report", "--state", state, "-o", tmp_path / "r.html")
    assert aegis("report", "--state", state).out == (tmp_path / "r.html").read_text(encoding="utf-8")


def test_a_terminal_is_asked_for_a_file(aegis, state, monkeypatch):
    monkeypatch.setattr("aegis_enrich.cli.report._is_terminal", lambda: True)
    ran = aegis("report", "--state", state)
    assert ran.code == 2
    assert "name the file to write: -o report.html" in ran.err


def test_analyze_writes_the_same_page(aegis, lab, state, tmp_path):
    """Its state may be a temporary one."""
    ran = aegis("analyze", lab / "scan_vertical/tsv", "--report", tmp_path / "a.html")
    assert ran.code == 0
    assert "Port scan" in ran.out
    aegis("report", "--state", state, "-o", tmp_path / "r.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "r.html").read_bytes()


def test_a_span(aegis, state, tmp_path):
    whole = aegis("report", "--state", state).out
    assert "Port scan" in whole
    later = aegis("report", "--state", state, "--since", "2027-01-01").out
    assert "There are no rows of this time" in later and 'id="alerts"' not in later
    assert aegis("report", "--state", state, "--until", "2020-01-01T00:00").out.count("Port scan") == 0
    assert "Port scan" in aegis("report", "--state", state, "--since", "24h").out


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--since", "soon"), 1, "--since: 'soon' is no time; write 2026-11-22"),
        (("--until", "7"), 1, "--until: '7' is no time"),
        (("--since", "2026-11-23", "--until", "2026-11-22"), 2, "--since must lie before --until"),
        (("-o", "/nowhere/at/all.html"), 1, "/nowhere/at/all.html: cannot be written: No such file"),
    ],
)
def test_what_cannot_be_is_said(aegis, state, options, code, said):
    ran = aegis("report", "--state", state, *options)
    assert ran.code == code
    assert said in ran.err


def test_no_state_is_said(aegis, tmp_path):
    ran = aegis("report", "--state", tmp_path / "nowhere")
    assert ran.code == 1
    assert "holds no state" in ran.err


def test_logs_that_are_none_leave_no_page(aegis, tmp_path):
    (tmp_path / "logs").mkdir()
    assert aegis("analyze", tmp_path / "logs", "--report", tmp_path / "r.html").code == 1
    assert not (tmp_path / "r.html").exists()


def test_it_reads_while_another_process_writes(aegis, state):
    with Store(state):
        assert "Port scan" in aegis("report", "--state", state).out


def test_rules_that_do_not_check_are_said_in_the_page(aegis, state, tmp_path):
    (tmp_path / "rules/detectors").mkdir(parents=True)
    (tmp_path / "rules/detectors/port_scan.yml").write_text("id: [", encoding="utf-8")
    ran = aegis("report", "--state", state, "--rules", tmp_path / "rules")
    assert ran.code == 0
    assert "the rules do not check now" in ran.out
