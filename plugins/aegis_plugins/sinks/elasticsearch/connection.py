"""The client: how it connects, and what its failures mean."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import elastic_transport
import elasticsearch

from aegis_enrich.errors import AegisError, ConfigError, SinkError

from .bulk import Later, TooLarge

TIMEOUT_S = 30.0
_ITEMS = "items.*.status,items.*.error,items.*.failure_store"
_JSON = {"accept": "application/json", "content-type": "application/json"}
_WHERE = "elasticsearch.url"


class NotThere(AegisError):
    """404: what was asked for is not there."""


class Connection:
    """A client of the configured servers that tries each request once: who delivers decides when to try again."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """`settings`: those of config.Elasticsearch; raises ConfigError where no connection can be made of them."""
        self.target = target(settings)
        try:
            self._client = elasticsearch.Elasticsearch(
                **_options(settings), request_timeout=TIMEOUT_S, max_retries=0, retry_on_timeout=False
            )
        except (ValueError, OSError) as error:
            raise ConfigError(f"{error}; see the settings under elasticsearch", where=_WHERE) from error

    def bulk(self, lines: Sequence[Any]) -> list[Mapping[str, Any]]:
        """The items of the answer, in order; raises Later, TooLarge or SinkError."""
        with self._translated():
            items = self._client.bulk(operations=lines, filter_path=_ITEMS).body["items"]
            return list(items)

    def get(self, path: str) -> Any:
        """The answer; raises NotThere, Later or SinkError."""
        with self._translated():
            return self._client.perform_request("GET", path, headers=_JSON).body

    def put(self, path: str, body: Mapping[str, Any]) -> None:
        """Raises NotThere, Later or SinkError."""
        with self._translated():
            self._client.perform_request("PUT", path, headers=_JSON, body=body)

    def close(self) -> None:
        self._client.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """The client's exceptions as ours."""
        try:
            yield
        except elasticsearch.UnsupportedProductError as error:
            raise SinkError("this is no Elasticsearch; correct elasticsearch.url", where=self.target) from error
        except elasticsearch.ApiError as error:
            raise self._answered(error) from error
        except elastic_transport.TlsError as error:
            what = f"no trusted TLS ({_why(error)}); check elasticsearch.url, ca_certs and fingerprint"
            raise SinkError(what, where=self.target) from error
        except elastic_transport.SerializationError as error:
            raise Later(f"{self.target}: the answer is no JSON") from error
        except elastic_transport.TransportError as error:
            raise Later(f"{self.target}: does not answer ({_why(error)})") from error

    def _answered(self, error: elasticsearch.ApiError) -> Exception:
        status, reason = error.status_code, _said(error)
        if status == 401:
            what = f"wrong credentials ({reason}); set elasticsearch.api_key, or username and password"
            return SinkError(what, where=self.target)
        if status == 413:
            return TooLarge(f"{self.target}: too large for one request (413)")
        if status == 429 or status >= 500 or "cluster_block_exception" in reason:
            return Later(f"{self.target}: answers {status} ({reason})")
        if status == 403:
            return SinkError(f"{reason}; give the user the privileges in the sink's README", where=self.target)
        if status == 404:
            return NotThere(reason, where=self.target)
        return SinkError(f"answers {status} ({reason})", where=self.target)


def target(settings: Mapping[str, Any]) -> str:
    """The servers' URLs without credentials; raises ConfigError where one is none."""
    return ",".join(_plain(url) for url in _urls(settings))


def _urls(settings: Mapping[str, Any]) -> list[SplitResult]:
    urls = [urlsplit(text.strip()) for text in str(settings.get("url") or "").split(",") if text.strip()]
    if not urls:
        raise ConfigError("no server is named; write it like https://host:9200", where=_WHERE)
    for url in urls:
        try:
            right = url.scheme in ("http", "https") and url.hostname and url.port
        except ValueError:  # a port that is no number
            right = False
        if not right:
            raise ConfigError(f"{_plain(url)!r} is no URL; write it like https://host:9200", where=_WHERE)
    return urls


def _plain(url: SplitResult) -> str:
    return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()


def _options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The client's arguments; secrets of the environment count where the configuration has none."""
    urls = _urls(settings)
    options: dict[str, Any] = {"hosts": [_plain(url) for url in urls]}
    api_key = settings.get("api_key") or os.environ.get("AEGIS_ES_API_KEY")
    username, password = settings.get("username"), settings.get("password") or os.environ.get("AEGIS_ES_PASSWORD")
    in_url = next(((unquote(u.username), unquote(u.password or "")) for u in urls if u.username), None)
    if username and not password:
        raise ConfigError("no password; set it, or AEGIS_ES_PASSWORD", where="elasticsearch.username")
    if in_url or username:
        options["basic_auth"] = in_url or (username, password)
    elif api_key:
        options["api_key"] = api_key
    if ca_certs := settings.get("ca_certs"):
        if not Path(ca_certs).is_file():
            raise ConfigError("no such file", where=f"elasticsearch.ca_certs: {ca_certs}")
        options["ca_certs"] = ca_certs
    if fingerprint := settings.get("fingerprint"):
        options["ssl_assert_fingerprint"] = fingerprint
    return options


def _why(error: elastic_transport.TransportError) -> str:
    """The innermost cause that a transport error tells, in one line."""
    return " ".join(str(error.message).rpartition(": ")[2].split())[:300]


def _said(error: elasticsearch.ApiError) -> str:
    """What the server said, in one line; a proxy's page is no more than its status."""
    body = error.body
    cause = body.get("error", body) if isinstance(body, Mapping) else HTTPStatus(error.status_code).phrase
    if isinstance(cause, Mapping):
        cause = f"{cause.get('type', '')}: {cause.get('reason', '')}".strip(": ")
    return " ".join(str(cause or error.message).split())[:300]
