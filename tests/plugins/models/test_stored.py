"""A model's file: what comes back is what was written, and what is of no use is refused with what to do."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from aegis_enrich.plugin import DAY_US
from aegis_plugins.models import stored
from aegis_plugins.models.stored import About, ModelError

ABOUT = About("anomaly", "abc", stored.library(), 100 * DAY_US, 107 * DAY_US, 2, 2, 1)
ROWS = pd.DataFrame({"peers": [1.0, None]})


def test_what_was_written_comes_back(tmp_path) -> None:
    path = tmp_path / "models" / "m.parquet"
    digest = stored.write(path, ABOUT, ROWS)
    found = stored.read(path, "anomaly", "abc")
    assert (found.about, found.hash) == (ABOUT, digest)
    pd.testing.assert_frame_equal(found.rows, ROWS)
    assert [p.name for p in path.parent.iterdir()] == ["m.parquet"]


def test_the_same_rows_make_the_same_file(tmp_path) -> None:
    assert stored.write(tmp_path / "a", ABOUT, ROWS) == stored.write(tmp_path / "b", ABOUT, ROWS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "classifier"}, "is a model for classifier, not for anomaly"),
        ({"schema": "xyz"}, "features that meant something else (schema xyz, now abc)"),
        ({"library": "0.1"}, "was trained with scikit-learn 0.1"),
    ],
)
def test_another_one_is_refused(tmp_path, change, said) -> None:
    stored.write(tmp_path / "m", dataclasses.replace(ABOUT, **change), ROWS)
    with pytest.raises(ModelError) as error:
        stored.read(tmp_path / "m", "anomaly", "abc")
    assert said in str(error.value) and "aegis-enrich train anomaly" in str(error.value)
    assert error.value.where == str(tmp_path / "m")


@pytest.mark.parametrize("what", ["nothing", "text", "parquet"])
def test_what_is_no_model_is_refused(tmp_path, what) -> None:
    path = tmp_path / "m"
    if what == "text":
        path.write_text("no model")
    if what == "parquet":
        ROWS.to_parquet(path)
    said = "there is no such model" if what == "nothing" else "is no model that can be read"
    with pytest.raises(ModelError, match=said):
        stored.read(path, "anomaly", "abc")


def test_where_it_cannot_be_written(tmp_path) -> None:
    (tmp_path / "m").mkdir()
    with pytest.raises(ModelError, match="cannot be written"):
        stored.write(tmp_path / "m", ABOUT, ROWS)
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize(("day", "said"), [(137.5, "30 days before the window"), (69, "31 days after the window")])
def test_a_stale_one_is_refused(day, said) -> None:
    with pytest.raises(ModelError, match=said):
        stored.fresh(ABOUT, "m", int(day * DAY_US), 30)


def test_each_time_counts_and_an_example_is_always_fresh() -> None:
    with pytest.raises(ModelError, match="30 days before the window"):
        stored.fresh_at(ABOUT, "m", [int(d * DAY_US) for d in (137.5, 103)], 30)
    stored.fresh_at(ABOUT, "m", [103 * DAY_US, 107 * DAY_US], 30)
    stored.fresh_at(None, "example", [0], 30)


@pytest.mark.parametrize("day", [71, 103, 107, 137])
def test_a_fresh_one_is_not(day) -> None:
    stored.fresh(ABOUT, "m", day * DAY_US, 30)


def test_a_file_is_read_once_until_it_changes(tmp_path) -> None:
    read = []
    get = stored.cached(lambda path: read.append(path) or len(read))
    path = tmp_path / "m"
    assert get(str(path)) == get(str(path)) == 1
    path.write_text("a")
    assert get(str(path)) == get(str(path)) == 2
    path.write_text("other")
    assert get(str(path)) == 3


def test_a_sample_does_not_depend_on_the_order() -> None:
    rows = pd.DataFrame({"n": range(100)})
    chosen = stored.sample(rows, lambda row: str(row["n"]), 10)
    again = stored.sample(rows.iloc[::-1], lambda row: str(row["n"]), 10)
    assert len(chosen) == 10 and set(chosen["n"]) == set(again["n"])
    assert stored.sample(rows, lambda row: "", 100) is rows
