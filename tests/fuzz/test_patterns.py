"""Patterns that a backtracking engine never ends on, from rules of every kind, over texts that peers choose."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from aegis_enrich.decide.conditions import Condition
from aegis_enrich.sigma.regex import required_literal

ROOT = Path(__file__).parents[2]
EVIL = ["(a+)+$", "(a|aa)+$", "(a*)*b", "(.*)*x", "(a?){50}a{50}", "^(([a-z])+.)+[A-Z]([a-z])+$"]
TEXT = "a" * 50_000 + "!"


@pytest.mark.parametrize("pattern", EVIL)
def test_they_end_at_once(pattern):
    begun_s = time.process_time()
    found = pc.match_substring_regex(pa.array([TEXT]), pattern)[0].as_py()
    assert duckdb.execute("SELECT regexp_matches($1, $2)", [TEXT, pattern]).fetchall() == [(found,)]
    assert Condition("f", "matches", (pattern,)).holds(TEXT) is found
    assert time.process_time() - begun_s < 3


def test_long_patterns_are_read_in_linear_time():
    begun_s = time.process_time()
    assert required_literal("a" * 200_000)
    for pattern in ("(" * 5_000 + ")" * 5_000, "(?:" * 3_000, "[" * 5_000, "\\", "{" * 5_000):
        required_literal(pattern)
    assert time.process_time() - begun_s < 3


def test_pythons_engine_runs_only_over_patterns_of_this_project():
    """Each pattern that is handed to `re` is written where it is used, or made of constants of its module."""
    found = []
    for path in [*(ROOT / "aegis_enrich").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if _is_call_of_re(node) and not all(map(_is_constant, _parts(node.args[0]))):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node.args[0])}")
    of_its_own_table = ("aegis_enrich/ask/",)
    assert [f for f in found if not f.startswith(of_its_own_table)] == []


def _is_call_of_re(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr == "escape":
        return False
    return isinstance(node.func.value, ast.Name) and node.func.value.id == "re"


def _parts(pattern: ast.expr) -> list[ast.expr]:
    if isinstance(pattern, ast.JoinedStr):
        return [p.value if isinstance(p, ast.FormattedValue) else p for p in pattern.values]
    return [pattern.left, pattern.right] if isinstance(pattern, ast.BinOp) else [pattern]


def _is_constant(part: ast.expr) -> bool:
    return isinstance(part, ast.Constant) or (isinstance(part, ast.Name) and part.id.isupper())
