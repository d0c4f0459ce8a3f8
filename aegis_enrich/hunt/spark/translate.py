"""DuckDB's SQL as Spark's with the same result: sqlglot's translation, and this list of what it does otherwise.

Each entry says what DuckDB does that Spark would not do. What is not in the list is sqlglot's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from ...errors import AegisError


class Untranslatable(AegisError):
    """SQL that has no counterpart with the same result on Spark."""


class AegisDuckDB(DuckDB):
    """DuckDB's SQL as it is read here: `len` of a list is told from the length of a text."""

    class Parser(DuckDB.Parser):  # type: ignore[misc,valid-type]
        FUNCTIONS: ClassVar = {
            **DuckDB.Parser.FUNCTIONS,
            "LEN": lambda args: exp.Anonymous(this="list_len", expressions=args),
        }


def parse(sql: str) -> exp.Expr:
    """One SELECT in DuckDB's SQL; raises Untranslatable where it is none."""
    try:
        return sqlglot.parse_one(sql, dialect=AegisDuckDB)
    except sqlglot.errors.SqlglotError as error:
        raise Untranslatable(f"cannot be read: {error}") from error


def to_spark(query: exp.Expr) -> str:
    """The query as Spark's SQL."""
    return translated(query).sql(dialect="spark")


def translated(query: exp.Expr) -> exp.Expr:
    """The tree with every translation of the list applied, the innermost first."""

    def inside(node: exp.Expr) -> None:
        for child in list(node.iter_expressions()):
            made = walk(child)
            if made is not child:
                child.replace(made)

    def walk(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Filter) and isinstance(node.this, exp.ArrayAgg):
            inside(node.this)
            inside(node.expression)
            return _list(node.this, node.expression)
        inside(node)
        rule = RULES.get(type(node))
        return rule(node) if rule is not None else node

    return walk(query.copy())


def _sql(template: str, **parts: exp.Expr | str) -> exp.Expr:
    """A Spark expression with these parts in it."""
    holes: dict[str, exp.Expr] = {}
    texts = {}
    for name, part in parts.items():
        if isinstance(part, str):
            texts[name] = part
        else:
            texts[name] = f"__{name}__"
            holes[f"__{name}__"] = part
    tree = sqlglot.parse_one(template.format(**texts), dialect="spark")

    def fill(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and node.name in holes:
            return holes[node.name].copy()
        return node

    return tree.transform(fill)


def _div(node: exp.Div) -> exp.Expr:
    """`/` divides as doubles, whole numbers and decimals too (Spark keeps decimals)."""
    return exp.Div(
        this=_paren(exp.cast(node.this.copy(), "double")), expression=exp.cast(node.expression.copy(), "double")
    )


def _literal(node: exp.Literal) -> exp.Expr:
    """A number with a point is a double here: its arithmetic does not depend on digits behind the point."""
    if node.is_string or not re.fullmatch(r"\d*\.\d*([eE][+-]?\d+)?|\d+[eE][+-]?\d+", node.name):
        return node
    return exp.Var(this=f"{node.name}D")


def _cast(node: exp.Cast) -> exp.Expr:
    """HUGEINT is DECIMAL(38, 0)."""
    if node.to.this == exp.DataType.Type.INT128:
        node.set("to", exp.DataType.build("decimal(38, 0)", dialect="spark"))
    return node


def _bracket(node: exp.Bracket) -> exp.Expr:
    """`x[n]` is null behind the end; `x[a:b]` takes the elements from a to b."""
    (index,) = node.expressions
    if isinstance(index, exp.Slice):
        first, last = index.this, index.expression
        if not (isinstance(first, exp.Literal) and isinstance(last, exp.Literal)):
            raise Untranslatable("a slice of a list whose ends are no numbers")
        count = int(last.name) - int(first.name) + 1
        return _call("slice", node.this, first, exp.Literal.number(count))
    place = index.this if isinstance(index, exp.Neg) else index
    if isinstance(place, exp.Literal) and not place.is_string:  # sqlglot counts from 0: [-1] is read as -2
        number = 1 + int(place.name) * (-1 if isinstance(index, exp.Neg) else 1)
        return _call("try_element_at", node.this, exp.Literal.number(number))
    return _sql("try_element_at({held}, nullif(CAST({n} AS int), 0))", held=node.this, n=index)


def _list(node: exp.ArrayAgg, where: exp.Expr | None = None) -> exp.Expr:
    """`list(x ORDER BY …)` keeps nulls and the order, and is null of no rows.

    Spark's collects in any order, without nulls: so structs of the keys and the value are collected and sorted. Nulls
    come last, as in DuckDB. Only numbers can be sorted downwards.
    """
    value, keys, name = node.this, [], "collect_list"
    if isinstance(value, exp.Order):
        keys, value = list(value.expressions), value.this
    if isinstance(value, exp.Distinct):
        (value,), name = value.expressions, "collect_set"
    fields: list[exp.Expr] = []
    for number, key in enumerate(keys):
        by = key.this if isinstance(key, exp.Ordered) else key
        down = isinstance(key, exp.Ordered) and bool(key.args.get("desc"))
        fields += [exp.Literal.string(f"n{number}"), exp.Is(this=by.copy(), expression=exp.Null())]
        fields += [exp.Literal.string(f"k{number}"), exp.Neg(this=exp.Paren(this=by.copy())) if down else by.copy()]
    fields += [exp.Literal.string("v"), value.copy()]
    collected: exp.Expr = _call(name, _call("named_struct", *fields))
    counted: exp.Expr = exp.Count(this=exp.Star())
    if where is not None:
        collected = exp.Filter(this=collected, expression=where.copy())
        counted = exp.Filter(this=counted, expression=where.copy())
    ordered = _call("array_sort", collected) if keys else collected
    values = _sql("transform({ordered}, s -> s.v)", ordered=ordered)
    return _sql("CASE WHEN {counted} > 0 THEN {values} END", counted=counted, values=values)


def _extreme(node: exp.Min | exp.Max) -> exp.Expr:
    """`min(x, n)` is the list of the n least values, without nulls; null of none."""
    n = node.args.get("count")
    if n is None:
        return node
    ordered = _call("array_sort", _call("collect_list", node.this))
    if isinstance(node, exp.Max):
        ordered = _call("reverse", ordered)
    return _sql("CASE WHEN count({x}) > 0 THEN slice({ordered}, 1, {n}) END", x=node.this, ordered=ordered, n=n)


def _split(node: exp.Split) -> exp.Expr:
    """A text cut at every place: its characters, and no empty one behind them."""
    if isinstance(node.expression, exp.Literal) and node.expression.name == "":
        return _sql("filter(split({x}, ''), c -> c <> '')", x=node.this)
    return node


def _quantile(node: exp.PercentileCont) -> exp.Expr:
    """`quantile_cont` is exact (sqlglot's other form would be an estimate)."""
    return _call("percentile", node.this, node.expression)


def _quantile_disc(node: exp.PercentileDisc) -> exp.Expr:
    """`quantile_disc` is an element, exactly."""
    ordered = exp.Order(expressions=[exp.Ordered(this=node.this.copy())])
    return exp.WithinGroup(this=_call("percentile_disc", node.expression), expression=ordered)


def _concat(node: exp.Concat) -> exp.Expr:
    """`concat` passes over nulls, and takes numbers as texts."""
    return _call("concat_ws", exp.Literal.string(""), *(exp.cast(e.copy(), "string") for e in node.expressions))


def _matches(node: exp.RegexpLike) -> exp.Expr:
    """`$` is the very end of a text, not also what is before a last line break."""
    node.set("expression", _ended(node.expression))
    return node


def _extract(node: exp.RegexpExtract) -> exp.Expr:
    """As `_matches`; without a group it gives the whole match."""
    group = node.args.get("group") or exp.Literal.number(0)
    return _call("regexp_extract", node.this, _ended(node.expression), group)


def _replace(node: exp.RegexpReplace) -> exp.Expr:
    """Replaces the first match only; Spark replaces all, which is the same for a pattern held at an end."""
    pattern = node.expression
    text = pattern.name if isinstance(pattern, exp.Literal) else ""
    every = "g" in (node.args["modifiers"].name if node.args.get("modifiers") is not None else "")
    if not every and not (text.startswith("^") or text.endswith("$")):
        raise Untranslatable(f"regexp_replace({text!r}): hold it with ^ or $, or replace all with 'g'")
    return _call("regexp_replace", node.this, _ended(pattern), node.args["replacement"])


def _ended(pattern: exp.Expr) -> exp.Expr:
    if not (isinstance(pattern, exp.Literal) and pattern.is_string):
        return pattern
    return exp.Literal.string(re.sub(r"(?<!\\)\$(?=\||\)|$)", lambda m: r"\z", pattern.name))


def _series(node: exp.GenerateSeries) -> exp.Expr:
    """`range(a, b)` ends before b and may be empty; Spark's sequence would count downwards."""
    start, end = node.args["start"], node.args["end"]
    if node.args.get("is_end_exclusive"):
        end = exp.Sub(this=_paren(end.copy()), expression=exp.Literal.number(1))
    whole = _sql("sequence({a}, greatest({a}, {b}))", a=_long(start), b=_long(end))
    return _sql("filter({whole}, i -> i <= {b})", whole=whole, b=_long(end))


def _log(node: exp.Log) -> exp.Expr:
    """log2 by its own function; another base is not used."""
    if node.expression is None:
        return _call("ln" if node.name == "e" else "log10", node.this)
    if node.this.name != "2":
        raise Untranslatable("a logarithm of another base than 2, e and 10")
    return _call("log2", node.expression)


def _contains(node: exp.ArrayContains) -> exp.Expr:
    """An empty list contains nothing, not even perhaps a null; of a literal one Spark cannot tell the type."""
    held = node.this
    if isinstance(held, exp.Array):
        return node if held.expressions else exp.false()
    return _sql("CASE WHEN size({held}) = 0 THEN false ELSE {test} END", held=held, test=node)


def _flatten(node: exp.Flatten) -> exp.Expr:
    """Lists that are null are passed over; in Spark all is null with them."""
    return _sql("flatten(filter({lists}, l -> l IS NOT NULL))", lists=node.this)


def _left(node: exp.Left) -> exp.Expr:
    """`left(x, -n)` is x without its last n characters."""
    n = node.expression
    if isinstance(n, exp.Literal):
        return node
    whole = _sql("CASE WHEN {n} < 0 THEN length({x}) + ({n}) ELSE {n} END", n=n, x=node.this)
    return _sql("left({x}, {whole})", x=node.this, whole=exp.cast(whole, "int"))


def _function(node: exp.Anonymous) -> exp.Expr:
    """Functions by their names."""
    made = FUNCTIONS.get(node.name.lower())
    return made(*node.expressions) if made is not None else node


def _cte(node: exp.CTE) -> exp.Expr:
    node.set("materialized", None)
    return node


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[a.copy() for a in arguments])


def _long(value: exp.Expr) -> exp.Expr:
    return exp.cast(value.copy(), "bigint")


def _paren(value: exp.Expr) -> exp.Expr:
    return exp.Paren(this=value) if isinstance(value, (exp.Binary, exp.Unary)) else value


def _unsupported(node: exp.Expr) -> exp.Expr:
    raise Untranslatable(f"{node.sql(dialect='duckdb')}: has no translation; add it to the list in {__name__}")


FUNCTIONS: Mapping[str, Callable[..., exp.Expr]] = {
    "epoch_us": lambda x: _call("unix_micros", x),
    "epoch_ms": lambda x: _call("unix_millis", x),
    "list_len": lambda x: _call("size", x),  # null of null, as ANSI has it
    "strlen": lambda x: _call("octet_length", x),  # bytes
    "list_slice": lambda x, a, b: _call("slice", x, a, exp.Literal.number(int(b.name) - int(a.name) + 1)),
}

RULES: Mapping[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    exp.Div: _div,
    exp.Literal: _literal,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Bracket: _bracket,
    exp.ArrayAgg: _list,
    exp.Min: _extreme,
    exp.Max: _extreme,
    exp.Split: _split,
    exp.PercentileCont: _quantile,
    exp.PercentileDisc: _quantile_disc,
    exp.Concat: _concat,
    exp.RegexpLike: _matches,
    exp.RegexpExtract: _extract,
    exp.RegexpReplace: _replace,
    exp.GenerateSeries: _series,
    exp.Log: _log,
    exp.ArrayContains: _contains,
    exp.Flatten: _flatten,
    exp.Left: _left,
    exp.Anonymous: _function,
    exp.CTE: _cte,
}
