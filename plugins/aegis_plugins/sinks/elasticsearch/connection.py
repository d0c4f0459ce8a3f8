"""Elasticsearch's client: how it connects, and what its failures mean."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import elastic_transport
import elasticsearch

from aegis_enrich.errors import ConfigError, SinkError

from .answers import answered
from .bulk import Later
from .proxy import through
from .server import Server
from .settings import Settings, read

SECTION = "elasticsearch"
_ITEMS = "items.*.status,items.*.error,items.*.failure_store"
_JSON = {"accept": "application/json", "content-type": "application/json"}


class Connection(Server):
    """A client of the configured servers; a host that cannot be reached is passed over for the next."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """`settings`: those of config.Elasticsearch; raises ConfigError where no connection can be made of them."""
        known = read(SECTION, settings)
        self.target = known.target
        self._pipeline = known.pipeline
        try:
            self._client = elasticsearch.Elasticsearch(**_options(known))
        except (ValueError, OSError) as error:
            raise ConfigError(f"{error}; see the settings under {SECTION}", where=f"{SECTION}.url") from error

    def bulk(self, lines: Sequence[Any]) -> list[Mapping[str, Any]]:
        with self._translated():
            answer = self._client.bulk(operations=lines, filter_path=_ITEMS, pipeline=self._pipeline or None)
            return list(answer.body["items"])

    def close(self) -> None:
        self._client.close()

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        with self._translated():
            return self._client.perform_request(method, path, headers=_JSON, body=body).body

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """The client's exceptions as ours."""
        try:
            yield
        except elasticsearch.UnsupportedProductError as error:
            raise SinkError("this is no Elasticsearch; correct elasticsearch.url", where=self.target) from error
        except elasticsearch.ApiError as error:
            raise answered(self.target, SECTION, error.status_code, error.body, error.meta.headers) from error
        except elastic_transport.TlsError as error:
            what = f"no trusted TLS ({_why(error)}); check elasticsearch.url, ca_certs and fingerprint"
            raise SinkError(what, where=self.target) from error
        except elastic_transport.SerializationError as error:
            raise Later(f"{self.target}: the answer is no JSON") from error
        except elastic_transport.TransportError as error:
            raise Later(f"{self.target}: does not answer ({_why(error)})") from error


class _Proxied(elastic_transport.Urllib3HttpNode):
    """A host behind the proxy that the client's options name, which wants whole URLs where no TLS is tunnelled."""

    path_prefix = ""  # of the host's URL: it goes before the path here

    def __init__(self, config: elastic_transport.NodeConfig) -> None:
        super().__init__(config)
        self.pool = through(self.pool, config._extras["proxy"])

    @property
    def base_url(self) -> str:
        return super().base_url + self.config.path_prefix

    def perform_request(self, method: str, target: str, *options: Any, **more: Any) -> Any:
        before = self.base_url if self.config.scheme == "http" else self.config.path_prefix
        return super().perform_request(method, before + target, *options, **more)


def _options(settings: Settings) -> dict[str, Any]:
    """The client's arguments."""
    options: dict[str, Any] = {
        "hosts": [_host(url, settings.proxy) for url in settings.urls],
        "request_timeout": settings.timeout_s,
        "max_retries": len(settings.urls) - 1,  # each host once
        "retry_on_timeout": False,
        "retry_on_status": (),
    }
    if settings.proxy:
        options["node_class"] = _Proxied
    if settings.basic_auth:
        options["basic_auth"] = settings.basic_auth
    elif settings.api_key:
        options["api_key"] = settings.api_key
    if settings.ca_certs:
        options["ca_certs"] = settings.ca_certs
    if settings.fingerprint:
        options["ssl_assert_fingerprint"] = settings.fingerprint
    return options


def _host(url: str, proxy: str) -> Any:
    if not proxy:
        return url
    from elastic_transport.client_utils import url_to_node_config

    config = url_to_node_config(url, use_default_ports_for_scheme=True)
    return config.replace(_extras={"proxy": proxy})


def _why(error: elastic_transport.TransportError) -> str:
    """The innermost cause that a transport error tells, in one line."""
    return " ".join(str(error.message).rpartition(": ")[2].split())[:300]
