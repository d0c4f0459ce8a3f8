"""`analyze`: its outputs, its errors and its exit codes."""

from __future__ import annotations

import json

import pytest

from aegis_enrich.cli import run


def test_it_writes_the_alerts_and_prints_them(aegis, lab, tmp_path):
    ran = aegis("analyze", lab / "scan_vertical/tsv", "-o", tmp_path / "a.ndjson")
    assert ran.code == 0
    assert "1 alert: 1 high" in ran.out
    assert "1,000 rows" in ran.out
    (document,) = map(json.loads, (tmp_path / "a.ndjson").read_text(encoding="utf-8").splitlines())
    assert document["source"]["ip"] == "10.10.0.14"


def test_the_file_is_made_where_there_is_no_alert(aegis, lab, tmp_path):
    assert aegis("analyze", lab / "icmp_sweep/tsv", "-o", tmp_path / "a.ndjson").code == 0
    assert (tmp_path / "a.ndjson").exists()


def test_nothing_is_written_where_nothing_says_so(aegis, lab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert aegis("analyze", lab / "scan_vertical/tsv").code == 0
    assert list(tmp_path.iterdir()) == []


def test_json_is_one_object(aegis, lab):
    said = aegis("analyze", lab / "scan_vertical/tsv", "--json").json
    assert said["rows"] == {"conn": 1000}
    assert (said["bad"].get("conn", 0), said["late"]) == (0, {"conn": 0})
    assert [a["rule"]["id"] for a in said["alerts"]] == ["port_scan"]


def test_again_over_the_same_state_reads_nothing_twice(aegis, lab, tmp_path):
    first = aegis("analyze", lab / "scan_vertical/tsv", "--json", "--state", tmp_path / "s").json
    again = aegis("analyze", lab / "scan_vertical/tsv", "--json", "--state", tmp_path / "s").json
    assert again["rows"] == {}
    assert [a["event"]["id"] for a in again["alerts"]] == [a["event"]["id"] for a in first["alerts"]]


def test_a_bad_line_is_counted_and_no_failure(aegis, lab, tmp_path):
    (tmp_path / "conn.log").write_text('{"ts":1,"id.orig_h":"10.0.0.1"}\n{"ts":\n', encoding="utf-8")
    said = aegis("analyze", tmp_path / "conn.log", "--json").json
    assert (said["rows"]["conn"], said["bad"]["conn"]) == (1, 1)


@pytest.mark.parametrize("path", ["/no/such/file", "empty"])
def test_nothing_to_read_is_a_line_and_a_one(aegis, tmp_path, path):
    (tmp_path / "empty").mkdir()
    ran = aegis("analyze", tmp_path / path if path == "empty" else path)
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert path in ran.err


def test_without_a_path_it_is_wrong_usage(aegis):
    ran = aegis("analyze")
    assert ran.code == 2
    assert "name a file or folder" in ran.err


def test_sensors_have_names(aegis, lab):
    said = aegis("analyze", "--sensor", f"dmz={lab / 'scan_vertical/tsv'}", "--json").json
    assert said["alerts"][0]["observer"]["name"] == ["dmz"]


def test_an_index_that_is_not_there_is_an_error_that_keeps_nothing_back(aegis, lab, tmp_path):
    ran = aegis("analyze", lab / "scan_vertical/tsv", "--es", "http://127.0.0.1:9", "-o", tmp_path / "a")
    assert ran.code == 1
    assert "documents are not delivered" in ran.err
    assert (tmp_path / "a").read_text(encoding="utf-8").count("\n") == 1


def test_the_summary_obeys_nothing_that_an_incident_s_title_says(capsys):
    hostile = {"event": {"id": "0123456789", "risk_score": 50.0}, "message": "calls \x1b[31mevil\u202e.test"}
    run._say_incidents([hostile])
    assert "calls \\u001b[31mevil\\u202e.test" in capsys.readouterr().out
