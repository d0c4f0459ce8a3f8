"""Makes of a query over one window the same query over many windows at once.

A cluster is given few large queries, not many small ones. Each table of the query gets a column `_w`, the number of a
window in which the row counts, so that a row in three windows is there three times; and every step of the query keeps
windows apart: groups, partitions, distinct rows and unions have `_w` in them, joins and subqueries compare it. This is
how databases take a correlated subquery apart (Neumann, Kemper: Unnesting Arbitrary Queries, BTW 2015), for the SQL
that detectors are written in. What it cannot do it refuses with `Unliftable`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from sqlglot import exp

from ...errors import AegisError

WINDOW = "_w"
WINDOWS = "_windows"  # the table that holds the number of every window
START, END = "window_start_of", "window_end_of"  # functions of no argument that stand for a window's bounds

Bound = Callable[[exp.Expr], exp.Expr]  # from a window's number to one of its bounds in µs


class Unliftable(AegisError):
    """A query that cannot be run over many windows at once."""


class Lift:
    """Rewrites one query. `tables`: those that have `_w`; `bounds`: what START and END are, given `_w`."""

    def __init__(self, tables: Collection[str], bounds: Mapping[str, Bound]) -> None:
        self._tables = {name.lower() for name in tables}
        self._bounds = bounds
        self._names = 0

    def query(self, query: exp.Expr, known: Mapping[str, bool] | None = None) -> bool:
        """Rewrites a query in place; whether it has `_w` now, as its first column (not so: it reads no table)."""
        lifted = dict(known or {})
        if (with_ := query.args.get("with_")) is not None:
            for cte in with_.expressions:
                lifted[cte.alias.lower()] = self.query(cte.this, lifted)
        if isinstance(query, exp.SetOperation):
            sides = [self.query(side, lifted) for side in (query.left, query.right)]
            if len(set(sides)) > 1:
                raise Unliftable("a UNION of rows of tables and of constants")
            return sides[0]
        if isinstance(query, exp.Subquery):
            return self.query(query.this, lifted)
        if not isinstance(query, exp.Select):
            raise Unliftable(f"{type(query).__name__} where a SELECT should be")
        return self._select(query, lifted)

    def _select(self, select: exp.Select, known: Mapping[str, bool]) -> bool:
        at = self._sources(select, known)
        if at is None:
            if _own(select, exp.Anonymous, names=(START, END)):
                raise Unliftable("the window's bounds in a SELECT that reads no table")
            return False
        for name in ("limit", "offset", "distinct"):
            if (part := select.args.get(name)) is not None and (name != "distinct" or part.args.get("on")):
                raise Unliftable(f"{name.upper()}: number the rows with row_number() instead")
        self._subqueries(select, at, known)
        self._windows(select, at)
        if select.args.get("group") is None and _aggregates(select):
            self._whole(select, at)
            return True
        self._own_bounds(select, at)
        if select.args.get("group") is not None:
            self._group(select, at)
        _project(select, at)
        return True

    # Where rows come from

    def _sources(self, select: exp.Select, known: Mapping[str, bool]) -> exp.Expr | None:
        """Joins the sources within their windows; the expression of the window's number, None without any."""
        from_ = select.args.get("from_")
        if from_ is None:
            return None
        joins = select.args.get("joins") or []
        at = self._source(from_.this, known)
        for join in joins:
            column = self._source(join.this, known)
            if column is None:
                continue
            if at is None:
                if join.side:
                    raise Unliftable(f"{join.side} JOIN of a table to constants")
                at = column
                continue
            if join.args.get("using"):
                join.args["using"].append(exp.to_identifier(WINDOW))
            else:
                join.set("on", _and(join.args.get("on"), exp.EQ(this=at.copy(), expression=column.copy())))
                if join.kind == "CROSS":
                    join.set("kind", None)
            if join.side == "FULL":
                at = exp.Coalesce(this=at.copy(), expressions=[column])
            elif join.side == "RIGHT":
                at = column
        return at

    def _source(self, source: exp.Expr, known: Mapping[str, bool]) -> exp.Expr | None:
        """The window's number in one source; None where it has none."""
        if isinstance(source, exp.Table):
            name = source.name.lower()
            lifted = known.get(name, name in self._tables)
            return exp.column(WINDOW, table=_alias(source)) if lifted else None
        if isinstance(source, exp.Subquery):
            if not source.alias:
                self._names += 1
                source.set("alias", exp.TableAlias(this=exp.to_identifier(f"_s{self._names}")))
            return exp.column(WINDOW, table=_alias(source)) if self.query(source.this, known) else None
        return None  # UNNEST, VALUES

    # What is done with them

    def _subqueries(self, select: exp.Select, at: exp.Expr, known: Mapping[str, bool]) -> None:
        for inner in _own(select, exp.Select, exp.SetOperation):
            holder = inner.parent
            if isinstance(holder, exp.CTE) or _is_source(inner, select):
                continue
            if not isinstance(inner, exp.Select):
                raise Unliftable("a UNION as a subquery; name it in WITH")
            test = holder.parent if isinstance(holder, exp.Subquery) else holder
            if isinstance(test, exp.In):
                self._in(test, inner, at, known)
            else:
                self._correlate(inner, at, known)

    def _correlate(self, inner: exp.Select, at: exp.Expr, known: Mapping[str, bool]) -> None:
        """A subquery of one value, or of whether there is one: over the rows of the same window."""
        for table in inner.find_all(exp.Table):
            if not table.alias and table.name in {c.table for c in at.find_all(exp.Column)}:
                self._names += 1  # else the name would mean the inner rows on both sides
                table.set("alias", exp.TableAlias(this=exp.to_identifier(f"_i{self._names}")))
        column = self._sources(inner, known)
        if column is None:
            return
        self._subqueries(inner, column, known)
        self._own_bounds(inner, column)
        inner.where(exp.EQ(this=column.copy(), expression=at.copy()), copy=False)

    def _in(self, test: exp.In, inner: exp.Select, at: exp.Expr, known: Mapping[str, bool]) -> None:
        if self.query(inner, known):
            value = test.this
            values = value.expressions if isinstance(value, exp.Tuple) else [value]
            test.set("this", exp.Tuple(expressions=[at.copy(), *values]))

    def _windows(self, select: exp.Select, at: exp.Expr) -> None:
        for window in _own(select, exp.Window):
            named = window.args.get("alias") is not None or isinstance(window.parent, exp.Select)
            if named and not window.args.get("order") and not window.args.get("partition_by") and not window.this:
                continue
            if window.args.get("alias") is not None:  # OVER name
                continue
            window.set("partition_by", [at.copy(), *(window.args.get("partition_by") or [])])

    def _own_bounds(self, select: exp.Select, at: exp.Expr) -> None:
        for bound in _own(select, exp.Anonymous, names=(START, END)):
            bound.replace(self._bounds[bound.name.lower()](at.copy()))

    def _group(self, select: exp.Select, at: exp.Expr) -> None:
        group = select.args["group"]
        if group.args.get("all"):
            return
        by = [
            exp.Literal.number(int(e.name) + 1) if isinstance(e, exp.Literal) and not e.is_string else e
            for e in group.expressions
        ]
        group.set("expressions", [at.copy(), *by])

    def _whole(self, select: exp.Select, at: exp.Expr) -> None:
        """One row for all rows of a window, which is there for a window without rows, too, unless HAVING is."""
        names = [p.alias_or_name or f"_c{n}" for n, p in enumerate(select.expressions)]
        all_of_them = exp.column(WINDOW, table=WINDOWS)
        nothing = exp.Select(expressions=[_of_nothing(_unaliased(p)) for p in select.expressions])
        self._own_bounds(nothing, all_of_them)
        empty = nothing.expressions
        self._own_bounds(select, at)
        made = [
            exp.alias_(_unaliased(p).copy(), name, quoted=True)
            for p, name in zip(select.expressions, names, strict=True)
        ]
        inner = select.copy()
        inner.set("with_", None)
        inner.set("expressions", [_named(at), *made])
        inner.set("group", exp.Group(expressions=[at.copy()]))
        if select.args.get("having") is not None:
            outer = inner
        else:
            self._names += 1
            held = f"_g{self._names}"
            there = exp.column(WINDOW, table=held)
            shown = [
                exp.alias_(_shown(exp.column(name, table=held, quoted=True), value, there), name, quoted=True)
                for name, value in zip(names, empty, strict=True)
            ]
            outer = exp.select(all_of_them.copy(), *shown).from_(WINDOWS)
            on = exp.EQ(this=all_of_them.copy(), expression=there.copy())
            outer = outer.join(inner.subquery(held), on=on, join_type="LEFT")
        with_ = select.args.get("with_")
        for key in list(select.args):
            select.set(key, None)
        for key, value in outer.args.items():
            select.set(key, value)
        select.set("with_", with_)


def _project(select: exp.Select, at: exp.Expr) -> None:
    """`_w` first, and not again in a star."""
    for projection in select.expressions:
        star = projection if isinstance(projection, exp.Star) else projection.this
        if isinstance(projection, exp.Star) or (isinstance(projection, exp.Column) and isinstance(star, exp.Star)):
            star.set("except_", [*(star.args.get("except_") or []), exp.column(WINDOW)])
    select.set("expressions", [_named(at), *select.expressions])


def _named(at: exp.Expr) -> exp.Expr:
    """The window's number as a column of that name. (An alias that changes nothing leads Spark 4.3 astray.)"""
    return at.copy() if isinstance(at, exp.Column) else exp.alias_(at.copy(), WINDOW)


def _own(select: exp.Expr, *kinds: type[exp.Expr], names: Collection[str] = ()) -> list[exp.Expr]:
    """The nodes of these kinds that belong to this SELECT and not to one within it."""
    found: list[exp.Expr] = []

    def walk(node: exp.Expr) -> None:
        for child in node.iter_expressions():
            wanted = isinstance(child, kinds) and (not names or child.name.lower() in names)
            if wanted:
                found.append(child)
            if not isinstance(child, (exp.Select, exp.SetOperation, exp.With)):
                walk(child)

    walk(select)
    return found


def _is_source(inner: exp.Expr, select: exp.Select) -> bool:
    """Whether a query stands in FROM or behind JOIN."""
    node: exp.Expr | None = inner
    while node is not None and node.parent is not select:
        if isinstance(node, exp.Join):
            return node.this.find(type(inner)) is inner or _holds(node.this, inner)
        node = node.parent
    return isinstance(node, exp.From) or (isinstance(node, exp.Join) and _holds(node.this, inner))


def _holds(node: exp.Expr, inner: exp.Expr) -> bool:
    return any(found is inner for found in node.find_all(type(inner)))


def _aggregates(select: exp.Select) -> bool:
    """Whether it makes one row of all, by an aggregate that is no window's."""
    parts = [*select.expressions, *([select.args["having"]] if select.args.get("having") is not None else [])]
    held = exp.Select(expressions=[p.copy() for p in parts])
    return any(not _windowed(node) for node in _own(held, exp.AggFunc))


def _windowed(node: exp.Expr) -> bool:
    parent = node.parent
    while isinstance(parent, (exp.Filter, exp.IgnoreNulls, exp.WithinGroup)):
        node, parent = parent, parent.parent
    return isinstance(parent, exp.Window) and parent.this is node


def _of_nothing(expression: exp.Expr) -> exp.Expr:
    """What an expression of aggregates is where there are no rows: counts are 0, all else is null."""

    def nothing(node: exp.Expr) -> exp.Expr:
        whole = node.this if isinstance(node, exp.Filter) else node
        if isinstance(whole, exp.Count):
            return exp.cast(exp.Literal.number(0), "BIGINT")
        return exp.Null() if isinstance(whole, exp.AggFunc) else node

    return expression.copy().transform(nothing)


def _shown(column: exp.Expr, nothing: exp.Expr, there: exp.Expr) -> exp.Expr:
    if isinstance(nothing, exp.Null) or (isinstance(nothing, exp.Cast) and isinstance(nothing.this, exp.Null)):
        return column
    absent = exp.Is(this=there.copy(), expression=exp.Null())
    return exp.Case(ifs=[exp.If(this=absent, true=nothing)], default=column)


def _unaliased(projection: exp.Expr) -> exp.Expr:
    return projection.this if isinstance(projection, exp.Alias) else projection


def _and(first: exp.Expr | None, second: exp.Expr) -> exp.Expr:
    if first is None:
        return second
    return exp.And(this=second, expression=exp.Paren(this=first))


def _alias(source: exp.Expr) -> str:
    return str(source.alias or source.name)
