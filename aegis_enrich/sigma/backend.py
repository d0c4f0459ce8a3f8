"""pySigma's SQLite backend, writing for DuckDB over typed columns: lists, booleans, numbers, times, `extra`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sigma.backends.sqlite.sqlite import sqliteBackend
from sigma.conditions import ConditionNOT
from sigma.conversion.state import ConversionState
from sigma.exceptions import SigmaValueError
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import ValueListPlaceholderTransformation
from sigma.rule import SigmaRule
from sigma.types import CompareOperators, SigmaCasedString, SigmaRegularExpression, SigmaString

from .network import within
from .taxonomy import NUMBER, NUMBERS, Column, Place
from .text import canonical, equals, holds, is_text, is_textual, literal, number_of, plain

_TRUE, _FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")
_OPERATORS = {
    CompareOperators.LT: "<",
    CompareOperators.LTE: "<=",
    CompareOperators.GT: ">",
    CompareOperators.GTE: ">=",
    CompareOperators.NEQ: "<>",
}
Predicate = Callable[[str], str]  # a condition over an SQL expression


class DuckdbBackend(sqliteBackend):
    """Compiles a rule's conditions to one boolean expression over the columns of its place.

    `cond.value` is of the kind of value that the method is called for.

    The SQLite backend compares texts by NOCASE, GLOB and REGEXP, and knows no lists; so what compares a field with a
    value is written here, and what is around it (and, or, not, expansions, placeholders, long chains) is its own.
    """

    name: ClassVar[str] = "DuckDB over the canonical tables"
    null_safe_expression: ClassVar[str] = "coalesce({expr}, FALSE)"

    def __init__(self, place: Place, placeholders: dict[str, list[str]] | None = None) -> None:
        self.place = place
        items = [ProcessingItem(ValueListPlaceholderTransformation())] if placeholders else []
        pipeline = ProcessingPipeline(items=items, vars=placeholders or {})
        super().__init__(pipeline)  # type: ignore[no-untyped-call]

    def predicate(self, rule: SigmaRule) -> str:
        """The rule's condition (one of them, where it has several); raises SigmaError where there is none to write."""
        # it gives nothing for a rule that only correlations use; the result is there, though
        self.convert_rule(rule)  # type: ignore[no-untyped-call]
        parts = [str(q) for q in rule.get_conversion_result()]
        if not parts:
            raise SigmaValueError("nothing is left of the condition")
        return parts[0] if len(parts) == 1 else " OR ".join(f"({p})" for p in parts)

    def finalize_query_default(self, rule: Any, query: str, index: int, state: ConversionState) -> str:
        return query

    def convert_condition_not(self, cond: ConditionNOT, state: ConversionState) -> Any:
        """As the SQLite backend; here, since a NOT of a single value needs its parentheses too."""
        inner = self.convert_condition(cond.args[0], state)
        return None if inner is None else f"NOT {self.null_safe_expression.format(expr=inner)}"

    def convert_condition_field_eq_val_str(self, cond: Any, state: ConversionState) -> str:
        return self._text(self.place.column(cond.field), cond.value)

    def convert_condition_field_eq_val_str_case_sensitive(self, cond: Any, state: ConversionState) -> str:
        return self._text(self.place.column(cond.field), cond.value)

    def _text(self, column: Column, value: SigmaString) -> str:
        if is_textual(column):
            cased = isinstance(value, SigmaCasedString)
            return holds(column, equals(canonical(column, value), cased=cased))
        if column.kind in (*NUMBER, *NUMBERS, "bool") and is_text(value):
            if column.kind == "bool":
                return f"{column.sql} = {_truth(plain(value))}"
            number = number_of(plain(value))
            if number is None:
                raise SigmaValueError(f"{plain(value)!r} is no number, as {column.name or column.kind} holds")
            return holds(column, lambda x: f"{x} = {number}")
        return holds(column, lambda x: equals(value, cased=False)(f"CAST({x} AS VARCHAR)"))

    def convert_condition_field_eq_val_num(self, cond: Any, state: ConversionState) -> str:
        column, value = self.place.column(cond.field), cond.value
        if is_textual(column):
            return holds(column, equals(SigmaString.from_str(str(value)), cased=False))
        if column.kind == "bool":
            return f"{column.sql} = {_truth(str(value))}"
        return holds(column, lambda x: f"{_as_number(column, x)} = {value}")

    def convert_condition_field_eq_val_bool(self, cond: Any, state: ConversionState) -> str:
        column, truth = self.place.column(cond.field), bool(cond.value.boolean)
        if column.kind == "bool":
            return f"{column.sql} = {str(truth).upper()}"
        if is_textual(column):
            words = ", ".join(map(literal, _TRUE if truth else _FALSE))
            return holds(column, lambda x: f"lower({x}) IN ({words})")
        return holds(column, lambda x: f"{_as_number(column, x)} = {int(truth)}")

    def convert_condition_field_eq_val_re(self, cond: Any, state: ConversionState) -> str:
        column = self.place.column(cond.field)
        return holds(column, lambda x: _matches(cond.value)(x if is_textual(column) else f"CAST({x} AS VARCHAR)"))

    def convert_condition_field_eq_val_cidr(self, cond: Any, state: ConversionState) -> str:
        column = self.place.column(cond.field)
        if not is_textual(column):
            raise SigmaValueError(f"cidr: {cond.field} holds no addresses")
        return holds(column, lambda x: within(cond.value.network, x))

    def convert_condition_field_compare_op_val(self, cond: Any, state: ConversionState) -> str:
        column, operator = self.place.column(cond.field), _OPERATORS[cond.value.op]
        if column.kind == "bool":
            raise SigmaValueError(f"{cond.field} is true or false; it cannot be compared by {operator}")
        return holds(column, lambda x: f"{_as_number(column, x)} {operator} {cond.value.number}")

    def convert_condition_field_eq_val_timestamp_part(self, cond: Any, state: ConversionState) -> str:
        column, value = self.place.column(cond.field), cond.value
        if column.kind != "time":
            raise SigmaValueError(f"{cond.field} holds no times")
        return f"date_part('{value.timestamp_part.name.lower()}', {column.sql}) = {value.number}"

    def convert_condition_field_eq_field(self, cond: Any, state: ConversionState) -> str:
        """Two fields of a row; one of them may hold lists."""
        one, other = self.place.column(cond.field), self.place.column(cond.value.field)
        if one.several and other.several:
            raise SigmaValueError(f"fieldref: {cond.field} and {cond.value.field} both hold lists")
        if one.several or not other.several:
            return holds(one, lambda x: _alike(cond.value, one, other, x, other.sql))
        return holds(other, lambda y: _alike(cond.value, one, other, one.sql, y))

    def convert_condition_field_eq_val_null(self, cond: Any, state: ConversionState) -> str:
        return _absent(self.place.column(cond.field))

    def convert_condition_field_exists(self, cond: Any, state: ConversionState) -> str:
        return f"NOT ({_absent(self.place.column(cond.field))})"

    def convert_condition_field_not_exists(self, cond: Any, state: ConversionState) -> str:
        return _absent(self.place.column(cond.field))

    def convert_condition_val_str(self, cond: Any, state: ConversionState) -> str:
        return self._anywhere(equals(cond.value, cased=isinstance(cond.value, SigmaCasedString), within=True))

    def convert_condition_val_num(self, cond: Any, state: ConversionState) -> str:
        return self._anywhere(equals(SigmaString.from_str(str(cond.value)), cased=False, within=True))

    def convert_condition_val_re(self, cond: Any, state: ConversionState) -> str:
        return self._anywhere(_matches(cond.value))

    def _anywhere(self, predicate: Predicate) -> str:
        """One of the texts of a row meets it."""
        single = ", ".join(c.sql for c in self.place.texts if not c.several)
        lists = [f"[{single}]", *(f"coalesce({c.sql}, [])" for c in self.place.texts if c.several)]
        return f"len(list_filter(flatten([{', '.join(lists)}]), lambda x: {predicate('x')})) > 0"


def _matches(value: SigmaRegularExpression) -> Predicate:
    """A regular expression (RE2), found anywhere, as Sigma means it."""
    flags = "".join(sorted(value.sigma_to_re_flag[f] for f in value.flags))
    written = f"(?{flags}){value.regexp}" if flags else str(value.regexp)
    return lambda x: f"regexp_matches({x}, {literal(written)})"


def _as_number(column: Column, x: str) -> str:
    if is_textual(column):
        return f"try_cast({x} AS DOUBLE)"
    return f"epoch({x})" if column.kind == "time" else x


def _truth(word: str) -> str:
    if word.lower() not in (*_TRUE, *_FALSE):
        raise SigmaValueError(f"{word!r} is neither true nor false")
    return str(word.lower() in _TRUE).upper()


def _absent(column: Column) -> str:
    if column.several:
        return f"coalesce(len(list_filter({column.sql}, lambda x: x IS NOT NULL)), 0) = 0"
    return f"{column.sql} IS NULL"


def _alike(value: Any, one: Column, other: Column, x: str, y: str) -> str:
    if not (is_textual(one) or is_textual(other)):
        return f"{x} = {y}"
    a, b = (f"lower(CAST({side} AS VARCHAR))" for side in (x, y))
    if value.starts_with and value.ends_with:
        return f"contains({a}, {b})"
    if value.starts_with or value.ends_with:
        return f"{'starts_with' if value.starts_with else 'ends_with'}({a}, {b})"
    return f"{a} = {b}"
