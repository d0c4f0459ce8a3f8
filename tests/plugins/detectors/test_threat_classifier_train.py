"""What is kept of labelled logs: features and class, no addresses, bounded, with what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aegis_enrich.errors import ConfigError
from aegis_enrich.plugin import HOUR_US
from aegis_plugins.detectors.threat_classifier import example, model, train
from aegis_plugins.detectors.threat_classifier.measures import MEASURES
from aegis_plugins.models import stored

LAB = Path(__file__).parents[2] / "data" / "lab"


def frame(captures: int = 2) -> pd.DataFrame:
    rows = example.rows()
    n = np.arange(len(rows))
    named = {"capture": [f"c{i % captures}" for i in n], "uid": [f"C{i}" for i in n], "orig_h": "10.0.0.1"}
    return rows.assign(sensor="s", hour_us=n * HOUR_US, **named)


def test_no_address_is_kept() -> None:
    about, rows = train.trained(frame())
    assert list(rows.columns) == ["what", *(m.name for m in MEASURES)]
    assert about.more["measured"]["by"] == "capture" and about.more["measured"]["parts"] == 2
    assert np.shape(about.more["calibration"]["weights"]) == (3, 3) and about.more["alone"] == []
    assert about.more["measured"]["accuracy"] > 0.9


def test_a_sample_is_kept_of_many_the_same_each_time(monkeypatch) -> None:
    monkeypatch.setattr(train, "MOST_ROWS", 40)
    about, rows = train.trained(frame())
    _, again = train.trained(frame().sample(frac=1, random_state=1))
    assert (about.rows, about.of_rows) == (120, 900)
    pd.testing.assert_frame_equal(rows, again)


def test_a_class_of_few_rows_is_left_out() -> None:
    few = frame()
    few.loc[few.index[:5], "what"] = "spam"
    about, rows = train.trained(few)
    assert about.more["left_out"] == ["spam"] and set(rows["what"]) == {"benign", "exfil", "scan"}
    assert "Left out, for too few rows: spam" in train.said(Path("/m"), about, "h")


@pytest.mark.parametrize("what", [[], ["benign"], ["scan", "exfil"]])
def test_two_classes_are_needed_and_one_is_benign(what) -> None:
    rows = frame()
    with pytest.raises(ConfigError, match="labelled rows of benign and of another class are needed"):
        train.trained(rows[rows["what"].isin(what)])


def test_captures_of_a_file_of_truths() -> None:
    cases = dict(train._cases([LAB / "{}" / "tsv"], LAB / "truth.yml"))
    assert cases[LAB / "benign" / "tsv"] == () and cases[LAB / "scan_vertical" / "tsv"][0].what == "port scan"
    ((path, acts),) = train._cases([LAB / "scan_vertical" / "tsv"], LAB / "truth.yml")
    assert path.name == "tsv" and len(acts) > 10
    assert list(train._cases([Path("a")], None)) == [(Path("a"), None)]


def test_a_class_of_one_capture_cannot_be_measured_and_is_never_called(tmp_path) -> None:
    rows = frame()
    rows.loc[rows["what"] == "exfil", "capture"] = "c0"
    about, kept = train.trained(rows)
    assert about.more["alone"] == ["exfil"] and about.more["measured"]["classes"]["exfil"]["recall"] == 0.0
    assert "never called: exfil" in train.said(tmp_path / "m", about, "h")
    stored.write(tmp_path / "m", about, kept)
    made = model.load(str(tmp_path / "m"))
    found = made.probabilities(kept[kept["what"] == "exfil"])
    assert found[:, made.classes.index("exfil")].max() == 0.0
