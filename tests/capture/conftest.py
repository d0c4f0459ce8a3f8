"""Captures made by the byte, and sensors that do what a test says."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis_enrich.capture import Sensor, sensors

ORDERS = {"little": "<", "big": ">"}


def pcap(packets: int, *, magic: int = 0xA1B2C3D4, order: str = "little", extra: int = 0, size: int = 60) -> bytes:
    """A pcap file of packets of zeros; `extra`: bytes that its packet headers are longer by."""
    header = struct.pack(f"{ORDERS[order]}IHHiIII", magic, 2, 4, 0, 0, 262_144, 1)
    packet = struct.pack(f"{ORDERS[order]}IIII", 1, 2, size, size) + bytes(extra) + bytes(size)
    return header + packet * packets


def block(kind: int, body: bytes, order: str) -> bytes:
    length = 12 + len(body)
    return struct.pack(f"{ORDERS[order]}II", kind, length) + body + struct.pack(f"{ORDERS[order]}I", length)


def pcapng(packets: int, *, order: str = "little", size: int = 60) -> bytes:
    """A pcapng section with one interface."""
    said = ORDERS[order]
    section = block(0x0A0D0D0A, struct.pack(f"{said}IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    interface = block(1, struct.pack(f"{said}HHI", 1, 0, 0), order)
    packet = block(6, struct.pack(f"{said}IIIII", 0, 0, 1, size, size) + bytes(size), order)
    return section + interface + packet * packets


@pytest.fixture(scope="session")
def made() -> dict[str, Callable[..., bytes]]:
    return {"pcap": pcap, "pcapng": pcapng}


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, with no sensor anywhere else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sensors, "PLACES", {"zeek": (), "suricata": ()})
    return folder


@pytest.fixture
def fake(nowhere: Path) -> Callable[..., Sensor]:
    """Installs a sensor that is this shell script."""

    def install(script: str, name: str = "zeek") -> Sensor:
        path = nowhere / name
        path.write_text(f"#!/bin/sh\nPATH=/bin:/usr/bin\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return Sensor(name, path)

    return install
