"""`aegis-enrich incidents` over a recorded intrusion."""

import json

import pytest
from correlate.conftest import ROOT, made, put_into

from aegis_enrich.cli import main
from aegis_enrich.correlate import Correlator, load_correlation
from aegis_enrich.store import Store


@pytest.fixture(scope="module")
def state(tmp_path_factory, lab):
    folder = tmp_path_factory.mktemp("state")
    with pytest.raises(SystemExit) as ended:
        main(["analyze", str(lab / "multistage" / "tsv"), "--state", str(folder)])
    assert not ended.value.code
    return folder


@pytest.fixture
def incident(state, aegis):
    (found,) = json.loads(aegis("incidents", "list", "--json", "--state", state).out)
    return found


NAMES = ("203.0.113.66", "10.10.0.14", "10.10.0.15", "203.0.113.50", "203.0.113.40", "tunnel.test")


def test_the_intrusion_is_one_incident_with_its_stages_in_order(incident):
    assert next(iter(incident)) == "id"
    stages = [(s["name"], s["actors"][0]) for s in incident["aegis"]["incident"]["stages"]]
    assert stages == [
        ("reconnaissance", "203.0.113.66"),
        ("guessing of credentials", "203.0.113.66"),
        ("command and control", "10.10.0.14"),
        ("looking around inside", "10.10.0.14"),
        ("guessing of credentials", "10.10.0.14"),
        ("command and control", "10.10.0.15"),
        ("exfiltration", "10.10.0.15"),
    ]
    roles = {h["ip"]: h["role"] for h in incident["aegis"]["incident"]["hosts"]}
    assert roles["10.10.0.14"] == roles["10.10.0.15"] == "victim"


def test_it_is_listed_and_filtered(state, incident, aegis):
    assert incident["id"][:8] in aegis("incidents", "list", "--state", state).out
    assert aegis("incidents", "list", "--least-risk", "99", "--state", state).out == "no incidents\n"
    assert aegis("incidents", "list", "--host", "10.10.0.11", "--state", state).out == "no incidents\n"
    assert incident["id"][:8] in aegis("incidents", "list", "--host", "tunnel.test", "--state", state).out


def test_it_is_shown_and_explained_with_every_name(state, incident, aegis):
    shown = aegis("incidents", "show", incident["id"][:6], "--state", state).out
    told = aegis("incidents", "explain", incident["id"][:6], "--state", state).out
    assert all(name in shown and name in told for name in NAMES[:5])
    assert "tunnel.test" in told and "What to do next" in told
    story = json.loads(aegis("incidents", "explain", incident["id"], "--json", "--state", state).out)
    assert len(story["chapters"]) == 7
    assert aegis("incidents", "explain", incident["id"], "--format", "markdown", "--state", state).out.startswith("# ")


def test_it_is_exported(state, incident, aegis, tmp_path):
    assert aegis("incidents", "export", "-o", tmp_path / "all.ndjson", "--state", state).code == 0
    (line,) = (tmp_path / "all.ndjson").read_text().splitlines()
    assert json.loads(line)["event"]["id"] == incident["id"]
    aegis("incidents", "export", incident["id"], "--format", "markdown", "-o", tmp_path / "one.md", "--state", state)
    assert "10.10.0.15" in (tmp_path / "one.md").read_text()


def test_status_and_note_stay_when_evidence_comes(state, incident, aegis, lab):
    with Store(state):  # a watch that runs holds the state: a note does not wait for it
        said = aegis("incidents", "close", incident["id"][:6], "--note", "a drill", "--author", "ada", "--state", state)
    assert said.code == 0 and "is closed" in said.out
    assert aegis("incidents", "list", "--triage", "open", "--state", state).out == "no incidents\n"
    assert aegis("analyze", lab / "dns_tunnel" / "tsv", "--state", state).code == 0
    told = aegis("incidents", "explain", incident["id"], "--state", state).out
    assert "closed since" in told and "ada: a drill" in told
    aegis("incidents", "reopen", incident["id"], "--state", state)
    aegis("incidents", "note", incident["id"], "--note", "and now?", "--state", state)
    triage = json.loads(aegis("incidents", "show", incident["id"], "--json", "--state", state).out)["aegis"]["triage"]
    assert triage["status"] == "open" and [n["note"] for n in triage["notes"]] == ["a drill", "", "and now?"]


HOSTILE = "[/oops] [red]\x1b[2J\x07\n# no heading\u202egpj http://evil.example " + "A" * 10_000


@pytest.fixture
def hostile(tmp_path):
    """A state whose alerts say what an attacker wrote."""
    doc = made("http_jndi", "198.51.100.7", "10.0.0.5", name=HOSTILE, severity=73, techniques=("TA0011/T1071",))
    doc["message"], doc["rule"]["name"], doc["aegis"]["uids"] = HOSTILE, HOSTILE, [HOSTILE]
    doc["event"]["reason"] = HOSTILE[:1024]
    doc["@timestamp"], doc["aegis"]["entity"] = doc["aegis"]["first_seen"], {"orig_h": HOSTILE}
    with Store(tmp_path / "hostile") as store:
        put_into(store, [doc])
        Correlator(store, load_correlation(ROOT / "rules"), (), lambda: 0).run(all_of_them=True)
        ((incident,),) = store.query("SELECT incident_id FROM incidents")
    return tmp_path / "hostile", incident, doc["event"]["id"]


def test_what_the_wire_says_is_neither_markup_nor_obeyed(hostile, aegis):
    state, incident, alert = hostile
    aegis("incidents", "close", incident, "--note", HOSTILE + "\udcff", "--author", HOSTILE, "--state", state)
    for arguments in (
        ("incidents", "list"),
        ("incidents", "show", incident),
        ("incidents", "explain", incident),
        ("incidents", "explain", incident, "--format", "markdown"),
        ("hosts",),
        ("alerts", "list"),
        ("alerts", "show", alert),
    ):
        ran = aegis(*arguments, "--state", state)
        assert ran.code == 0 and not set("\x1b\x07\u202e\udcff") & set(ran.out), arguments
        assert "\n# no" not in ran.out
    for arguments in (("incidents", "list"), ("incidents", "show", incident), ("incidents", "explain", incident)):
        assert aegis(*arguments, "--json", "--state", state).json


def test_markdown_makes_no_link_and_no_heading_of_what_the_wire_says(hostile, aegis, tmp_path):
    state, incident, _ = hostile
    aegis("incidents", "export", incident, "--format", "markdown", "-o", tmp_path / "one.md", "--state", state)
    written = (tmp_path / "one.md").read_text(encoding="utf-8")
    assert "http://evil" not in written and "[red]" not in written
    assert all(len(line) < 10_000 for line in written.splitlines())


def test_what_has_become_worse_since_it_was_closed_is_to_be_looked_at_again(tmp_path, aegis):
    rules = load_correlation(ROOT / "rules")
    scan = made("port_scan", "10.0.0.5", severity=47, score=0.9)
    worse = made("exfiltration", "10.0.0.5", "203.0.113.9", at_s=60, severity=99, techniques=("TA0010/T1041",))
    for doc in (scan, worse):
        with Store(tmp_path) as store:
            put_into(store, [doc])
            Correlator(store, rules, (), lambda: 0).run(all_of_them=True)
        if doc is scan:
            ((incident,),) = store_ids(tmp_path)
            aegis("incidents", "close", incident, "--state", tmp_path)
            assert aegis("incidents", "list", "--triage", "open", "--state", tmp_path).out == "no incidents\n"
    listed = aegis("incidents", "list", "--triage", "open", "--state", tmp_path).out
    assert "worse since" in listed and "medium" in listed
    assert aegis("incidents", "list", "--triage", "closed", "--state", tmp_path).out == "no incidents\n"


def store_ids(state):
    with Store(state, read_only=True) as store:
        return store.query("SELECT incident_id FROM incidents")


def test_one_whose_heir_is_gone_is_no_incident(hostile, aegis):
    state, incident, _ = hostile
    with Store(state) as store, store.transaction() as tx:
        tx.execute("UPDATE incidents SET status = 'merged', merged_into = 'gone'")
    ran = aegis("incidents", "show", incident, "--state", state)
    assert ran.code == 1 and "no such incident" in ran.err


def test_what_is_wrong_is_said(state, aegis):
    assert aegis("incidents", "show", "abc", "--state", state).code == 2
    wrong = aegis("incidents", "show", "zzzz", "--state", state)
    assert wrong.code == 1 and "no such incident" in wrong.err
    assert aegis("incidents", "note", "zzzz", "--state", state).code == 2


@pytest.mark.parametrize("scenario", ["benign", "benign_tls"])
def test_where_nothing_is_wrong_there_is_no_incident(scenario, lab, aegis, tmp_path):
    aegis("analyze", lab / scenario / "tsv", "--state", tmp_path)
    assert aegis("incidents", "list", "--state", tmp_path).out == "no incidents\n"
