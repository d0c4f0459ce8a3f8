"""A plugin's query over many windows, as the steps that Spark is to run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlglot import exp

from ...detect.evaluate import Derivation, Evaluation
from ...store.views import paired
from .lift import END, START, Bound, Lift
from .numbers import Numbers
from .translate import parse, to_spark

ROWS = "_rows"  # behind a table's name: its rows as they lie in segments, where the query sees them paired


@dataclass(frozen=True)
class Step:
    """A named part of a query. `uses`: how many later steps read it; `columns`: their names, where given."""

    name: str
    sql: str
    uses: int
    columns: tuple[str, ...] = ()


def steps(work: Evaluation | Derivation, numbers: Numbers, pairs: Mapping[str, Collection[str]]) -> list[Step]:
    """The query's parts in order, the last of which is its result (named ""), with `_w` as first column.

    `pairs`: tables whose queries and answers are still to be paired, with their columns.
    """
    query = parse(work.sql(f"{START}()", f"{END}()"))
    tables = {name for name in (*work.plugin.reads, *getattr(work.plugin, "derived", ())) if name not in pairs}
    ctes = list(query.args["with_"].expressions) if query.args.get("with_") is not None else []
    made = [_pairing(name, columns) for name, columns in pairs.items()]
    query.set("with_", exp.With(expressions=[*made, *ctes]) if made or ctes else None)
    Lift([*tables, *(f"{name}{ROWS}" for name in pairs)], _bounds(numbers)).query(query)
    with_ = query.args.get("with_")
    query.set("with_", None)
    named = with_.expressions if with_ is not None else []
    columns = {cte.alias: tuple(c.name for c in cte.args["alias"].columns) for cte in named}
    parts = [(cte.alias, cte.this) for cte in named] + [("", query)]
    return [
        Step(name, to_spark(part), _uses(name, parts[n + 1 :]), columns.get(name, ()))
        for n, (name, part) in enumerate(parts)
    ]


def _uses(name: str, later: list[tuple[str, exp.Expr]]) -> int:
    return sum(table.name.lower() == name.lower() for _, part in later for table in part.find_all(exp.Table))


def _pairing(name: str, columns: Collection[str]) -> exp.CTE:
    sql = paired(f"SELECT * FROM {name}{ROWS}", columns)
    return exp.CTE(this=parse(sql), alias=exp.TableAlias(this=exp.to_identifier(name)))


def _bounds(numbers: Numbers) -> Mapping[str, Bound]:
    """What START and END are, given a window's number."""

    def end(number: exp.Expr) -> exp.Expr:
        place = exp.IntDiv(this=number, expression=exp.Literal.number(len(numbers.sensors)))
        steps = exp.Mul(this=exp.Paren(this=place), expression=_whole(numbers.step_us))
        return exp.Paren(this=exp.Add(this=_whole(numbers.first_end_us), expression=steps))

    def start(number: exp.Expr) -> exp.Expr:
        return exp.Paren(this=exp.Sub(this=end(number), expression=_whole(numbers.length_us)))

    return {START: start, END: end}


def _whole(number: int) -> exp.Expr:
    return exp.cast(exp.Literal.number(number) if number >= 0 else exp.Neg(this=exp.Literal.number(-number)), "bigint")
