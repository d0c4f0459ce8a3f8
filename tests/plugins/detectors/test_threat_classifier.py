"""Classes of labelled rows: what labels mean, what is measured on what was not learned, and when nothing is said."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aegis_enrich import registry
from aegis_enrich.evaluate import Act, Hosts
from aegis_enrich.plugin import DAY_US, HOUR_US
from aegis_plugins.detectors.threat_classifier import ThreatClassifier, Tuning, example, forest, labelled, model
from aegis_plugins.detectors.threat_classifier.classes import BENIGN, CLASSES, class_of, class_of_row
from aegis_plugins.detectors.threat_classifier.measures import MEASURES
from aegis_plugins.detectors.threat_classifier.train import said, trained
from aegis_plugins.models import stored
from aegis_plugins.models.stored import ModelError

PLUGINS = registry.load()
TABLES = [PLUGINS.tables[name] for name in ThreatClassifier.derived]


def frame(captures: int = 3) -> pd.DataFrame:
    """Made rows as they come from captures."""
    rows = example.rows()
    n = np.arange(len(rows))
    return rows.assign(
        capture=[f"c{i % captures}" for i in n],
        sensor="s",
        hour_us=n * HOUR_US,
        orig_h=[f"10.0.0.{i % 9}" for i in n],
        uid=[f"C{i}" for i in n],
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("model") / "classifier.parquet"
    stored.write(path, *trained(frame()))
    return str(path)


def asked(rows: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    """Rows as the query gives them."""
    pair = rows["pair_connections"].notna()
    places = {"resp_h": np.where(pair, "10.0.9.9", None), "resp_p": np.where(pair, 445.0, np.nan), "proto": "tcp"}
    times = {"first_us": 0, "last_us": 1, "window_end_us": 500 * HOUR_US, "uid": "C1"}
    return rows.drop(columns="what").assign(orig_h="10.0.0.9", **(places | times | columns))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("PartOfAHorizontalPortScan", "scan"),
        ("host scan", "scan"),
        ("C&C", "c2"),
        ("CC", "c2"),
        ("C&C-HeartBeat", "c2"),
        ("beacon", "c2"),
        ("DDoS", "ddos"),
        ("flood", "ddos"),
        ("password guessing", "brute_force"),
        ("External-Attack-to-Device", "attack"),
        ("FileDownload", "download"),
        ("upload", "exfil"),
        ("dns tunnel", "tunnel"),
        ("random names", "dga"),
        ("malicious", "malicious"),
        ("slow path", None),
        ("acceptable", None),
    ],
)
def test_words_of_labels(text, name) -> None:
    assert class_of(text) == name
    assert name is None or name in CLASSES


@pytest.mark.parametrize(
    ("extra", "name"),
    [
        ('{"label": "Malicious", "detailedlabel": "CC"}', "c2"),
        ('{"label": "malicious", "detailed-label": "DDoS"}', "ddos"),
        ('{"label": "Malicious", "detailedlabel": "(empty)"}', "malicious"),
        ('{"label": "Malicious", "detailedlabel": "unheard of"}', None),
        ('{"label": "Benign", "detailedlabel": "CC"}', BENIGN),
        ('{"label": "Background"}', None),
        ("{}", None),
        (None, None),
    ],
)
def test_labels_in_rows(extra, name) -> None:
    assert class_of_row(extra) == name


def test_acts_are_labels_too() -> None:
    rows = pd.DataFrame(
        {
            "orig_h": ["10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.3", "10.0.0.4"],
            "resp_h": ["10.1.0.1", "10.2.0.1", "10.1.0.1", "10.1.0.1", "10.1.0.1", "10.1.0.1"],
            "ts_us": [5, 5, 5, 50, 5, 5],
            "end_us": [6, 6, 6, 60, 6, 6],
        }
    )
    acts = [
        Act("port scan", Hosts("10.0.0.1"), Hosts("10.1.0.0/16"), 0, 10),
        Act("slow path", Hosts("10.0.0.3"), None, 0, 10),
        Act("dns tunnel", Hosts("10.0.0.4"), Hosts("t.tunnel.test"), 0, 10),
    ]
    assert labelled._by_acts(rows, acts).tolist() == ["scan", BENIGN, BENIGN, BENIGN, None, None]


def test_pairs_and_hours_are_what_their_connections_are() -> None:
    key = {"sensor": "s", "hour_us": 0, "orig_h": "a", "proto": "tcp"}
    told = [
        *[{**key, "resp_h": "x", "resp_p": 80, "what": w} for w in ["c2"] * 6 + [BENIGN] * 4],
        *[{**key, "resp_h": "y", "resp_p": 80, "what": w} for w in ["c2"] * 4 + [BENIGN] * 6],
        *[{**key, "resp_h": "z", "resp_p": 80, "what": w} for w in [BENIGN] * 6 + [None] * 4],
        *[{**key, "resp_h": "u", "resp_p": 80, "what": w} for w in [BENIGN] * 2 + [None] * 8],
    ]
    rows = [{**key, "resp_h": h, "resp_p": 80} for h in "xyzu"] + [{**key, "resp_h": None, "resp_p": None}]
    found = labelled.label(pd.DataFrame(rows), pd.DataFrame(told))
    assert {(r["resp_h"], r["what"]) for r in found.to_dict("records")} == {("x", "c2"), ("z", BENIGN), (None, "c2")}


def test_a_part_is_a_capture_a_host_or_a_time() -> None:
    assert forest.parts(["a", "b", "a"], ["x"] * 3, [1, 2, 3], ["c2"] * 3)[0].tolist() == [0, 1, 0]
    part, of = forest.parts(["a"] * 6, list("xyzzyw"), list(range(6)), ["c2"] * 3 + [BENIGN] * 3)
    assert of == "host" and part.tolist() == [1, 2, 3, 3, 2, 0]
    part, of = forest.parts(["a"] * 10, ["x", "y"] * 5, list(range(10))[::-1], ["c2", BENIGN] * 5)
    assert of == "time" and part.tolist() == [4, 4, 3, 3, 2, 2, 1, 1, 0, 0]


def test_what_is_measured_has_not_been_learned() -> None:
    """A class that one capture alone has cannot be told there, and random noise cannot be told at all."""
    chance = np.random.RandomState(0)
    rows = pd.DataFrame({m.name: chance.uniform(size=200) for m in MEASURES})
    part = np.arange(200) // 50
    rows["what"] = [BENIGN if n < 150 else "c2" for n in range(200)]
    found = forest.held_out(rows, MEASURES, (BENIGN, "c2"), part)
    _, figures = forest.measured((BENIGN, "c2"), found, list(rows["what"]), part, 0.8)
    assert figures["classes"]["c2"]["recall"] == 0.0
    rows["what"] = chance.permutation([BENIGN, "c2"] * 100)
    found = forest.held_out(rows, MEASURES, (BENIGN, "c2"), part)
    _, figures = forest.measured((BENIGN, "c2"), found, list(rows["what"]), part, 0.8)
    assert figures["said"] < 0.2 and figures["ece"] < 0.2 and 0.3 < figures["accuracy"] < 0.7


def test_probabilities_are_calibrated() -> None:
    chance = np.random.RandomState(0)
    real = chance.uniform(0.05, 0.95, size=4_000)
    what = np.where(chance.uniform(size=4_000) < real, "c2", BENIGN)
    bold = 1 / (1 + np.exp(-3 * np.log(real / (1 - real))))  # three times as sure as it may be
    given = np.column_stack([1 - bold, bold])
    made = forest.Calibration.of((BENIGN, "c2"), given, what)(given)
    assert np.abs(made[:, 1] - real).max() < 0.05
    assert made.sum(axis=1) == pytest.approx(1.0)


def test_calibration_of_classes_that_are_not_there() -> None:
    given = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]] * 20)
    assert forest.Calibration.of(("a", "b", "c"), given, ["a"] * 40)(given) == pytest.approx(given)
    two = forest.Calibration.of(("a", "b", "c"), given, ["a", "b"] * 20)(given)
    assert two[:, 2].max() < 1e-6 and two[0, 0] > 0.9 and two[1, 1] > 0.9
    never = forest.Calibration.of(("a", "b", "c"), given, ["a", "b"] * 20, ["b"])(given)
    assert never[1].tolist() == [pytest.approx(two[1, 0]), 0.0, pytest.approx(two[1, 2])]


@pytest.mark.parametrize(("name", "of"), [("scan", "hour"), ("exfil", "pair")])
def test_what_is_like_a_class_is_called_so(path, name, of) -> None:
    rows = example.rows()
    rows = rows[(rows["what"] == name) & (rows["pair_connections"].isna() == (of == "hour"))]
    found = ThreatClassifier().score(asked(rows), Tuning(model=path))
    assert len(found) > 0.9 * len(rows)
    row = found.iloc[0]
    assert (row["orig_h"], row["key"]) == ("10.0.0.9", name)
    assert row["evidence"]["of"] == of and row["evidence"]["probability"] == row["score"] >= 0.8
    assert f"look like {name} (probability " in row["reason"]
    assert row["resp_h"] == ("10.0.9.9" if of == "pair" else None)


def test_what_is_harmless_is_not_told(path) -> None:
    rows = example.rows()
    assert len(ThreatClassifier().score(asked(rows[rows["what"] == BENIGN]), Tuning(model=path))) <= 2


def test_none_of_these(path) -> None:
    rows = example.rows()
    scans = asked(rows[rows["what"] == "scan"])
    assert ThreatClassifier().score(scans, Tuning(model=path, min_probability=1.0)).empty
    beyond = dict.fromkeys(("connections", "peers", "sent_bytes", "received_bytes"), 1e12)
    assert ThreatClassifier().score(scans.assign(**beyond), Tuning(model=path)).empty
    assert len(ThreatClassifier().score(scans.assign(**beyond), Tuning(model=path, max_outside=30)))


def test_a_row_of_nulls_is_nothing(path) -> None:
    nothing = asked(example.rows().head(1)).assign(**dict.fromkeys((m.name for m in MEASURES), None))
    nothing = nothing.assign(resp_h=None)
    assert ThreatClassifier().score(nothing, Tuning(model=path, min_probability=0.99)).empty


def judged(path: str, rows: pd.DataFrame) -> list[Any]:
    found: list[Any] = ThreatClassifier().score(asked(rows), Tuning(model=path, min_probability=0.3)).to_dict("records")
    return found


CHILD = """
import sys
import pandas as pd
from aegis_plugins.detectors.threat_classifier import ThreatClassifier, Tuning
tuning = Tuning(model=sys.argv[1], min_probability=0.3)
print(ThreatClassifier().score(pd.read_parquet(sys.argv[2]), tuning).to_dict("records"))
"""


def test_another_process_and_a_row_alone_say_the_same(path, tmp_path) -> None:
    rows = example.rows().iloc[::18]
    asked(rows).to_parquet(tmp_path / "rows.parquet")
    command = [sys.executable, "-c", CHILD, path, str(tmp_path / "rows.parquet")]
    there = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    alone = [found for n in range(len(rows)) for found in judged(path, rows.iloc[[n]])]
    assert str(judged(path, rows)) == str(alone) == there.strip() != "[]"


def test_without_a_model_it_is_idle_and_silent() -> None:
    assert "aegis-enrich train classifier" in ThreatClassifier.idle(Tuning())
    assert ThreatClassifier.idle(Tuning(model="example")) == ""
    assert ThreatClassifier().score(asked(example.rows()), Tuning()).empty


def test_a_stale_model_is_refused(path) -> None:
    late = asked(example.rows().head(1), window_end_us=900 * HOUR_US + 366 * DAY_US)
    with pytest.raises(ModelError, match="366 days before the window"):
        ThreatClassifier().score(late, Tuning(model=path))


@pytest.mark.parametrize("change", [{"schema": "other"}, {"library": "0.1"}, {"kind": "anomaly"}])
def test_a_model_of_another_kind_is_refused(path, tmp_path, change) -> None:
    kept = stored.read(Path(path), model.KIND, model.schema())
    stored.write(tmp_path / "m", dataclasses.replace(kept.about, **change), kept.rows)
    with pytest.raises(ModelError, match="aegis-enrich train classifier"):
        ThreatClassifier.idle(Tuning(model=str(tmp_path / "m")))


def test_a_path_is_whole() -> None:
    with pytest.raises(ModelError, match="write the whole path"):
        ThreatClassifier.idle(Tuning(model="classifier.parquet"))


def test_recorded_ones(lab, evaluate) -> None:
    """The made example knows what a scan is, though it is less sure of one of a single host; what browses is none."""
    tuning = {"model": "example", "min_probability": 0.4}
    (found,) = evaluate(ThreatClassifier, lab("scan_vertical"), TABLES, **tuning)
    assert found.entity == {"orig_h": "10.10.0.14", "key": "scan"}
    assert evaluate(ThreatClassifier, lab("benign_tls"), TABLES, model="example") == []


def test_the_features_are_those_of_the_tables() -> None:
    columns = {c.name for table in TABLES for c in table.columns} | {"over_tcp"}
    assert {m.name for m in MEASURES} <= columns and len(MEASURES) == 30
    assert SimpleNamespace(**{m.name: 0 for m in MEASURES}).over_tcp == 0


def test_what_is_said_of_a_model(path) -> None:
    about = stored.read(Path(path), model.KIND, model.schema()).about
    text = said(Path(path), about, "abc")
    assert "900 rows of 3 classes" in text and "Measured on each capture" in text and f"model: {path}" in text
