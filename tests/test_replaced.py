"""Files that are replaced, rewritten, broken and gone while they are in use."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from aegis_enrich.errors import ConfigError
from aegis_enrich.replaced import Replaced


def number(path: Path) -> int:
    try:
        return int(path.read_text())
    except ValueError as error:
        raise ConfigError("no number", where=str(path)) from error


def test_a_replaced_file_is_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "n"
    path.write_text("1")
    replaced = Replaced(path, number, 0)
    assert (replaced.value, replaced.refresh()) == (1, False)
    (tmp_path / "new").write_text("2")
    (tmp_path / "new").rename(path)
    assert (replaced.refresh(), replaced.value, replaced.refresh()) == (True, 2, False)
    path.write_text("345")
    assert (replaced.refresh(), replaced.value) == (True, 345)


def test_what_does_not_check_or_is_gone_leaves_the_old(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "n"
    path.write_text("1")
    replaced = Replaced(path, number, 0)
    path.write_text("many")
    assert (replaced.refresh(), replaced.refresh(), replaced.value) == (False, False, 1)
    assert [r.levelno for r in caplog.records] == [logging.ERROR]
    assert "no number" in caplog.text
    path.unlink()
    assert (replaced.refresh(), replaced.refresh(), replaced.value) == (False, False, 1)
    assert [r.levelno for r in caplog.records] == [logging.ERROR, logging.WARNING]
    path.write_text("22")
    assert (replaced.refresh(), replaced.value) == (True, 22)


def test_the_start_is_strict(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "n"
    with pytest.raises(ConfigError, match="there is no such file"):
        Replaced(path, number, 0, required=True)
    assert Replaced(path, number, 7, without="seven it is").value == 7
    assert "seven it is" in caplog.text
    path.write_text("many")
    with pytest.raises(ConfigError, match="no number"):
        Replaced(path, number, 0)


def test_without_a_path_the_default_stays() -> None:
    replaced = Replaced("", number, 7, required=True)
    assert (replaced.value, replaced.refresh()) == (7, False)


def test_a_late_file_is_read_at_its_first_refresh(tmp_path: Path) -> None:
    path = tmp_path / "n"
    path.write_text("1")
    late = Replaced.late(path, number, 0)
    assert (late.value, late.refresh(), late.value, late.refresh()) == (0, True, 1, False)
