"""`overrides.yml`: what a site changes of rules that it does not edit, so that an update of them brings no conflict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .attack import attack
from .columns import Schema, check_decisions, of_findings, of_rows
from .folders import SHIPPED, extended
from .overrides import Override, parse_change, parse_overrides
from .rules import DetectorRule, RowRule
from .severities import parse_map
from .source import Key, Source
from .suppression import parse_suppressions
from .techniques import all_of, parse_techniques
from .tuning import parse_tuning

_ROWS = ("enabled", "severity", "attack", "overrides", "suppress", "reason", "author")
_DETECTOR = (*_ROWS, "tuning", "lateness_s")


@dataclass(frozen=True)
class Maps:
    """What each severity becomes: for rules by id, and for techniques of tactics by the tactic's id."""

    rules: Mapping[str, Mapping[int, int]]
    tactics: Mapping[str, Mapping[int, int]]

    def on(self, rule: DetectorRule | RowRule) -> DetectorRule | RowRule:
        """The rule with the map that is its own, else with those of tactics."""
        if rule.id in self.rules:
            overrides = (*rule.overrides, Override(changed=self.rules[rule.id]))
            return replace(rule, overrides=overrides, written=rule.written or rule)
        return replace(rule, by_tactic=self.tactics, written=rule.written or rule) if self.tactics else rule


def with_site(
    source: Source, rules: Iterable[DetectorRule | RowRule], schema: Schema | None
) -> list[DetectorRule | RowRule]:
    """The rules as the site has them; problems are noted in `source`."""
    by_id = {rule.id: rule for rule in rules}
    source.unknown_keys(("extends", "rules", "severities"), of=" in the site's overrides")
    if source.text("extends") and not (base := extended(source.path.parent) or Path()).is_dir():
        source.wrong(f"extends: there is no folder {base}; write {SHIPPED}, or a folder of rules", "extends")
    for name in source.mapping("rules"):
        if _is_rule(source, name, by_id, "rules", name):
            by_id[name] = _changed(source, by_id[name], ("rules", name), schema)
    maps = _maps(source, by_id)
    return [maps.on(rule) for rule in by_id.values()]


def _changed(source: Source, rule: DetectorRule | RowRule, key: Key, schema: Schema | None) -> DetectorRule | RowRule:
    detector = rule.detector if isinstance(rule, DetectorRule) else None
    source.mapping(str(key[-1]), *key[:-1])
    source.unknown_keys(_DETECTOR if detector else _ROWS, *key, of=f" in what the site overrides of {rule.id}")
    severities, mapped = parse_change(source, *key)
    techniques = parse_techniques(source, *key)
    overrides = parse_overrides(source, *key)
    suppress = parse_suppressions(source, source.items("suppress", *key), *key, "suppress")
    known = _known(rule, schema)
    if known:
        check_decisions(source, known, severities, techniques, overrides, suppress, *key)
    anew = () if detector else severities
    own = (Override(severities=anew, changed=mapped),) if anew or mapped else ()
    said: dict[str, Any] = {
        "enabled": source.flag("enabled", *key, default=rule.enabled),
        "overrides": (*rule.overrides, *own, *overrides),
        "suppress": (*rule.suppress, *suppress),
        "written": rule.written or rule,
    }
    if techniques:
        said |= {"techniques": techniques, "attack": all_of(techniques)}
    if isinstance(rule, DetectorRule):
        said["tuning"] = parse_tuning(source, rule.detector, *key, base=rule.tuning)
        said["severities"] = severities or rule.severities
        said["lateness_s"] = source.number("lateness_s", *key, default=rule.lateness_s, least=0)
    return replace(rule, **said)


def _known(rule: DetectorRule | RowRule, schema: Schema | None) -> list[str]:
    if isinstance(rule, DetectorRule):
        return of_findings(rule.detector)
    return of_rows(rule, schema) if schema is not None else []


def _maps(source: Source, rules: Mapping[str, Any]) -> Maps:
    """`severities`: maps by rule, and by tactic."""
    source.mapping("severities")
    source.unknown_keys(("rules", "tactics"), "severities", of=" in severities")
    by_rule, by_tactic = {}, {}
    for name in source.mapping("rules", "severities"):
        if _is_rule(source, name, rules, "severities", "rules", name):
            by_rule[name] = parse_map(source, "severities", "rules", name)
    for name in source.mapping("tactics", "severities"):
        tactic = attack().tactic(str(name))
        if tactic is None:
            has = ", ".join(f"{t} ({n})" for t, n in attack().tactics.items())
            source.wrong(f"tactics: {name!r} is no tactic; there are {has}", "severities", "tactics", name)
        else:
            by_tactic[tactic] = parse_map(source, "severities", "tactics", name)
    return Maps(by_rule, by_tactic)


def _is_rule(source: Source, name: str, rules: Mapping[str, Any], *key: str | int) -> bool:
    if name not in rules:
        source.wrong(f"there is no rule {name!r}; there are {', '.join(sorted(rules))}", *key)
    return name in rules
