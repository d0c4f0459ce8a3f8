"""What a hunt sees of the lakes that it reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hunt_lakes import LAB, ship

from aegis_enrich.hunt.past import Past, whole_hour
from aegis_enrich.plugin import HOUR_US


def test_names_each_segment_once(analyzed: Callable[..., Path], tmp_path: Path) -> None:
    """Also where a state and the lake that it is shipped to are both given."""
    state = analyzed({"one": [LAB / "scan_udp" / "tsv"]})
    ship(state, tmp_path / "lake")
    seen = []
    for number, lakes in enumerate(([state], [tmp_path / "lake"], [state, tmp_path / "lake"])):
        with Past(tmp_path / str(number), lakes) as past:
            assert past.sensors == ["one"]
            assert all(s.path.is_file() for s in past.living("1 = 1", ()))
            seen.append({(s.id, s.table, s.rows, s.hours, s.derived) for s in past.living("1 = 1", ())})
    assert seen[0] == seen[1] == seen[2] != set()


def test_nothing_is_there_from_the_end_on(analyzed: Callable[..., Path], tmp_path: Path) -> None:
    state = analyzed({"one": [LAB / "scan_slow_1min" / "tsv"]})
    with Past(tmp_path / "whole", [state]) as past:
        hours = past.hours(["conn"], "one")
    until_us = hours[0] + HOUR_US
    with Past(tmp_path / "part", [state], until_us) as past:
        assert past.hours(["conn"], "one") == hours[:1]
        for segment in past.segments("conn"):
            view = past.view("conn", "one", segment.min_us, until_us + HOUR_US, segment_schema())
            assert view.end_us == until_us
        assert past.present("pair_hour", "one") <= {hours[0]}


def segment_schema():  # type: ignore[no-untyped-def]
    from aegis_enrich.tables import TABLES

    return TABLES["conn"].schema


def test_whole_hours() -> None:
    assert [whole_hour(t, up=False) // HOUR_US for t in (0, 1, HOUR_US, -1)] == [0, 0, 1, -1]
    assert [whole_hour(t, up=True) // HOUR_US for t in (0, 1, HOUR_US, -1)] == [0, 1, 1, 0]
