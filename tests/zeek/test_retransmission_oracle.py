"""aegis_retransmission beside tshark, on recorded losses: the estimate's bytes by connection and direction."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "zeek_scripts" / "retransmission.zeek"
CAPTURES = ROOT / "tests" / "data" / "pcap"
FLOOR = 3000  # bytes, as `min_bytes` of the script
TOLERANCE = 0.15  # of what tshark calls a retransmission
OPTIONS = 32  # bytes: what handshakes have of options beyond those of data
LOSSES = ("loss_5", "loss_20", "loss_download_20")
AGAIN = ("tcp.analysis.retransmission", "tcp.analysis.fast_retransmission", "tcp.analysis.spurious_retransmission")

pytestmark = pytest.mark.skipif(not (shutil.which("zeek") and shutil.which("tshark")), reason="no zeek or no tshark")


class Way(NamedTuple):
    """One direction of a connection."""

    source: str
    source_port: int
    target: str
    target_port: int


def unpacked(name: str, folder: Path) -> Path:
    capture = folder / f"{name}.pcap"
    capture.write_bytes(gzip.decompress((CAPTURES / f"{name}.pcap.gz").read_bytes()))
    return capture


def by_zeek(capture: Path) -> list[dict[str, Any]]:
    command = ["zeek", "-b", "-C", "-r", capture, SCRIPT, "LogAscii::use_json=T"]
    subprocess.run(command, cwd=capture.parent, check=True, capture_output=True)
    log = capture.parent / "aegis_retransmission.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def ways(rows: list[dict[str, Any]]) -> Counter[Way]:
    found: Counter[Way] = Counter()
    for row in rows:
        orig, resp = (row["id.orig_h"], row["id.orig_p"]), (row["id.resp_h"], row["id.resp_p"])
        found[Way(*orig, *resp)] += row["orig_rexmit_bytes_est"]
        found[Way(*resp, *orig)] += row["resp_rexmit_bytes_est"]
    return found


def by_tshark(capture: Path) -> tuple[Counter[Way], Counter[Way]]:
    """Payload bytes of the frames that tshark takes for any kind of retransmission; and those that were there before.

    The second is by sequence numbers alone: of two hosts microseconds apart, tshark takes some frames that come again
    for ones out of order.
    """
    fields = (
        "ip.src",
        "ipv6.src",
        "tcp.srcport",
        "ip.dst",
        "ipv6.dst",
        "tcp.dstport",
        "tcp.seq_raw",
        "tcp.len",
        *AGAIN,
    )
    command = ["tshark", "-r", str(capture), "-Y", "tcp.len > 0", "-T", "fields"]
    command += [part for field in fields for part in ("-e", field)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    again: Counter[Way] = Counter()
    seen: dict[Way, Counter[int]] = defaultdict(Counter)
    for line in done.stdout.splitlines():
        v4, v6, port, to_v4, to_v6, to_port, first, size, *kinds = line.split("\t")
        way = Way(v4 or v6, int(port), to_v4 or to_v6, int(to_port))
        again[way] += int(size) if any(kinds) else 0
        seen[way].update(range(int(first), int(first) + int(size)))
    return again, Counter({way: bytes_.total() - len(bytes_) for way, bytes_ in seen.items()})


def agree(capture: Path) -> None:
    rows, (again, twice) = by_zeek(capture), by_tshark(capture)
    found = ways(rows)
    assert rows and all(row["final"] for row in rows)
    assert {way for way, size in again.items() if size > FLOOR} <= set(found)
    for way, size in found.items():
        assert abs(size - again[way]) <= TOLERANCE * again[way], (way, size, again[way])
        assert abs(size - twice[way]) <= OPTIONS, (way, size, twice[way])


@pytest.mark.parametrize("name", [*LOSSES, *(f"{name}_v6" for name in LOSSES), "loss_20_id0"])
def test_bytes_agree_by_direction(tmp_path: Path, name: str):
    capture = unpacked(name, tmp_path)
    agree(capture)
    assert not any(row["duplicates"] or row["missed_bytes"] for row in by_zeek(capture))


@pytest.mark.parametrize("name", ["retransmit-fast009.trace", "ssh-dups.pcap"])
def test_bytes_agree_on_zeek_s_own_traces(tmp_path: Path, name: str):
    """The folder testing/btest/Traces/tcp of Zeek's source, in ZEEK_TRACES."""
    trace = Path(os.environ.get("ZEEK_TRACES", "")) / name
    if not trace.is_file():
        pytest.skip("ZEEK_TRACES names no folder with it")
    agree(Path(shutil.copy(trace, tmp_path)))


@pytest.mark.parametrize("name", ["loss_0", "loss_0_v6", "keepalive", "keepalive_byte"])
def test_no_loss_no_row(tmp_path: Path, name: str):
    assert by_zeek(unpacked(name, tmp_path)) == []


@pytest.mark.parametrize("name", ["loss_0_span", "loss_20_span", "loss_20_v6_span"])
def test_a_mirror_that_doubles_shows(tmp_path: Path, name: str):
    rows = by_zeek(unpacked(name, tmp_path))
    assert rows and all(row["duplicates"] for row in rows)


def test_a_sensor_that_loses_packets_shows(tmp_path: Path):
    rows = by_zeek(unpacked("loss_20_holes", tmp_path))
    assert any(row["missed_bytes"] for row in rows) and not any(row["duplicates"] for row in rows)
