"""Sigma rules as rules of ours: a rule over rows, or, for a correlation, one of a detector that is made for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from ..plugin import NoTuning
from ..sigma.compiled import Compiled, compiled, refusals
from ..sigma.correlation import correlation
from ..sigma.read import SETTINGS, Read, noted, read
from ..sigma.settings import Settings, parse_settings
from ..sigma.tags import techniques
from ..tables import TABLES
from ..yaml_text import ODD, compose_all, text_of
from .attack import attack
from .cases import parse_cases
from .columns import Schema, check_rows
from .conditions import Conditions
from .rules import PERIODS, DetectorRule, RowRule
from .severities import SEVERITIES, RowSeverity, Severity
from .source import Source
from .techniques import Technique

LEVELS = {"informational": SEVERITIES["low"], **SEVERITIES}
EVIDENCE = 12  # columns at most
# What the document calls a name, by table; "" where a column of that name is none.
NAMES = {
    "dns": "query",
    "http": "host",
    "open_http": "host",
    "ssl": "server_name",
    "open_ssl": "server_name",
    "quic": "server_name",
    "smb_files": "",
    "weird": "",
    "software": "",
    "suricata_alert": "",
}
Made = list[tuple[Source, DetectorRule | RowRule]]


def load_sigma(paths: Sequence[Path], schema: Schema | None) -> tuple[list[Source], Made]:
    """Every document of these files, with its problems, and the rules that they come to."""
    sources = [s for path in paths for s in documents(path)]
    settings = Settings()
    for source in sources:
        if source.path.name == SETTINGS:
            settings = parse_settings(source)
    found = read([s for s in sources if s.path.name != SETTINGS])
    of_document = {id(s): s for s in sources}
    single = _compiled([r for r in found if isinstance(r.rule, SigmaRule)], settings)
    made: Made = []
    for held in found:
        source = of_document[id(held.document)]
        rule = _made(held, source, single, settings)
        if rule is not None:
            if schema is not None:
                check_rows(source, schema)
            made.append((source, rule))
    return sources, made


def documents(path: Path) -> list[Source]:
    """The YAML documents of a file, each with its lines; what is no YAML is a problem of the first."""
    try:
        nodes = compose_all(text_of(path))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return [Source.read(path)]
    return [Source.of(path, node) for node in nodes]


def _compiled(found: Sequence[Read], settings: Settings) -> dict[int, Compiled]:
    """By the identity of the rule; what cannot be compiled is a problem of its document."""
    made: dict[int, Compiled] = {}
    for held in found:
        try:
            assert isinstance(held.rule, SigmaRule)
            made[id(held.rule)] = compiled(held.rule, settings.placeholders)
        except SigmaError as error:
            noted(held.document, error)
        except (*ODD, NotImplementedError, ValueError) as error:  # what pySigma does not foresee, such as `selection:`
            held.document.wrong(f"it cannot be read as Sigma: {error}", "detection")
    refused = refusals(made.values())
    for held in found:
        if made.get(id(held.rule)) in refused:
            held.document.wrong(refused[made.pop(id(held.rule))], "detection")
    return made


def _made(held: Read, source: Source, single: dict[int, Compiled], settings: Settings) -> DetectorRule | RowRule | None:
    if not held.id:
        source.wrong("id is missing; write a UUID, which is part of every alert's id")
        return None
    common = _common(held, source, settings)
    if isinstance(held.rule, SigmaCorrelationRule):
        return _detector_rule(held, source, common, single)
    mine = single.get(id(held.rule))
    return None if mine is None else _row_rule(common, mine, held.rule)


def _common(held: Read, source: Source, settings: Settings) -> dict[str, Any]:
    rule = held.rule
    ids = _techniques(rule)
    return {
        "id": held.id,
        "name": rule.title,
        "title": _braced(rule.title),
        "description": " ".join((rule.description or "").split()),
        "version": str(rule.modified or rule.date or 1),
        "enabled": settings.in_force(rule, held.id) and _is_output(rule),
        "attack": ids,
        "techniques": tuple(Technique(i) for i in ids),
        "period_us": PERIODS[settings.per],
        "references": tuple(map(str, rule.references or ())),
        "false_positives": tuple(map(str, rule.falsepositives or ())),
        "suppress": (),
        "tests": parse_cases(source, tuned=False),
        "path": str(source.path),
    }


def _is_output(rule: SigmaRule | SigmaCorrelationRule) -> bool:
    """A rule that correlations refer to gives alerts itself only where one of them says `generate`."""
    users = [b for b in rule._backreferences if isinstance(b, SigmaCorrelationRule)]
    return not users or any(u.generate for u in users)


def _row_rule(common: dict[str, Any], mine: Compiled, rule: SigmaRule) -> RowRule:
    names = {NAMES[t] for t in mine.place.tables if t in NAMES}
    ends = " by {orig_h}" if "orig_h" in TABLES[mine.place.table].schema.names else ""
    return RowRule(
        **common | {"title": common["title"] + ends},
        tables=mine.place.tables,
        where=Conditions(),
        entity=mine.place.entity,
        context=dict.fromkeys(("name",), next(iter(names))) if names else {},
        evidence=mine.shown[:EVIDENCE],
        severity=RowSeverity(_level(rule)),
        score_column="",
        score_most=1.0,
        attack_column="",
        reason=f"A row of {mine.place.table} matches the Sigma rule “{_braced(rule.title)}”",
        sigma=mine,
    )


def _detector_rule(
    held: Read, source: Source, common: dict[str, Any], single: dict[int, Compiled]
) -> DetectorRule | None:
    assert isinstance(held.rule, SigmaCorrelationRule)
    try:
        detector = correlation(held.rule, held.id, single)
    except SigmaError as error:
        noted(source, error)
        return None
    by = " by {orig_h}" if "orig_h" in detector.entity else ""
    return DetectorRule(
        **common | {"title": common["title"] + by},
        detector=detector,
        tuning=NoTuning(),
        severities=(Severity(_level(held.rule)),),
        group_by=detector.entity,
        lateness_s=None,
    )


def _level(rule: SigmaRule | SigmaCorrelationRule) -> int:
    """A rule without a level is medium."""
    return LEVELS[rule.level.name.lower()] if rule.level else SEVERITIES["medium"]


def _techniques(rule: SigmaRule | SigmaCorrelationRule) -> tuple[str, ...]:
    """Those that the table knows, each with the first of the rule's tactics that is its own."""
    found = []
    for technique, tactics in techniques(rule.tags, attack().tactics):
        written = [f"{t}/{technique}" for t in tactics if attack().knows(f"{t}/{technique}")]
        found += written[:1] or [technique] if attack().knows(technique) else []
    return tuple(dict.fromkeys(found))


def _braced(text: str) -> str:
    """A text in which braces mean themselves."""
    return text.replace("{", "{{").replace("}", "}}")
