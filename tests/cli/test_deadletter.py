"""`deadletter`: what is listed, shown, exported, dropped and sent again; beside a running `watch` by an order."""

from __future__ import annotations

import json

import pytest
from scripted_server import Answer, serving

from aegis_enrich.plugin import Document
from aegis_enrich.store import DeadLetter, Store
from aegis_enrich.store.letters import Selection, letters, refuse, take_orders
from aegis_plugins.sinks.webhook import Webhook

HOSTILE = "bad \x1b[2J\n\u202eline"


@pytest.fixture
def server():
    with serving(lambda request: Answer(200)) as scripted:
        yield scripted


@pytest.fixture
def hook(server, tmp_path):
    """The configuration of a webhook, and the key under which the state knows it."""
    settings = {"sink": "webhook", "url": server.url, "allow_http": True}
    path = tmp_path / "aegis.yml"
    path.write_text(json.dumps({"plugins": {"chat": settings}, "state": str(tmp_path / "s")}))
    del settings["sink"]
    return path, f"chat:{Webhook(settings).target}"


@pytest.fixture
def state(tmp_path, hook):
    """Two lines that could not be read and two alerts that the webhook refused."""
    body = {"event": {"id": "x", "severity": 99}, "message": HOSTILE, "aegis": {"status": "open"}}
    with Store(tmp_path / "s") as store:
        store.flush([], [], [DeadLetter("/logs/conn.log", n, HOSTILE.encode() + b"\xff", "no JSON") for n in (3, 9)])
        with store.transaction() as tx:
            refuse(tx, hook[1], [(Document("alert", f"a{n}", n, body), n, f"400 {HOSTILE}") for n in (1, 2)])
    return tmp_path / "s"


def left(state):
    with Store(state, read_only=True) as store:
        return [letter.id for letter in letters(store, Selection())]


def test_they_are_counted_by_origin_and_reason(aegis, state, hook):
    rows = aegis("deadletter", "list", "--state", state, "--json").json
    assert [(r["origin"], r["kind"], r["count"], r["replayable"], r["newest"]) for r in rows] == [
        ("/logs/conn.log", "line", 2, 0, 2),
        (f"sink:{hook[1]}", "alert", 2, 2, 4),
    ]
    text = aegis("deadletter", "list", "--state", state).out
    assert "/logs/conn.log" in text and "\x1b" not in text and "\u202e" not in text


def test_they_are_listed_one_by_one(aegis, state):
    rows = aegis("deadletter", "list", "--each", "--kind", "document", "--state", state, "--json").json
    assert [(r["id"], r["document"], r["revision"], r["whole"]) for r in rows] == [
        (3, "a1", 1, True),
        (4, "a2", 2, True),
    ]
    assert len(aegis("deadletter", "list", "--each", "--limit", 1, "--state", state, "--json").json) == 1
    assert "a1" not in aegis("deadletter", "list", "--each", "--reason", "JSON", "--state", state).out


def test_one_is_shown_whole_and_obeyed_by_no_terminal(aegis, state):
    told = aegis("deadletter", "show", 3, "--state", state).out
    assert '"id": "x"' in told and "document: a1" in told and "\x1b" not in told and "\u202e" not in told
    line = aegis("deadletter", "show", 1, "--state", state).out
    assert "offset: 3" in line and "bad \\u001b[2J\\n\\u202eline\\xff" in line
    assert aegis("deadletter", "show", 1, "--json", "--state", state).json["body_base64"]
    missing = aegis("deadletter", "show", 99, "--state", state)
    assert (missing.code, "no such dead letter" in missing.err) == (1, True)


def test_an_export_holds_each_byte(aegis, state, tmp_path):
    ran = aegis("deadletter", "export", "-o", tmp_path / "out", "--state", state)
    assert ran.out.startswith("4 dead letters in ")
    lines = [json.loads(line) for line in (tmp_path / "out").read_text("ascii").splitlines()]
    assert [("body" in x, "body_base64" in x) for x in lines] == [(False, True)] * 2 + [(True, False)] * 2
    assert json.loads(lines[3]["body"])["message"] == HOSTILE


def test_some_are_dropped(aegis, state):
    assert aegis("deadletter", "drop", 1, "--state", state).out == "1 dead letter dropped\n"
    assert aegis("deadletter", "drop", "--kind", "line", "--state", state).code == 0
    assert left(state) == [3, 4]
    assert aegis("deadletter", "drop", "--all", "--state", state).code == 0
    assert aegis("deadletter", "list", "--state", state).out == "no dead letters\n"


@pytest.mark.parametrize("command", ["drop", "replay"])
def test_which_ones_must_be_said(aegis, state, command):
    ran = aegis("deadletter", command, "--state", state)
    assert (ran.code, "or --all" in ran.err) == (2, True)


def test_refused_documents_go_again_and_lines_are_said_to_stay(aegis, state, hook, server):
    ran = aegis("deadletter", "replay", "--all", "--config", hook[0])
    assert ran.code == 0 and f"{hook[1]}: 2 sent" in ran.out
    assert "2 dead letters of them are lines that could not be read" in ran.err and "analyze LOG" in ran.err
    assert [r.json["id"] for r in server.requests] == ["a1", "a2"] and left(state) == [1, 2]


def test_those_that_are_refused_again_stay_with_the_new_reason(aegis, state, hook, server):
    server.answer = lambda request: Answer(422, b"still no") if request.json["id"] == "a2" else Answer(200)
    ran = aegis("deadletter", "replay", 3, 4, "--config", hook[0])
    assert "1 sent" not in ran.out and "2 sent; 1 in all were refused again" in ran.out
    (row,) = aegis("deadletter", "list", "--each", "--kind", "document", "--state", state, "--json").json
    assert (row["document"], row["reason"], row["attempts"], row["marked"]) == ("a2", "422 (still no)", 2, False)


def test_those_of_a_sink_that_is_down_stay_marked(aegis, state, hook, server):
    server.answer = lambda request: Answer(503)
    ran = aegis("deadletter", "replay", "--all", "--config", hook[0])
    assert ran.code == 1 and "2 wait: " in ran.err and "answers 503" in ran.err
    assert "2 dead letters marked for" in ran.out and left(state) == [1, 2, 3, 4]


def test_those_of_a_sink_that_is_not_configured_stay_marked(aegis, state):
    ran = aegis("deadletter", "replay", "--all", "--state", state)
    assert ran.code == 0 and "2 dead letters marked for sink:chat:" in ran.out


@pytest.mark.parametrize("command", ["drop", "replay"])
def test_beside_a_watch_an_order_is_left_that_it_takes_up(aegis, state, hook, server, command):
    with Store(state) as held:
        ran = aegis("deadletter", command, "--all", "--config", hook[0])
        number = {"drop": 4, "replay": 2}[command]
        assert (ran.code, f"{number} dead letters: the running `watch`" in ran.out) == (0, True)
        assert server.requests == [] and len(letters(held, Selection())) == 4
        assert take_orders(held) == number


def test_a_state_without_any_says_so(aegis, tmp_path):
    Store(tmp_path / "new").close()
    assert aegis("deadletter", "list", "--state", tmp_path / "new").out == "no dead letters\n"
    assert aegis("deadletter", "list", "--state", tmp_path / "new", "--json").json == []
