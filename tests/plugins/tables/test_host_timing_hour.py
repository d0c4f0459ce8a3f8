"""Starts of connections in, a client's rhythm out."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aegis_plugins.tables.host_timing_hour import HostTimingHour

Hour = Callable[..., list[dict[str, Any]]]


def rhythm(hour: Hour, starts: list[float], **columns: Any) -> dict[str, Any]:
    (host,) = hour(HostTimingHour, conn=[{"ts": s, "resp_p": 443, "proto": "tcp"} | columns for s in starts])
    return host


def test_gaps_are_numpy_s(hour: Hour) -> None:
    chance = random.Random(1)
    starts = sorted(round(chance.uniform(0, 3000), 6) for _ in range(60))
    found, gaps = rhythm(hour, starts), np.diff(starts)
    mean, std = gaps.mean(), gaps.std()
    expected = {
        "gap_mean": mean,
        "gap_std": std,
        "gap_min": gaps.min(),
        "gap_p10": np.percentile(gaps, 10),
        "gap_median": np.median(gaps),
        "gap_p90": np.percentile(gaps, 90),
        "gap_max": gaps.max(),
        "gap_cv": std / mean,
        "burstiness": (std - mean) / (std + mean),
        "gap_memory": np.corrcoef(gaps[:-1], gaps[1:])[0, 1],
        "gap_regularity": max(0, 1 - np.median(abs(gaps - np.median(gaps))) / np.median(gaps)),
        "gap_short_share": (gaps < 1).mean(),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-5)


def test_small_changes_of_long_gaps_are_told_to_the_last_digit(hour: Hour) -> None:
    """A mean of hours, a deviation of milliseconds: of doubles, all digits of a variance would be lost."""
    chance = random.Random(3)
    gaps = [7_200_000_000 + chance.randrange(5_000) for _ in range(20)]  # µs
    starts = [-sum(gaps[n:]) / 1_000_000 for n in range(21)]
    rows = [{"ts": s, "duration": 1 - s, "resp_p": 443, "proto": "tcp"} for s in starts]  # they end in one hour
    (found,) = hour(HostTimingHour, conn=rows)
    assert found["gap_std"] == pytest.approx(statistics.pstdev(gaps) / 1_000_000, rel=1e-12)
    assert found["gap_memory"] == pytest.approx(statistics.correlation(gaps[:-1], gaps[1:]), rel=1e-9)


def test_the_spectrum_and_the_autocorrelation_are_numpy_s(hour: Hour) -> None:
    chance = random.Random(2)
    starts = sorted(round(chance.uniform(0, 3600), 6) for _ in range(90))
    found = rhythm(hour, starts)
    x = np.bincount([int(s // 60) for s in starts], minlength=60).astype(float)
    y = x - x.mean()
    power = (abs(np.fft.rfft(y)) ** 2)[1:]
    shares = power / power.sum()
    lagged = [(y[:-k] * y[k:]).sum() / (y * y).sum() for k in range(1, 31)]
    expected = {
        "spectral_peak": shares.max(),
        "spectral_period": 60 / (1 + shares.argmax()),
        "spectral_entropy": -(shares * np.log2(shares)).sum() / math.log2(30),
        "autocorrelation_1min": lagged[0],
        "autocorrelation_best": max(lagged[1:]),
        "autocorrelation_lag": 2 + int(np.argmax(lagged[1:])),
        "minute_fano": x.var() / x.mean(),
        "active_minutes": int((x > 0).sum()),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-4)


def test_a_beacon_each_five_minutes(hour: Hour) -> None:
    found = rhythm(hour, [30.0 + 300 * n for n in range(12)])
    assert (found["burstiness"], found["gap_regularity"], found["gap_cv"]) == (-1, 1, 0)
    assert found["autocorrelation_lag"] == 5 and found["autocorrelation_best"] > 0.9
    assert 60 / found["spectral_period"] % 12 == 0 and found["gap_entropy"] == 0


def test_bursts_are_bursty(hour: Hour) -> None:
    found = rhythm(hour, [300 * burst + n / 10 for burst in range(10) for n in range(20)])
    assert found["burstiness"] > 0.5 and found["gap_short_share"] > 0.9 and found["minute_fano"] > 5


def test_each_minute_alike_is_no_variation(hour: Hour) -> None:
    found = rhythm(hour, [60.0 * n for n in range(60)])
    assert found["minute_fano"] == 0 and found["gap_regularity"] == 1
    assert [found[n] for n in ("autocorrelation_best", "spectral_peak", "spectral_entropy")] == [None] * 3


def test_few_connections_have_no_rhythm(hour: Hour) -> None:
    one, two = rhythm(hour, [5.0]), rhythm(hour, [5.0, 9.0])
    assert (one["gap_mean"], one["burstiness"], one["active_minutes"]) == (None, None, 1)
    assert (two["gap_mean"], two["burstiness"], two["gap_memory"], two["spectral_peak"]) == (4.0, None, None, None)


def test_lookups_are_no_part_of_it(hour: Hour) -> None:
    rows = [{"ts": 10.0 * n, "resp_p": 443} for n in range(5)] + [
        {"ts": 10.0 * n - 0.1, "resp_p": 53} for n in range(1, 5)
    ]
    (host,) = hour(HostTimingHour, conn=rows)
    assert (host["gap_mean"], host["gap_std"]) == (10.0, 0.0)


def test_round_trips_and_first_packets(hour: Hour) -> None:
    rows = [{"ts": float(n), "resp_p": 443, "orig_rtt": 0.001, "resp_rtt": 0.02 * n} for n in range(3)]
    (host,) = hour(HostTimingHour, conn=rows, aegis_packets=[{"gaps": [0.1, 0.1, 0.1, 0.5]}])
    assert host["handshake_rtt_median"] == pytest.approx(0.021)
    assert host["packet_gap_mean"] == pytest.approx(0.2) and host["packet_gap_max"] == 0.5
    assert host["packet_burstiness"] == pytest.approx((np.std([1, 1, 1, 5]) - 2) / (np.std([1, 1, 1, 5]) + 2))
