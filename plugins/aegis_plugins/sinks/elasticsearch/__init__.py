"""Alerts and incidents to monthly indices, log rows to data streams of Elasticsearch: each document once by its id."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from aegis_enrich.plugin import Document, Outcome, Sink

from .bulk import Action, Later, action, send

if TYPE_CHECKING:
    from .connection import Connection


def _now() -> datetime:
    return datetime.now(UTC)


class Elasticsearch(Sink):
    """Elasticsearch 8 or 9 (`--es`): alerts and incidents, each at its newest revision, and log rows.

    Settings: those of the configuration's section `elasticsearch`. The client is imported for a sink, not its class.
    """

    name = "elasticsearch"
    kinds: ClassVar[tuple[str, ...]] = ("alert", "incident")
    takes_rows: ClassVar[bool] = True

    def __init__(self, settings: Mapping[str, Any], *, now: Callable[[], datetime] = _now) -> None:
        """`now` gives `event.ingested`. Raises ConfigError where the settings make no connection."""
        from .connection import Connection

        self._connection = Connection(settings)
        self.target = self._connection.target
        self._now = now
        self._ready: set[str] = set()

    def deliver(self, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        """By `index` with the revision as external version: what is there already stays where it is as new or newer."""
        from .templates import ALERTS, INCIDENTS

        templates = {"alert": ALERTS, "incident": INCIDENTS}
        wanted = sorted({templates[d.kind] for d in documents})
        return self._send(wanted, [self._action(templates[d.kind], d) for d in documents])

    def row_document(self, table: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        from .rows import row_document

        return row_document(table, row)

    def deliver_rows(self, table: str, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        """By `create` into the table's data stream; `documents` as `row_document` makes them."""
        from .rows import stream
        from .templates import log_template_name

        index = stream(table)
        return self._send([log_template_name(table)], [self._row(index, d) for d in documents])

    def close(self) -> None:
        self._connection.close()

    @classmethod
    def setup(cls, settings: Mapping[str, Any]) -> list[str]:
        """Makes the index templates; a line each of what was done. Raises SinkError or ConfigError."""
        from .setup import setup

        with cls._connected(settings) as connection:
            return setup(connection, settings)

    @classmethod
    def check(cls, settings: Mapping[str, Any]) -> list[str]:
        """What is wrong with server, credentials or templates, a line each."""
        from aegis_enrich.errors import ConfigError

        from .setup import check

        try:
            with cls._connected(settings) as connection:
                return check(connection, settings)
        except ConfigError as error:
            return [str(error)]

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
    def _connected(cls, settings: Mapping[str, Any]) -> Iterator[Connection]:
        from .connection import Connection

        connection = Connection(settings)
        try:
            yield connection
        finally:
            connection.close()

    def _send(self, templates: Sequence[str], actions: Sequence[Action]) -> Sequence[tuple[Outcome, str]]:
        try:
            for template in templates:
                self._require(template)
        except Later as error:
            return [("retry", str(error))] * len(actions)
        return send(self._connection.bulk, actions, self.target)

    def _require(self, template: str) -> None:
        """Once a run: that the template is there."""
        from .setup import require

        if template not in self._ready:
            require(self._connection, template)
            self._ready.add(template)

    def _action(self, family: str, document: Document) -> Action:
        sent = self._now().isoformat()
        body = dict(document.body)
        body["event"] = {**body["event"], "created": sent, "ingested": sent}
        month = str(body["aegis"]["period"])[:7].replace("-", ".")
        target = {"_index": f"{family}-{month}", "_id": document.id}
        return action("index", {**target, "version": document.revision, "version_type": "external"}, body)

    def _row(self, index: str, document: Document) -> Action:
        body = dict(document.body)
        body["event"] = {**body.get("event", {}), "ingested": self._now().isoformat()}
        return action("create", {"_index": index, "_id": document.id}, body)
