"""Settings to a client, its failures to ours; what a real server cannot be made to answer comes from a stand-in."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from contextlib import contextmanager

import pytest

from aegis_enrich.errors import ConfigError, SinkError
from aegis_enrich.plugin import Document
from aegis_plugins.sinks.elasticsearch import Elasticsearch
from aegis_plugins.sinks.elasticsearch.connection import Connection
from aegis_plugins.sinks.elasticsearch.settings import read

DOCUMENTS = [Document("alert", f"id{n}", 1, {"event": {}, "aegis": {"period": "2026-11-21T"}}) for n in range(4)]


@contextmanager
def answering(status, body=b"{}", *, most_lines=10**9, product="Elasticsearch", heads=None):
    """A stand-in that answers bulk requests of more than `most_lines` lines so, and takes all others.

    `heads`: a list to which it adds each request's credentials.
    """
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(200, b"{}")

        def do_PUT(self):
            lines = self.rfile.read(int(self.headers["Content-Length"])).splitlines()
            seen.append(len(lines) // 2)
            taken = json.dumps({"items": [{"index": {"status": 201}}] * (len(lines) // 2)}).encode()
            self.answer(*((status, body) if len(lines) > most_lines else (200, taken)))

        def answer(self, status, body):
            if heads is not None:
                heads.append(self.headers["Authorization"])
            self.send_response(status)
            self.send_header("X-Elastic-Product", product)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def sink(url, **settings):
    made = Elasticsearch({"url": url, **settings})
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_request_that_may_go_through_later_is_sent_once_and_kept(status) -> None:
    with answering(status, most_lines=0) as (url, seen), sink(url) as elasticsearch:
        outcomes = elasticsearch.deliver(DOCUMENTS)
    assert {o for o, _ in outcomes} == {"retry"}
    assert outcomes[0][1].startswith(f"{url}: answers {status} (")
    assert seen == [4]


def test_a_request_that_is_too_large_is_halved() -> None:
    with answering(413, most_lines=2) as (url, seen), sink(url) as elasticsearch:
        assert elasticsearch.deliver(DOCUMENTS) == [("stored", "")] * 4
    assert seen == [4, 2, 1, 1, 1, 1]  # the rest goes in the size that was taken


def test_one_document_that_is_too_large_is_refused() -> None:
    with answering(413, most_lines=1) as (url, _), sink(url) as elasticsearch:
        outcomes = elasticsearch.deliver(DOCUMENTS[:1])
    assert outcomes == [("refused", f"{url}: too large for one request (413)")]


def test_an_answer_that_is_no_json_is_no_answer() -> None:
    with answering(200, b"<html>", most_lines=0) as (url, _), sink(url) as elasticsearch:
        assert {o for o, _ in elasticsearch.deliver(DOCUMENTS)} == {"retry"}


def test_another_product_is_named() -> None:
    with answering(200, product="Other") as (url, _), sink(url) as other, pytest.raises(SinkError, match="no Elastic"):
        other.deliver(DOCUMENTS)


def test_nobody_listening_is_a_retry() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with sink(url) as elasticsearch:
            outcomes = elasticsearch.deliver(DOCUMENTS)
        assert [o for o, _ in outcomes] == ["retry"] * 4
        assert outcomes[0][1].startswith(f"{url}: does not answer (")
        assert len(outcomes[0][1].splitlines()) == 1
        (problem,) = Elasticsearch.check({"url": url})
        assert problem.startswith(f"{url}: does not answer (")


def test_what_the_target_is_called_holds_no_secret() -> None:
    assert (
        read("elasticsearch", {"url": "https://me:secret@a:9200, https://b:9200/es"}).target
        == "https://a:9200,https://b:9200/es"
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": ""}, "no server is named"),
        ({"url": "localhost:9200"}, "'localhost:9200' is no URL; write it like https://host:9200"),
        ({"url": "http://u:p@localhost"}, "'http://localhost' is no URL"),
        ({"url": "http://localhost:x"}, "is no URL"),
        ({"url": "http://a:1", "username": "me"}, "AEGIS_ES_PASSWORD"),
        ({"url": "https://a:1", "ca_certs": "/no/such/file"}, "/no/such/file: no such file"),
        ({"url": "https://a:1", "fingerprint": "nonsense"}, "elasticsearch.url"),
    ],
)
def test_settings_that_make_no_connection(monkeypatch, settings, said) -> None:
    monkeypatch.delenv("AEGIS_ES_PASSWORD", raising=False)
    with pytest.raises(ConfigError, match=said):
        Connection(settings)
    (problem,) = Elasticsearch.check(settings)
    assert said in problem and len(problem.splitlines()) == 1


@contextmanager
def nobody():
    """A URL at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_of_several_hosts_one_that_is_down_is_passed_over() -> None:
    with nobody() as down, answering(200) as (up, seen), sink(f"{down},{up}") as elasticsearch:
        for _ in range(3):
            assert elasticsearch.deliver(DOCUMENTS) == [("stored", "")] * 4
    assert seen == [4, 4, 4]


def test_several_hosts_that_are_all_down_are_a_retry_that_names_them() -> None:
    with nobody() as one, nobody() as other, sink(f"{one},{other}") as elasticsearch:
        outcomes = elasticsearch.deliver(DOCUMENTS)
    assert {o for o, _ in outcomes} == {"retry"}
    assert outcomes[0][1].startswith(f"{one},{other}: does not answer (")


@pytest.mark.elasticsearch
def test_a_real_server_beside_one_that_is_down(elasticsearch) -> None:
    elasticsearch.forget_alerts()
    with nobody() as down:
        settings = elasticsearch.settings() | {"url": f"{down},{elasticsearch.url}"}
        Elasticsearch.setup(settings)
        made = Elasticsearch(settings)
        assert made.deliver(DOCUMENTS) == [("stored", "")] * 4
        made.close()
        assert Elasticsearch.check(settings) == []


def test_an_answer_that_takes_too_long_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with sink(url, timeout_s=0.2) as elasticsearch:
            outcomes = elasticsearch.deliver(DOCUMENTS)
    assert {o for o, _ in outcomes} == {"retry"} and "timed out" in outcomes[0][1]


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({"api_key": "a2V5OnNlY3JldA=="}, "ApiKey a2V5OnNlY3JldA=="),
        ({"username": "me", "password": "secret"}, "Basic bWU6c2VjcmV0"),
        ({"api_key": "k", "username": "me", "password": "secret"}, "Basic bWU6c2VjcmV0"),
    ],
)
def test_who_we_are_goes_with_each_request(settings, header) -> None:
    """The minimal distribution cannot make API keys; that one is sent is what can be shown."""
    heads: list[str] = []
    with answering(200, heads=heads) as (url, _), sink(url, **settings) as elasticsearch:
        elasticsearch.deliver(DOCUMENTS)
    assert set(heads) == {header} and len(heads) == 2
