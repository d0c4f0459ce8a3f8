"""QUIC handshakes and UDP to port 443 in, what a client's QUIC is like out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aegis_plugins.tables.host_quic_hour import HostQuicHour

Hour = Callable[..., list[dict[str, Any]]]
IDS = ["0123456789abcdef", "fedcba9876543210"]


def quic(client: int, number: int, **columns: Any) -> dict[str, Any]:
    row = {"uid": f"Q{client}{number}", "orig_h": f"10.0.0.{client}", "resp_p": 443, "version": "1"}
    return row | {"server_name": "www.example.com", "client_initial_dcid": IDS[number % 2], "ja4": "q13"} | columns


def conn(client: int, number: int, **columns: Any) -> dict[str, Any]:
    row = {"uid": f"Q{client}{number}", "orig_h": f"10.0.0.{client}", "resp_p": 443, "proto": "udp", "orig_pkts": 4}
    return row | {"orig_ip_bytes": 3000, "resp_ip_bytes": 9000, "resp_pkts": 9} | columns


def test_a_browser(hour: Hour) -> None:
    rows = {"quic": [quic(1, n) for n in range(2)], "conn": [conn(1, n, service="quic,ssl") for n in range(2)]}
    (host,) = hour(HostQuicHour, **rows)
    found = {name.removeprefix("quic_"): value for name, value in host.items()}
    assert (found["flows"], found["likelihood"], found["certain_share"], found["handshakes"]) == (2, 1, 1, 2)
    assert (found["size_consistency"], found["packet_bytes"], found["servers"], found["names"]) == (1, 750, 1, 1)
    assert (found["versions"], found["odd_version_share"], found["id_length_mean"], found["id_entropy"]) == (1, 0, 8, 4)
    assert (found["nameless_share"], found["name_rarity"], found["ja4_rarity"], found["id_repeated_share"]) == (0,) * 4


def test_one_that_only_uses_the_port(hour: Hour) -> None:
    rows = [conn(1, n, orig_ip_bytes=100 * (n + 1), resp_ip_bytes=200) for n in range(3)] + [conn(1, 9)]
    (host,) = hour(HostQuicHour, conn=rows)
    assert (host["quic_flows"], host["quic_likelihood"], host["quic_certain_share"]) == (4, 0.25, None)
    sizes = [100, 200, 300, 3000]
    assert host["quic_size_consistency"] == pytest.approx(1 / (1 + np.std(sizes) / np.mean(sizes)))
    assert host["quic_handshakes"] is None and host["quic_name_rarity"] is None


def test_an_odd_client_among_others(hour: Hour) -> None:
    odd = [
        quic(9, n, version="draft-29", server_name="rare.test", client_initial_dcid="aaaaaaaa", ja4="x") for n in (0, 1)
    ]
    odd.append(quic(9, 2, server_name=None))
    found = hour(HostQuicHour, quic=[*(quic(c, 0) for c in range(3)), *odd])
    host = found[-1]
    assert host["quic_name_rarity_max"] == 0.75 == host["quic_name_rarity"]
    assert host["quic_ja4_rarity"] == pytest.approx((0.75 + 0.75 + 0) / 3)
    assert host["quic_odd_version_share"] == pytest.approx(2 / 3) and host["quic_versions"] == 2
    assert host["quic_nameless_share"] == pytest.approx(1 / 3) == host["quic_id_repeated_share"]
    assert host["quic_id_entropy"] < 3.5 and host["quic_flows"] is None


def test_two_events_of_one_handshake_are_one(hour: Hour) -> None:
    both = [quic(1, 0, ja4=None, server_name=None), quic(1, 0)]
    (host,) = hour(HostQuicHour, quic=both)
    assert (host["quic_handshakes"], host["quic_nameless_share"]) == (1, 0)
