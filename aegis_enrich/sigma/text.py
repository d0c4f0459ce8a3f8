"""SQL for texts as Sigma compares them: without regard to case unless it says otherwise, `*` and `?` as wildcards."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from sigma.exceptions import SigmaValueError
from sigma.types import SigmaString, SpecialChars

from .taxonomy import TEXT, TEXTS, Column

ESCAPE = "\\"


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def folded(text: str) -> str:
    """A text in lower case as SQL; beyond ASCII DuckDB does it, as it does for the column's values."""
    return literal(text.lower()) if text.isascii() else f"lower({literal(text)})"


def holds(column: Column, predicate: Callable[[str], str]) -> str:
    """A predicate over a column's value, or over one of its values where it holds lists."""
    if not column.several:
        return predicate(column.sql)
    return f"len(list_filter({column.sql}, lambda x: {predicate('x')})) > 0"


def is_text(value: SigmaString) -> bool:
    """Whether it has no wildcards."""
    return all(isinstance(part, str) for part in value.s)


def plain(value: SigmaString) -> str:
    """A value without wildcards as the text that it means."""
    return "".join(_written(part) for part in value.s)


def pattern(value: SigmaString) -> str:
    """A value as a pattern of LIKE."""
    return "".join(_wildcard(p) if isinstance(p, SpecialChars) else _escaped(_written(p)) for p in value.s)


def equals(value: SigmaString, *, cased: bool, within: bool = False) -> Callable[[str], str]:
    """The predicate of a value; `within`: anywhere in the text, as keywords mean."""

    def predicate(x: str) -> str:
        side = x if cased else f"lower({x})"
        write = literal if cased else folded
        if is_text(value) and not within:
            return f"{side} = {write(plain(value))}"
        whole = f"%{pattern(value)}%" if within else pattern(value)
        return f"{side} LIKE {write(whole)} ESCAPE '{ESCAPE}'"

    return predicate


def number_of(text: str) -> int | float | None:
    """The number that a text is, None where it is none."""
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return None


def canonical(column: Column, value: SigmaString) -> SigmaString:
    """An address as the tables write it, where a column of addresses is compared with one."""
    if column.kind not in ("addr", "addrs") or not is_text(value):
        return value
    try:
        return SigmaString.from_str(str(ipaddress.ip_address(plain(value))))
    except ValueError:
        return value


def is_textual(column: Column) -> bool:
    return column.kind in (*TEXT, *TEXTS)


def _written(part: object) -> str:
    if not isinstance(part, str):
        raise SigmaValueError("a placeholder has no values; give them in rules/sigma/settings.yml under placeholders")
    return part


def _wildcard(part: SpecialChars) -> str:
    return "%" if part is SpecialChars.WILDCARD_MULTI else "_"


def _escaped(text: str) -> str:
    return "".join(ESCAPE + c if c in ("%", "_", ESCAPE) else c for c in text)
