"""Connections of a pair in, their sizes and rhythm out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aegis_plugins.tables.pair_features_hour import PairFeaturesHour

Hour = Callable[..., list[dict[str, Any]]]
STARTS = [10.0, 20.5, 95.0, 301.0, 302.0]


def conn(number: int, **columns: Any) -> dict[str, Any]:
    row = {"ts": STARTS[number], "resp_p": 443, "proto": "tcp", "orig_ip_bytes": 100, "resp_ip_bytes": 50 * number}
    return row | {"duration": 1.0, "conn_state": "SF"} | columns


def test_a_pair_s_numbers(hour: Hour) -> None:
    (pair,) = hour(PairFeaturesHour, conn=[conn(n) for n in range(5)])
    sizes, gaps = np.array([100, 150, 200, 250, 300]), np.diff(STARTS)
    expected = {
        "pair_connections": 5,
        "pair_sent_bytes": 500,
        "pair_received_bytes": 500,
        "pair_upload_share": 0.5,
        "pair_bytes_mean": 200,
        "pair_bytes_std": sizes.std(),
        "pair_bytes_median": 200,
        "pair_bytes_cv": sizes.std() / 200,
        "pair_bytes_skew": 0,
        "pair_duration_mean": 1,
        "pair_failed_share": 0,
        "pair_gap_mean": gaps.mean(),
        "pair_gap_std": gaps.std(),
        "pair_gap_p10": np.percentile(gaps, 10),
        "pair_gap_p90": np.percentile(gaps, 90),
        "pair_burstiness": (gaps.std() - gaps.mean()) / (gaps.std() + gaps.mean()),
        "pair_gap_regularity": max(0, 1 - np.median(abs(gaps - np.median(gaps))) / np.median(gaps)),
        "pair_active_minutes": 3,
    }
    assert {name: pair[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_pairs_that_met_seldom_are_left_out(hour: Hour) -> None:
    assert hour(PairFeaturesHour, conn=[conn(n) for n in range(3)]) == []
    assert hour(PairFeaturesHour, conn=[conn(n, resp_p=80 + n) for n in range(5)]) == []
