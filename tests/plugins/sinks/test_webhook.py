"""The webhook over real HTTP: what is sent, to whom it is believed, and what each answer means."""

from __future__ import annotations

import json
import threading
from email.utils import formatdate
from pathlib import Path

import pytest
from scripted_server import Answer, serving

from aegis_enrich.errors import Problems, SinkError
from aegis_enrich.plugin import Document
from aegis_plugins.sinks.webhook import Webhook
from aegis_plugins.sinks.webhook.signing import verify

TLS = Path(__file__).resolve().parents[2] / "data" / "tls"
NOW_S = 1_790_000_000.0


def doc(id_="a", severity=73, status="open", revision=1, kind="alert", **fields):
    body = {
        "event": {"id": id_, "severity": severity, "risk_score": 80, "reason": "it scans"},
        "aegis": {"status": status, "revision": revision},
        "message": "Port scan",
        **fields,
    }
    return Document(kind, id_, revision, body)


@pytest.fixture
def server():
    with serving(lambda request: Answer(200, b"ok")) as scripted:
        yield scripted


@pytest.fixture
def hook(server):
    def made(**settings):
        settings = {"url": f"{server.url}/hook", "allow_http": True, "timeout_s": 2, **settings}
        return Webhook(settings, now_s=lambda: NOW_S)

    return made


def sent(server):
    return [request.json for request in server.requests]


def test_a_signed_request_with_id_revision_and_what_happened(server, hook):
    sink = hook(secret="s3cret", headers={"Authorization": "Bearer t"})
    assert sink.deliver([doc()]) == [("stored", "")]
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.json == {
        "delivery": "alert-a-1",
        "kind": "alert",
        "id": "a",
        "revision": 1,
        "event": "open",
        "document": dict(doc().body),
    }
    assert request.headers["x-aegis-delivery"] == "alert-a-1" and request.headers["authorization"] == "Bearer t"
    assert request.headers["content-type"] == "application/json"
    assert verify(request.body, request.headers, "s3cret", NOW_S + 299)
    assert not verify(request.body, request.headers, "s3cret", NOW_S + 301)


def test_without_a_secret_nothing_is_signed(server, hook):
    hook().deliver([doc()])
    assert "x-aegis-signature" not in server.requests[0].headers


def test_by_default_openings_and_rises_are_told_from_medium_on(server, hook):
    sink = hook()
    life = [
        doc(severity=47),
        doc(severity=47, revision=2),
        doc(severity=99, revision=3),
        doc(status="closed", revision=4),
    ]
    outcomes = [*sink.deliver(life), *sink.deliver([doc("low", severity=21)])]
    assert [o for o, _ in outcomes] == ["stored", "there", "stored", "there", "there"]
    assert [(r["id"], r["revision"], r["event"]) for r in sent(server)] == [("a", 1, "open"), ("a", 3, "severity")]


def test_when_and_severity_and_kinds_are_chosen(server, hook):
    sink = hook(when=["close"], least_severity="critical", kinds=["incident"])
    assert sink.takes() == ["incident"]
    sink.deliver(
        [doc(severity=99), doc(severity=99, status="closed", revision=2), doc("b", severity=73, status="closed")]
    )
    assert [(r["id"], r["event"]) for r in sent(server)] == [("a", "close")]


def test_a_restart_tells_nothing_twice(server, hook):
    first = hook()
    first.deliver([doc()])
    second = hook()
    second.resume(first.mark())
    second.deliver([doc(revision=2), doc("b")])
    assert [(r["id"], r["revision"]) for r in sent(server)] == [("a", 1), ("b", 1)]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_go_later_waits_with_all_behind_it(server, hook, status):
    sink = hook()
    answers = [Answer(200), Answer(status, b"busy\n\x1b[31m"), Answer(200), Answer(200)]
    server.answer = lambda request: answers.pop(0)
    outcomes = sink.deliver([doc("a"), doc("b"), doc("c")])
    assert [o for o, _ in outcomes] == ["stored", "retry", "retry"]
    assert f"answers {status} (busy \\u001b[31m)" in outcomes[1][1]
    assert len(server.requests) == 2
    assert [o for o, _ in sink.deliver([doc("b"), doc("c")])] == ["stored", "stored"]


@pytest.mark.parametrize(
    ("value", "pause_s"), [("120", 120.0), (formatdate(NOW_S + 60, usegmt=True), 60.0), ("soon", 0.0), ("-5", 0.0)]
)
def test_it_waits_as_long_as_it_is_asked_to(server, hook, value, pause_s):
    sink = hook()
    server.answer = lambda request: Answer(429, headers={"Retry-After": value})
    assert sink.deliver([doc()])[0][0] == "retry"
    assert sink.pause_s == pause_s
    server.answer = lambda request: Answer(200)
    sink.deliver([doc()])
    assert sink.pause_s == 0.0


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_what_it_does_not_take_is_refused_and_the_next_goes(server, hook, status):
    answers = [Answer(status, b"invalid_blocks"), Answer(200)]
    server.answer = lambda request: answers.pop(0)
    outcomes = hook().deliver([doc("a"), doc("b")])
    assert outcomes == [("refused", f"{status} (invalid_blocks)"), ("stored", "")]


@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "credentials"), (403, "credentials"), (404, "the URL"), (410, "taken away"), (302, "points")],
)
def test_what_concerns_every_document_stops_it(server, hook, status, advice):
    headers = {"Location": "https://elsewhere.test/"} if status == 302 else {}
    server.answer = lambda request: Answer(status, headers=headers)
    sink = hook()
    with pytest.raises(SinkError, match=advice) as raised:
        sink.deliver([doc()])
    assert "/hook" not in str(raised.value), "the path may be a secret"
    assert len(server.requests) == 1
    answers = [Answer(200), Answer(status, headers=headers)]
    server.answer = lambda request: answers.pop(0)
    outcomes = sink.deliver([doc("a"), doc("b"), doc("c")])
    assert [o for o, _ in outcomes] == ["stored", "retry", "retry"]


def test_no_answer_in_time_and_none_at_all(server, hook):
    ever = threading.Event()
    server.answer = lambda request: Answer(200, late=ever)
    ((outcome, why),) = hook(timeout_s=0.2).deliver([doc()])
    ever.set()
    assert (outcome, "no answer" in why) == ("retry", True)
    ((outcome, why),) = Webhook({"url": "http://127.0.0.1:9/x", "allow_http": True}).deliver([doc()])
    assert (outcome, "refused" in why) == ("retry", True)


def test_an_answer_that_is_cut_counts_by_its_status(server, hook):
    server.answer = lambda request: Answer(500, b"x" * 2_000, cut=10)
    assert hook().deliver([doc()])[0][0] == "retry"
    server.answer = lambda request: Answer(200, b"x" * 2_000, cut=10)
    assert hook().deliver([doc()])[0][0] == "stored"


def test_tls_is_checked():
    with serving(lambda request: Answer(200), certificate=(TLS / "localhost.pem", TLS / "localhost.key")) as server:
        with pytest.raises(SinkError, match=r"not trusted .*correct ca_certs"):
            Webhook({"url": server.url}).deliver([doc()])
        sink = Webhook({"url": server.url, "ca_certs": str(TLS / "localhost.pem")})
        assert sink.deliver([doc()]) == [("stored", "")]
        assert len(server.requests) == 1


def test_a_template_of_the_site(server, hook, monkeypatch):
    monkeypatch.setenv("ROUTING", "r0ute")
    template = {
        "routing_key": "env:ROUTING",
        "dedup_key": "{id}",
        "payload": {
            "summary": "{severity}: {title}",
            "severity": "{severity}",
            "custom": ["{event.risk_score}", "{{x}}"],
        },
    }
    sink = hook(format="template", template=template)
    sink.deliver([doc(message='x", "severity": "none \\ {id}\n')])
    assert sent(server) == [
        {
            "routing_key": "r0ute",
            "dedup_key": "a",
            "payload": {"summary": 'high: x", "severity": "none \\ {id} ', "severity": "high", "custom": [80, "{x}"]},
        }
    ]


def test_the_target_tells_urls_apart_and_holds_no_secret():
    one, two = (Webhook({"url": f"https://hooks.test/services/{name}"}) for name in ("T0ken", "other"))
    assert one.target.startswith("https://hooks.test:443/") and one.target != two.target
    assert "T0ken" not in one.target


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "webhook.url: is no URL"),
        ({"url": "ftp://x"}, "webhook.url: is no URL"),
        ({"url": "https://x:port/"}, "webhook.url: is no URL"),
        ({"url": "https://x/a b"}, "webhook.url: is no URL"),
        ({"url": "https://user:pw@x/"}, "webhook.url: is no URL"),
        ({"url": "http://x/T0ken"}, "webhook.url: is http"),
        ({"url": "https://x", "when": ["opens"]}, "webhook.when: opens: known are open"),
        ({"url": "https://x", "kinds": ["row"]}, "webhook.kinds: row"),
        ({"url": "https://x", "format": "template"}, "webhook.template: belongs"),
        ({"url": "https://x", "template": {}}, "webhook.template: belongs"),
        ({"url": "https://x", "format": "irc"}, "webhook.format: 'irc' is none of generic"),
        ({"url": "https://x", "least_severity": "urgent"}, "webhook.least_severity"),
        ({"url": "https://x", "headers": {"A": "b\r\nC: d"}}, "webhook.headers"),
        ({"url": "https://x", "ca_certs": "/nowhere.pem"}, "webhook.ca_certs: /nowhere.pem: no such file"),
        ({"url": "https://x", "token": "T0ken"}, "webhook.token: unknown setting"),
    ],
)
def test_settings_that_do_not_check(settings, said):
    found = Webhook.check(settings)
    assert len(found) == 1 and said in found[0] and "T0ken" not in found[0]


def test_settings_that_check():
    assert Webhook.check({"url": "https://x.test/hook"}) == ()
    with pytest.raises(Problems):
        Webhook({"url": 3, "when": 4})


def test_a_document_that_is_far_too_large_is_refused(server, hook, monkeypatch):
    monkeypatch.setattr("aegis_plugins.sinks.webhook.MOST_BYTES", 500)
    ((outcome, why),) = hook().deliver([doc(text="x" * 500)])
    assert (outcome, "more than a webhook should get" in why) == ("refused", True)
    assert server.requests == [] and json.dumps(sent(server)) == "[]"
