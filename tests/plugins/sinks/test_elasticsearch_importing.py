"""Handing the file to Kibana: what is sent, and what its answers mean. The server is one of the test's own."""

from __future__ import annotations

import email
import json
from base64 import b64encode

import pytest
from kibana_server import Kibana

from aegis_enrich.errors import ConfigError, SinkError
from aegis_plugins.sinks.elasticsearch.kibana.importing import send

FILE = '{"id":"a","type":"dashboard"}\n{"exportedCount":1}\n'


@pytest.fixture
def kibana(monkeypatch):
    for word in ("AEGIS_ES_API_KEY", "AEGIS_ES_PASSWORD"):
        monkeypatch.delenv(word, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Kibana()
    yield made
    made.stop()


def test_the_file_goes_as_a_form_over_what_is_there(kibana) -> None:
    assert send(FILE, f"{kibana.url}/s/blue/", {}) == ["dashboard: 2 imported", "search: 1 imported"]
    ((path, headers, body),) = kibana.asked
    assert path == "/s/blue/api/saved_objects/_import?overwrite=true"
    assert headers["kbn-xsrf"] and "Authorization" not in headers
    form = email.message_from_bytes(f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body)
    (part,) = form.get_payload()
    assert part.get_param("name", header="content-disposition") == "file"
    assert part.get_filename() == "aegis.ndjson"
    assert part.get_payload(decode=True).decode().replace("\r\n", "\n").rstrip("\n") == FILE.rstrip("\n")


BASIC = "Basic " + b64encode(b"elastic:secret").decode()


@pytest.mark.parametrize(
    ("settings", "environment", "in_url", "sent"),
    [
        ({"api_key": "abc"}, {}, "", "ApiKey abc"),
        ({}, {"AEGIS_ES_API_KEY": "def"}, "", "ApiKey def"),
        ({"username": "elastic", "password": "secret"}, {}, "", BASIC),
        ({"username": "elastic"}, {"AEGIS_ES_PASSWORD": "secret"}, "", BASIC),
        ({"api_key": "abc"}, {}, "elastic:secret@", BASIC),
    ],
)
def test_credentials_are_those_for_elasticsearch(kibana, monkeypatch, settings, environment, in_url, sent) -> None:
    for word, value in environment.items():
        monkeypatch.setenv(word, value)
    send(FILE, kibana.url.replace("//", f"//{in_url}"), settings)
    assert kibana.asked[0][1]["Authorization"] == sent


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, '{"message": "unable to authenticate"}', "wrong credentials (unable to authenticate)"),
        (403, '{"message": "Unable to bulk_create"}', "Saved Objects Management: All"),
        (404, "", "there is no such path (Not Found); name Kibana's own URL"),
        (503, "Kibana server is not ready yet", "is not ready (Service Unavailable); try again"),
        (500, '{"message": "An internal\\nerror"}', "answers 500 (An internal error); import the file by hand"),
        (200, "<html>", "answers no JSON: this is no Kibana"),
        (200, "{}", "answers something else than an import"),
        (
            200,
            json.dumps(
                {
                    "success": False,
                    "successCount": 2,
                    "errors": [{"type": "dashboard", "id": "a", "error": {"type": "missing_references"}}],
                }
            ),
            "took 2 objects, but not dashboard a: missing_references; Kibana 8.9 or newer",
        ),
    ],
)
def test_what_kibana_says_is_told_in_one_line(kibana, status, body, said) -> None:
    kibana.status, kibana.body = status, body
    with pytest.raises(SinkError) as raised:
        send(FILE, kibana.url.replace("//", "//elastic:secret@"), {})
    told = str(raised.value)
    assert said in told and told.startswith(f"{kibana.url}: ") and len(told.splitlines()) == 1
    assert "secret" not in told


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(SinkError, match=r"^http://127.0.0.1:9: does not answer \(.*\); check --kibana$"):
        send(FILE, "http://127.0.0.1:9", {})


@pytest.mark.parametrize(
    ("url", "settings", "said"),
    [
        ("kibana:5601", {}, "--kibana: is no URL; write it like https://host:5601"),
        ("https://127.0.0.1:9", {"ca_certs": "/nowhere.pem"}, "elasticsearch.ca_certs: /nowhere.pem"),
    ],
)
def test_what_cannot_be_asked_at_all(url, settings, said) -> None:
    with pytest.raises(ConfigError) as raised:
        send(FILE, url, settings)
    assert str(raised.value).startswith(said)
