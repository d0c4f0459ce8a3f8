"""Connections in, loss out: of a pair, a host, a link; and what is the sensor's, or no loss at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_plugins.detectors.packet_loss import PacketLoss

CLIENT, SERVER = "10.0.0.9", "198.51.100.30"


def conn(number: int = 0, *, up: int = 0, down: int = 0, lost: float = 0.0, **columns: Any) -> dict[str, Any]:
    """A connection with TCP timestamps, of so many full segments each way, of which a share was sent again."""
    size, again = 1448, {"up": round(up * lost / (1 - lost)), "down": round(down * lost / (1 - lost))}
    orig_pkts, resp_pkts = up + again["up"] + down // 2 + 3, down + again["down"] + up // 2 + 3
    history = "ShADad" + "T" * len(str(again["up"] or "")) + "t" * len(str(again["down"] or "")) + "fF"
    given = {"ts": 10 + number, "duration": 1.0, "orig_h": CLIENT, "orig_p": 40_000 + number, "resp_h": SERVER}
    given |= {"resp_p": 443, "proto": "tcp", "conn_state": "SF", "history": history, "missed_bytes": 0}
    given |= {"orig_bytes": size * up, "orig_pkts": orig_pkts, "resp_bytes": size * down, "resp_pkts": resp_pkts}
    given["orig_ip_bytes"] = orig_pkts * 52 + 8 + size * (up + again["up"])
    given["resp_ip_bytes"] = resp_pkts * 52 + 8 + size * (down + again["down"])
    return given | columns


def row(**columns: Any) -> dict[str, Any]:
    """What the Zeek script says of an upload of which a fifth was sent again."""
    given = {"ts": 10, "duration": 20, "uid": "Cup", "orig_h": CLIENT, "orig_p": 40_000, "resp_h": SERVER}
    given |= {"resp_p": 443, "orig_rexmit_min": 100, "orig_rexmit_max": 999, "orig_rexmit_bytes_est": 200_000}
    given |= {"resp_rexmit_min": 0, "resp_rexmit_max": 0, "resp_rexmit_bytes_est": 0, "orig_pkts": 900}
    given |= {"resp_pkts": 400, "orig_bytes": 800_000, "resp_bytes": 0, "missed_bytes": 0, "final": True}
    return given | {"duplicates": False} | columns


def test_recorded_loss_is_found_at_its_rate(evaluate, lab):
    """Truth by tshark (retransmitted over sent payload): 4.7, 24.9, 17.9 %; what the receivers dropped: 5, 20, 20 %."""
    for scenario, payload, truth in (
        ("loss_5", "sent", 0.047),
        ("loss_20", "sent", 0.249),
        ("loss_download_20", "received", 0.179),
    ):
        (found,) = evaluate(PacketLoss, lab(scenario, "tsv"))
        assert found.entity["key"] == "flow"
        assert found.evidence["payload"] == payload
        assert found.evidence["rate"] == pytest.approx(truth, rel=0.15)
        assert (found.evidence["cause"], found.evidence["seen"], found.evidence["source"]) == (
            "network",
            "again",
            "conn",
        )
        assert evaluate(PacketLoss, lab(scenario, "json")) == [found]


@pytest.mark.parametrize(
    "scenario",
    ["loss_0", "benign", "benign_tls", "exfil", "multistage", "scan_vertical", "syn_flood", "ssh_bruteforce"],
)
def test_recorded_traffic_without_loss_is_quiet(evaluate, lab, scenario):
    assert evaluate(PacketLoss, lab(scenario, "tsv")) == []


@pytest.mark.parametrize("scenario", ["loss_20", "loss_download_20", "benign"])
def test_eve_has_no_history_so_nothing_is_said(evaluate, lab, scenario):
    assert evaluate(PacketLoss, lab(scenario, "eve.json.gz")) == []


@settings(deadline=None, max_examples=20)
@given(lost=st.floats(0.05, 0.4), segments=st.integers(200, 5000), down=st.booleans())
def test_the_rate_is_what_was_sent_again_of_what_was_sent(evaluate, rows, lost, segments, down):
    made = conn(up=0 if down else segments, down=segments if down else 0, lost=lost)
    (found,) = evaluate(PacketLoss, rows("conn", [made]))
    assert found.evidence["rate"] == pytest.approx(lost, abs=0.01)
    assert found.score == pytest.approx(found.evidence["rate"] / (found.evidence["rate"] + 0.1), abs=1e-5)
    assert found.evidence["payload"] == ("received" if down else "sent")


def test_a_finding_s_words(evaluate, rows):
    (found,) = evaluate(PacketLoss, rows("conn", [conn(up=1000, lost=0.2, uid="Cup")]))
    assert found.reason == (
        "10.0.0.9 sent 362,008 of 1,810,008 payload bytes (20.0%) to 198.51.100.30 port 443 again, in 1 connection"
    )
    assert found.context == {"proto": "tcp", "direction": "outbound"}
    assert found.uids == ("Cup",)
    assert found.evidence["pairs_found"] == 1


def test_ipv6_headers_are_longer(evaluate, rows):
    v6 = {"orig_h": "fd00:10::9", "resp_h": "2001:db8::30"}
    made = conn(up=1000, lost=0.1)
    made |= v6 | {
        side: made[side] + 20 * made[side.replace("ip_bytes", "pkts")] for side in ("orig_ip_bytes", "resp_ip_bytes")
    }
    (found,) = evaluate(PacketLoss, rows("conn", [made]))
    assert found.evidence["rate"] == pytest.approx(0.1, abs=0.005)


def test_without_timestamps(evaluate, rows):
    made = conn(up=1000, lost=0.1)
    made |= {
        side: made[side] - 12 * made[side.replace("ip_bytes", "pkts")] for side in ("orig_ip_bytes", "resp_ip_bytes")
    }
    (found,) = evaluate(PacketLoss, rows("conn", [made]))
    assert found.evidence["rate"] == pytest.approx(0.1, abs=0.001)


def test_acks_are_no_payload(evaluate, rows):
    """A client that acknowledges a lossless download with SACK blocks, and said 12 kB itself."""
    made = conn(up=9, down=4000)
    made["orig_ip_bytes"] += 24 * made["orig_pkts"]
    assert evaluate(PacketLoss, rows("conn", [made])) == []
    assert evaluate(PacketLoss, rows("conn", [made | {"history": "ShADadTfF", "orig_bytes": 60_000}])) == []


def test_letters_bound_what_the_bytes_say(evaluate, rows):
    """20 bytes of other options in each small packet: 9 retransmissions at most are no sixth of 500 kB."""
    odd = conn(orig_bytes=500_000, resp_bytes=500_000, orig_pkts=6000, resp_pkts=6000, history="ShADTadtfF")
    odd |= {"orig_ip_bytes": 6000 * 60 + 500_000, "resp_ip_bytes": 6000 * 60 + 500_000}
    assert evaluate(PacketLoss, rows("conn", [odd])) == []


def test_what_was_lost_before_the_sensor_counts_at_least(evaluate, rows):
    """Only the second copy is seen, late: letters, and no bytes over."""
    clean = conn(down=1000) | {"history": "ShADadttfF"}
    assert evaluate(PacketLoss, rows("conn", [clean])) == []
    (found,) = evaluate(PacketLoss, rows("conn", [clean | {"history": "ShADadtttfF"}]))
    assert found.evidence["seen"] == "late"
    assert 0.08 <= found.evidence["rate"] <= 0.1
    assert "at least" in found.reason


def test_keep_alives_of_a_byte_are_no_loss(evaluate, rows):
    """They are letters, too, but come less often than each second."""
    idle = conn(up=60, history="ShADTTadfF", duration=30)
    assert evaluate(PacketLoss, rows("conn", [idle])) == []
    assert len(evaluate(PacketLoss, rows("conn", [idle | {"duration": 3}]))) == 1


@pytest.mark.parametrize(("rate", "hits"), [(0.035, 1), (0.025, 0)])
def test_the_least_rate(evaluate, rows, rate, hits):
    assert len(evaluate(PacketLoss, rows("conn", [conn(up=2000, lost=rate)]))) == hits


def test_small_connections_add_up_to_a_pair(evaluate, rows):
    small = [conn(n, up=12, lost=0.25) for n in range(3)]
    assert evaluate(PacketLoss, rows("conn", small[:1])) == []
    (found,) = evaluate(PacketLoss, rows("conn", small))
    assert (found.evidence["connections"], found.evidence["lossy_connections"]) == (3, 3)


def test_a_host_explains_its_pairs_and_a_link_its_hosts(evaluate, rows):
    peers = [conn(n, up=300, lost=0.1, resp_h=f"198.51.100.{n}") for n in range(1, 5)]
    (host,) = evaluate(PacketLoss, rows("conn", peers))
    assert (host.entity["orig_h"], host.entity["key"]) == (CLIENT, "host")
    assert (host.evidence["peers"], host.evidence["lossy_peers"]) == (4, 4)
    hosts = [conn(n, up=300, lost=0.1, orig_h=f"10.0.0.{n}", resp_h=f"198.51.100.{n}") for n in range(1, 5)]
    (link,) = evaluate(PacketLoss, rows("conn", hosts + peers))
    assert (link.entity["orig_h"], link.entity["key"]) == (None, "link outbound")
    assert (link.evidence["hosts"], link.evidence["lossy_hosts"]) == (5, 5)


def test_one_bad_peer_is_no_bad_host_and_one_bad_host_no_bad_link(evaluate, rows):
    bad = conn(up=3000, lost=0.2)
    peers = [conn(n, up=300, resp_h=f"198.51.100.{n}") for n in range(1, 5)]
    hosts = [conn(n, up=300, orig_h=f"10.0.0.1{n}") for n in range(1, 5)]
    (found,) = evaluate(PacketLoss, rows("conn", [bad, *peers, *hosts]))
    assert found.entity == {"orig_h": CLIENT, "resp_h": SERVER, "resp_p": 443, "key": "flow"}


def test_a_server_that_loses_towards_all_its_clients_is_a_host(evaluate, rows):
    clients = [conn(n, down=300, lost=0.1, orig_h=f"10.0.1.{n}", resp_h="10.0.0.2") for n in range(1, 3)]
    assert {f.entity["key"] for f in evaluate(PacketLoss, rows("conn", clients))} == {"flow"}
    clients += [conn(9, down=300, lost=0.1, orig_h="198.51.100.9", resp_h="10.0.0.2")]
    clients += [conn(10 + n, down=300, lost=0.1, orig_h=f"198.51.100.{n}", resp_h="10.0.0.2") for n in range(3)]
    found = evaluate(PacketLoss, rows("conn", clients))
    assert ("10.0.0.2", "host") in {(f.entity["orig_h"], f.entity["key"]) for f in found}


def test_the_worst_pairs_only(evaluate, rows):
    many = [conn(n, up=100 + 100 * n, lost=0.1, orig_h=f"10.0.{n}.1", resp_h=f"10.1.{n}.1") for n in range(2)]
    (found,) = evaluate(PacketLoss, rows("conn", many), most_flows=1)
    assert (found.entity["orig_h"], found.evidence["pairs_found"]) == ("10.0.1.1", 2)


def test_a_mirror_port_s_duplicates_are_no_loss(evaluate, rows):
    twice = [conn(n, up=60, down=600) | {"history": "ShADTTadttfF", "resp_h": f"198.51.100.{n}"} for n in range(1, 5)]
    for made in twice:
        for column in ("orig_pkts", "resp_pkts", "orig_ip_bytes", "resp_ip_bytes"):
            made[column] *= 2
        made["history"] = "ShADTTTadtttfF"
    (found,) = evaluate(PacketLoss, rows("conn", twice))
    assert (found.entity["key"], found.evidence["cause"]) == ("duplicates border", "duplicates")
    assert (found.evidence["doubled_connections"], found.evidence["connections"]) == (4, 4)
    clean = [conn(n, up=600, resp_h=f"198.51.100.{n}") for n in range(5, 20)]
    assert {f.evidence["cause"] for f in evaluate(PacketLoss, rows("conn", [*twice[:1], *clean]))} == {"network"}


def test_capture_loss_is_the_sensor_s(evaluate, rows):
    holes = [conn(n, down=300) for n in range(4)]
    for made in holes:
        made |= {"missed_bytes": 40 * 1448, "resp_ip_bytes": made["resp_ip_bytes"] - 40 * 1500}
    (found,) = evaluate(PacketLoss, rows("conn", holes))
    assert (found.entity["key"], found.evidence["cause"]) == ("capture", "capture")
    assert found.evidence["rate"] == pytest.approx(40 / 300, abs=0.01)
    assert evaluate(PacketLoss, rows("conn", holes[:2])) == []


def test_loss_beside_holes_is_still_measured(evaluate, rows):
    made = conn(down=1000, lost=0.2)
    made |= {"missed_bytes": 100 * 1448, "resp_ip_bytes": made["resp_ip_bytes"] - 100 * 1500}
    made["resp_pkts"] -= 100
    (found,) = evaluate(PacketLoss, rows("conn", [made]))
    assert found.evidence["rate"] == pytest.approx(0.2 * 1000 / 1000, abs=0.02)
    assert found.evidence["sensor_missed_bytes"] == 144_800


def test_the_script_s_rows_lead_over_conn(evaluate, rows):
    tables = rows("aegis_retransmission", [row()]) | rows("conn", [conn(up=1000, lost=0.4, uid="Cup")])
    (found,) = evaluate(PacketLoss, tables)
    assert (found.evidence["source"], found.evidence["rate"]) == ("aegis_retransmission", 0.2)


def test_the_newest_row_of_an_open_connection_counts(evaluate, rows):
    live = [row(final=False, duration=300, orig_rexmit_bytes_est=50_000, orig_bytes=450_000, orig_pkts=400)]
    live += [row(final=False, duration=600), row(duration=600, orig_bytes=800_000)]
    (found,) = evaluate(PacketLoss, rows("aegis_retransmission", live))
    assert (found.evidence["sent_bytes"], found.evidence["sent_again_bytes"]) == (1_000_000, 200_000)


def test_a_long_connection_counts_with_what_it_did_in_the_window(evaluate, rows):
    """Half the bytes of each hour: the second hour has none sent again."""
    live = [row(final=False, duration=3500), row(duration=7000, orig_bytes=1_600_000, orig_pkts=1800)]
    found = evaluate(PacketLoss, rows("aegis_retransmission", live))
    assert {f.evidence["rate"] for f in found} == {0.2}
    assert max(f.last_us for f in found) < 475_001 * 3600 * 1_000_000


def test_marked_duplicates_are_left_out(evaluate, rows):
    (found,) = evaluate(PacketLoss, rows("aegis_retransmission", [row(duplicates=True)]))
    assert found.evidence["cause"] == "duplicates"


def test_nothing_is_said_without_counts(evaluate, rows):
    for column in ("history", "orig_bytes", "orig_pkts", "orig_ip_bytes", "resp_ip_bytes", "proto"):
        assert evaluate(PacketLoss, rows("conn", [conn(up=1000, lost=0.2, **{column: None})])) == []


@pytest.mark.parametrize("folder", ["strato-008", "ctu-botnet-4", "slips-test9", "strato-001", "rita-proxy"])
def test_public_logs_are_quiet(evaluate, public, folder):
    assert [f for f in evaluate(PacketLoss, public(folder)) if f.evidence["cause"] == "network"] == []
