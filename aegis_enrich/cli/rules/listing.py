"""`rules list`: the rules that there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...decide import DetectorRule, RowRule, load_rules
from ...decide.severities import WORDS
from ...registry import load
from ..options import config_option, json_option, print_json
from .options import configured, folder_argument, table


@click.command("list")
@folder_argument
@config_option
@json_option
def list_(folder: Path | None, config_file: Path | None, state: Path | None, as_json: bool) -> None:
    """List the rules: what they are, the severities they give, ATT&CK, whether they are enabled, their tests."""
    config = configured(folder, config_file, state)
    registry = load()
    rows = [_row(r) for r in load_rules(config.rules_dir, registry.detectors)]
    if as_json:
        print_json(rows)
        return
    table(
        ("id", "kind", "severity", "ATT&CK", "enabled", "tests"),
        [
            (
                row["id"],
                row["kind"],
                " to ".join(dict.fromkeys((row["severity"][0], row["severity"][-1]))) if row["severity"] else "none",
                " ".join(row["attack"]) or ("from the row" if row["attack_column"] else ""),
                "yes" if row["enabled"] else "no",
                str(row["tests"]),
            )
            for row in rows
        ],
    )


def _row(rule: DetectorRule | RowRule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "kind": "detector" if isinstance(rule, DetectorRule) else "rows",
        "severity": [WORDS[level] for level in rule.levels],
        "attack": [technique.rpartition("/")[2] for technique in rule.attack],
        "attack_column": rule.attack_column if isinstance(rule, RowRule) else "",
        "enabled": rule.enabled,
        "tests": len(rule.tests),
        "overridden": rule.written is not None,
        "version": rule.version,
        "path": rule.path,
    }
