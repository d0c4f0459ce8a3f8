"""What plugins declare with, and the little that they share."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, fields

import pytest

from aegis_enrich.plugin import CONTEXT, DAY_US, HOUR_US, MICROS, Detector, Document, NoTuning, Plugin, tunable


@dataclass(frozen=True)
class Tuning:
    least: int = tunable(5, "how many", least=1, most=10, unit="rows")
    names: tuple[str, ...] = tunable((), "which")


def test_a_tunable_has_its_default_range_unit_and_doc() -> None:
    least, names = fields(Tuning)
    assert (Tuning().least, Tuning().names) == (5, ())
    assert dict(least.metadata) == {"doc": "how many", "least": 1, "most": 10, "unit": "rows"}
    assert (names.metadata["least"], names.metadata["most"], names.metadata["unit"]) == (None, None, "")
    with pytest.raises(FrozenInstanceError):
        Tuning().least = 6  # type: ignore[misc]


def test_a_plugin_reads_what_lies_beside_it() -> None:
    class Here(Plugin):
        name = "here"

    assert Here.text("test_plugin.py").startswith('"""What plugins declare with')
    with pytest.raises(FileNotFoundError):
        Here.text("features.sql")


def test_a_detector_s_defaults() -> None:
    assert Detector.tuning is NoTuning and fields(NoTuning) == ()
    assert (Detector.lateness_s, Detector.lateness_suricata_s, Detector.lookback_s) == (330, 660, 0)
    assert Detector.past_s == 0
    assert (Detector.derived, Detector.shard_key, Detector.counts, Detector.rowwise) == ((), "", {}, False)
    with pytest.raises(TypeError, match="abstract"):
        Detector()  # type: ignore[abstract]


def test_units() -> None:
    assert (MICROS, HOUR_US, DAY_US) == (10**6, 3_600 * 10**6, 86_400 * 10**6)


def test_context_names_fields_of_ecs() -> None:
    paths = [path for path in CONTEXT.values() if path]
    assert len(paths) == len(set(paths))
    assert {path.split(".")[0] for path in paths} == {"source", "destination", "network"}


def test_a_document_is_a_value() -> None:
    assert Document("alert", "a", 1, {}) == Document("alert", "a", 1, {})
