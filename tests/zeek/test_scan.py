"""aegis_scan over packets made for it: what is evidence of a scan, what looks like one, and when a row is written."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "zeek_scripts" / "scan.zeek"
ZEEK = shutil.which("zeek")
pytestmark = pytest.mark.skipif(ZEEK is None, reason="no zeek on PATH")

START_S = 1_700_000_000
SYN, ACK, FIN, RST = 0x02, 0x10, 0x01, 0x04
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
SCANNER, SCANNER6 = "10.10.0.14", "fd00:10::14"
Packet = tuple[float, bytes]  # seconds after the start, frame
Rows = Callable[..., list[dict[str, Any]]]


def frame(source: str, target: str, protocol: int, payload: bytes) -> bytes:
    ends = ip_address(source).packed + ip_address(target).packed
    if len(ends) == 32:
        return bytes(12) + b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + ends + payload
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0)
    return bytes(12) + b"\x08\x00" + header + ends + payload


def tcp(source: str, target: str, ports: tuple[int, int], flags: int, seq: int = 100, size: int = 0) -> bytes:
    payload = struct.pack(">HHIIBBHHH", *ports, seq, 1 if flags & ACK else 0, 0x50, flags, 1024, 0, 0) + bytes(size)
    return frame(source, target, TCP, payload)


def udp(source: str, target: str, ports: tuple[int, int], size: int = 8) -> bytes:
    return frame(source, target, UDP, struct.pack(">HHHH", *ports, 8 + size, 0) + bytes(size))


def icmp(source: str, target: str, kind: int, code: int = 0, payload: bytes = bytes(16)) -> bytes:
    return frame(source, target, ICMP6 if ":" in source else ICMP, struct.pack(">BBHI", kind, code, 0, 0) + payload)


def hosts(count: int, v6: bool = False) -> list[str]:
    return [f"fd00:20::{n:x}" if v6 else f"10.20.0.{n}" for n in range(1, count + 1)]


def each(frames: Iterable[bytes], at_s: float = 0.0, gap_s: float = 0.01) -> list[Packet]:
    return [(at_s + n * gap_s, one) for n, one in enumerate(frames)]


def half_open(target: str, port: int) -> list[bytes]:
    ports, back = (40000, port), (port, 40000)
    return [
        tcp(SCANNER, target, ports, SYN),
        tcp(target, SCANNER, back, SYN | ACK),
        tcp(SCANNER, target, ports, RST, seq=101),
    ]


def served(client: str, target: str, ports: tuple[int, int]) -> list[bytes]:
    back = ports[::-1]
    return [
        tcp(client, target, ports, SYN),
        tcp(target, client, back, SYN | ACK),
        tcp(client, target, ports, ACK, seq=101),
        tcp(client, target, ports, ACK, seq=101, size=50),
        tcp(target, client, back, ACK, seq=101, size=500),
        tcp(client, target, ports, FIN | ACK, seq=151),
        tcp(target, client, back, FIN | ACK, seq=601),
        tcp(client, target, ports, ACK, seq=152),
    ]


def refused(target: str, port: int, source: str = SCANNER) -> list[bytes]:
    return [tcp(source, target, (40000, port), SYN), tcp(target, source, (port, 40000), RST | ACK, seq=0)]


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """The rows that Zeek's script writes of packets."""

    def read(packets: list[Packet], *options: str) -> list[dict[str, Any]]:
        parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
        for at, one in sorted(packets, key=lambda packet: packet[0]):
            micros = round((START_S + at) * 1e6)
            parts.append(struct.pack("<IIII", micros // 10**6, micros % 10**6, len(one), len(one)) + one)
        (tmp_path / "made.pcap").write_bytes(b"".join(parts))
        command = [str(ZEEK), "-b", "-C", "-r", "made.pcap", str(SCRIPT), "LogAscii::use_json=T", *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and not done.stderr, done.stderr
        log = tmp_path / "aegis_scan.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    return read


def counts(row: dict[str, Any], names: str = "attempts hosts ports answered refused unanswered half_open") -> list[Any]:
    return [row[name] for name in names.split()]


def test_half_open_probes_of_open_ports_are_a_scan(rows: Rows) -> None:
    (row,) = rows(each(f for host in hosts(30) for f in half_open(host, 22)))
    assert counts(row) == [30, 30, 1, 0, 0, 0, 30] and row["kind"] == "horizontal"


def test_an_answer_without_a_reset_from_the_scanner_is_half_open_too(rows: Rows) -> None:
    (row,) = rows(each(f for host in hosts(30) for f in half_open(host, 22)[:2]))
    assert counts(row) == [30, 30, 1, 0, 0, 0, 30]


def test_many_ports_of_many_hosts_are_mixed(rows: Rows) -> None:
    (row,) = rows(each(f for host in hosts(30) for port in range(1, 21) for f in refused(host, port)))
    assert counts(row) == [600, 30, 20, 0, 600, 0, 0] and row["kind"] == "mixed" and len(row["sample"]) == 10


@pytest.mark.parametrize("order", ["by host", "by port"])
def test_the_same_ports_of_some_hosts_are_vertical(rows: Rows, order: str) -> None:
    pairs = [(host, port) for host in hosts(10) for port in range(1, 21)]
    pairs.sort(key=lambda pair: pair[order == "by port"])
    (row,) = rows(each(f for pair in pairs for f in refused(*pair)))
    assert counts(row)[:3] == [200, 10, 20] and row["kind"] == "vertical"


def test_some_peers_at_a_port_each_are_no_scan(rows: Rows) -> None:
    assert rows(each(udp(SCANNER, host, (6881, 20000 + 7 * n)) for n, host in enumerate(hosts(20)))) == []


def test_a_client_of_many_servers_is_none(rows: Rows) -> None:
    made = [f for n, host in enumerate(hosts(200)) for f in served(SCANNER, host, (30000 + n, 443))]
    assert rows(each(made)) == []


def test_a_server_with_many_clients_is_none_even_when_it_is_down(rows: Rows) -> None:
    clients = [f"10.10.{n // 200}.{n % 200 + 1}" for n in range(400)]
    assert rows(each(f for client in clients for f in refused("10.20.0.1", 80, client))) == []


def test_a_resolver_some_of_whose_servers_are_down_is_none(rows: Rows) -> None:
    made: list[bytes] = []
    for n in range(600):
        host = f"10.20.{n // 200}.{n % 200 + 1}"
        made.append(udp(SCANNER, host, (20000 + n, 53)))
        made += [udp(host, SCANNER, (53, 20000 + n))] * (n % 20 != 0)
    assert rows(each(made)) == []
    (row,) = rows(each(made), "AegisScan::min_failed_share=0.0")
    assert row["hosts"] == 30 and row["answered"] > 400


def test_backscatter_is_none(rows: Rows) -> None:
    """What the target of a flood sends to the forged sources, here those of a site."""
    victim = "198.51.100.7"
    for answer in (SYN | ACK, RST | ACK):
        assert rows(each(tcp(victim, host, (80, 1000 + n), answer) for n, host in enumerate(hosts(200)))) == []
    quoted = udp("10.20.0.1", victim, (4000, 7))[14:]
    assert rows(each(icmp(victim, host, 3, 3, quoted) for host in hosts(200))) == []


def test_ends_of_forgotten_connections_are_none(rows: Rows) -> None:
    for flags in (FIN | ACK, RST, ACK):
        assert rows(each(tcp(SCANNER, host, (40000, 443), flags) for host in hosts(100))) == []


def test_answers_of_a_service_whose_questions_were_not_seen_are_none(rows: Rows) -> None:
    made = [udp("10.20.0.53", f"10.10.0.{n % 100}", (53, 30000 + n)) for n in range(300)]
    assert rows(each(made)) == []


@pytest.mark.parametrize("targets", [["224.0.0.251"], ["255.255.255.255"], ["239.1.2.3"]])
def test_multicast_and_broadcast_are_none(rows: Rows, targets: list[str]) -> None:
    assert rows(each(udp(SCANNER, targets[0], (5000, 1000 + n)) for n in range(100))) == []


def test_neighbour_discovery_and_multicast_of_ipv6_are_none(rows: Rows) -> None:
    made = [
        icmp(SCANNER6, f"ff02::1:ff00:{n:x}", 135, payload=ip_address(f"fd00:20::{n:x}").packed) for n in range(1, 99)
    ]
    made += [icmp(SCANNER6, host, 135, payload=ip_address(host).packed) for host in hosts(90, v6=True)]
    made += [icmp(SCANNER6, "ff02::1", 128), *(udp(SCANNER6, "ff02::fb", (5353, 1000 + n)) for n in range(50))]
    assert rows(each(made)) == []


def test_traceroute_is_none(rows: Rows) -> None:
    made = [udp(SCANNER, "203.0.113.9", (50000, 33434 + n)) for n in range(90)]
    made += [icmp(f"10.9.{n}.1", SCANNER, 11, 0, one[14:42]) for n, one in enumerate(made[:60])]
    assert rows(each(made)) == []


def test_pings_of_ipv6_that_nobody_answers(rows: Rows) -> None:
    (row,) = rows(each(icmp(SCANNER6, host, 128) for host in hosts(40, v6=True)))
    assert counts(row, "attempts hosts ports unanswered icmp syn kind") == [40, 40, 0, 40, 40, 0, "horizontal"]
    assert row["src"] == SCANNER6 and len(row["sample"]) == 10
    assert all(re.fullmatch(r"\[fd00:20::[0-9a-f]+\]:128/icmp", target) for target in row["sample"])


@pytest.mark.parametrize("v6", [False, True])
def test_what_a_message_refuses_is_refused_and_what_it_says_is_not_there_unanswered(rows: Rows, v6: bool) -> None:
    source = SCANNER6 if v6 else SCANNER
    unreachable, port, host_gone, header = (1, 4, 3, 48) if v6 else (3, 3, 1, 28)
    made: list[bytes] = []
    for n, target in enumerate(hosts(40, v6)):
        probe = udp(source, target, (40000, 161))
        code = port if n < 10 else host_gone
        made += [probe, icmp(target, source, unreachable, code, probe[14 : 14 + header])]
    (row,) = rows(each(made))
    assert counts(row, "attempts refused unanswered udp") == [40, 10, 30, 40]


def test_a_syn_that_an_administrator_refuses(rows: Rows) -> None:
    made: list[bytes] = []
    for target in hosts(30):
        probe = tcp(SCANNER, target, (40000, 445), SYN)
        made += [probe, icmp("10.20.0.254", SCANNER, 3, 13, probe[14:42])]
    (row,) = rows(each(made))
    assert counts(row, "attempts refused unanswered syn") == [30, 30, 0, 30]


def test_repeated_syns_are_one_attempt(rows: Rows) -> None:
    made = [
        (n * 0.01 + again, tcp(SCANNER, h, (40000, 22), SYN)) for n, h in enumerate(hosts(30)) for again in (0, 1, 3)
    ]
    (row,) = rows(made)
    assert counts(row)[:3] == [30, 30, 1]


def test_rows_are_written_after_each_window_while_the_scan_goes_on(rows: Rows) -> None:
    made = each((tcp(SCANNER, f"10.20.{n // 250}.{n % 250 + 1}", (40000, 22), SYN) for n in range(1000)), gap_s=0.2)
    found = rows(made)
    assert [row["attempts"] for row in found][:-1] == pytest.approx([300, 300, 300], abs=40)
    assert sum(row["attempts"] for row in found) == 1000
    assert all(row["ts_end"] - row["ts"] < 70 for row in found)
    assert all(a["ts_end"] < b["ts"] for a, b in pairwise(found))


def test_a_gap_in_the_capture_parts_two_scans(rows: Rows) -> None:
    """Zeek's timers run when the next packet comes; UDP then ends with what came hours before."""
    first = each(udp(SCANNER, host, (40000, 161)) for host in hosts(30))
    second = each((tcp(SCANNER, host, (40000, 22), SYN) for host in hosts(40)), at_s=7200)
    found = rows(first + second)
    assert [(row["attempts"], row["udp"]) for row in found] == [(30, 30), (40, 0)]
    assert all(row["ts_end"] - row["ts"] < 2 for row in found)


def test_the_floors_are_options(rows: Rows) -> None:
    made = each(f for host in hosts(10) for f in refused(host, 22))
    assert rows(made) == []
    assert rows(made, "AegisScan::min_hosts=10") == []
    (row,) = rows(made, "AegisScan::min_hosts=10", "AegisScan::min_attempts=10")
    assert row["hosts"] == 10
