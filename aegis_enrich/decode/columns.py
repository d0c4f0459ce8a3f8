"""Which column of a log is which of its table: Zeek's names without `id.`, dots as underscores."""

from __future__ import annotations

from collections.abc import Iterable

from ..tables import COLUMN_ALIASES, SETS, TABLES

# Columns that the engine fills, whatever a log calls its own.
_OURS = {"end_ts", "sensor", "source", "extra", "event", "query_len", "answer_count", "answer_bytes"}


def canonical(table: str, name: str) -> str | None:
    """The table's column for a log's column `name`; None where it goes to `extra`."""
    known = COLUMN_ALIASES.get(table, {}).get(name)
    if known is None:
        known = name.removeprefix("id.").replace(".", "_")
        if known in _OURS:
            return None
    return known if known in TABLES[table].kinds else None


def assigned(table: str, names: Iterable[str]) -> dict[str, str]:
    """Column of the table -> column of the log, for those that it knows; the first of two for one column wins."""
    chosen: dict[str, str] = {}
    for name in names:
        column = canonical(table, name)
        if column is not None:
            chosen.setdefault(column, name)
    return chosen


def candidates(table: str, names: Iterable[str]) -> dict[str, list[str]]:
    """Column of the table -> all fields that it may stand in: lines of one chunk come from several writers."""
    found: dict[str, list[str]] = {}
    for name in names:
        column = canonical(table, name)
        if column is not None:
            found.setdefault(column, []).append(name)
    return found


def is_set(table: str, column: str) -> bool:
    return column in SETS.get(table, frozenset())
