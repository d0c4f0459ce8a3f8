"""What Slack, Teams and templates get: right by their schemas, and deaf to what hostile names say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.plugin import Document
from aegis_plugins.sinks.webhook.formats import escaped_for_slack, filled, slack, teams

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
HOSTILE = (
    "<!channel> <https://evil.test|click> @here *b* _i_ `c` [x](https://evil.test) # h {{DATE(2020)}} \u202eold\n\0"
)


def alert(**fields):
    body = json.loads((GOLDEN / "multistage.json").read_text(encoding="utf-8"))[0] | fields
    return Document("alert", body["event"]["id"], 3, body)


def hostile():
    return alert(
        message=HOSTILE,
        source={"ip": HOSTILE, "domain": HOSTILE},
        destination={"domain": HOSTILE * 99},
        rule={"name": HOSTILE},
        observer={"name": [HOSTILE]},
        event={"id": "x", "severity": 99, "risk_score": 99, "reason": HOSTILE * 200},
    )


def texts(node):
    """Every text of a body with the kind of the element that it is in."""
    if isinstance(node, dict):
        for key, below in node.items():
            if isinstance(below, str):
                yield node.get("type", ""), key, below
            else:
                yield from texts(below)
    elif isinstance(node, list):
        for below in node:
            yield from texts(below)


def test_slack_gets_what_an_analyst_needs():
    body = slack(alert(), "open")
    shown = json.dumps(body, ensure_ascii=False)
    assert body["text"] == "🟡 MEDIUM: Port scan by 203.0.113.66"
    assert "probed 1,000 ports" in shown and "T1595.001" in shown and "203.0.113.66" in shown
    assert slack(alert(), "close")["text"] == "🟡 over, was MEDIUM: Port scan by 203.0.113.66"
    assert [b["type"] for b in body["blocks"]] == ["header", "section", "section", "context"]


@pytest.mark.parametrize("event", ["open", "severity", "update", "close"])
def test_slack_s_elements_are_plain_text_within_its_limits(event):
    body = slack(hostile(), event)
    for kind, key, shown in texts(body["blocks"]):
        assert kind == "plain_text" or key == "type"
        assert "\n" not in shown.split("\n", 1)[-1] and "\0" not in shown and "\u202e" not in shown
    header, reason, fields, _ = body["blocks"]
    assert len(header["text"]["text"]) <= 150 and len(reason["text"]["text"]) <= 3_000
    assert len(fields["fields"]) <= 10 and all(len(f["text"]) <= 2_000 for f in fields["fields"])
    assert "<" not in body["text"] and ">" not in body["text"] and body["text"].count("&lt;!channel&gt;") == 1
    assert not body["mrkdwn"] and not body["unfurl_links"]


def test_teams_gets_an_adaptive_card_in_runs_of_text():
    body = teams(alert(), "severity")
    (attachment,) = body["attachments"]
    assert (body["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}
    assert card["body"][0]["inlines"][0]["text"] == "now MEDIUM: Port scan by 203.0.113.66"


def test_teams_obeys_nothing_of_a_hostile_name_and_gets_no_more_than_it_takes():
    body = teams(hostile(), "open")
    runs = [run["text"] for block in body["attachments"][0]["content"]["body"] for run in block["inlines"]]
    assert all("{{" not in run and "\n" not in run and "\u202e" not in run for run in runs)
    assert len(json.dumps(body)) < 28_000
    assert '"TextBlock"' not in json.dumps(body) and "<at>" not in json.dumps(body)


@given(st.text(max_size=60))
def test_a_value_never_leaves_its_text(name):
    template = {"text": "before {message} after", "list": ["{message}"], "fixed": "{{message}}"}
    body = json.loads(json.dumps(filled(template, alert(message=name), "open")))
    assert body.keys() == template.keys() and body["fixed"] == "{message}"
    assert body["text"] == f"before {body['list'][0]} after"
    assert not any(ord(c) < 32 for c in body["text"])


def test_a_text_that_is_one_field_becomes_its_value():
    filled_in = filled(
        ["{event.severity}", "{threat.technique.id}", "{none.of.it}", "s {none.of.it}", 3], alert(), "open"
    )
    assert filled_in == [47, ["T1595"], None, "s ", 3]


def test_a_template_cannot_reach_beyond_the_document():
    odd = ["{event.__class__}", "{0}", "{}", "{message!r}", "{message:>99999999}", "{message.upper}"]
    assert filled(odd, alert(), "open") == [None, "{0}", "{}", "{message!r}", "{message:>99999999}", None]


def test_a_template_for_slack_escapes_what_slack_obeys():
    filled_in = filled({"text": "*{title}*"}, hostile(), "open", escaped_for_slack)
    assert "&lt;!channel&gt;" in filled_in["text"] and "<" not in filled_in["text"]
