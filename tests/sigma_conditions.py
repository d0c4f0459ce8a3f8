"""Rows made from a Sigma rule's own condition: one that meets it, and one that nearly does."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionNOT, ConditionOR
from sigma.rule import SigmaRule
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SpecialChars,
)

from aegis_enrich.sigma.taxonomy import Column, Place, place

# Where the computed fields of the proxy and webserver taxonomies come from.
SOURCES = dict.fromkeys(("c-uri", "cs-uri", "c-uri-query", "cs-uri-query"), "uri")
STEMS = ("c-uri-stem", "cs-uri-stem")


class Unmade(Exception):
    """A condition for which no row can be made here."""


@dataclass
class Wanted:
    """What a column must hold: parts of a text in their places, or one value."""

    begins: str = ""
    has: list[str] = field(default_factory=list)
    ends: str = ""
    value: Any = None
    absent: bool = False

    def made(self) -> Any:
        return self.value if self.value is not None else self.begins + "".join(self.has) + self.ends


def row(rule: SigmaRule, *, meets: bool) -> dict[str, Any]:
    """Columns of our table by name; raises Unmade."""
    (condition,) = rule.detection.parsed_condition
    where = place(rule.logsource)
    wanted: dict[str, Wanted] = defaultdict(Wanted)
    _choose(condition.parsed, meets, wanted, near=not meets)
    made: dict[str, Any] = {}
    for name, want in wanted.items():
        if want.absent or name in STEMS:
            continue
        if name in ("action", "blocked"):
            made |= {"proto": "tcp", "conn_state": "SF"}
        elif name == "c-uri-extension":
            made["uri"] = made.get("uri", "/x") + f".{want.made()}"
        else:
            column = where.column(name) if name else _last_text(where)
            value = want.made()
            value = int(value) if column.kind in ("count", "port") and value is not None else value
            made[column.name or name] = [value] if column.several and value is not None else value
    stem = "".join(str(wanted[name].made()) for name in STEMS if name in wanted and not wanted[name].absent)
    return made | {"uri": f"{stem}?{made.get('uri', '')}"} if stem else made


def _last_text(where: Place) -> Column:
    return [c for c in where.texts if not c.several][-1]


def _choose(node: Any, meets: bool, wanted: dict[str, Wanted], near: bool) -> None:
    """Makes a part of the condition true, or false by the least change; `near`: the whole is to be false."""
    if isinstance(node, ConditionNOT):
        _choose(node.args[0], not meets, wanted, near)
    elif isinstance(node, (ConditionAND, ConditionOR)):
        whole = isinstance(node, ConditionAND) == meets
        for number, arg in enumerate(node.args):
            if whole or number == 0:
                _choose(arg, meets, wanted, near)
            elif isinstance(node, ConditionAND):
                _choose(arg, True, wanted, near)  # the rest holds: a near miss
    elif isinstance(node, ConditionFieldEqualsValueExpression):
        if not (meets or near or isinstance(node.value, SigmaNull)):
            return
        want = wanted[SOURCES.get(node.field, node.field)]
        if isinstance(node.value, SigmaNull):
            want.value, want.absent = "there", meets
        elif meets:
            _value(node.value, want)
        elif near:
            want.absent = True
    elif meets:
        _keyword(node.value, wanted)


def _keyword(value: Any, wanted: dict[str, Wanted]) -> None:
    value = value.values[0] if isinstance(value, SigmaExpansion) else value
    text = str(value) if isinstance(value, SigmaNumber) else "".join(_parts(value))
    wanted[""].has.append(f" {text}")


def _value(value: Any, want: Wanted) -> None:
    if isinstance(value, SigmaExpansion):
        _value(value.values[0], want)
    elif isinstance(value, SigmaString):
        _text(value, want)
    elif isinstance(value, SigmaNumber):
        want.value = value.number
    elif isinstance(value, SigmaBool):
        want.value = value.boolean
    elif isinstance(value, SigmaCIDRExpression):
        network = value.network
        want.value = str(network.network_address + (network.num_addresses > 1))
    elif isinstance(value, SigmaCompareExpression):
        over = value.op in (CompareOperators.GT, CompareOperators.GTE, CompareOperators.NEQ)
        want.value = value.number.number + (1 if over else -1)
    elif isinstance(value, SigmaExists):
        want.value = "there" if value.exists else None
    else:
        raise Unmade(type(value).__name__ if not isinstance(value, SigmaRegularExpression) else str(value.regexp))


def _text(value: SigmaString, want: Wanted) -> None:
    begins, *rest = _parts(value)
    if not rest:
        want.value = begins
        return
    want.begins += begins
    want.ends = rest.pop() + want.ends
    want.has += rest


def _parts(value: SigmaString) -> list[str]:
    """The texts between wildcards `*`; for `?` stands a character."""
    whole = "".join(p if isinstance(p, str) else ("\0" if p is SpecialChars.WILDCARD_MULTI else "?") for p in value.s)
    return whole.split("\0")
