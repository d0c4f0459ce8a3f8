"""Which techniques of ATT&CK the loaded rules can see, and which ones that a network shows none of them sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .attack import Attack, attack
from .conditions import Conditions
from .rules import DetectorRule, Rule
from .severities import WORDS

Pair = tuple[str, str]  # tactic, technique


@dataclass(frozen=True)
class Sight:
    """One rule that may give a technique.

    `always`: to each of its alerts; else where `when` holds, one of these as rules write conditions. `tests`: those of
    its own that ask for it. `idle`: why the rule can find nothing now; "" where it can.
    """

    rule: Rule
    always: bool
    when: tuple[str, ...]
    tests: int
    idle: str = ""

    @property
    def kind(self) -> str:
        """`sigma` for what lies in a folder of that name, as `load_rules` goes by; else `detector` or `rows`."""
        if "sigma" in Path(self.rule.path).parent.parts[-2:]:
            return "sigma"
        return "detector" if isinstance(self.rule, DetectorRule) else "rows"

    @property
    def label(self) -> str:
        """What people know it by: its id, or the file of a Sigma rule, whose id is a UUID."""
        return f"sigma/{Path(self.rule.path).stem}" if self.kind == "sigma" else self.rule.id

    @property
    def severities(self) -> list[str]:
        return [WORDS[level] for level in getattr(self.rule, "levels", ())]


@dataclass(frozen=True)
class Covered:
    """A technique for the sake of a tactic, with every rule that may give it, by label, Sigma's last."""

    tactic: str
    technique: str
    sights: tuple[Sight, ...]

    @property
    def seeing(self) -> tuple[Sight, ...]:
        """Those that are enabled and not idle."""
        return tuple(s for s in self.sights if not s.idle)


def coverage(rules: Iterable[Rule]) -> list[Covered]:
    """What any of these rules names, in the order of the matrix and of the ids; rules that are off come with `idle`."""
    table = attack()
    sights: dict[Pair, list[Sight]] = {}
    for rule in rules:
        for pair in table.resolve((*rule.attack, *(t.written for o in rule.overrides for t in o.techniques))):
            sights.setdefault(pair, []).append(
                Sight(rule, pair in _always(rule), _when(rule, pair), _tests(rule, pair), _idle(rule))
            )
    order = list(table.tactics)
    pairs = sorted(sights, key=lambda p: (order.index(p[0]), p[1]))
    return [Covered(*pair, tuple(sorted(sights[pair], key=_place))) for pair in pairs]


def _place(sight: Sight) -> tuple[bool, str, str]:
    return sight.kind == "sigma", sight.label, sight.rule.id


def _always(rule: Rule) -> set[Pair]:
    if any(t.instead for t in rule.techniques):
        return set()
    plain = [t.written for t in rule.techniques if t.when is None] if rule.techniques else rule.attack
    return set(attack().resolve(plain))


def _when(rule: Rule, pair: Pair) -> tuple[str, ...]:
    meant = [t for t in rule.techniques if t.when is not None and pair in attack().resolve([t.written])]
    return tuple(said(t.when) for t in meant if t.when is not None)


def said(conditions: Conditions) -> str:
    """Conditions in one line: `direction: internal and evidence.hosts: {at_least: 3}`."""
    each = [f"{c.field}: {c}" for c in conditions.each]
    some = " or ".join(said(s) for s in conditions.some)
    return " and ".join([*each, f"({some})"] if each and some else [*each, *([some] if some else [])])


def _tests(rule: Rule, pair: Pair) -> int:
    """Tests of the rule that expect an alert with it: by name, or since all its alerts have it."""
    expected = [case.expect for case in rule.tests if case.expect.alerts]
    always = pair in _always(rule)
    return sum(always if e.techniques is None else pair in attack().resolve(e.techniques) for e in expected)


def _idle(rule: Rule) -> str:
    if not rule.enabled:
        return "not enabled"
    return rule.detector.idle(rule.tuning) if isinstance(rule, DetectorRule) else ""


def gaps(covered: Iterable[Covered]) -> list[str]:
    """Techniques that traffic can show and no rule sees, in the matrix's order; a sub-technique shows its parent."""
    table = attack()
    seen = {c.technique for c in covered if c.seeing}
    seen |= {technique.split(".")[0] for technique in seen}
    order = list(table.tactics)
    return sorted(table.network - seen, key=lambda t: (order.index(table.techniques[t]["tactics"][0]), t))


def rows(covered: Iterable[Covered]) -> Iterator[dict[str, Any]]:
    """The same as plain data, for JSON and for generated pages."""
    table = attack()
    for item in covered:
        yield {
            "tactic": {"id": item.tactic, "name": table.tactics[item.tactic]},
            "technique": technique_row(table, item.technique),
            "rules": [_rule_row(s) for s in item.sights],
        }


def technique_row(table: Attack, technique: str) -> dict[str, Any]:
    """Id, name and link of a technique, its tactics, and whether traffic can show it."""
    return {
        "id": technique,
        "name": table.name(technique),
        "link": table.link(technique),
        "tactics": table.techniques[technique]["tactics"],
        "network": technique in table.network,
    }


def _rule_row(sight: Sight) -> dict[str, Any]:
    return {
        "id": sight.rule.id,
        "name": sight.rule.name,
        "kind": sight.kind,
        "label": sight.label,
        "severity": sight.severities,
        "always": sight.always,
        "when": list(sight.when),
        "tests": sight.tests,
        "idle": sight.idle,
    }
