"""Faults come, and go again."""

from __future__ import annotations

import shutil

import pytest
from chaos.faults import broken_rule, gone, small_disk

from aegis_enrich.config import shipped_rules
from aegis_enrich.decide.folders import rule_files


def test_a_small_disk_is_filled_and_freed(tmp_path):
    with small_disk(tmp_path / "disk", 1) as disk:
        if not disk.bounded:
            pytest.skip(disk.why)
        disk.fill(16_384)
        assert shutil.disk_usage(disk.folder).free <= 16_384
        with pytest.raises(OSError, match="No space left"):
            (disk.folder / "more").write_bytes(b"x" * 65_536)
        disk.free()
        (disk.folder / "more").write_bytes(b"x" * 65_536)
    assert not (tmp_path / "disk" / "more").exists()


def test_a_rule_breaks_and_is_mended(tmp_path):
    rules = shutil.copytree(shipped_rules(), tmp_path / "rules")
    before = rule_files(rules)
    fault = broken_rule(rules)
    fault.do()
    assert len(rule_files(rules)) == len(before) + 1
    fault.undo()
    fault.undo()
    assert rule_files(rules) == before


def test_a_file_goes_and_comes_back(tmp_path):
    path = tmp_path / "a"
    path.write_text("text")
    fault = gone("no file", path)
    for _ in range(2):
        fault.do()
        assert not path.exists()
    for _ in range(2):
        fault.undo()
        assert path.read_text() == "text"
