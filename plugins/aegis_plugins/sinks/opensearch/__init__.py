"""The same to OpenSearch, by its own client; templates, requests and outcomes are those of the sink elasticsearch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aegis_enrich.errors import ConfigError

from ..elasticsearch import Elasticsearch

if TYPE_CHECKING:
    from ..elasticsearch.server import Server
    from ..elasticsearch.templates import Dialect


class OpenSearch(Elasticsearch):
    """OpenSearch 2.7 or newer, where the section `opensearch` names one; needs `aegis-enrich[opensearch]`."""

    name = "opensearch"

    @classmethod
    def connect(cls, settings: Mapping[str, Any]) -> Server:
        """Raises ConfigError where the settings make no connection, or the client is not installed."""
        try:
            from .connection import Connection
        except ImportError as error:
            what = f"its client is not installed ({error}); pip install aegis-enrich[opensearch]"
            raise ConfigError(what, where="opensearch") from error
        return Connection(settings)

    @classmethod
    def dialect(cls) -> Dialect:
        """Its `flattened` is `flat_object`; it has no lifecycle of data streams itself, but a plugin for policies."""
        from ..elasticsearch.templates import ISM, Dialect

        return Dialect(
            log_settings={"index.codec": "best_compression"},
            types={"flattened": "flat_object"},
            malformed=frozenset({"long", "double", "float", "ip", "date"}),
            optional_components=False,
            lifecycles=(ISM, "none"),
        )

    @classmethod
    def boards(cls) -> str:
        """None: Kibana's saved objects are not OpenSearch Dashboards'."""
        return ""

    @classmethod
    def show(cls, settings: Mapping[str, Any], url: str) -> list[str]:
        raise ConfigError("there are no boards for OpenSearch Dashboards", where="opensearch")
