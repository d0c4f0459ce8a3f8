"""A connection and its first packets in, its features out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aegis_plugins.tables.flow_features_hour import FlowFeaturesHour

Hour = Callable[..., list[dict[str, Any]]]
CONN = {"uid": "C1", "resp_p": 443, "proto": "tcp", "duration": 2.0, "orig_pkts": 4, "resp_pkts": 2}
CONN |= {"orig_ip_bytes": 300, "resp_ip_bytes": 100, "orig_entropy": 7.0}
SIZES, GAPS = [60, -60, 52, 1500], [0.1, 0.1, 0.4]


def test_a_connection_s_numbers(hour: Hour) -> None:
    (flow,) = hour(FlowFeaturesHour, conn=[CONN], aegis_packets=[{"uid": "C1", "sizes": SIZES, "gaps": GAPS}])
    absolute = np.abs(SIZES)
    expected = {
        "flow_bytes": 400,
        "flow_packets": 6,
        "flow_upload_share": 0.75,
        "flow_sent_packet_bytes": 75,
        "flow_received_packet_bytes": 50,
        "flow_sent_entropy": 7,
        "flow_received_entropy": None,
        "flow_duration": 2,
        "flow_rate": 200,
        "flow_packet_size_mean": absolute.mean(),
        "flow_packet_size_std": absolute.std(),
        "flow_packet_size_median": 60,
        "flow_packet_upload_share": 1612 / 1672,
        "flow_packet_gap_mean": 0.2,
        "flow_packet_gap_std": np.std(GAPS),
        "flow_packet_gap_median": 0.1,
        "flow_packet_burstiness": (np.std(GAPS) - 0.2) / (np.std(GAPS) + 0.2),
    }
    assert {name: flow[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_without_packets_it_has_none(hour: Hour) -> None:
    (flow,) = hour(FlowFeaturesHour, conn=[CONN], aegis_packets=[{"uid": "C2", "sizes": SIZES, "gaps": GAPS}])
    assert {v for name, v in flow.items() if name.startswith("flow_packet_")} == {None}


def test_only_answers_are_no_upload(hour: Hour) -> None:
    packets = [{"uid": "C1", "sizes": [-60, -60], "gaps": [0.0]}]
    (flow,) = hour(FlowFeaturesHour, conn=[CONN | {"duration": None}], aegis_packets=packets)
    assert (flow["flow_packet_upload_share"], flow["flow_duration"], flow["flow_packet_gap_cv"]) == (0, None, None)


def test_absurd_numbers_are_cut(hour: Hour) -> None:
    (flow,) = hour(FlowFeaturesHour, conn=[CONN | {"orig_ip_bytes": 2**62, "resp_ip_bytes": 2**62, "orig_pkts": -1}])
    assert (flow["flow_bytes"], flow["flow_packets"], flow["flow_upload_share"]) == (2**45, None, 0.5)
