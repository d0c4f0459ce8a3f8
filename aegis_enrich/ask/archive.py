"""Runs a plan's steps: over state.db, over the lake's views a sensor at a time, over incidents and rules."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa

from ..correlate.hosts import rank
from ..correlate.load import load_correlation
from ..correlate.read import incident_documents
from ..decide.decider import alert_documents
from ..detect.evaluate import Limits, session
from ..errors import StateError
from ..store import Store
from ..store.views import create_view
from ..tables import TABLES
from .guidance import guidance
from .plan import Plan, Row, Step
from .scope import Scope
from .times import said

# What enrichers add and questions use; null in a state that was made without them.
_TEXT = ("country", "as_org", "net", "asset")
_ADDED: dict[str, pa.DataType] = {f"{side}_{name}": pa.string() for side in ("orig", "resp") for name in _TEXT}
_ADDED |= {f"{side}_asn": pa.int64() for side in ("orig", "resp")}
_ADDED |= {f"{side}_internal": pa.bool_() for side in ("orig", "resp")}
_ADDED |= dict.fromkeys(("direction", "query_domain", "server_domain", "host_domain"), pa.string())
_ADDED |= dict.fromkeys(("intel_indicator", "intel_source"), pa.string())
_WORD = re.compile(r"[a-z_][a-z0-9_]*", re.IGNORECASE)

# An address as hexadecimal digits of fixed length (8 or 32), in whose order a network is one interval.
ADDRESS_HEX = """
CREATE OR REPLACE TEMP MACRO address_hex(h) AS CASE
    WHEN h IS NULL THEN NULL
    WHEN NOT contains(h, ':') THEN array_to_string(
        list_transform(string_split(h, '.'), lambda x: format('{:02x}', TRY_CAST(x AS INTEGER))), '')
    WHEN NOT contains(h, '::') THEN array_to_string(list_transform(string_split(h, ':'), lambda x: lpad(x, 4, '0')), '')
    ELSE rpad(array_to_string(list_transform(list_filter(string_split(split_part(h, '::', 1), ':'), lambda x: x != ''),
            lambda x: lpad(x, 4, '0')), ''),
        (32 - 4 * len(list_filter(string_split(split_part(h, '::', 2), ':'), lambda x: x != '')))::INTEGER, '0')
        || array_to_string(list_transform(list_filter(string_split(split_part(h, '::', 2), ':'), lambda x: x != ''),
            lambda x: lpad(x, 4, '0')), '')
    END"""


@dataclass
class Archive:
    """A state as questions see it: it is only read, beside a running `watch`, too."""

    scope: Scope
    rules: Callable[[], list[Row]] = field(default=list)

    def run(self, plan: Plan) -> dict[str, list[Row]]:
        """Every step's rows by its name."""
        return {step.name: self.step(step) for step in plan.steps}

    def step(self, step: Step) -> list[Row]:
        run = {
            "state": self._state,
            "lake": self._lake,
            "incidents": self._incidents,
            "hosts": self._hosts,
            "rules": self._rules,
            "guidance": self._guidance,
        }
        made = run[step.where](step)
        kept = [row for row in made if step.keep(row)] if step.keep else made
        for column, descending in reversed(step.order):
            kept.sort(key=partial(_sortable, column), reverse=descending)
        return kept[: step.most]

    def _state(self, step: Step) -> list[Row]:
        rows = self.scope.store.query(step.sql, step.values)
        if not step.columns:
            return alert_documents(rows)
        return [dict(zip(step.columns, row, strict=True)) for row in rows]

    def _incidents(self, step: Step) -> list[Row]:
        return incidents(self.scope.store)

    def _hosts(self, step: Step) -> list[Row]:
        """Hosts by risk, the worst first, of alerts that were seen since the step's start."""
        correlation = load_correlation(self.scope.config.rules_dir)
        health = {str(rule["id"]) for rule in self.rules() if rule["health"]}
        return [
            {
                "host": one.host.address,
                "name": one.host.name,
                "risk": one.risk,
                "alerts": [a.id for a in one.alerts],
                "rules": ", ".join(sorted({a.name for a in one.alerts})),
                "reason": one.reason,
            }
            for one in rank(self.scope.store, correlation, health, since_us=step.start_us or None)
        ]

    def _guidance(self, step: Step) -> list[Row]:
        return guidance(self.scope.config.rules_dir)

    def _rules(self, step: Step) -> list[Row]:
        return self.rules()

    def _lake(self, step: Step) -> list[Row]:
        rows: list[Row] = []
        for sensor in step.sensors or self.scope.sensors:
            rows += [{**row, "sensor": sensor} for row in self._of_sensor(step, sensor, again=True)]
        return rows

    def _of_sensor(self, step: Step, sensor: str, *, again: bool) -> list[Row]:
        """A sensor's rows; asked again once where a segment was merged away meanwhile."""
        config = self.scope.config
        try:
            with session(Limits(config.memory_limit, config.threads)) as connection:
                return _query(connection, self.scope.store, step, sensor)
        except duckdb.IOException as error:
            if again:
                return self._of_sensor(step, sensor, again=False)
            raise StateError(f"rows cannot be read: {error}; try again", where=str(self.scope.store.root)) from error
        except duckdb.OutOfMemoryException as error:
            what = f"the question takes more than memory_limit ({config.memory_limit}); ask for a shorter time"
            raise StateError(what, where=str(self.scope.store.root)) from error


def _query(connection: duckdb.DuckDBPyConnection, store: Store, step: Step, sensor: str) -> list[Row]:
    names = frozenset(_WORD.findall(step.sql))
    for table in step.reads:
        create_view(connection, store.view(table, sensor, step.start_us, step.end_us, schema(table)).of(names))
    if "address_hex" in names:
        connection.execute(ADDRESS_HEX)
    used = {name: value for name, value in dict(step.values).items() if f"${name}" in step.sql}
    result = connection.execute(step.sql, used)
    columns = [column[0] for column in result.description]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


def schema(table: str) -> pa.Schema:
    """The table's own columns and those of enrichers that questions use."""
    own = TABLES[table].schema
    return pa.schema([*own, *(pa.field(name, kind) for name, kind in _ADDED.items() if name not in own.names)])


def incidents(store: Store) -> list[Row]:
    """The state's incidents, the worst first; none where it was made without a correlator."""
    if not store.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'incidents'"):
        return []
    return incident_documents(store)


def network_bounds(cidr: str) -> tuple[str, str]:
    """The first and last address of a network as `address_hex` writes them."""
    network = ipaddress.ip_network(cidr)
    digits = 8 if network.version == 4 else 32
    return f"{int(network.network_address):0{digits}x}", f"{int(network.broadcast_address):0{digits}x}"


def _sortable(column: str, row: Row) -> tuple[bool, Any]:
    """Nulls come before all else."""
    value = row.get(column)
    return value is not None, 0 if value is None else value


def shown(step: Step) -> Mapping[str, Any]:
    """A step as a plan shows it."""
    values = step.values if isinstance(step.values, Mapping) else list(step.values)
    if isinstance(values, Mapping):
        values = {name: value for name, value in values.items() if f"${name}" in step.sql}
    reads = ""
    if step.reads:
        reads = f": {', '.join(step.reads)}, from {said(step.start_us)} to {said(step.end_us)}"
    return {
        "name": step.name,
        "what": step.words,
        "where": step.where,
        "reads": reads,
        "sql": step.sql,
        "values": values,
    }
