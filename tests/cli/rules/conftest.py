"""What the tests of `rules …` share: a small rule, and the command over a folder with these files."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aegis_enrich.cli import main

ODD = """id: odd
name: Odd
table: notice
entity: [orig_h]
severity: {column: n, map: {1: high}, otherwise: low}
reason: "{note}"
tests:
  - {name: a hit, rows: {notice: [{note: x}]}, expect: {severity: low}}
  - {name: a miss, rows: {conn: [{}]}, expect: none}
"""


@pytest.fixture
def odd() -> str:
    """A rule over rows whose tests pass."""
    return ODD


@pytest.fixture
def run(capsys, tmp_path) -> Callable[..., tuple[int, str, str]]:
    """Runs `rules …` over a folder with these files: exit code, standard output, standard error."""

    def call(*arguments: str, **files: str) -> tuple[int, str, str]:
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text, encoding="utf-8")
        with pytest.raises(SystemExit) as ended:
            main(["rules", *arguments, *([str(tmp_path)] if files else [])])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err.replace(str(tmp_path), "")

    return call
