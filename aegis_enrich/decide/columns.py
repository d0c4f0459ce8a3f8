"""Whether the columns that a rule names are there, so that no condition is silently never met."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from difflib import get_close_matches

import pyarrow as pa

from ..plugin import CONTEXT, Detector
from ..tables import TABLES
from .investigate import PARTS
from .overrides import Override
from .rules import DetectorRule, RowRule, Rule
from .seen import OF_ENDS, OF_FINDINGS, SCOPES
from .severities import Severity
from .source import Source
from .suppression import Suppression
from .techniques import Technique
from .templates import braced

Schema = Callable[[str], pa.Schema]


def of_findings(detector: type[Detector]) -> list[str]:
    """What conditions and texts see of a detector's finding: its entity, what the document names, sensor, score, what
    enrichers know of its ends, and its numbers."""
    return [*dict.fromkeys((*detector.entity, *CONTEXT, *OF_FINDINGS, *OF_ENDS)), "evidence.<name>"]


def of_rows(rule: RowRule, schema: Schema) -> list[str]:
    """What conditions see of a row that a rule means, once it is decided on."""
    held = [name for table in rule.tables if table in TABLES for name in schema(table).names]
    return list(dict.fromkeys((*held, *rule.context, *OF_ENDS)))


def check_detector_rule(source: Source, rule: DetectorRule) -> None:
    """Conditions and texts see a finding."""
    known = of_findings(rule.detector)
    _known(source, braced(rule.title), known, "title")
    check_decisions(source, known, rule.severities, rule.techniques, rule.overrides, rule.suppress)
    _check_advice(source, rule, known)


def check_decisions(
    source: Source,
    known: Sequence[str],
    severities: Sequence[Severity],
    techniques: Sequence[Technique],
    overrides: Sequence[Override] = (),
    suppress: Sequence[Suppression] = (),
    *key: str | int,
) -> None:
    """The conditions in the mapping at `key`."""
    for number, line in enumerate(severities):
        _known(source, line.when.fields, known, *key, "severity", number, "when")
    for number, technique in enumerate(techniques):
        _known(source, technique.when.fields if technique.when else (), known, *key, "attack", number, "when")
    for number, override in enumerate(overrides):
        at = (*key, "overrides", number)
        _known(source, override.where.fields, known, *at, "where")
        check_decisions(source, known, override.severities, override.techniques, (), (), *at)
    for number, suppression in enumerate(suppress):
        _known(source, suppression.where.fields, known, *key, "suppress", number, "where")


def _check_advice(source: Source, rule: Rule, known: Sequence[str]) -> None:
    for part in PARTS:
        for number, text in enumerate(getattr(rule.investigate, part)):
            _known(source, braced(text), known, "investigate", part, number)


def check_row_rule(source: Source, rule: RowRule, schema: Schema) -> None:
    """Conditions need their columns in every table of the rule, everything else in one of them."""
    schemas = {t: schema(t) for t in rule.tables if t in TABLES}
    if not schemas:
        return
    for name in rule.where.fields:
        shown = SCOPES.get(name, rule.context.get(name, name))
        if lacking := [table for table, s in schemas.items() if shown not in s.names]:
            source.wrong(f"where: there is no column {shown!r} in {', '.join(lacking)}", "where", name)
    held_types = {f.name: f.type for s in schemas.values() for f in s}
    known = [*held_types, *rule.context]
    for part in ("entity", "evidence"):
        _known(source, getattr(rule, part), known, part)
    for name, column in rule.context.items():
        _known(source, (column,), list(held_types), "context", name)
    scopes = [scope for scope, internal in SCOPES.items() if internal in held_types]
    check_decisions(source, [*known, *scopes], (), (), (), rule.suppress)
    for part in ("title", "reason"):
        _known(source, braced(getattr(rule, part)), known, part)
    for part, column in (
        ("severity", rule.severity.column),
        ("score", rule.score_column),
        ("attack", rule.attack_column),
    ):
        _known(source, (column,) if column else (), known, part, "column")
    decided = of_rows(rule, schema)
    check_decisions(source, decided, (), rule.techniques, rule.overrides)
    _check_advice(source, rule, [*decided, *(f"evidence.{name}" for name in rule.evidence)])
    _types(source, rule, {**held_types, **{n: held_types.get(c, pa.null()) for n, c in rule.context.items()}})


def _types(source: Source, rule: RowRule, types: dict[str, pa.DataType]) -> None:
    for column in rule.entity:
        if pa.types.is_nested(types.get(column, pa.null())):
            source.wrong(f"entity: {column!r} holds lists; take columns with one value", "entity")
    numbers = [("where", c.field) for c in rule.where.flat if c.operator in ("at_least", "at_most")]
    numbers += [("score", rule.score_column)] if rule.score_column else []
    numbers += [("severity", rule.severity.column)] if rule.severity.bands else []
    for part, column in numbers:
        kind = types.get(column)
        if kind is not None and not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            source.wrong(f"{part}: {column!r} holds no numbers", part, column if part == "where" else "column")


def check_site(source: Source, found: Sequence[Suppression], rules: Collection[str], schema: Schema | None) -> None:
    """Suppressions for all rules: of rules that there are, on what findings or any table's rows have."""
    rows = [name for table in TABLES for name in schema(table).names] if schema is not None else []
    known = list(dict.fromkeys((*CONTEXT, *OF_FINDINGS, *OF_ENDS, *rows)))
    for number, suppression in enumerate(found):
        for rule in suppression.rules:
            if rule not in rules:
                source.wrong(f"rule: there is no rule {rule!r}; there are {', '.join(sorted(rules))}", number, "rule")
        if schema is not None:
            _known(source, suppression.where.fields, [*known, "evidence.<name>"], number, "where")


def check_rows(source: Source, schema: Schema) -> None:
    """The columns of rows in tests, and those that their repeats step."""
    for number, case in enumerate(source.items("tests")):
        tables = case.get("rows") if isinstance(case, dict) else None
        for table, rows in tables.items() if isinstance(tables, dict) else ():
            for at, row in enumerate(rows) if table in TABLES and isinstance(rows, list) else ():
                names = [n for n in row if n != "repeat"] if isinstance(row, dict) else []
                _known(source, names, schema(table).names, "tests", number, "rows", table, at)


def _known(source: Source, names: Iterable[str], known: Sequence[str], *key: str | int) -> None:
    for name in map(str, names):
        if name not in known and not (name.startswith("evidence.") and "evidence.<name>" in known):
            source.wrong(f"there is no column {name!r} here; {_instead(name, known)}", *key, name)


def _instead(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, 3)
    if near or len(known) > 20:
        return f"near to it is {', '.join(near)}" if near else "it is neither the log's own nor an enricher's"
    return f"there are {', '.join(known)}"
