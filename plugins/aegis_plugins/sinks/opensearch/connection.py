"""OpenSearch's client: how it connects, and what its failures mean."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import opensearchpy
from opensearchpy import exceptions

from aegis_enrich.errors import ConfigError, SinkError

from ..elasticsearch.answers import answered
from ..elasticsearch.bulk import Later
from ..elasticsearch.proxy import through
from ..elasticsearch.server import Server
from ..elasticsearch.settings import Settings, read

SECTION = "opensearch"
_ITEMS = "items.*.status,items.*.error"


class Connection(Server):
    """A client of the configured servers; a host that cannot be reached is passed over for the next."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Raises ConfigError where no connection can be made of the settings."""
        known = read(SECTION, settings, "AEGIS_OPENSEARCH")
        self.target = known.target
        self._pipeline = {"pipeline": known.pipeline} if known.pipeline else {}
        try:
            self._client = opensearchpy.OpenSearch(**_options(known))
        except (ValueError, OSError, exceptions.ImproperlyConfigured) as error:
            raise ConfigError(f"{error}; see the settings under {SECTION}", where=f"{SECTION}.url") from error

    def bulk(self, lines: Sequence[Any]) -> list[Mapping[str, Any]]:
        body = b"\n".join(lines) + b"\n"
        with self._translated():
            answer = self._client.bulk(body=body, params={"filter_path": _ITEMS, **self._pipeline})
            return list(answer["items"])

    def close(self) -> None:
        self._client.close()

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        with self._translated():
            return self._client.transport.perform_request(method, path, body=body)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """The client's exceptions as ours."""
        try:
            yield
        except exceptions.SSLError as error:
            what = f"no trusted TLS ({_why(error)}); check {SECTION}.url, ca_certs and fingerprint"
            raise SinkError(what, where=self.target) from error
        except exceptions.ConnectionError as error:
            raise Later(f"{self.target}: does not answer ({_why(error)})") from error
        except exceptions.TransportError as error:
            raise answered(self.target, SECTION, int(error.status_code), _body(error)) from error
        except exceptions.SerializationError as error:
            raise Later(f"{self.target}: the answer is no JSON") from error


class _Proxied(opensearchpy.Urllib3HttpConnection):
    """A host behind a proxy, which wants whole URLs where no TLS is tunnelled."""

    def __init__(self, *hosts: Any, proxy: str, **options: Any) -> None:
        self._proxy = proxy
        super().__init__(*hosts, **options)
        if not self.use_ssl:
            self.url_prefix = self.host + self.url_prefix

    def _create_urllib3_pool(self) -> None:
        super()._create_urllib3_pool()
        self.pool = through(self.pool, self._proxy)


def _options(settings: Settings) -> dict[str, Any]:
    """The client's arguments."""
    options: dict[str, Any] = {
        "hosts": [_host(url) for url in settings.urls],
        "timeout": settings.timeout_s,
        "max_retries": len(settings.urls) - 1,  # each host once
        "retry_on_timeout": False,
        "retry_on_status": (),
    }
    if settings.proxy:
        options |= {"connection_class": _Proxied, "proxy": settings.proxy}
    if settings.basic_auth:
        options["http_auth"] = settings.basic_auth
    if settings.fingerprint:
        options |= {"ssl_context": _unchecked(), "ssl_assert_fingerprint": settings.fingerprint}
    elif settings.ca_certs:
        options["ca_certs"] = settings.ca_certs
    return options


def _host(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    return {
        "host": parts.hostname,
        "port": parts.port,
        "use_ssl": parts.scheme == "https",
        "url_prefix": parts.path.strip("/"),
    }


def _unchecked() -> ssl.SSLContext:
    """No authority is asked, since the fingerprint of the server's own certificate is what counts."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _body(error: exceptions.TransportError) -> Any:
    """What the server said."""
    return error.info if isinstance(error.info, Mapping) else None


def _why(error: exceptions.ConnectionError) -> str:
    """The innermost cause that a transport error tells, in one line."""
    return " ".join(str(error.error).rpartition(": ")[2].split())[:300]
