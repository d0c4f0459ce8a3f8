"""What will be asked of the state, before it is: steps with their SQL, and how an answer is made of their rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Row = dict[str, Any]
Rows = Mapping[str, list[Row]]  # a step's name -> its rows
Columns = Mapping[str, str | Callable[[Row], Any]]  # a table's title -> the row's field, or what is made of the row
Where = Literal["state", "lake", "incidents", "hosts", "rules", "guidance"]


@dataclass(frozen=True)
class Step:
    """One query. `sql` is run by SQLite over state.db with `?`, or by DuckDB over views of the lake with `$name`.

    `reads` are the lake's tables behind it, in `[start_us, end_us)`; the query runs once for each sensor, and nothing
    is added across sensors. `order` puts the sensors' rows together: column and direction, then `most` rows are kept.
    `columns` names what a query over state.db gives; without them its rows are whole alerts (decider.STORED).
    `keep` drops rows that SQL could not tell (alerts by network); its words are in `words`. `rules` and
    `guidance` are read from the rules' folder, not by SQL.
    """

    name: str
    words: str
    where: Where
    sql: str = ""
    values: Any = ()
    columns: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    start_us: int = 0
    end_us: int = 0
    order: tuple[tuple[str, bool], ...] = ()  # (column, descending)
    most: int = 1000
    keep: Callable[[Row], bool] | None = None
    sensors: tuple[str, ...] = ()  # those that are asked; () for all


@dataclass(frozen=True)
class Table:
    """An answer's table: column titles, and values as JSON has them (µs are given as text already)."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def records(self) -> list[Row]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Answer:
    """`summary` is one sentence; `lines` are a text's, where a story is told; `see` are commands for more."""

    summary: str
    tables: tuple[Table, ...] = ()
    lines: tuple[str, ...] = ()
    see: tuple[str, ...] = ()
    found: bool = True


@dataclass(frozen=True)
class Plan:
    """The steps, what they cover in words (`notes`), and what makes the answer of what they give."""

    steps: tuple[Step, ...]
    answer: Callable[[Rows], Answer]
    notes: tuple[str, ...] = field(default=())


def table(title: str, rows: Sequence[Row], columns: Columns) -> Table:
    """A table of rows.

    A column that is empty in every row is left out.
    """
    made = [tuple(row.get(how) if isinstance(how, str) else how(row) for how in columns.values()) for row in rows]
    kept = [i for i in range(len(columns)) if not made or any(row[i] not in (None, "", []) for row in made)]
    titles = list(columns)
    return Table(title, tuple(titles[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in made))
