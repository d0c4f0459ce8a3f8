"""truth.yml tells of every recorded scenario, in one form, and agrees with the captures."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab.derived import RECIPES
from lab.lab import SCENARIOS
from lab.pcaps import TCP, Packet, parts, read

DATA = Path(__file__).parents[1] / "data"
TRUTH: dict[str, dict[str, Any]] = yaml.safe_load((DATA / "lab" / "truth.yml").read_text())
FOUND_BY = TRUTH.pop("found_by")
STRETCHED = {"scan_slow_1min", "beacon_http_60s", "beacon_https_60s", "long_connection_66min", "latency_5h"}


def test_it_tells_of_each_scenario() -> None:
    recorded = {p.name for p in (DATA / "lab").iterdir() if p.is_dir()}
    assert set(TRUTH) == set(SCENARIOS) | set(RECIPES) | STRETCHED
    assert recorded <= set(TRUTH)


@pytest.mark.parametrize("name", TRUTH)
def test_its_form(name: str) -> None:
    told = TRUTH[name]
    assert set(told) <= {"when", "short", "attacks", "faults", "harmless", "wire", "rtt", "from", "edit", "frames"}
    assert "when" in told or "from" in told
    assert told.get("from", "loss_0") in TRUTH
    for act in [*told["attacks"], *told.get("faults", [])]:
        assert {"what", "who", "whom"} <= set(act)
        assert act["what"] in FOUND_BY
    for act in told.get("harmless", []):
        assert "what" in act


@pytest.mark.parametrize("name", [n for n in TRUTH if (DATA / "pcap" / f"{n}.pcap.gz").is_file()])
def test_times_lie_within_the_capture(name: str) -> None:
    packets = read(DATA / "pcap" / f"{name}.pcap.gz")
    begin, end = packets[0].ts_us / 1e6, packets[-1].ts_us / 1e6
    if "when" in TRUTH[name]:
        first, last = TRUTH[name]["when"]
        assert begin - 0.001 <= first <= last <= end + 0.001
    if "frames" in TRUTH[name]:
        base = read(DATA / "pcap" / f"{TRUTH[name]['from']}.pcap.gz")
        assert TRUTH[name]["frames"] == [len(packets), len(base)]


def sent_and_repeated(packets: list[Packet], who: str) -> tuple[list[int], int]:
    """What a host sent by TCP: segments and payload bytes; and how many bytes of it it had sent before."""
    source, sent, repeated = ip_address(who).packed, [0, 0], 0
    flows: dict[object, set[int]] = {}
    for packet in packets:
        where = parts(packet.data)
        if where and where.proto == TCP and where.source[0] == source:
            size = where.end - where.payload
            number = int.from_bytes(packet.data[where.transport + 4 : where.transport + 8], "big")
            flow = flows.setdefault(where.flow, set())
            bytes_of_it = set(range(number, number + size))
            repeated += len(bytes_of_it & flow)
            flow |= bytes_of_it
            sent = [sent[0] + 1, sent[1] + size]
    return sent, repeated


@pytest.mark.parametrize("name", [n for n in TRUTH if "wire" in TRUTH[n]])
def test_what_was_sent_again(name: str) -> None:
    packets = read(DATA / "pcap" / f"{name}.pcap.gz")
    for told in TRUTH[name]["wire"]:
        assert sent_and_repeated(packets, told["who"]) == (told["sent"], told["repeated"])
