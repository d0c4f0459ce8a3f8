"""`evaluate`: the truth from a file and from the rows, what is said and how it ends."""

from __future__ import annotations

import gzip

import pytest


def test_scenarios_of_a_file(aegis, lab):
    chosen = ("--only", "scan_vertical", "--only", "icmp_sweep")
    ran = aegis("evaluate", f"{lab}/{{}}/tsv", "--labels", lab / "truth.yml", *chosen, "--json")
    assert ran.code == 0
    told = ran.json
    assert told["rules"]["port_scan"]["found"] == 1
    assert told["rules"]["icmp_anomaly"]["found"] == 1
    assert told["rules"]["port_scan"]["false"] == {}
    assert told["rules"]["port_scan"]["median_delay_s"] > 0
    assert [(s["scenario"], s["missed"], s["false"], s["host_days"]) for s in told["scenarios"]] == [
        ("scan_vertical", {}, [], 1),
        ("icmp_sweep", {}, [], told["scenarios"][1]["host_days"]),
    ]


def test_what_was_missed_and_what_is_false_is_said(aegis, lab, tmp_path):
    labels = tmp_path / "truth.yml"
    labels.write_text("it: {attacks: [{what: upload, who: 10.9.9.9, found_by: [exfiltration]}]}")
    ran = aegis("evaluate", lab / "scan_vertical/tsv", "--labels", labels)
    assert ran.code == 1
    assert "missed it: upload" in ran.out
    assert "false  it: high by port_scan: 10.10.0.14 probed 1,000 ports" in ran.out
    assert "false alerts above low: 1, 1.000 of them per host-day" in ran.out


def test_labels_in_the_rows(aegis, lab, tmp_path):
    log = gzip.decompress((lab / "scan_vertical/tsv/conn.log.gz").read_bytes()).decode().splitlines()
    more = {"#fields": "\tlabel\tdetailedlabel", "#types": "\tstring\tstring"}
    rows = [line + more.get(line.split("\t")[0], "" if line.startswith("#") else "\tMalicious\tScan") for line in log]
    (tmp_path / "conn.log").write_text("\n".join(rows) + "\n", encoding="utf-8")
    ran = aegis("evaluate", tmp_path / "conn.log", "--json")
    assert ran.code == 0
    assert ran.json["rules"]["port_scan"] | {"median_delay_s": 0} == {
        "found": 1,
        "missed": 0,
        "beside": 0,
        "false": {},
        "loud_false_per_host_day": 0.0,
        "median_delay_s": 0,
    }


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("{lab}/scan_vertical/tsv",), 1, "no row is labelled Malicious"),
        (("{lab}/none",), 1, "no such file"),
        (("{lab}/{{}}/tsv",), 2, "scenarios have names in --labels"),
        (("{lab}/scan_vertical/tsv", "--labels", "{lab}/truth.yml"), 2, "write {} in PATH"),
        (("{lab}/{{}}/tsv", "--labels", "{lab}/truth.yml", "--only", "nothing"), 1, "no scenario 'nothing'"),
        (("{lab}/{{}}/none", "--labels", "{lab}/truth.yml"), 1, "no such file"),
        (("{lab}/scan_vertical/tsv", "--state", "{lab}"), 2, "keeps nothing"),
    ],
)
def test_what_is_wrong_is_said(aegis, lab, arguments, code, said):
    ran = aegis("evaluate", *(a.format(lab=lab) for a in arguments))
    assert ran.code == code
    assert said in ran.err
