"""`alerts list` and `show`, as an analyst and as a program use them."""

from __future__ import annotations

import shutil

import pytest

from aegis_enrich.config import shipped_rules
from aegis_enrich.store import Store


@pytest.fixture
def state(aegis, lab, tmp_path):
    ran = aegis("analyze", lab / "scan_vertical/tsv", lab / "scan_slow/tsv", "--state", tmp_path / "s")
    assert ran.code == 0
    return tmp_path / "s"


def test_list_shows_the_worst_first(aegis, state):
    ran = aegis("alerts", "list", "--state", state)
    assert ran.code == 0
    assert ran.out.index("10.10.0.14") < ran.out.index("10.10.0.15")


def test_list_as_json_is_one_array_of_documents(aegis, state):
    documents = aegis("alerts", "list", "--json", "--state", state).json
    assert {d["source"]["ip"] for d in documents} == {"10.10.0.14", "10.10.0.15"}
    assert all(d["aegis"]["revision"] >= 1 and d["aegis"]["status"] == "open" for d in documents)


@pytest.mark.parametrize(
    ("options", "sources"),
    [
        (("--severity", "high"), {"10.10.0.14"}),
        (("--host", "10.10.0.15"), {"10.10.0.15"}),
        (("--rule", "beaconing"), set()),
        (("--rule", "port_scan", "--status", "open"), {"10.10.0.14", "10.10.0.15"}),
        (("--status", "closed"), set()),
    ],
)
def test_list_chooses(aegis, state, options, sources):
    documents = aegis("alerts", "list", "--json", "--state", state, *options).json
    assert {d["source"]["ip"] for d in documents} == sources


def test_an_empty_list_is_said(aegis, state):
    assert aegis("alerts", "list", "--rule", "none", "--state", state).out == "no alerts\n"
    assert aegis("alerts", "list", "--rule", "none", "--state", state, "--json").json == []


def test_show_tells_all_about_one(aegis, state):
    (document,) = aegis("alerts", "list", "--json", "--severity", "high", "--state", state).json
    shown = aegis("alerts", "show", document["event"]["id"][:8], "--state", state).out
    for part in (
        "Port scan by 10.10.0.14",
        "T1046",
        "ports",
        "1000",
        document["event"]["id"],
        document["event"]["reason"],
    ):
        assert part in shown
    assert aegis("alerts", "show", document["event"]["id"], "--json", "--state", state).json == document


def test_what_is_not_there_is_said_in_a_line(aegis, state, tmp_path):
    ran = aegis("alerts", "show", "beef", "--state", state)
    assert (ran.code, ran.err) == (1, "aegis-enrich: beef: no such alert; see alerts list\n")
    assert aegis("alerts", "show", "be", "--state", state).code == 2
    ran = aegis("alerts", "list", "--state", tmp_path / "nowhere")
    assert ran.code == 1
    assert "holds no state" in ran.err


def test_it_reads_while_another_process_writes(aegis, state):
    with Store(state) as writer, writer.transaction() as tx:
        tx.execute("UPDATE alerts SET status = 'closed'")
        documents = aegis("alerts", "list", "--json", "--state", state).json
        assert {d["aegis"]["status"] for d in documents} == {"open"}


@pytest.fixture
def config(tmp_path):
    """A configuration whose rules suppress one of the two scanners."""
    shutil.copytree(shipped_rules(), tmp_path / "rules")
    entry = "- {rule: [port_scan], where: {orig_h: 10.10.0.14}, reason: our scanner, author: me}\n"
    (tmp_path / "rules" / "suppress.yml").write_text(entry, encoding="utf-8")
    (tmp_path / "aegis.yml").write_text("rules: rules\n", encoding="utf-8")
    return tmp_path / "aegis.yml"


def test_stored_alerts_that_a_suppression_covers_now_are_left_out(aegis, state, config):
    def sources(*options):
        documents = aegis("alerts", "list", "--json", "--state", state, "--config", config, *options).json
        return {d["source"]["ip"]: d["aegis"].get("suppressed") for d in documents}

    assert sources() == {"10.10.0.15": None}
    assert sources("--suppressed") == {"10.10.0.14": {"reason": "our scanner", "author": "me"}}
    shown = aegis("alerts", "list", "--suppressed", "--state", state, "--config", config).out
    assert "suppressed (our scanner): " in shown
    (document,) = aegis("alerts", "list", "--suppressed", "--json", "--state", state, "--config", config).json
    told = aegis("alerts", "show", document["event"]["id"], "--state", state, "--config", config).out
    assert "suppressed               our scanner (me)" in told


def test_the_rules_that_the_state_was_made_with_count(aegis, lab, tmp_path, config):
    ran = aegis(
        "analyze", lab / "scan_vertical/tsv", "--rules", tmp_path / "rules", "--state", tmp_path / "r", "--json"
    )
    assert ran.json["alerts"] == []
    (tmp_path / "rules" / "suppress.yml").write_text("[]\n", encoding="utf-8")
    aegis("analyze", lab / "scan_vertical/tsv", "--rules", tmp_path / "rules", "--state", tmp_path / "s", "--json")
    assert len(aegis("alerts", "list", "--json", "--state", tmp_path / "s").json) == 1
    (tmp_path / "rules" / "suppress.yml").write_text("[{where: {orig_h: 10.10.0.14}, reason: x}]", encoding="utf-8")
    assert aegis("alerts", "list", "--json", "--state", tmp_path / "s").json == []


def test_with_rules_that_do_not_check_all_are_shown_and_it_is_said(aegis, state, config, tmp_path):
    (tmp_path / "rules" / "suppress.yml").write_text("- {where: {orig_h: x}}\n", encoding="utf-8")
    ran = aegis("alerts", "list", "--json", "--state", state, "--config", config)
    assert len(ran.json) == 2
    assert "suppressions are not looked at: " in ran.err and "suppress.yml:1: reason is missing" in ran.err
