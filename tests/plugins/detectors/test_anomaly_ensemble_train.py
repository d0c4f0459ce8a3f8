"""What is kept of the past: features without addresses, bounded, dated by event time."""

from __future__ import annotations

import pandas as pd
import pytest

from aegis_enrich.errors import ConfigError
from aegis_enrich.plugin import HOUR_US
from aegis_plugins.detectors.anomaly_ensemble import example, train
from aegis_plugins.detectors.anomaly_ensemble.measures import MEASURES


def frame() -> pd.DataFrame:
    rows = example.rows()
    hosts = [f"10.0.0.{n % 10}" for n in range(len(rows))]
    return rows.assign(orig_h=hosts, sensor="s", hour_us=[n // 10 * HOUR_US for n in range(len(rows))])


def test_no_address_is_kept() -> None:
    about, rows = train.trained(frame())
    assert list(rows.columns) == ["hour_us", *(m.name for m in MEASURES)]
    assert (about.rows, about.of_rows, about.hosts) == (300, 300, 10)
    assert (about.from_us, about.until_us) == (0, 30 * HOUR_US)


def test_a_sample_is_kept_of_many_the_same_each_time(monkeypatch) -> None:
    monkeypatch.setattr(train, "MOST_ROWS", 100)
    about, rows = train.trained(frame())
    _, again = train.trained(frame().sample(frac=1, random_state=1))
    assert (about.rows, about.of_rows) == (100, 300)
    pd.testing.assert_frame_equal(rows, again)


def test_too_few_hours_are_refused() -> None:
    with pytest.raises(ConfigError, match="99 hours of hosts with enough connections; 100 are needed"):
        train.trained(frame().head(99))
    with pytest.raises(ConfigError, match="0 hours of hosts"):
        train.trained(pd.DataFrame())
