"""By a proxy to a real server: plain HTTP, and HTTPS whose certificate is checked through it."""

from __future__ import annotations

import hashlib
import ssl
from urllib.parse import urlsplit

import pytest
from proxy_server import proxying

from aegis_enrich.errors import SinkError
from aegis_enrich.plugin import Document
from aegis_plugins.sinks.elasticsearch import Elasticsearch

BODY = {"@timestamp": "2026-11-21T", "event": {"id": "a"}, "aegis": {"period": "2026-11-21T", "revision": 1}}


def deliver(settings, id_="proxied"):
    sink = Elasticsearch(settings)
    try:
        return sink.deliver([Document("alert", id_, 1, BODY)])
    finally:
        sink.close()


@pytest.mark.elasticsearch
def test_plain_http_goes_by_absolute_urls(elasticsearch) -> None:
    elasticsearch.forget_alerts()
    Elasticsearch.setup(elasticsearch.settings())
    with proxying() as proxy:
        assert deliver(elasticsearch.settings(proxy=proxy.url)) == [("stored", "")]
    assert proxy.asked[0] == f"GET {elasticsearch.url}/_index_template/aegis-alerts"
    assert any(line.startswith(f"PUT {elasticsearch.url}/_bulk") for line in proxy.asked)
    assert elasticsearch.count("aegis-alerts") == 1


@pytest.mark.elasticsearch
def test_https_goes_by_connect_and_the_certificate_counts(secured_elasticsearch) -> None:
    server = secured_elasticsearch
    Elasticsearch.setup(server.settings("setup"))
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(server.ca_certs.read_text())).hexdigest()
    with proxying("me:secret") as proxy:
        trusted = server.settings("writer", proxy=proxy.url)
        assert deliver(trusted, "by-ca")[0][0] in ("stored", "there")
        by_fingerprint = trusted | {"ca_certs": "", "fingerprint": digest}
        assert deliver(by_fingerprint, "by-fingerprint")[0][0] in ("stored", "there")
        for untrusted in ({"ca_certs": ""}, {"ca_certs": "", "fingerprint": "00" * 32}):
            with pytest.raises(SinkError, match="no trusted TLS"):
                deliver(trusted | untrusted)
    assert set(proxy.asked) == {f"CONNECT {urlsplit(server.url).netloc}"}


@pytest.mark.elasticsearch
def test_a_proxy_that_lets_nobody_through_is_no_answer(secured_elasticsearch) -> None:
    server = secured_elasticsearch
    with proxying("me:secret") as proxy:
        url = proxy.url.replace("secret", "wrong")
        ((outcome, reason),) = deliver(server.settings("writer", proxy=url))
    assert outcome == "retry" and "407" in reason and "wrong" not in reason


@pytest.mark.elasticsearch
def test_the_environment_s_proxy(elasticsearch, monkeypatch) -> None:
    elasticsearch.forget_alerts()
    Elasticsearch.setup(elasticsearch.settings())
    port = urlsplit(elasticsearch.url).port
    with proxying(here="es.test") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "other.test")
        url = f"http://es.test:{port}"
        assert deliver(elasticsearch.settings() | {"url": url})[0][0] in ("stored", "there")
    assert proxy.asked[0].startswith(f"GET {url}/")
