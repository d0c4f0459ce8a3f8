"""`rules test`: the tests inside the rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ...decide import DetectorRule, RowRule, load_rules
from ...decide.testing import Bench, Outcome, run_tests
from ...registry import load
from ..options import config_option, json_option, print_json
from .options import configured, folder_argument, table


@click.command()
@folder_argument
@click.option("-k", "word", default="", help="Only tests whose rule or name contains this.")
@config_option
@json_option
def test(folder: Path | None, word: str, config_file: Path | None, state: Path | None, as_json: bool) -> int:
    """Run the tests inside the rules (default: of those in force), as the rules are written: without the site's
    overrides.yml and suppress.yml."""
    config = configured(folder, config_file, state)
    registry = load()
    bench = Bench.of(registry)
    rules = [_matching(r, word) for r in load_rules(config.rules_dir, registry.detectors, bench.enrichment.schema)]
    outcomes = list(run_tests(rules, bench))
    if as_json:
        print_json([_outcome(o) for o in outcomes])
    else:
        _report(outcomes, rules)
    return 0 if all(o.passed for o in outcomes) else 1


def _matching(rule: DetectorRule | RowRule, word: str) -> DetectorRule | RowRule:
    written = rule.written or rule
    kept = tuple(t for t in written.tests if word.lower() in f"{rule.id} {t.name}".lower())
    return replace(written, tests=kept)


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "rule": outcome.rule_id,
        "name": outcome.name,
        "where": outcome.where,
        "passed": outcome.passed,
        "problems": list(outcome.problems),
    }


def _report(outcomes: Sequence[Outcome], rules: Sequence[DetectorRule | RowRule]) -> None:
    for outcome in outcomes:
        for problem in outcome.problems:
            click.echo(f"{problem} [{outcome.rule_id}: {outcome.name}]", err=True)
    passed = Counter(o.rule_id for o in outcomes if o.passed)
    failed = Counter(o.rule_id for o in outcomes if not o.passed)
    table(
        ("rule", "passed", "failed"),
        [(r.id, str(passed[r.id]), str(failed[r.id] or "")) for r in rules if passed[r.id] + failed[r.id]],
    )
    click.echo(f"{sum(passed.values())} passed, {sum(failed.values())} failed")
