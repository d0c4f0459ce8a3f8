"""Alerts and incidents to monthly indices, log rows and health to data streams: each document once by its id."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from aegis_enrich.plugin import Document, IndexSink, Month, Outcome

from .bulk import Action, Later, Pace, action, send

if TYPE_CHECKING:
    from .server import Server
    from .templates import Dialect, Template


def _now() -> datetime:
    return datetime.now(UTC)


class Elasticsearch(IndexSink):
    """Elasticsearch 8 or 9 (`--es`): alerts and incidents, each at its newest revision, health and log rows.

    Settings: those of the configuration's section `elasticsearch`. The client is imported for a sink, not its class.
    """

    name = "elasticsearch"
    kinds: ClassVar[tuple[str, ...]] = ("alert", "incident", "health")
    takes_rows: ClassVar[bool] = True

    def __init__(self, settings: Mapping[str, Any], *, now: Callable[[], datetime] = _now) -> None:
        """`now` gives `event.ingested`. Raises ConfigError where the settings make no connection."""
        self._server = self.connect(settings)
        self.target = self._server.target
        self._now = now
        self._ready: set[str] = set()
        self._pace = Pace()

    @classmethod
    def connect(cls, settings: Mapping[str, Any]) -> Server:
        """Raises ConfigError where the settings make no connection."""
        from .connection import Connection

        return Connection(settings)

    @classmethod
    def dialect(cls) -> Dialect:
        from .templates import ELASTICSEARCH

        return ELASTICSEARCH

    @classmethod
    def wanted(cls, settings: Mapping[str, Any]) -> list[Template]:
        """What these settings need on the server, for the plugins that are installed."""
        from aegis_enrich.registry import load

        from .templates import templates

        lifecycle = str(settings.get("lifecycle") or "")
        return templates(
            str(settings.get("log_retention") or "30d"), load(), lifecycle=lifecycle, dialect=cls.dialect()
        )

    def deliver(self, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        """Alerts and incidents by `index` with the revision as external version: what is there already stays where it
        is as new or newer; health by `create`."""
        from .health import TEMPLATE
        from .templates import ALERTS, INCIDENTS

        templates = {"alert": ALERTS, "incident": INCIDENTS, "health": TEMPLATE}
        wanted = sorted({templates[d.kind] for d in documents})
        make = (self._health(d) if d.kind == "health" else self._monthly(templates[d.kind], d) for d in documents)
        return self._send(wanted, list(make))

    def row_document(self, table: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        from .rows import row_document

        return row_document(table, row)

    def deliver_rows(self, table: str, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        """By `create` into the table's data stream; `documents` as `row_document` makes them."""
        from .rows import stream
        from .templates import log_template_name

        index = stream(table)
        return self._send([log_template_name(table)], [self._created(index, d.id, d.body) for d in documents])

    def close(self) -> None:
        self._server.close()

    @classmethod
    def setup(cls, settings: Mapping[str, Any]) -> list[str]:
        """Makes the index templates; a line each of what was done. Raises SinkError or ConfigError."""
        from .setup import setup

        wanted = cls.wanted(settings)
        with cls._connected(settings) as server:
            return setup(server, wanted, str(settings.get("pipeline") or ""))

    @classmethod
    def requests(cls, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What `setup` would send, without a server."""
        from .setup import requests

        return requests(cls.wanted(settings))

    @classmethod
    def check(cls, settings: Mapping[str, Any]) -> list[str]:
        """What is wrong with server, credentials or templates, a line each."""
        from aegis_enrich.errors import ConfigError

        from .setup import check

        try:
            wanted = cls.wanted(settings)
            with cls._connected(settings) as server:
                return check(server, wanted, settings.get("index_logs") or (), cls.name)
        except ConfigError as error:
            return [str(error)]

    @classmethod
    def months(cls, settings: Mapping[str, Any], before: date) -> list[Month]:
        """The monthly indices that ended by that day; raises SinkError or ConfigError."""
        from .months import old

        with cls._connected(settings) as server:
            return old(server, before)

    @classmethod
    def drop(cls, settings: Mapping[str, Any], months: Sequence[Month]) -> list[str]:
        """Deletes them; a line each."""
        from .months import drop

        with cls._connected(settings) as server:
            return drop(server, months)

    @classmethod
    def boards(cls) -> str:
        """Kibana's saved objects, as NDJSON."""
        from .kibana import made

        return made()

    @classmethod
    def show(cls, settings: Mapping[str, Any], url: str) -> list[str]:
        """Imports them into Kibana; raises SinkError or ConfigError."""
        from .kibana.importing import send

        return send(cls.boards(), url, settings)

    @classmethod
    @contextlib.contextmanager
    def _connected(cls, settings: Mapping[str, Any]) -> Iterator[Server]:
        server = cls.connect(settings)
        try:
            yield server
        finally:
            server.close()

    def _send(self, templates: Sequence[str], actions: Sequence[Action]) -> Sequence[tuple[Outcome, str]]:
        try:
            for template in templates:
                self._require(template)
        except Later as error:
            self.pause_s = error.pause_s
            return [("retry", str(error))] * len(actions)
        found = send(self._server.bulk, actions, self.target, self._pace)
        self.pause_s = self._pace.pause_s
        return found

    def _require(self, template: str) -> None:
        """Once a run: that the template is there."""
        from .setup import require

        if template not in self._ready:
            require(self._server, template, self.name)
            self._ready.add(template)

    def _monthly(self, family: str, document: Document) -> Action:
        sent = self._now().isoformat()
        body = dict(document.body)
        body["event"] = {**body["event"], "created": sent, "ingested": sent}
        month = str(body["aegis"]["period"])[:7].replace("-", ".")
        target = {"_index": f"{family}-{month}", "_id": document.id}
        return action("index", {**target, "version": document.revision, "version_type": "external"}, body)

    def _health(self, document: Document) -> Action:
        from .health import STREAM
        from .health import document as framed

        return self._created(STREAM, document.id, framed(document.body))

    def _created(self, index: str, id_: str, body: Mapping[str, Any]) -> Action:
        sent = {**body, "event": {**body.get("event", {}), "ingested": self._now().isoformat()}}
        return action("create", {"_index": index, "_id": id_}, sent)
