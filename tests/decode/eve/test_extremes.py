"""Numbers and times of EVE that nothing can hold: null, never an error that ends the reading."""

from __future__ import annotations

import json

import pytest

from aegis_enrich.decode import decode, eve

WHEN = "2023-11-14T22:13:20.123456+0000"
HUGE = 2**63 - 1


def row(table: str, **event: object):
    line = {"timestamp": WHEN, "flow_id": 1, "src_ip": "192.0.2.1", "proto": "TCP", **event}
    found = decode("eve", json.dumps(line).encode() + b"\n", offset=0, context="", sensor="s")
    assert not found.bad
    return found.tables[table].to_pylist()[0]


@pytest.mark.parametrize("number", [HUGE, -HUGE - 1, 2**53 + 1])
def test_counts(number):
    flow = {"pkts_toserver": number, "pkts_toclient": number, "bytes_toserver": number, "bytes_toclient": -HUGE - 1}
    conn = row("conn", event_type="flow", flow=flow)
    assert (conn["orig_pkts"], conn["resp_pkts"]) == (None, None)
    assert row("http", event_type="http", tx_id=number, http={"hostname": "a"})["trans_depth"] is None


def test_counters():
    tcp = {"ssn_memcap_drop": HUGE, "segment_memcap_drop": 2**32}
    assert row("suricata_stats", event_type="stats", stats={"uptime": 1, "tcp": tcp})["tcp_memcap_drop"] is None


def test_an_event_that_no_query_can_take_is_bad_and_no_other(monkeypatch):
    of = eve._sql
    monkeypatch.setattr(
        eve, "_sql", lambda event, table: of(event, table).replace("WHERE", "WHERE flow_id::BIGINT + number > 0 AND")
    )
    server = {"sni": "a", "fingerprint": "aa"}
    events = [{"event_type": "tls", "timestamp": WHEN, "flow_id": n, "tls": server} for n in (1, 2, HUGE, 4, 5)]
    lines = [json.dumps(event).encode() for event in events]
    found = decode("eve", b"\n".join(lines) + b"\n", offset=0, context="", sensor="s")
    assert [(b.line, "Overflow" in b.reason) for b in found.bad] == [(lines[2], True)]
    assert found.tables["ssl"].num_rows == 4
    assert (found.lines, len(found.bad)) == (5, 1)


@pytest.mark.parametrize("when", ["infinity", "-infinity", "290309-12-22T00:00:00Z", "-0001-01-01T00:00:00Z", "now"])
def test_times(when):
    conn = row("conn", event_type="flow", flow={"start": when, "end": when})
    assert conn["ts"].year == 2023 and conn["duration"] is None
    lone = json.dumps({"timestamp": when, "event_type": "flow"}).encode()
    assert [b.reason for b in decode("eve", lone, offset=0, context="", sensor="s").bad] == ["no ts"]


def test_file_times():
    smb = {"command": "SMB2_COMMAND_CREATE", "filename": "x", "created": HUGE, "modified": 1}
    found = row("smb_files", event_type="smb", smb=smb)
    assert found["times_created"] is None and found["times_modified"].year == 1970
