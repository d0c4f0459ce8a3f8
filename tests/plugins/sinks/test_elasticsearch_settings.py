"""Settings of a server, read and checked."""

from __future__ import annotations

import base64

import pytest

from aegis_enrich.errors import ConfigError
from aegis_plugins.sinks.elasticsearch.settings import of_cloud, read

URL = "https://es.example.com:9200"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("AEGIS_ES_PASSWORD", "AEGIS_ES_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def cloud(held: str) -> str:
    return "deployment:" + base64.b64encode(held.encode()).decode()


@pytest.mark.parametrize(
    ("held", "url"),
    [
        ("eu.cloud.example$abc$def", "https://abc.eu.cloud.example:443"),
        ("eu.cloud.example:9243$abc$def", "https://abc.eu.cloud.example:9243"),
        ("eu.cloud.example$abc", "https://abc.eu.cloud.example:443"),
    ],
)
def test_a_cloud_id_is_a_url(held, url) -> None:
    known = read("elasticsearch", {"cloud_id": cloud(held)})
    assert (known.urls, known.target) == ((url,), url)


@pytest.mark.parametrize(
    "text", ["", "deployment:", "deployment:!!", cloud("no dollar"), cloud("$abc"), cloud("a:b$c")]
)
def test_a_cloud_id_that_is_none(text) -> None:
    with pytest.raises(ConfigError, match=r"cloud_id: is no cloud ID; copy it"):
        of_cloud(text, "elasticsearch.cloud_id")


def test_a_url_and_a_cloud_id_are_one_too_many() -> None:
    with pytest.raises(ConfigError, match="cloud_id is set too; set one of them"):
        read("elasticsearch", {"url": URL, "cloud_id": cloud("a$b")})


def test_the_url_s_user_counts_before_the_section_s_and_both_before_a_key(monkeypatch) -> None:
    monkeypatch.setenv("AEGIS_ES_API_KEY", "key")
    assert read("elasticsearch", {"url": URL}).api_key == "key"
    section = {"url": URL, "username": "me", "password": "secret"}
    assert (read("elasticsearch", section).basic_auth, read("elasticsearch", section).api_key) == (("me", "secret"), "")
    in_url = section | {"url": URL.replace("//", "//you:%40%2F@")}
    assert read("elasticsearch", in_url).basic_auth == ("you", "@/")


def test_another_section_has_an_environment_of_its_own(monkeypatch) -> None:
    monkeypatch.setenv("AEGIS_OPENSEARCH_PASSWORD", "theirs")
    known = read("plugins.opensearch", {"url": URL, "username": "me"}, "AEGIS_OPENSEARCH")
    assert known.basic_auth == ("me", "theirs")
    with pytest.raises(ConfigError, match=r"plugins.opensearch.username: no password; set it, or AEGIS_OS_PASSWORD"):
        read("plugins.opensearch", {"url": URL, "username": "me"}, "AEGIS_OS")


def test_the_environment_s_proxy_by_scheme(monkeypatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert read("elasticsearch", {"url": URL}).proxy == "http://proxy:3128"
    assert read("elasticsearch", {"url": "http://es.example.com:9200"}).proxy == ""
    monkeypatch.setenv("NO_PROXY", ".example.com")
    assert read("elasticsearch", {"url": URL}).proxy == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_the_environment_s_proxy_is_not_for_this_machine(monkeypatch, host) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert read("elasticsearch", {"url": f"https://{host}:9200"}).proxy == ""


@pytest.mark.parametrize(
    ("given", "proxy"),
    [("http://me:secret@other:8080", "http://me:secret@other:8080"), ("other:8080", "http://other:8080"), ("none", "")],
)
def test_the_setting_counts_before_the_environment(monkeypatch, given, proxy) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert read("elasticsearch", {"url": URL, "proxy": given}).proxy == proxy


@pytest.mark.parametrize("given", ["socks5://proxy:1080", "https://me:secret@proxy:3128", "http://"])
def test_a_proxy_that_is_none(given) -> None:
    with pytest.raises(ConfigError, match=r"elasticsearch.proxy: .* is no HTTP proxy; write it like") as raised:
        read("elasticsearch", {"url": URL, "proxy": given})
    assert "secret" not in str(raised.value)
