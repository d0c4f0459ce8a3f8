"""Uploads in, exfiltration out: recorded ones, a past, neighbours, pieces, and what only looks like one."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.plugin import HOUR_US
from aegis_plugins.detectors.exfiltration import Exfiltration, Tuning
from aegis_plugins.tables.egress_hour import EgressHour
from aegis_plugins.tables.server_name_hour import ServerNameHour
from aegis_plugins.tables.tls_server_hour import TlsServerHour

TABLES = [EgressHour, ServerNameHour, TlsServerHour]
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


def handshakes(conn: list[dict[str, Any]], **columns: Any) -> list[dict[str, Any]]:
    """Their rows of ssl, without a name."""
    kept = ("orig_h", "orig_p", "resp_h", "resp_p", "ts", "uid")
    return [{c: row[c] for c in kept if c in row} | {"version": "TLSv12"} | columns for row in conn]


@pytest.fixture
def uploads(evaluate, rows):
    """What is found in connections, all by TLS without a name unless `ssl` is given."""

    def run(conn: list[dict[str, Any]], ssl: list[dict[str, Any]] | None = None, **tuning: Any):
        tables = rows("conn", conn) | rows("ssl", handshakes(conn) if ssl is None else ssl)
        return evaluate(Exfiltration, tables, TABLES, **tuning)

    return run


def sent(hour: int, sent_bytes: int, **columns: Any) -> dict[str, Any]:
    """A row of egress_hour: one upload to the place, by one of ten clients."""
    row = {"orig_h": CLIENT, "resp_h": PLACE, "least_port": 443, "most_port": 443, "least_proto": "tcp"}
    row |= {"most_proto": "tcp", "connections": 1, "sent_bytes": sent_bytes, "received_bytes": sent_bytes // 1000}
    row |= {"upload_sizes": [sent_bytes], "server_clients": 1, "clients": 10, "uids": ["C1"], "hour": hour}
    at = (475_000 + hour) * HOUR_US
    return row | {"first_us": at, "last_us": at + 60_000_000} | columns


def seen(*hours: int, clients: int = 10) -> list[dict[str, Any]]:
    """Rows of egress_hour that say that the client was there and that it sent nothing of note."""
    return [
        sent(h, 1_000, resp_h=None, upload_sizes=None, server_clients=None, uids=None, clients=clients) for h in hours
    ]


@pytest.fixture
def days(judge):
    """What is found in the last of given hours, of which the first is 0, with what TLS told."""

    def run(hours: list[dict[str, Any]], tls: list[dict[str, Any]] = (), **tuning: Any):  # type: ignore[assignment]
        end = max(row["hour"] for row in hours) + 1
        names = [t | {"connections": 1, "requests": 1, "tls": True} for t in tls if t["name"]]
        given_ = {EgressHour: hours, TlsServerHour: tls, ServerNameHour: names}
        return judge(Exfiltration, given_, end, **tuning)

    return run


@pytest.mark.parametrize(
    ("scenario", "megabytes", "signs"),
    [
        ("exfil", 12.6, ["TLS without a name", "even pieces"]),
        ("exfil_small", 3.2, ["TLS without a name", "even pieces"]),
        ("multistage", 6.3, ["TLS without a name"]),
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
    assert (evidence["duration_s"], evidence["channel"], evidence["new"]) == (11.0, None, None)
    assert found.context["direction"] == "outbound"
    assert found.reason == (
        "10.0.0.1 sent 6.0 MB to 203.0.113.40 in 2 connections within 0.0 h and got 0.00 MB (1 of 1 hosts call there; "
        "no past to compare with; TLS without a name)"
    )


@pytest.mark.parametrize(("size", "hits"), [(3_000_000, 1), (2_999_999, 0)])
def test_volume_must_be_enough(uploads, size, hits):
    assert len(uploads([upload(10, size)])) == hits


@pytest.mark.parametrize(("size", "hits"), [(30_000_000, 1), (29_999_999, 0)])
def test_without_a_sign_it_takes_more(uploads, size, hits):
    assert len(uploads([upload(10, size)], ssl=[])) == hits


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
        return [sign for sign in found.evidence["signs"] if sign != "TLS without a name"]

    assert signs([1_000_000, 1_010_000, 1_000_000, 370_000]) == ["even pieces"]
    assert signs([1_000_000, 2_000_000, 3_000_000]) == []
    assert signs([3_000_000, 3_000_000]) == []
    assert signs([3_000_000, 3_000_000], min_pieces=2) == ["even pieces"]
    assert signs([100_000] * 40) == []
    assert signs([100_000] * 40, min_piece_bytes=100_000) == ["even pieces"]


@pytest.mark.parametrize(("others", "past_h", "rare"), [(9, 72, True), (9, 71, None), (3, 72, None)])
def test_rarity_needs_neighbours_and_a_past(days, others, past_h, rare):
    (found,) = days([*seen(0, clients=others), sent(24 + past_h - 1, 40_000_000, clients=others)], min_clients=4)
    assert found.evidence["rare"] is rare
    assert (found.evidence["past_h"], found.evidence["clients"]) == (past_h, others)


@pytest.fixture
def least():
    """Hours by which a client is known for four days."""
    return seen(0, 40, 80)


def test_what_others_call_too_is_not_rare(days, least):
    (found,) = days([*least, sent(100, 40_000_000, server_clients=2)])
    assert (found.evidence["rare"], found.evidence["destination_clients"], found.evidence["signs"]) == (False, 2, [])
    (found,) = days([*least, *seen(99, clients=120), sent(100, 40_000_000, server_clients=2)])
    assert found.evidence["rare"] is True


def test_a_name_s_domain_tells_how_rare_it_is(days, least):
    def rare(**columns: Any) -> Any:
        told = {
            "orig_h": CLIENT,
            "resp_h": PLACE,
            "resp_p": 443,
            "proto": "tcp",
            "name": "b.store.example",
            "sessions": 1,
        }
        (found,) = days([*least, sent(100, 40_000_000, server_clients=9)], [told | {"hour": 100} | columns])
        return found.evidence["rare"]

    assert rare(place_clients=1) is True
    assert rare(place_clients=5) is False


def test_servers_of_one_name_are_one_destination(uploads):
    conn = [upload(10 * n, 15_000_000 + 400_000 * n, resp_h=f"203.0.113.{n}", uid=f"C{n}") for n in range(3)]
    named = handshakes(conn, server_name="files.example.net")
    (found,) = uploads(conn, named)
    assert found.entity == {"orig_h": CLIENT, "key": "files.example.net"}
    assert found.context["name"] == "files.example.net" and "resp_h" not in found.context
    assert (found.evidence["servers"], found.evidence["sent_bytes"]) == (3, 46_200_000)
    assert uploads(conn, []) == []


def test_two_signs_and_a_past_need_less(days, least):
    nameless = [
        {"orig_h": CLIENT, "resp_h": PLACE, "resp_p": 443, "proto": "tcp", "name": None, "sessions": 1, "hour": 100}
    ]
    (found,) = days([*least, sent(100, 1_000_000)], nameless)
    assert found.evidence["signs"] == ["rare destination", "TLS without a name"]
    assert found.evidence["beyond_past"] is True and found.evidence["new"] is True
    assert days([*least, sent(100, 1_000_000)]) == []
    assert days([*least, sent(100, 999_999)], nameless) == []
    assert days([*seen(60), sent(100, 1_000_000)], nameless) == []  # a day and a half of past are none


def test_drop_by_drop(days, least):
    drops = [sent(95 + n, 120_000, upload_sizes=[20_000] * 6) for n in range(9)]
    (found,) = days(least + drops)
    assert found.evidence["signs"] == ["rare destination", "drop by drop"]
    assert (found.evidence["sent_bytes"], found.evidence["active_hours"]) == (1_080_000, 9)
    assert days(least + [row | {"server_clients": 5} for row in drops]) == []
    assert days(least + [row | {"upload_sizes": [9_000, 30_000, 20_000, 12_000]} for row in drops]) == []


@pytest.mark.parametrize(
    ("columns", "channel"),
    [
        ({"least_proto": "icmp", "most_proto": "icmp", "least_port": 0, "most_port": 0}, "icmp"),
        ({"least_proto": "udp", "most_proto": "udp", "least_port": 53, "most_port": 53}, "dns"),
        ({"least_port": 53}, None),
    ],
)
def test_channels_that_others_watch_are_told(days, least, columns, channel):
    (found,) = days([*least, sent(100, 40_000_000, **columns)])
    assert found.evidence["channel"] == channel


def test_media_over_udp_is_not_rare(days, least):
    call = {"least_proto": "udp", "most_proto": "udp", "least_port": 8_801, "most_port": 8_801}
    (found,) = days([*least, sent(100, 90_000_000, **call)])
    assert found.evidence["rare"] is None and found.evidence["signs"] == []


def test_a_video_call_goes_both_ways(uploads):
    calls = [upload(60 * n, 80_000_000, 60_000_000, proto="udp", resp_p=3_478) for n in range(3)]
    assert uploads(calls, []) == []


def test_more_than_ever_before_is_beyond_the_past(days, least):
    backup = [sent(h, 20_000_000, resp_h="198.51.100.30") for h in (10, 34, 58)]
    found = days([*least, *backup, sent(100, 50_000_000), sent(100, 5_000_000, resp_h="203.0.113.41")])
    assert {f.entity["key"]: f.evidence["beyond_past"] for f in found} == {PLACE: True, "203.0.113.41": False}
    (new,) = [f for f in found if f.entity["key"] == PLACE]
    assert (new.evidence["past_host_most_bytes"], new.evidence["past_destination_days"]) == (20_000_000, 0)
    assert "at most 20.0 MB a day to one before" in new.reason


def test_a_backup_each_night_is_told_of_once(days):
    nights = [sent(2 + 24 * n, 20_000_000_000 + n * 900_000_000) for n in range(9)]
    (first,) = days(nights[:1])
    assert first.evidence["signs"] == [] and first.evidence["beyond_past"] is None
    for n in (1, 2, 4, 8):
        assert days([*seen(0), *nights[: n + 1]]) == []
    (much,) = days([*seen(40), *nights[:8], sent(2 + 24 * 8, 60_000_000_000)])
    assert much.evidence["new"] is False


def test_a_backup_each_week_has_a_past(days, least):
    assert days([*least, sent(2, 20_000_000_000), sent(2 + 168, 21_000_000_000)]) == []


def test_a_folder_that_all_synchronise_is_no_news(days, least):
    """The place is everybody's, and what goes there goes up and down over the days."""
    past = [sent(24 * n + 9, size) for n, size in enumerate((80_000_000, 500_000_000, 30_000_000))]
    told = [
        {
            "orig_h": CLIENT,
            "resp_h": PLACE,
            "resp_p": 443,
            "proto": "tcp",
            "name": "sync.example",
            "place_clients": 8,
            "sessions": 9,
        }
    ]
    tls = [t | {"hour": 24 * n + 9} for n in range(5) for t in told]
    assert days([*least, *past, sent(24 * 4 + 9, 600_000_000)], tls) == []
    (found,) = days([*least, sent(24 * 4 + 9, 600_000_000)], tls)
    assert found.evidence["signs"] == []


def test_ipv6_only(uploads):
    pair = {"orig_h": "fd00::5", "resp_h": "2001:db8::40"}
    (found,) = uploads([upload(8 * n, 1_051_255, **pair) for n in range(3)])
    assert found.entity == {"orig_h": "fd00::5", "key": "2001:db8::40"}
    assert found.evidence["signs"] == ["TLS without a name", "even pieces"]


def test_a_nat_of_five_thousand_clients(days):
    """Its days are all alike, some destination gets more than before each day, and none of that is loud."""
    rows = seen(0)
    for day in range(5):
        for n in range(400):
            size = 100_000 + 9_000_017 * ((n * 7919 + day * 104_729) % 97) // 97
            rows.append(sent(24 * day + n % 24, size, resp_h=f"198.51.{n // 250}.{n % 250}"))
    rows.append(sent(119, 700_000_000, resp_h="198.51.9.9"))
    found = days(rows)
    assert {f.entity["key"] for f in found if f.evidence["beyond_past"]} == {"198.51.9.9"}


@given(st.integers(3_000_000, 10**13), st.integers(0, 10**6))
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
        row |= {
            "past_destination_days": 1,
            "past_host_most": past,
            "destination_clients": 1,
            "clients": 9,
            "nameless": 1,
        }
        return float(Exfiltration().score(pd.DataFrame([row]), Tuning())["score"][0])

    assert 0.33 < score(sent) < score(sent + sent // 50) < 1


@pytest.mark.parametrize(
    "folder", ["strato-001", "strato-008", "dnscat2-txt", "slips-test9", "ctu-botnet-4", "rita-proxy"]
)
def test_public_logs_without_one_are_quiet(evaluate, public, folder):
    assert evaluate(Exfiltration, public(folder), TABLES) == []
