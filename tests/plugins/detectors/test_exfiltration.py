"""Uploads in, exfiltration out: recorded ones, a past, neighbours, pieces, and what only looks like one."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_plugins.detectors.exfiltration import Exfiltration, Tuning
from aegis_plugins.tables.egress_hour import EgressHour
from aegis_plugins.tables.pair_hour import PairHour
from aegis_plugins.tables.server_name_hour import ServerNameHour

TABLES = [EgressHour, PairHour, ServerNameHour]
CLIENT, PLACE = "10.0.0.1", "203.0.113.40"
DAY = 86_400.0
MEGABYTE = 1_000_000


def upload(ts: float, sent: int, received: int = 1_000, **columns: Any) -> dict[str, Any]:
    """A row of conn, over TLS without retransmission."""
    packets, acks = max(3, sent // 1448 + received // 2896), max(3, received // 1448 + sent // 2896)
    row = {"orig_h": CLIENT, "orig_p": 40_000 + int(ts) % 20_000, "resp_h": PLACE, "resp_p": 443, "proto": "tcp"}
    row |= {"conn_state": "SF", "history": "ShADadFf", "orig_bytes": sent, "orig_pkts": packets}
    row |= {"orig_ip_bytes": sent + 52 * packets, "resp_bytes": received, "resp_pkts": acks}
    return row | {"resp_ip_bytes": received + 52 * acks, "ts": ts, "duration": 1.0} | columns


def browsing(ts: float, clients: int, **columns: Any) -> list[dict[str, Any]]:
    """A page each for so many other clients."""
    return [
        upload(ts + n, 700, 50_000, **({"orig_h": f"10.0.1.{n}", "resp_h": "198.51.100.7"} | columns))
        for n in range(clients)
    ]


@pytest.fixture
def uploads(evaluate, rows):
    def run(conn: list[dict[str, Any]], names: list[dict[str, Any]] | None = None, **tuning: Any):
        tables = rows("conn", conn) | (rows("ssl", names) if names else {})
        return evaluate(Exfiltration, tables, TABLES, **tuning)

    return run


@pytest.mark.parametrize(
    ("scenario", "megabytes", "signs"),
    [
        ("exfil", 12.6, ["even pieces"]),
        ("exfil_small", 3.2, ["rare destination", "even pieces"]),
        ("multistage", 6.3, ["rare destination"]),
    ],
)
@pytest.mark.parametrize("form", ["tsv", "json", "eve.json.gz"])
def test_recorded_ones_are_found(evaluate, lab, scenario, megabytes, signs, form):
    (found,) = evaluate(Exfiltration, lab(scenario, form), TABLES)
    assert found.entity == {"orig_h": "10.10.0.15", "key": PLACE}
    assert found.context["resp_h"] == PLACE and found.context["resp_p"] == 443
    assert found.evidence["sent_bytes"] / MEGABYTE == pytest.approx(megabytes, rel=0.02)
    assert found.evidence["signs"] == signs
    assert found.evidence["beyond_past"] is None
    assert 0 < len(found.uids) <= 20


@pytest.mark.parametrize(
    "scenario",
    [
        "benign",
        "benign_tls",
        "loss_0",
        "loss_5",
        "loss_20",
        "loss_download_20",
        "dns_tunnel",
        "icmp_tunnel",
        "syn_flood",
    ],
)
def test_recorded_traffic_without_one_is_quiet(evaluate, lab, scenario):
    assert evaluate(Exfiltration, lab(scenario, "tsv"), TABLES) == []


def test_the_evidence_tells_the_numbers(uploads):
    (found,) = uploads([upload(10, 5_000_000, 2_000), upload(20, 1_000_000, 500)])
    evidence = found.evidence
    assert (evidence["sent_bytes"], evidence["received_bytes"], evidence["ratio"]) == (6_000_000, 2_500, 2400.0)
    assert (evidence["connections"], evidence["uploads"], evidence["servers"]) == (2, 2, 1)
    assert (evidence["clients"], evidence["destination_clients"], evidence["rare"]) == (1, 1, None)
    assert (evidence["beyond_past"], evidence["past_host_most_bytes"], evidence["past_h"]) == (None, None, 0)
    assert evidence["duration_s"] == 11.0
    assert found.context["direction"] == "outbound"
    assert found.reason == (
        "10.0.0.1 sent 6.0 MB to 203.0.113.40 in 2 connections within 0.0 h and got 0.00 MB (1 of 1 hosts call there; "
        "no past to compare with)"
    )


@pytest.mark.parametrize(("sent", "hits"), [(3_000_000, 1), (2_999_999, 0)])
def test_volume_must_be_enough(uploads, sent, hits):
    assert len(uploads([upload(10, sent)])) == hits


@pytest.mark.parametrize(("received", "hits"), [(3_000_000, 1), (3_000_001, 0)])
def test_it_must_go_one_way(uploads, received, hits):
    assert len(uploads([upload(10, 9_000_000, received)])) == hits


@pytest.mark.parametrize(
    "conn",
    [
        [upload(10, 80_000_000, resp_h="10.20.0.5")],  # a backup inside
        [upload(10, 80_000_000, orig_h="198.51.100.9", resp_h=CLIENT)],  # from outside to us
        [upload(10, 80_000_000, orig_h="198.51.100.9")],  # outside
        [upload(10, 80_000_000, resp_h="239.1.2.3", proto="udp")],
        [upload(10, 4_000_000, 90_000_000)],  # a download and its acknowledgments
        [upload(10, 80_000_000, resp_pkts=0, resp_bytes=0)],  # a flood
    ],
)
def test_what_is_none(uploads, conn):
    assert uploads(conn) == []


def test_many_small_uploads_add_up(uploads):
    found = uploads([upload(100 * n, 50_000) for n in range(300)])  # eight hours
    assert found[-1].evidence["sent_bytes"] == 15_000_000
    assert found[-1].evidence["active_hours"] == 9


def test_even_pieces(uploads):
    def signs(sizes: list[int], **tuning: Any) -> list[str]:
        (found,) = uploads([upload(10 * n, size) for n, size in enumerate(sizes)], **tuning)
        return list(found.evidence["signs"])

    assert signs([1_000_000, 1_010_000, 1_000_000, 370_000]) == ["even pieces"]
    assert signs([1_000_000, 2_000_000, 3_000_000]) == []
    assert signs([3_000_000, 3_000_000]) == []
    assert signs([3_000_000, 3_000_000], min_pieces=2) == ["even pieces"]
    assert signs([100_000] * 40) == []
    assert signs([100_000] * 40, min_piece_bytes=100_000) == ["even pieces"]


@pytest.mark.parametrize(("others", "rare"), [(2, None), (3, True)])
def test_rarity_needs_neighbours(uploads, others, rare):
    (found,) = uploads([upload(10, 5_000_000), *browsing(20, others)])
    assert found.evidence["rare"] is rare
    assert found.evidence["clients"] == others + 1


def test_what_others_call_too_is_not_rare(uploads):
    pieces = [upload(10 * n, 2_000_000) for n in range(3)]
    (found,) = uploads(pieces + browsing(20, 3) + browsing(30, 1, resp_h=PLACE))
    assert (found.evidence["rare"], found.evidence["destination_clients"], found.evidence["signs"]) == (False, 2, [])


def test_one_in_fifty_is_rare(uploads):
    (found,) = uploads([upload(10, 5_000_000), *browsing(20, 120), *browsing(30, 1, resp_h=PLACE)])
    assert (found.evidence["destination_clients"], found.evidence["rare"]) == (2, True)


def test_servers_of_one_name_are_one_destination(uploads):
    conn = [upload(10 * n, 1_500_000 + 400_000 * n, resp_h=f"203.0.113.{n}", uid=f"C{n}") for n in range(3)]
    named = [
        {c: row[c] for c in ("orig_h", "orig_p", "resp_h", "resp_p", "ts", "uid")}
        | {"server_name": "files.example.net"}
        for row in conn
    ]
    (found,) = uploads(conn, named)
    assert found.entity == {"orig_h": CLIENT, "key": "files.example.net"}
    assert found.context["name"] == "files.example.net" and "resp_h" not in found.context
    assert (found.evidence["servers"], found.evidence["sent_bytes"]) == (3, 5_700_000)
    assert uploads(conn) == []


def test_what_it_sends_each_day_is_told_of_on_the_first(uploads):
    (found,) = uploads([upload(DAY * day + 3_600, 9_000_000 - day) for day in range(3)])
    assert found.evidence["past_destination_days"] is None


def test_more_than_ever_before_is_beyond_the_past(uploads):
    backup = [upload(DAY * day, 20_000_000, resp_h="198.51.100.30") for day in range(2)]
    later = [upload(DAY * 2 + 600, 50_000_000), upload(DAY * 2 + 600, 5_000_000, resp_h="203.0.113.41")]
    found = [f for f in uploads([*backup, *later], min_history_h=24) if f.evidence["beyond_past"] is not None]
    assert {f.entity["key"]: f.evidence["beyond_past"] for f in found} == {PLACE: True, "203.0.113.41": False}
    (new,) = [f for f in found if f.entity["key"] == PLACE]
    assert (new.evidence["past_host_most_bytes"], new.evidence["past_destination_days"]) == (20_000_000, 0)
    assert "at most 20.0 MB a day to one before" in new.reason


@given(st.integers(3_000_000, 10**13), st.integers(0, 10**9))
def test_more_scores_higher(sent, past):
    def score(size: int) -> float:
        row = {"orig_h": CLIENT, "key": PLACE, "name": None, "least_server": PLACE, "servers": 1, "least_port": 443}
        row |= {
            "most_port": 443,
            "least_proto": "tcp",
            "most_proto": "tcp",
            "connections": 1,
            "sent_bytes": size + past,
        }
        row |= {"received_bytes": 0, "hours": 1, "first_us": 0, "last_us": 1, "uids": ["C1"], "uploads": 1}
        row |= {"upload_median": 1.0, "uploads_alike": 1, "past_hours": 100, "past_destination_most": past}
        row |= {"past_destination_days": 1, "past_host_most": past, "destination_clients": 1, "clients": 9}
        return float(Exfiltration().score(pd.DataFrame([row]), Tuning())["score"][0])

    assert 0.33 < score(sent) < score(sent + sent // 50) < 1


@pytest.mark.parametrize(
    "folder", ["strato-001", "strato-008", "dnscat2-txt", "slips-test9", "ctu-botnet-4", "rita-proxy"]
)
def test_public_logs_without_one_are_quiet(evaluate, public, folder):
    assert evaluate(Exfiltration, public(folder), TABLES) == []
