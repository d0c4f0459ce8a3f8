"""What rules say of how to investigate, against the loader of rules."""

from __future__ import annotations

from pathlib import Path

from aegis_enrich.ask.guidance import guidance
from aegis_enrich.config import shipped_rules
from aegis_enrich.decide import load_rules
from aegis_enrich.registry import load


def test_it_is_what_loading_the_rules_gives() -> None:
    loaded = {r.id: r.investigate for r in load_rules(shipped_rules(), load().detectors) if r.investigate}
    assert {g["id"]: g["investigate"] for g in guidance(shipped_rules())} == loaded


def test_what_does_not_check_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("id: [")
    (tmp_path / "b.yml").write_text("- 1\n")
    (tmp_path / "c.yml").write_text("id: c\n")
    assert guidance(tmp_path) == []
