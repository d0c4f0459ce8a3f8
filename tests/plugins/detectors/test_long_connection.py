"""Connections in, long ones out: closed, still open, named, and what lasts by design."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from aegis_enrich.plugin import HOUR_US
from aegis_plugins.detectors.long_connection import LongConnection
from aegis_plugins.tables.lasting_hour import LastingHour

CLIENT, SERVER = "10.0.0.1", "198.51.100.7"


@pytest.fixture
def evaluate(evaluate):
    """With the hours that it reads."""
    return partial(evaluate, derived=[LastingHour])


def conn(**columns: Any) -> dict[str, Any]:
    """A connection of two hours that began when the hour did."""
    given = {"ts": 0.25, "duration": 7200, "uid": "Clong", "orig_h": CLIENT, "orig_p": 40_000, "resp_h": SERVER}
    given |= {"resp_p": 443, "proto": "tcp", "conn_state": "SF", "orig_bytes": 1000, "resp_bytes": 20_000}
    return given | columns


def test_a_long_connection_s_numbers(evaluate, rows):
    (found,) = evaluate(LongConnection, rows("conn", [conn(), conn(uid="Cshort", duration=3599.9, orig_p=40_001)]))
    start_us = 475_000 * HOUR_US
    assert found.entity == {
        "orig_h": CLIENT,
        "orig_p": 40_000,
        "resp_h": SERVER,
        "resp_p": 443,
        "proto": "tcp",
        "start_us": start_us,
    }
    assert found.period_us == start_us
    assert (found.first_us, found.last_us) == (start_us + 250_000, start_us + 7_200_250_000)
    assert found.score == round(7200 / (7200 + 43_200), 6)
    assert (found.evidence["duration_s"], found.evidence["still_open"]) == (7200.0, False)
    assert found.context["direction"] == "outbound"
    assert found.uids == ("Clong",)
    assert found.reason == (
        "10.0.0.1 held a connection to 198.51.100.7:443/tcp open for 2.0 h, 1,000 bytes sent and 20,000 received"
    )


@pytest.mark.parametrize(("duration", "hits"), [(3600, 1), (3599.999999, 0)])
def test_the_least_duration(evaluate, rows, duration, hits):
    assert len(evaluate(LongConnection, rows("conn", [conn(duration=duration)]))) == hits


def test_what_tuning_lowers_is_found(evaluate, lab):
    (found,) = evaluate(LongConnection, lab("long_connection", "tsv"), min_duration_s=60)
    assert (found.entity["orig_h"], found.entity["resp_h"], found.entity["resp_p"]) == (
        "10.10.0.11",
        "203.0.113.45",
        4444,
    )
    assert evaluate(LongConnection, lab("long_connection", "json"), min_duration_s=60) == [found]
    assert evaluate(LongConnection, lab("long_connection", "tsv")) == []


def test_an_open_one_is_one_entity_until_it_is_closed(evaluate, rows):
    snapshots = rows("open_conn", [conn(duration=3600), conn(duration=7200), conn(duration=7000)])
    found = evaluate(LongConnection, snapshots | rows("conn", [conn(duration=7300)]))
    assert len({tuple(f.entity.items()) for f in found}) == 1
    assert [(f.evidence["duration_s"], f.evidence["still_open"]) for f in found] == [(7000.0, True), (7300.0, False)]
    assert [f.score for f in found] == sorted(f.score for f in found)
    (first,) = evaluate(LongConnection, rows("open_conn", [conn(duration=3600, uid="Copen")]))
    assert "has held a connection" in first.reason


def test_the_start_is_the_same_where_sensors_differ_by_microseconds(evaluate, rows):
    one, other = (evaluate(LongConnection, rows("conn", [conn(ts=ts)]))[0] for ts in (5.000001, 5.000003))
    assert one.entity == other.entity


@pytest.mark.parametrize(
    "columns",
    [
        {"proto": "icmp", "orig_p": 8, "resp_p": 0},
        {"proto": "udp", "resp_p": 53},
        {"proto": "udp", "resp_p": 5300, "service": "dns"},
        {"proto": "udp", "resp_p": 123},
        {"proto": "udp", "resp_h": "239.255.255.250", "resp_p": 4000},
        {"proto": "udp", "resp_h": "255.255.255.255", "resp_p": 4000},
        {"proto": "udp", "orig_h": "fd00::1", "resp_h": "ff02::1", "resp_p": 4000},
    ],
)
def test_what_lasts_by_design_is_none(evaluate, rows, columns):
    assert evaluate(LongConnection, rows("conn", [conn(**columns)])) == []


def test_dns_over_tcp_and_one_way_udp_count(evaluate, rows):
    odd = [conn(resp_p=53), conn(proto="udp", resp_p=51_820, conn_state="S0", orig_p=40_001)]
    assert len(evaluate(LongConnection, rows("conn", odd))) == 2


@pytest.mark.parametrize(
    ("table", "column", "text", "name"),
    [
        ("ssl", "server_name", "C2.test", "c2.test"),
        ("open_ssl", "server_name", "c2.test", "c2.test"),
        ("quic", "server_name", "c2.test", "c2.test"),
        ("http", "host", "c2.test:8000", "c2.test"),
        ("open_http", "host", "c2.test.", "c2.test"),
        ("http", "host", "198.51.100.7:8000", None),
        ("http", "host", "[2001:db8::1]:8000", None),
        ("http", "host", "2001:db8::1", None),
        ("http", "host", "", None),
    ],
)
def test_names_come_by_uid(evaluate, rows, table, column, text, name):
    tables = rows("conn", [conn()]) | rows(
        table, [{"ts": 1, "uid": "Clong", column: text}, {"ts": 1, column: "other.test"}]
    )
    (found,) = evaluate(LongConnection, tables)
    assert found.context.get("name") == name


def test_tls_leads_over_http(evaluate, rows):
    tables = rows("conn", [conn()]) | rows("http", [{"ts": 1, "uid": "Clong", "host": "proxy.test"}])
    (found,) = evaluate(LongConnection, tables | rows("ssl", [{"ts": 2, "uid": "Clong", "server_name": "c2.test"}]))
    assert found.context["name"] == "c2.test"
    assert found.evidence["http_host"] == "proxy.test"


def test_rows_without_counts_or_uid_are_told(evaluate, rows):
    (found,) = evaluate(LongConnection, rows("conn", [conn(uid=None, orig_bytes=None, resp_bytes=None)]))
    assert found.uids == ()
    assert found.reason.endswith("open for 2.0 h")


def test_longer_scores_higher(evaluate, rows):
    durations = [3600, 3601, 7200, 43_200, 86_400, 86_410, 604_800, 2_000_000]
    many = [conn(duration=d, orig_p=n, uid=f"C{n}") for n, d in enumerate(durations)]
    found = sorted(evaluate(LongConnection, rows("conn", many)), key=lambda f: f.evidence["duration_s"])
    scores = [f.score for f in found]
    assert sorted(set(scores)) == scores
    assert scores[3] == 0.5


@pytest.mark.parametrize("scenario", ["benign", "benign_tls", "scan_slow_1min", "dns_tunnel", "multistage"])
def test_recorded_traffic_without_one_is_quiet(evaluate, lab, scenario):
    assert evaluate(LongConnection, lab(scenario, "tsv")) == []


def test_public_open_connections(evaluate, public):
    found = evaluate(LongConnection, public("rita-open-sni"))
    entities = {tuple(f.entity.items()) for f in found}
    assert 3 <= len(entities) <= 12
    named = {tuple(f.entity.items()) for f in found if f.context.get("name") == "ce7.stearns.org"}
    assert len(named) == 3
    assert "icmp" not in {f.entity["proto"] for f in found}
    assert evaluate(LongConnection, public("rita-open-conns/open")) == []


def test_a_host_that_holds_a_push_channel_scores_low(evaluate, public):
    found = evaluate(LongConnection, public("strato-008"))
    assert found
    assert max(f.score for f in found) < 0.4
    assert {f.evidence["pieces"] for f in found} == {1}


def test_a_connection_without_ports_is_told(evaluate, rows):
    (found,) = evaluate(LongConnection, rows("conn", [conn(orig_p=None, resp_p=None, proto="gre")]))
    assert (found.entity["orig_p"], found.entity["resp_p"]) == (None, None)
    assert "to 198.51.100.7/gre open for 2.0 h" in found.reason


CUT = {"ts": 0, "duration": 1, "resp_p": 4444, "history": "ShADa", "conn_state": "S1", "orig_pkts": 3, "resp_pkts": 2}


def cut(pieces: int, every_s: float = 400, first: int = 0, **columns: Any) -> list[dict[str, Any]]:
    """A connection that is silent for `every_s` and so cut into rows, of which only the first has a SYN."""
    heads = [conn(**CUT | {"uid": "Chead", "orig_bytes": 7, "resp_bytes": 0} | columns)]
    rest = {"history": "Da", "conn_state": "OTH", "orig_pkts": 1, "resp_pkts": 1}
    return [*heads, *(heads[0] | rest | {"ts": n * every_s, "uid": f"Cp{n:03}"} for n in range(1, pieces))][first:]


def test_pieces_that_a_silence_cut_are_one(evaluate, rows):
    found = evaluate(LongConnection, rows("conn", cut(11)))
    assert [f.evidence["duration_s"] for f in found] == [4001.0]
    (whole,) = found
    assert whole.entity["start_us"] == 475_000 * HOUR_US
    assert (whole.evidence["pieces"], whole.evidence["orig_bytes"], whole.uids) == (11, 77, ("Chead",))
    assert (whole.evidence["usual_longest_s"], whole.evidence["conn_state"]) == (None, None)
    assert "open for 1.1 h, in 11 pieces, 77 bytes sent" in whole.reason


def test_each_further_hour_finds_it_longer(evaluate, rows):
    found = evaluate(LongConnection, rows("conn", cut(100)))
    assert len({tuple(f.entity.items()) for f in found}) == 1
    durations = [f.evidence["duration_s"] for f in found]
    assert durations == sorted(set(durations)) and len(durations) == 11 and durations[-1] == 39_601.0


def test_pieces_without_a_beginning_are_one_a_day(evaluate, rows):
    found = evaluate(LongConnection, rows("conn", cut(300, first=1)))
    starts = {f.entity["start_us"] for f in found}
    assert len(starts) == 3 and all(start % (24 * HOUR_US) == 0 for start in starts)


@pytest.mark.parametrize(
    "columns",
    [
        {"resp_pkts": 0},  # nobody answers
        {"history": "ShADadFf", "conn_state": "SF"},  # each has its beginning and end
        {"orig_p": None},
        {"resp_p": 8883},  # a push channel
        {"resp_h": "10.0.0.77"},  # a pool within
    ],
)
def test_what_is_not_one_connection_is_not_joined(evaluate, rows, columns):
    several = [row | columns | {"ts": n * 400} for n, row in enumerate(cut(11))]
    assert evaluate(LongConnection, rows("conn", several)) == []


def test_a_silence_of_hours_and_a_new_beginning_end_it(evaluate, rows):
    assert evaluate(LongConnection, rows("conn", cut(3, every_s=8_000))) == []
    assert len(evaluate(LongConnection, rows("conn", cut(3, every_s=7_000)))) == 2  # told in the hours of both pieces
    again = [row | {"history": "ShADa", "conn_state": "S1"} for row in cut(11)]
    assert evaluate(LongConnection, rows("conn", again)) == []


def test_a_long_row_that_is_a_piece_is_told_as_the_whole(evaluate, rows):
    pieces = cut(3, every_s=400)
    pieces[2] |= {"duration": 5_000}
    (whole,) = evaluate(LongConnection, rows("conn", pieces))
    assert (whole.evidence["duration_s"], whole.evidence["pieces"]) == (5_800.0, 3)


def test_a_server_that_speaks_first_after_a_silence_is_no_client(evaluate, rows):
    pieces = cut(11)
    for piece in pieces[3:8]:
        piece |= {
            "orig_h": SERVER,
            "orig_p": 4444,
            "resp_h": CLIENT,
            "resp_p": 40_000,
            "orig_bytes": 1,
            "resp_bytes": 9,
        }
    (whole,) = evaluate(LongConnection, rows("conn", pieces))
    assert (whole.entity["orig_h"], whole.entity["resp_p"], whole.evidence["pieces"]) == (CLIENT, 4444, 11)
    assert (whole.evidence["orig_bytes"], whole.evidence["resp_bytes"]) == (6 * 7 + 5 * 9, 5)
    assert whole.context["direction"] == "outbound"


@pytest.mark.parametrize("form", ["tsv", "json"])
def test_the_recorded_one_that_was_silent(evaluate, lab, form):
    (found,) = evaluate(LongConnection, lab("long_connection_66min", form))
    assert (found.entity["orig_h"], found.entity["resp_h"]) == ("10.10.0.11", "203.0.113.45")
    assert (found.evidence["pieces"], round(found.evidence["duration_s"])) == (11, 4_001)


def past(days: int, duration: float = 1_000, clients: int = 1) -> list[dict[str, Any]]:
    """Connections of so many clients, each an hour of each day."""
    return [
        conn(ts=day * 86_400 + 60, duration=duration, uid=f"Cpast{day}{n}", orig_h=f"10.0.0.{n + 1}", orig_p=50_000)
        for day in range(days)
        for n in range(clients)
    ]


def test_longer_than_the_pair_ever_had(evaluate, rows):
    found = evaluate(LongConnection, rows("conn", [*past(5), conn(ts=4 * 86_400 + 7_200)]))
    assert [(f.evidence["usual_longest_s"], f.evidence["times_usual"]) for f in found] == [(1_000.0, 7.2)]
    assert found[0].reason.endswith("; the longest there in the week before was 1,000 s")


def test_the_port_is_the_past_of_a_new_pair(evaluate, rows):
    odd = conn(ts=4 * 86_400 + 7_200, orig_h="10.0.0.99")
    found = evaluate(LongConnection, rows("conn", [*past(4, clients=10), odd]))
    assert [f.evidence["times_usual"] for f in found] == [7.2]
    assert [f.evidence["times_usual"] for f in evaluate(LongConnection, rows("conn", [*past(4, clients=9), odd]))] == [
        None
    ]


def test_below_the_least_history_there_is_no_past(evaluate, rows):
    found = evaluate(LongConnection, rows("conn", [*past(3), conn(ts=2 * 86_400 + 7_200)]))
    assert [f.evidence["times_usual"] for f in found] == [None]
