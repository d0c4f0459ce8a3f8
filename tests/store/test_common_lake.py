"""The common lake's layout: what a line says, whose files are whose, and which derived hours are whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_enrich.errors import StateError
from aegis_enrich.store import Segment, common_lake

HOUR_US = 3_600_000_000


def segment(id_="a", sensor="s", table="conn", hours=(0,), derived=False, number=3):
    path = Path("/state/lake") / table / "1970-01-01" / f"{id_}.parquet"
    return Segment(id_, table, sensor, "" if derived else "zeek", path, 5, 99, 1, 2, hours, derived, number)


def put(root, sensor, state, *segments):
    path = root / common_lake.manifest_of(sensor, "1970-01-01", state)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(common_lake.lines(segments, state))


def test_what_is_written_is_read(tmp_path):
    put(tmp_path, "s", "0123", segment("b"), segment("a"))
    assert common_lake.is_common(tmp_path)
    first, second = common_lake.segments(tmp_path)
    folder = tmp_path / "s" / "conn" / "1970-01-01"
    assert (first.path, second.path) == (folder / "0123.a.parquet", folder / "0123.b.parquet")
    assert (first.id, first.rows, first.bytes, first.number, first.hours) == ("a", 5, 99, 3, (0,))


@pytest.mark.parametrize(
    ("sensor", "folder"),
    [("lab 1", "lab 1"), ("a/b", "a%2Fb"), ("..", "%2E%2E"), ("", "%"), ("süd", "s%C3%BCd"), ("a.b", "a%2Eb")],
)
def test_a_sensor_is_one_folder(sensor, folder):
    assert common_lake.sensor_folder(sensor) == folder


def test_a_line_that_is_none_is_said(tmp_path):
    put(tmp_path, "s", "0123", segment())
    path = tmp_path / common_lake.manifest_of("s", "1970-01-01", "0123")
    path.write_text(path.read_text() + '{"id": 5}\n')
    with pytest.raises(StateError, match=r"0123\.jsonl:2: is no segment \(KeyError: 'table'\); ship"):
        common_lake.segments(tmp_path)


def test_derived_hours_count_where_one_state_has_the_hour(tmp_path):
    for state in ("x", "y"):
        hours = (0, HOUR_US) if state == "x" else (0,)
        made = [segment(f"{state}{h}", table="pair_hour", hours=(h,), derived=True) for h in hours]
        put(tmp_path, "s", state, segment(f"{state}rows", hours=hours), *made)
    put(tmp_path, "t", "y", segment("other", sensor="t"), segment("own", "t", "pair_hour", derived=True))
    found = common_lake.segments(tmp_path)
    assert sorted(s.id for s in found if s.derived) == ["own", f"x{HOUR_US}"]
    assert sorted(s.id for s in found if not s.derived) == ["other", "xrows", "yrows"]
