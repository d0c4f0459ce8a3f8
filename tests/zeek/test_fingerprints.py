"""JA3, JA3S and JA4 that the scripts write equal Suricata's of the same capture; HASSH Suricata's and tshark's."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aegis_enrich.decode import decode

DATA = Path(__file__).parents[1] / "data"
# ssh.kex.hassh and ssh.kex.hasshserver of tshark 4.0.17 over tests/data/pcap/ssh_bruteforce.pcap.gz
HASSH = {"hassh": "be31134219a24899a8a0c29c7797ba94", "hasshServer": "425d29fe50d8e4f5e37efb6e24bcf660"}

Key = tuple[str, int, str, int]


def zeek_rows(scenario: str, table: str) -> list[dict[str, Any]]:
    """The rows of a golden log, plain or gzipped."""
    path = DATA / "zeek" / scenario / f"{table}.log"
    data = path.read_bytes() if path.exists() else gzip.decompress(path.with_name(path.name + ".gz").read_bytes())
    decoded = decode(table, data, offset=0, context="", sensor="test")
    assert not decoded.bad
    return decoded.tables[table].to_pylist()


def eve_tls(scenario: str) -> Iterator[tuple[Key, dict[str, str]]]:
    with gzip.open(DATA / "lab" / scenario / "eve.json.gz", "rt", encoding="utf-8") as lines:
        for event in map(json.loads, lines):
            if event["event_type"] == "tls":
                tls = event["tls"]
                key = (event["src_ip"], event["src_port"], event["dest_ip"], event["dest_port"])
                yield key, {"ja3": tls["ja3"]["hash"], "ja3s": tls["ja3s"]["hash"], "ja4": tls["ja4"]}


def test_tls_as_suricata():
    said = {(r["orig_h"], r["orig_p"], r["resp_h"], r["resp_p"]): r for r in zeek_rows("benign_tls", "ssl")}
    events = list(eve_tls("benign_tls"))
    assert len(events) == 154
    for key, fingerprints in events:
        assert {name: said[key][name] for name in fingerprints} == fingerprints


@pytest.mark.parametrize("name", sorted(HASSH))
def test_ssh_as_tshark(name: str):
    assert {row[name] for row in zeek_rows("ssh_bruteforce", "ssh")} == {HASSH[name]}


def test_ssh_as_suricata():
    rows = {(r["orig_h"], r["orig_p"], r["resp_h"], r["resp_p"]): r for r in zeek_rows("benign_hour", "ssh")}
    with gzip.open(DATA / "zeek" / "benign_hour" / "eve.json.gz", "rt", encoding="utf-8") as lines:
        events = [event for event in map(json.loads, lines) if event["event_type"] == "ssh"]
    assert events
    for event in events:
        row = rows[event["src_ip"], event["src_port"], event["dest_ip"], event["dest_port"]]
        assert row["hassh"] == event["ssh"]["client"]["hassh"]["hash"]
        assert row["hasshServer"] == event["ssh"]["server"]["hassh"]["hash"]


def test_certificates_stand_with_their_connections():
    """TLS 1.2 shows them; a row has what x509.log says of the fingerprint once a day."""
    certificates = {row["fingerprint"]: row for row in zeek_rows("benign_tls", "x509")}
    rows = [row for row in zeek_rows("benign_tls", "ssl") if row["cert_chain_fps"]]
    assert len(rows) > 20
    for row in rows:
        certificate = certificates[row["cert_chain_fps"][0]]
        assert row["subject"] == certificate["certificate_subject"]
        assert row["cert_serial"] == certificate["certificate_serial"]
        assert row["not_valid_after"] == certificate["certificate_not_valid_after"]
        assert row["cert_names"] == certificate["san_dns"]
        assert row["self_signed"] is False


def test_round_trips_of_a_handshake():
    """Every TCP connection that was answered has both; they add up to less than its duration."""
    rows = [r for r in zeek_rows("benign_tls", "conn") if r["proto"] == "tcp" and r["conn_state"] == "SF"]
    assert len(rows) > 100
    for row in rows:
        assert 0 < row["orig_rtt"] + row["resp_rtt"] < row["duration"]


def test_sizes_of_names_and_answers():
    for row in zeek_rows("benign_tls", "dns"):
        assert row["query_len"] == len(row["query"])
        assert row["answer_count"] is None or row["answer_count"] >= len(row["answers"] or ())
        assert row["answer_bytes"] == (sum(map(len, row["answers"])) if row["answers"] else None)
        assert row["response_len"] is None or row["response_len"] > row["query_len"]
