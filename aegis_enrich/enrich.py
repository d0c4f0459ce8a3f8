"""Runs the enrichers over batches of rows: each adds the columns it declares, and none can stop the others."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from .errors import ConfigError, Problems
from .lookup import encode
from .plugin import Column, Enricher
from .tables import TABLES, TYPES

log = logging.getLogger(__name__)

DISABLE_AFTER = 10  # batches in a row that fail


@dataclass(frozen=True)
class _Step:
    """What one enricher reads and makes on one table."""

    enricher: Enricher
    reads: tuple[str, ...]
    adds: tuple[Column, ...]


class Enrichment:
    """The enrichers in their order; each sees the rows as they were decoded, not what others have added.

    Text columns that more than one enricher reads are handed to them dictionary-encoded (once for all of them);
    `lookup.Lookup` and `lookup.encode` take both forms. A failing enricher leaves nulls (or, where it fills a column
    of the log, what was there) and is counted; after `disable_after` failures in a row it is left out until its files
    change.
    """

    def __init__(self, enrichers: Sequence[Enricher], *, disable_after: int = DISABLE_AFTER) -> None:
        self._enrichers = tuple(enrichers)
        self._disable_after = disable_after
        self._in_a_row: Counter[tuple[str, str]] = Counter()  # by enricher and what it was asked for
        self._failures: Counter[str] = Counter()
        problems: list[ConfigError] = []
        self._steps = {table: self._plan(table, problems) for table in TABLES}
        if problems:
            raise Problems(problems)
        self._schemas = {table: _schema(table, steps) for table, steps in self._steps.items()}

    @property
    def failures(self) -> Mapping[str, int]:
        """Failed batches by the enricher's name, since the start."""
        return dict(self._failures)

    def inside(self) -> list[str]:
        """The networks that the enrichers know to be inside."""
        return [network for enricher in self._enrichers for network in enricher.inside()]

    @property
    def disabled(self) -> tuple[str, ...]:
        """Enrichers that are left out after too many failures in a row."""
        return tuple(e.name for e in self._enrichers if not self._runs(e))

    def schema(self, table: str) -> pa.Schema:
        """The canonical columns of the table and then the added ones, in the enrichers' order."""
        return self._schemas[table]

    def apply(self, table: str, batch: pa.Table) -> pa.Table:
        """`batch` (in the canonical schema of `table`) with the added columns."""
        steps = self._steps[table]
        seen = self._shared(steps, batch)
        enriched = batch
        for step in steps:
            made = self._guarded(step, table, seen)
            for column in step.adds:
                at = enriched.schema.get_field_index(column.name)
                if at < 0:
                    kind = TYPES[column.kind]
                    values = made[column.name] if made else pa.nulls(len(batch), kind)
                    enriched = enriched.append_column(pa.field(column.name, kind), values)
                elif made:
                    enriched = enriched.set_column(at, enriched.schema.field(at), made[column.name])
        return enriched

    def refresh(self) -> bool:
        """Lets the enrichers take up files that were replaced; True where something changed."""
        changed = False
        for enricher in self._enrichers:
            try:
                renewed = enricher.refresh()
            except Exception as error:  # noqa: BLE001 - the plugin guard
                self._failed(enricher, "refresh", "its files", error)
                continue
            self._in_a_row[enricher.name, "refresh"] = 0
            if renewed:
                changed = True
                self._in_a_row[enricher.name, "enrich"] = 0
        return changed

    def digest(self) -> str:
        """A hash of everything in the enrichers' facts that the analysts decide."""
        parts = [f"{e.name}={e.digest()}" for e in self._enrichers]
        return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()

    def describe(self, kind: Literal["address", "domain"], value: str) -> dict[str, Any]:
        """ECS sub-fields of an address or domain from all enrichers, for an alert document."""
        fields: dict[str, Any] = {}
        for enricher in self._enrichers:
            try:
                fields.update(enricher.describe(kind, value))
                self._in_a_row[enricher.name, "describe"] = 0
            except Exception as error:  # noqa: BLE001 - the plugin guard
                self._failed(enricher, "describe", f"the {kind} {value!r}", error)
        return fields

    def _plan(self, table: str, problems: list[ConfigError]) -> tuple[_Step, ...]:
        schema, steps, owners = TABLES[table].schema, [], dict[str, str]()
        for enricher in self._enrichers:
            reads, adds = part(enricher, table)
            if not reads:
                continue
            where = f"enricher {enricher.name}"
            for name in reads:
                if name not in schema.names:
                    problems.append(ConfigError(f"reads {table}.{name}, which is no column of the table", where=where))
            for column in adds:
                if column.name in owners:
                    what = f"adds {table}.{column.name}, as {owners[column.name]} does; one of them must be left out"
                    problems.append(ConfigError(what, where=where))
                elif column.name in schema.names and schema.field(column.name).type != TYPES[column.kind]:
                    what = f"fills {table}.{column.name}, which is no {column.kind}"
                    problems.append(ConfigError(what, where=where))
                owners[column.name] = enricher.name
            steps.append(_Step(enricher, reads, adds))
        return tuple(steps)

    def _shared(self, steps: Sequence[_Step], batch: pa.Table) -> pa.Table:
        """`batch` with the text columns that several enrichers read encoded once for all of them."""
        filled = {column.name for step in steps for column in step.adds}
        readers = Counter(name for step in steps if self._runs(step.enricher) for name in set(step.reads) - filled)
        for name, count in readers.items():
            at = batch.schema.get_field_index(name)
            if count > 1 and batch.schema.field(at).type == pa.string():
                batch = batch.set_column(at, name, encode(batch.column(at)))
        return batch

    def _guarded(self, step: _Step, table: str, batch: pa.Table) -> Mapping[str, pa.Array] | None:
        """The enricher's columns, checked; None where it failed or is disabled."""
        if not self._runs(step.enricher):
            return None
        try:
            made = _checked(step, step.enricher.enrich(table, batch), len(batch))
        except Exception as error:  # noqa: BLE001 - the plugin guard
            self._failed(step.enricher, "enrich", f"a batch of {table}", error)
            return None
        self._in_a_row[step.enricher.name, "enrich"] = 0
        return made

    def _runs(self, enricher: Enricher) -> bool:
        return self._in_a_row[enricher.name, "enrich"] < self._disable_after

    def _failed(self, enricher: Enricher, act: str, what: str, error: Exception) -> None:
        self._failures[enricher.name] += 1
        self._in_a_row[enricher.name, act] += 1
        if self._in_a_row[enricher.name, act] == 1:
            log.warning("enricher %s failed on %s: %s; what it adds is missing there", enricher.name, what, error)
        elif act == "enrich" and not self._runs(enricher):
            text = "enricher %s is disabled after %d failures in a row, the last on %s: %s; its columns stay null"
            log.error(text, enricher.name, self._disable_after, what, error)


def part(enricher: Enricher | type[Enricher], table: str) -> tuple[tuple[str, ...], tuple[Column, ...]]:
    """The columns that an enricher reads of a table and those that it adds there; none where the table is not its."""
    reads = enricher.reads.get(table)
    if reads is None:
        reads = enricher.reads.get("*", ())
        if not reads or not set(reads) <= set(TABLES[table].schema.names):
            return (), ()
    return reads, enricher.adds.get(table) or enricher.adds.get("*", ())


def _schema(table: str, steps: Sequence[_Step]) -> pa.Schema:
    schema = TABLES[table].schema
    for column in (c for step in steps for c in step.adds):
        if column.name not in schema.names:
            schema = schema.append(pa.field(column.name, TYPES[column.kind]))
    return schema


def _checked(step: _Step, made: Mapping[str, pa.Array], rows: int) -> Mapping[str, pa.Array]:
    """`made` where it is what the enricher declares; raises ValueError where it is not."""
    declared = {c.name: TYPES[c.kind] for c in step.adds}
    if set(made) != set(declared):
        raise ValueError(f"gave the columns {sorted(made)} and declares {sorted(declared)}")
    for name, values in made.items():
        if len(values) != rows or values.type != declared[name]:
            what = f"{len(values)} {values.type} for {rows} rows of {declared[name]}"
            raise ValueError(f"gave {what} as {name}")
    return made
