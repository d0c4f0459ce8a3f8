"""Connections in, a client's sizes out."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_plugins.tables.host_statistical_hour import HostStatisticalHour

SIZES = [200, 240, 300, 420, 1000]


def conn(number: int, **columns: Any) -> dict[str, Any]:
    row = {"ts": number, "resp_h": f"198.51.100.{number % 2}", "resp_p": 443, "proto": "tcp", "conn_state": "SF"}
    row |= {"orig_pkts": 4, "resp_pkts": 4, "orig_ip_bytes": 100, "resp_ip_bytes": SIZES[number % 5] - 100}
    return row | {"duration": 0.5} | columns


def test_a_client_s_numbers(hour: Callable[..., list[dict[str, Any]]]) -> None:
    (host,) = hour(HostStatisticalHour, conn=[conn(n) for n in range(5)])
    expected = {
        "connections": 5,
        "peers": 2,
        "ports": 1,
        "peer_entropy": -(0.6 * math.log2(0.6) + 0.4 * math.log2(0.4)),
        "port_entropy": 0,
        "sent_bytes": 500,
        "received_bytes": 1660,
        "upload_share": 500 / 2160,
        "upload_share_median": 100 / 300,
        "upload_download_log2": math.log2(501 / 1661),
        "packets_upload_share": 0.5,
        "bytes_mean": np.mean(SIZES),
        "bytes_std": np.std(SIZES),
        "bytes_min": 200,
        "bytes_p10": np.percentile(SIZES, 10),
        "bytes_p25": 240,
        "bytes_median": 300,
        "bytes_p75": 420,
        "bytes_p90": np.percentile(SIZES, 90),
        "bytes_p99": np.percentile(SIZES, 99),
        "bytes_max": 1000,
        "bytes_cv": np.std(SIZES) / np.mean(SIZES),
        "bytes_skew": (240 + 420 - 600) / 180,
        "packets_mean": 8,
        "packets_std": 0,
        "sent_packet_bytes": 25,
        "received_packet_bytes": 83,
        "duration_median": 0.5,
        "failed_share": 0,
        "unanswered_share": 0,
    }
    assert {name: host[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert host["sent_entropy_mean"] is None and host["packet_size_mean"] is None


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=30))
def test_distributions_are_numpy_s(hour: Callable[..., list[dict[str, Any]]], sizes: list[int]) -> None:
    (host,) = hour(HostStatisticalHour, conn=[conn(n, orig_ip_bytes=0, resp_ip_bytes=s) for n, s in enumerate(sizes)])
    assert host["bytes_mean"] == pytest.approx(np.mean(sizes))
    assert host["bytes_std"] == pytest.approx(statistics.pstdev(sizes), rel=1e-12)  # of whole numbers: exact
    assert host["bytes_p90"] == pytest.approx(np.percentile(sizes, 90))


def test_what_failed_and_what_nobody_answered(hour: Callable[..., list[dict[str, Any]]]) -> None:
    rows = [conn(0), conn(1, conn_state="S0", resp_pkts=0), conn(2, conn_state="REJ"), conn(3, conn_state=None)]
    (host,) = hour(HostStatisticalHour, conn=rows)
    assert (host["failed_share"], host["unanswered_share"]) == (pytest.approx(2 / 3), 0.25)


def test_entropies_and_first_packets(hour: Callable[..., list[dict[str, Any]]]) -> None:
    rows = [conn(0, orig_entropy=7.5, resp_entropy=2.0), conn(1, orig_entropy=6.5, resp_entropy=None)]
    (host,) = hour(HostStatisticalHour, conn=rows, aegis_packets=[{"sizes": [60, -60, 52, 1500, -52]}])
    assert (host["sent_entropy_mean"], host["received_entropy_mean"]) == (7.0, 2.0)
    assert (host["packet_size_median"], host["packet_size_max"], host["packet_size_down_mean"]) == (60, 1500, 56)
    assert host["packet_size_up_mean"] == pytest.approx(1612 / 3)
    assert host["packet_size_std"] == pytest.approx(np.std([60, 60, 52, 1500, 52]))


def test_clients_outside_that_call_inside_are_left_out(hour: Callable[..., list[dict[str, Any]]]) -> None:
    rows = [conn(0, orig_h="203.0.113.9", resp_h="10.0.0.1"), conn(1, orig_h="203.0.113.9", resp_h="198.51.100.1")]
    assert [h["connections"] for h in hour(HostStatisticalHour, conn=rows)] == [1]


def test_absurd_numbers_are_cut(hour: Callable[..., list[dict[str, Any]]]) -> None:
    (host,) = hour(HostStatisticalHour, conn=[conn(n, orig_ip_bytes=2**62, resp_ip_bytes=-5) for n in range(3)])
    assert (host["sent_bytes"], host["received_bytes"], host["bytes_mean"]) == (3 * 2**40, None, None)
