"""`aegis-enrich hunt` as its users call it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest


@pytest.fixture
def state(aegis: Callable[..., Any], lab: Path, tmp_path: Path) -> Path:
    root = tmp_path / "state"
    ran = aegis("analyze", lab / "scan_vertical" / "tsv", "--state", root, "-o", tmp_path / "analyzed")
    assert ran.code == 0, ran.err
    return root


def ids(path: Path) -> set[str]:
    return {json.loads(line)["event"]["id"] for line in path.read_text(encoding="utf-8").splitlines()}


def test_gives_what_analyze_gave(aegis: Callable[..., Any], state: Path, tmp_path: Path) -> None:
    ran = aegis("hunt", state, "-o", tmp_path / "hunted")
    assert (ran.code, ran.err) == (0, "")
    assert "1 alert\n" in ran.out and "1  port_scan" in ran.out
    assert ids(tmp_path / "hunted") == ids(tmp_path / "analyzed") != set()
    assert [d["event"]["id"] for d in aegis("hunt", state, "--json").json["alerts"]] == list(ids(tmp_path / "hunted"))


def test_writes_parquet(aegis: Callable[..., Any], state: Path, tmp_path: Path) -> None:
    assert aegis("hunt", state, "-o", tmp_path / "hunted.parquet").code == 0
    (row,) = pq.read_table(tmp_path / "hunted.parquet").to_pylist()
    assert {row["id"]} == ids(tmp_path / "analyzed")
    assert (row["rule"], row["techniques"], row["sensors"]) == ("port_scan", ["T1046"], ["sensor"])


def test_spans_and_detectors(aegis: Callable[..., Any], state: Path, tmp_path: Path) -> None:
    assert aegis("hunt", state, "--from", "2020-01-01", "--detector", "port_scan", "-o", tmp_path / "a").code == 0
    assert ids(tmp_path / "a") == ids(tmp_path / "analyzed")
    assert aegis("hunt", state, "--from", "2100-01-01T10:30", "-o", tmp_path / "b").code == 0
    assert ids(tmp_path / "b") == set()
    ran = aegis("hunt", state, "--to", "2020-01-01")
    assert ran.code == 1 and "no rows of that time" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--from", "yesterday"), 2, "is no time; write it as 2026-11-26"),
        (("--from", "2026-01-02", "--to", "2026-01-01"), 2, "--to must be later"),
        (("--master", "local"), 2, "--engine spark"),
        (("--detector", "nobody"), 1, "no enabled rule nobody"),
    ],
)
def test_says_what_is_wrong(
    aegis: Callable[..., Any], state: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ran = aegis("hunt", state, *arguments)
    assert ran.code == code and said in ran.err


def test_a_folder_that_is_no_lake(aegis: Callable[..., Any], tmp_path: Path) -> None:
    ran = aegis("hunt", tmp_path)
    assert ran.code == 1 and "neither a state folder (state.db) nor a common lake" in ran.err
