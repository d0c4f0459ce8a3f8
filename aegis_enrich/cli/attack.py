"""`aegis-enrich attack`: which techniques the rules can see, and what a technique is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..config import Config
from ..decide import RowRule, RuleSet, load_rules
from ..decide.attack import Attack, attack
from ..decide.coverage import Covered, Sight, coverage, gaps, rows, technique_row
from ..decide.navigator import layer
from ..errors import ConfigError
from ..registry import load
from .options import config_option, configuration, json_option, print_json

folder_argument = click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))


@click.group("attack")
def command() -> None:
    """Techniques of MITRE ATT&CK: which of them the rules can see, and what they are."""


@command.command("coverage")
@folder_argument
@click.option("--gaps", "with_gaps", is_flag=True, help="What traffic can show and no rule sees, too.")
@click.option("--navigator", type=click.Path(path_type=Path, dir_okay=False), help="Write a layer for the Navigator.")
@config_option
@json_option
def coverage_(
    folder: Path | None,
    with_gaps: bool,
    navigator: Path | None,
    config_file: Path | None,
    state: Path | None,
    as_json: bool,
) -> None:
    """Techniques that the rules can see (default: those in force), by tactic, in the order of the matrix.

    Tests are those inside the rules that expect an alert with this technique.
    """
    rules = _rules(configuration(config_file, state, rules=str(folder.absolute()) if folder else None))
    covered = coverage(rules)
    missing = gaps(covered)
    if navigator is not None:
        _write(navigator, layer(covered, missing if with_gaps else (), note=_note(rules)))
    if as_json:
        print_json(_json(rules, covered, missing))
        return
    lines = [
        *_table(covered),
        *_from_rows(rules),
        *(_missing(missing) if with_gaps else ()),
        "",
        _sum(covered, missing),
    ]
    click.echo("\n".join(lines))
    if navigator is not None:
        click.echo(f"a layer for https://mitre-attack.github.io/attack-navigator/ is in {navigator}")


@command.command()
@click.argument("technique")
@config_option
@json_option
def show(technique: str, config_file: Path | None, state: Path | None, as_json: bool) -> None:
    """What a TECHNIQUE (like T1071.004) is, and which rules see it."""
    table = attack()
    ident = _known(table, technique)
    family = [c for c in coverage(_rules(configuration(config_file, state))) if _related(c.technique, ident)]
    if as_json:
        print_json(technique_row(table, ident) | {"version": table.version, "seen": list(rows(family))})
        return
    click.echo("\n".join(_described(table, ident, family)))


def _rules(config: Config) -> RuleSet:
    return load_rules(config.rules_dir, load().detectors)


def _known(table: Attack, written: str) -> str:
    resolved = table.resolve([written.strip().upper()])
    if not resolved:
        what = f"there is no technique {written!r} in ATT&CK {table.version}"
        raise click.ClickException(
            f"{what}; write one like T1071 or T1071.004, or look at `aegis-enrich attack coverage`"
        )
    return resolved[0][1]


def _related(one: str, other: str) -> bool:
    """The same, or one the parent of the other."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _described(table: Attack, ident: str, family: Sequence[Covered]) -> Iterator[str]:
    yield f"{ident}  {table.name(ident)}"
    if former := sorted(old for old, new in table.renamed.items() if new == ident):
        yield f"  was      {', '.join(former)} in former versions"
    yield f"  ATT&CK   {table.version}, {table.link(ident)}"
    for tactic in table.techniques[ident]["tactics"]:
        yield f"  tactic   {tactic} {table.tactics[tactic]}"
    yield f"  traffic  {'can show it' if ident in table.network else 'does not show it by itself'}"
    for item in sorted(family, key=lambda c: c.technique != ident):
        own = table.techniques[item.technique]["name"]
        yield f"\nseen as {item.technique} {own}, for {table.tactics[item.tactic]}, by"
        yield from (line for sight in item.sights for line in _sight(sight))
    if not family:
        yield "  rules    none sees it"


def _sight(sight: Sight) -> Iterator[str]:
    parts = (sight.rule.name, _span(sight), _tested(sight.tests), "always" if sight.always else "")
    yield f"  {sight.label}: {', '.join(p for p in parts if p)}"
    if not sight.always:
        yield (
            f"      when {'; or '.join(sight.when)}" if sight.when else "      where no other technique takes its place"
        )
    if sight.idle:
        yield f"      off now: {sight.idle}"


def _span(sight: Sight) -> str:
    return " to ".join(dict.fromkeys(sight.severities[:1] + sight.severities[-1:]))


def _tested(tests: int) -> str:
    return _number(tests, "test") if tests else "untested"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _table(covered: Sequence[Covered]) -> Iterator[str]:
    table = attack()
    cells = [(c.technique, table.techniques[c.technique]["name"], *_of_rules(c)) for c in covered]
    widths = [max((len(row[n]) for row in cells), default=0) for n in range(4)]
    tactic = ""
    for item, row in zip(covered, cells, strict=True):
        if item.tactic != tactic:
            yield f"{chr(10) if tactic else ''}{item.tactic} {table.tactics[item.tactic]}"
            tactic = item.tactic
        yield "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=False)) + "  " + row[4]


def _of_rules(item: Covered) -> tuple[str, str, str]:
    levels = sorted({level for s in item.sights for level in getattr(s.rule, "levels", ())})
    words = {
        word: level
        for s in item.sights
        for word, level in zip(s.severities, getattr(s.rule, "levels", ()), strict=True)
    }
    named = [word for level in (levels[:1] + levels[-1:]) for word, at in words.items() if at == level]
    on = {s.label for s in item.seeing}
    rules = ", ".join(dict.fromkeys(s.label + ("" if s.label in on else " (off)") for s in item.sights))
    return " to ".join(dict.fromkeys(named)), _tested(sum(s.tests for s in item.sights)), rules


def _from_rows(rules: RuleSet) -> Iterator[str]:
    for rule in rules:
        if isinstance(rule, RowRule) and rule.attack_column:
            yield f"\n{rule.id} gives whatever technique its row names, in {rule.attack_column}"


def _missing(missing: Sequence[str]) -> Iterator[str]:
    table = attack()
    yield "\nTraffic can show, and no rule sees"
    for technique in missing:
        tactics = ", ".join(table.tactics[t] for t in table.techniques[technique]["tactics"])
        yield f"  {technique:<9}  {table.name(technique)} ({tactics})"


def _sum(covered: Sequence[Covered], missing: Sequence[str]) -> str:
    table = attack()
    seen = {c.technique for c in covered if c.seeing}
    ids = {s.rule.id for c in covered for s in c.seeing}
    shown = len(table.network)
    return (
        f"{_number(len(seen), 'technique')} by {_number(len(ids), 'rule')}; of the {shown} that traffic can show, "
        f"{shown - len(missing)} are seen (ATT&CK {table.version})"
    )


def _json(rules: RuleSet, covered: Sequence[Covered], missing: Sequence[str]) -> dict[str, Any]:
    table = attack()
    return {
        "version": table.version,
        "tactics": [{"id": t, "name": name, "link": table.link(t)} for t, name in table.tactics.items()],
        "techniques": list(rows(covered)),
        "from_rows": [r.id for r in rules if isinstance(r, RowRule) and r.attack_column],
        "gaps": [technique_row(table, t) for t in missing],
    }


def _note(rules: RuleSet) -> str:
    return f"Made by aegis-enrich {__version__} of {len(rules)} rules, {rules.hash}."


def _write(path: Path, content: Any) -> None:
    try:
        path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{error.strerror}; name a file in a folder that can be written", where=str(path)) from error
