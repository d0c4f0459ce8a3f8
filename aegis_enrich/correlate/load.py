"""The folder `rules/correlation`: sequences, grounds for doubt and settings, strict, with every problem at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from ..decide.attack import attack
from ..decide.conditions import Conditions, parse
from ..decide.folders import rule_files
from ..decide.source import Source
from ..decide.tuning import parse_tuning
from ..errors import Problems
from .grounds import Ground
from .sequences import SAME, Pattern, Stage
from .settings import Settings

FOLDER = "correlation"
SETTINGS, GROUNDS = "settings.yml", "grounds.yml"
_SEQUENCE = (
    *("id", "name", "title", "description", "version", "enabled", "ordered", "within_h", "least", "same", "stages"),
    *("unless", "risk", "odds", "references"),
)
_STAGE = ("name", "rules", "tactics", "techniques", "severity", "where", "optional")


@dataclass(frozen=True)
class Correlation:
    """What the correlator goes by; `hash` changes with what it means."""

    settings: Settings = field(default_factory=Settings)
    sequences: tuple[Pattern, ...] = ()
    grounds: tuple[Ground, ...] = ()
    hash: str = ""


class _Tuned:
    """What `parse_tuning` asks of whatever has tunables."""

    name = "the correlator"
    tuning = Settings


def load_correlation(rules: Path, known: Sequence[str] | None = None) -> Correlation:
    """That of a folder of rules; nothing but defaults where it has no folder `correlation`.

    `known`: ids of the rules that there are; without it stages are not checked against them. Raises Problems.
    """
    sources = [Source.read(path) for place, path in rule_files(rules).items() if place.parent == PurePath(FOLDER)]
    settings = Settings()
    grounds: list[Ground] = []
    sequences: list[Pattern] = []
    for source in sources:
        if source.path.name == SETTINGS:
            source.unknown_keys(("tuning",), of=" in the correlator's settings")
            settings = parse_tuning(source, _Tuned)  # type: ignore[arg-type]
        elif source.path.name == GROUNDS:
            grounds += _grounds(source)
        elif isinstance(source.data, dict):
            sequences.append(_sequence(source, known))
        elif not source.problems:
            source.wrong("a sequence is expected; rules/README.md shows one")
    _no_twins(sources, sequences)
    if problems := [p for source in sources for p in source.problems]:
        raise Problems(problems)
    meaning = [source.data for source in sources]
    digest = hashlib.sha256(json.dumps(meaning, sort_keys=True, default=str).encode()).hexdigest()[:16]
    return Correlation(settings, tuple(s for s in sequences if s.enabled), tuple(grounds), digest)


def _no_twins(sources: Sequence[Source], sequences: Sequence[Pattern]) -> None:
    seen: dict[str, str] = {}
    by_path = {str(s.path): s for s in sources}
    for sequence in sequences:
        if sequence.id in seen:
            by_path[sequence.path].wrong(f"id {sequence.id!r} is that of {seen[sequence.id]} too", "id")
        seen[sequence.id] = sequence.path


def _sequence(source: Source, known: Sequence[str] | None) -> Pattern:
    source.unknown_keys(_SEQUENCE, of=" in a sequence")
    stages = tuple(_stage(source, n, item, known) for n, item in enumerate(source.items("stages")))
    if len(stages) < 2:
        source.wrong("stages: a sequence has two or more; write them like {name: scan, rules: [port_scan]}", "stages")
    needed = sum(not s.optional for s in stages)
    least = int(source.number("least", default=max(needed, 2), least=2))
    if least > len(stages):
        source.wrong(f"least: {least} of {len(stages)} stages; write as many as there are, or fewer", "least")
    same = source.texts("same")
    for number, name in enumerate(same):
        if name not in SAME:
            source.wrong(f"same: {name!r} is not one of {', '.join(SAME)}", "same", number)
    return Pattern(
        id=source.text("id", required=True),
        name=source.text("name", required=True),
        title=source.text("title") or source.text("name"),
        description=source.text("description"),
        version=str(source.number("version", default=1, least=0)),
        enabled=source.flag("enabled", default=True),
        ordered=source.flag("ordered", default=True),
        within_us=int(float(source.number("within_h", default=168, least=0.01)) * 3_600_000_000),
        least=least,
        same=same,
        stages=stages,
        unless=tuple(_stage(source, n, item, known, "unless") for n, item in enumerate(source.items("unless"))),
        risk=_share(source, "risk", 0.15),
        odds=float(source.number("odds", default=3.0, least=0.001)),
        references=source.texts("references"),
        path=str(source.path),
    )


def _share(source: Source, name: str, default: float) -> float:
    value = float(source.number(name, default=default, least=0))
    if value >= 1:
        source.wrong(f"{name}: {value!r} is what it takes of the rest of the risk; write 0 to 0.9", name)
    return value


def _stage(source: Source, number: int, item: Any, known: Sequence[str] | None, where: str = "stages") -> Stage:
    key = (where, number)
    if not isinstance(item, dict):
        source.wrong(f"{item!r} is no stage; write it like {{name: scan, rules: [port_scan]}}", *key)
        return Stage("?")
    source.unknown_keys(_STAGE, *key, of=" in a stage")
    stage = Stage(
        name=source.text("name", *key, required=where == "stages"),
        rules=source.texts("rules", *key),
        tactics=source.texts("tactics", *key),
        techniques=source.texts("techniques", *key),
        severity=int(source.number("severity", *key, default=0, least=0)),
        where=parse(source, item["where"], *key, "where") if "where" in item else Conditions(),
        optional=source.flag("optional", *key, default=False),
    )
    if not (stage.rules or stage.tactics or stage.techniques or stage.where.flat):
        source.wrong("a stage names rules, tactics, techniques or conditions (where)", *key)
    for place, rule in enumerate(stage.rules):
        if known is not None and rule not in known:
            source.wrong(
                f"rules: there is no rule {rule!r}; `aegis-enrich rules list` shows them", *key, "rules", place
            )
    for place, tactic in enumerate(stage.tactics):
        if tactic not in attack().tactics:
            source.wrong(f"tactics: {tactic!r} is not in ATT&CK {attack().version}", *key, "tactics", place)
    for place, technique in enumerate(stage.techniques):
        if technique not in attack().techniques:
            source.wrong(f"techniques: {technique!r} is not in the table of ATT&CK", *key, "techniques", place)
    return stage


def _grounds(source: Source) -> list[Ground]:
    found = []
    for number, item in enumerate(source.items("grounds")):
        key = ("grounds", number)
        if not isinstance(item, dict):
            source.wrong("a ground is a mapping with id, says, when and odds", *key)
            continue
        source.unknown_keys(("id", "says", "when", "odds", "risk"), *key, of=" in a ground")
        found.append(
            Ground(
                id=source.text("id", *key, required=True),
                says=source.text("says", *key, required=True),
                when=parse(source, item.get("when"), *key, "when"),
                odds=float(source.number("odds", *key, default=0.5, least=0.001)),
                risk=float(source.number("risk", *key, default=1.0, least=0)),
            )
        )
    return found
