"""Sigma rules and rows for tests, and which of the rows a rule matches, asked of each and looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import yaml
from sigma.rule import SigmaRule

from aegis_enrich.sigma.asked import asked, session
from aegis_enrich.sigma.compiled import Compiled
from aegis_enrich.sigma.matcher import Matcher
from aegis_enrich.tables import TABLES


def made_rule(detection: str | Mapping[str, Any], **logsource: str) -> SigmaRule:
    """A rule of a detection in YAML; without a logsource, of Zeek's dns."""
    written = yaml.safe_load(detection) if isinstance(detection, str) else dict(detection)
    written.setdefault("condition", "selection")
    source = logsource or {"product": "zeek", "service": "dns"}
    return SigmaRule.from_dict({"title": "T", "logsource": source, "detection": written})


def made_rows(table: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    schema = TABLES[table].schema
    unknown = {c for row in rows for c in row} - set(schema.names)
    assert not unknown, unknown
    return pa.Table.from_pylist([{c: row.get(c) for c in schema.names} for row in rows], schema=schema)


def by_sql(rule: Compiled, rows: pa.Table) -> list[int]:
    """The rows that the rule's condition is true of, asked of each."""
    answer = asked(session(), f"coalesce(({rule.sql}), FALSE) AS met", rows)
    return [n for n, met in enumerate(answer["met"].to_pylist()) if met]


def looked_up(rule: Compiled, rows: pa.Table) -> list[int]:
    """The same by way of the matcher."""
    return Matcher({"rule": rule}).matches(rule.place.table, rows).get("rule", pa.array([], pa.int64())).tolist()
