"""aegis_packets beside tshark: sizes, directions and gaps of the first packets, exactly."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "zeek_scripts" / "packet_stats.zeek"
CAPTURES = ROOT / "tests" / "data" / "pcap"
MOST, LEAST = 20, 4

pytestmark = pytest.mark.skipif(not (shutil.which("zeek") and shutil.which("tshark")), reason="no zeek or no tshark")


def by_zeek(capture: Path, *options: str) -> list[dict[str, Any]]:
    command = ["zeek", "-b", "-C", "-r", str(capture), str(SCRIPT), "LogAscii::use_json=T", *options]
    done = subprocess.run(command, cwd=capture.parent, check=True, capture_output=True, text=True)
    assert not done.stderr
    log = capture.parent / "aegis_packets.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def by_tshark(capture: Path) -> dict[tuple[str, int, str, int], list[tuple[float, int]]]:
    """Time and size of each packet, by its connection as its first packet has it."""
    fields = ("ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "tcp.srcport", "udp.srcport", "tcp.dstport", "udp.dstport")
    command = ["tshark", "-r", str(capture), "-Y", "(tcp || udp) && !icmp && !icmpv6", "-T", "fields"]
    for field in (*fields, "frame.time_epoch", "ip.len", "ipv6.plen"):
        command += ["-e", field]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[tuple[str, int, str, int], list[tuple[float, int]]] = {}
    for line in done.stdout.splitlines():
        v4, v6, to_v4, to_v6, tcp, udp, to_tcp, to_udp, at, size, payload = line.split("\t")
        here, there = (v4 or v6, int(tcp or udp)), (to_v4 or to_v6, int(to_tcp or to_udp))
        length = int(size) if size else int(payload) + 40
        if (*there, *here) in found:
            found[*there, *here].append((float(at), -length))
        else:
            found.setdefault((*here, *there), []).append((float(at), length))
    return found


@pytest.fixture
def capture(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"{request.param}.pcap"
    path.write_bytes(gzip.decompress((CAPTURES / f"{request.param}.pcap.gz").read_bytes()))
    return path


@pytest.mark.parametrize("capture", ["loss_20", "loss_download_20_v6"], indirect=True)
def test_the_first_packets_are_those_of_the_capture(capture: Path):
    expected = {way: packets for way, packets in by_tshark(capture).items() if len(packets) >= LEAST}
    rows = by_zeek(capture)
    assert rows and len(rows) == len(expected)
    for row in rows:
        packets = expected[row["id.orig_h"], row["id.orig_p"], row["id.resp_h"], row["id.resp_p"]][:MOST]
        assert row["sizes"] == [size for _, size in packets]
        times = [at for at, _ in packets]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert row["gaps"] == pytest.approx(gaps, abs=2e-6)
        assert row["ts"] == pytest.approx(times[0], abs=1e-6)


@pytest.mark.parametrize("capture", ["loss_20"], indirect=True)
def test_options_bound_what_is_kept(capture: Path):
    rows = by_zeek(capture, "AegisPackets::max_packets=5")
    assert rows and all(len(row["sizes"]) == 5 and len(row["gaps"]) == 4 for row in rows)
    (capture.parent / "aegis_packets.log").unlink()
    assert by_zeek(capture, "AegisPackets::min_packets=21") == []
