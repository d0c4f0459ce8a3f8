"""Alerts as Parquet."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from aegis_enrich.errors import ConfigError
from aegis_enrich.hunt.write import SCHEMA, write_parquet


def test_no_alert_makes_an_empty_file(tmp_path: Path) -> None:
    write_parquet([], tmp_path / "none.parquet")
    assert pq.read_table(tmp_path / "none.parquet").schema.equals(SCHEMA)


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        write_parquet([], tmp_path / "no" / "such" / "folder.parquet")
