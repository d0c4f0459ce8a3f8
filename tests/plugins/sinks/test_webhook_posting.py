"""One POST: no redirects, proxies of the environment."""

from __future__ import annotations

import pytest
from scripted_server import Answer, serving

from aegis_enrich.errors import ConfigError
from aegis_plugins.sinks.webhook.posting import Poster

NOW_S = 1_790_000_000.0


def poster(url, **options):
    return Poster(url, **{"timeout_s": 2.0, "ca_certs": "", "where": "webhook", **options})


def test_a_redirect_is_not_followed():
    with serving(lambda request: Answer(200)) as other:
        moved = Answer(307, b"over there", {"Location": other.url})
        with serving(lambda request: moved) as server:
            answered = poster(server.url).post(b"{}", {}, NOW_S)
        assert (answered.status, answered.said, other.requests) == (307, "over there", [])


def test_a_proxy_of_the_environment_is_used(monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(lambda request: Answer(201)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert poster("http://hook.test/x").post(b"{}", {}, NOW_S).status == 201
        assert proxy.requests[0].path == "http://hook.test/x"


def test_garbage_is_no_answer():
    with serving(lambda request: Answer(200, headers={"content-length": "nonsense"})) as server:
        assert poster(server.url).post(b"{}", {}, NOW_S).status in (0, 200)


def test_a_file_that_is_no_ca_is_said(tmp_path):
    (tmp_path / "ca.pem").write_text("hello")
    with pytest.raises(ConfigError, match="is no CA file in PEM"):
        poster("https://x", ca_certs=str(tmp_path / "ca.pem"))
