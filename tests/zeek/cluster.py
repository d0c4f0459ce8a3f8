"""A Zeek cluster on loopback with the scan log's script: replays a capture, its flows shared out to two workers."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[2] / "zeek_scripts" / "scan.zeek"
NODES = {"manager": "MANAGER", "logger-1": "LOGGER", "proxy-1": "PROXY", "worker-1": "WORKER", "worker-2": "WORKER"}
PATIENCE_S = 90.0
ETHERNET = 14

# What only a test needs: rows soon, and a worker that reads its packets when its peers are there.
SOON = """
redef AegisScan::window = 8 sec;
redef AegisScan::flush_interval = 1 sec;
redef LogAscii::use_json = T;
redef Log::default_rotation_interval = 0 sec;
"""
WAIT = """
global awaited: set[string] = { %s };

event zeek_init()
	{
	suspend_processing();
	}

event Cluster::node_up(name: string, id: string) &priority=-10
	{
	delete awaited[name];

	if ( |awaited| == 0 )
		continue_processing();
	}

event Pcap::file_done(path: string)
	{
	terminate();
	}
"""
ZEROMQ = """
@load frameworks/cluster/backend/zeromq/connect
redef Cluster::Backend::ZeroMQ::listen_xpub_endpoint = "tcp://127.0.0.1:{0}";
redef Cluster::Backend::ZeroMQ::connect_xsub_endpoint = "tcp://127.0.0.1:{0}";
redef Cluster::Backend::ZeroMQ::listen_xsub_endpoint = "tcp://127.0.0.1:{1}";
redef Cluster::Backend::ZeroMQ::connect_xpub_endpoint = "tcp://127.0.0.1:{1}";
"""


def free_ports(wanted: int) -> list[int]:
    with ExitStack() as open_sockets:
        found = [open_sockets.enter_context(socket.socket()) for _ in range(wanted)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]


def layout(ports: list[int]) -> str:
    """The text of cluster-layout.zeek."""
    lines = ["redef Cluster::manager_is_logger = F;", "redef Cluster::nodes = {"]
    for (name, kind), port in zip(NODES.items(), ports, strict=True):
        manager = "" if kind == "MANAGER" else ', $manager="manager"'
        lines.append(f'["{name}"] = [$node_type=Cluster::{kind}, $ip=127.0.0.1, $p={port}/tcp{manager}],')
    return "\n".join([*lines, "};\n"])


def side(frame: bytes) -> int:
    """Which of two workers gets a frame: the same for both directions of a flow."""
    v6 = frame[12:14] == b"\x86\xdd"
    addresses = frame[ETHERNET + 8 : ETHERNET + 40] if v6 else frame[ETHERNET + 12 : ETHERNET + 20]
    payload = ETHERNET + (40 if v6 else (frame[ETHERNET] & 15) * 4)
    protocol = frame[ETHERNET + (6 if v6 else 9)]
    ports = frame[payload : payload + 4] if protocol in (6, 17) else b""
    return sum(addresses + ports) % 2


def split(capture: Path, halves: tuple[Path, Path]) -> None:
    """Cuts a little-endian Ethernet pcap (.gz or not) in two by flow."""
    data = capture.read_bytes()
    data = gzip.decompress(data) if capture.suffix == ".gz" else data
    parts = [bytearray(data[:24]), bytearray(data[:24])]
    at = 24
    while at < len(data):
        end = at + 16 + struct.unpack_from("<I", data, at + 8)[0]
        parts[side(data[at + 16 : end])] += data[at:end]
        at = end
    for half, part in zip(halves, parts, strict=True):
        half.write_bytes(part)


class Cluster:
    """The nodes' processes; each has a folder of its own below `folder`, and the logger's holds the logs."""

    def __init__(self, folder: Path, backend: str):
        self.folder, self.backend = folder, backend
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        ports = free_ports(len(NODES) + 2)
        (folder / "cluster-layout.zeek").write_text(layout(ports[2:]))
        (folder / "backend.zeek").write_text(ZEROMQ.format(*ports) if backend == "zeromq" else "")
        (folder / "soon.zeek").write_text(SOON)

    def start(self, node: str, *arguments: str | Path) -> None:
        home = self.folder / node
        home.mkdir(exist_ok=True)
        path = subprocess.run(["zeek-config", "--zeekpath"], capture_output=True, text=True, check=True).stdout.strip()
        environment = {**os.environ, "CLUSTER_NODE": node, "ZEEKPATH": f"{self.folder}:{path}"}
        command = ["zeek", "-C", *arguments, self.folder / "backend.zeek", SCRIPT, self.folder / "soon.zeek"]
        with (home / "output.txt").open("wb") as output:
            self.running[node] = subprocess.Popen(command, cwd=home, env=environment, stdout=output, stderr=output)

    def replay(self, worker: str, half: Path, awaited: set[str]) -> None:
        """Starts a worker that reads its half as soon as it sees the nodes that it waits for."""
        wait = self.folder / f"{worker}.zeek"
        wait.write_text(WAIT % ", ".join(f'"{name}"' for name in sorted(awaited)))
        self.start(worker, "-r", half, wait)

    def join(self, node: str) -> None:
        if self.running.pop(node).wait(PATIENCE_S) != 0:
            raise SystemExit(f"{node} failed:\n{(self.folder / node / 'output.txt').read_text()}")

    def stop(self, node: str) -> None:
        self.running[node].send_signal(signal.SIGTERM)
        self.join(node)

    def rows(self) -> list[dict[str, Any]]:
        log = self.folder / "logger-1" / "aegis_scan.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def await_rows(self, attempts: int) -> list[dict[str, Any]]:
        """The rows, when they hold so many attempts, or those that there are when patience is at its end."""
        end = time.monotonic() + PATIENCE_S
        while sum(row["attempts"] for row in self.rows()) < attempts and time.monotonic() < end:
            time.sleep(0.2)
        return self.rows()


@contextmanager
def cluster(folder: Path, backend: str) -> Iterator[Cluster]:
    """Manager, logger and proxy, running; whatever runs is stopped in the end."""
    made = Cluster(folder, backend)
    try:
        for node in ("manager", "logger-1", "proxy-1"):
            made.start(node)
        yield made
    finally:
        for process in made.running.values():
            process.terminate()
        for process in made.running.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def alone(capture: Path, folder: Path) -> list[dict[str, Any]]:
    """The rows of one Zeek that sees the whole capture."""
    folder.mkdir()
    data = capture.read_bytes()
    (folder / "whole.pcap").write_bytes(gzip.decompress(data) if capture.suffix == ".gz" else data)
    command = ["zeek", "-C", "-r", "whole.pcap", str(SCRIPT), "LogAscii::use_json=T"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    log = folder / "aegis_scan.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def together(capture: Path, folder: Path, backend: str, attempts: int) -> list[dict[str, Any]]:
    """The rows of a cluster both of whose workers see half of the flows at the same time."""
    halves = folder / "half-1.pcap", folder / "half-2.pcap"
    split(capture, halves)
    with cluster(folder, backend) as running:
        for worker, half in zip(("worker-1", "worker-2"), halves, strict=True):
            running.replay(worker, half, {"manager", "logger-1", "proxy-1"})
        for worker in ("worker-1", "worker-2"):
            running.join(worker)
        return running.await_rows(attempts)


def in_parts(capture: Path, folder: Path, backend: str, attempts: int) -> list[dict[str, Any]]:
    """The rows where the proxy has gone before the second worker sees its half: that is the manager's then."""
    halves = folder / "half-1.pcap", folder / "half-2.pcap"
    split(capture, halves)
    with cluster(folder, backend) as running:
        running.replay("worker-1", halves[0], {"manager", "logger-1", "proxy-1"})
        running.join("worker-1")
        time.sleep(2)  # until the proxy has what the worker sent last
        running.stop("proxy-1")
        running.replay("worker-2", halves[1], {"manager", "logger-1"})
        running.join("worker-2")
        return running.await_rows(attempts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=Path, help="a pcap or pcap.gz with a scan in it")
    parser.add_argument("--backend", choices=["broker", "zeromq"], default="broker")
    parser.add_argument("--in-parts", action="store_true", help="the proxy goes away between the two halves")
    parser.add_argument("--keep", type=Path, help="a new folder for the nodes' folders")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="aegis-cluster-"))
    try:
        expected = alone(given.capture, folder / "alone")
        run = in_parts if given.in_parts else together
        found = run(given.capture, folder, given.backend, sum(row["attempts"] for row in expected))
        for title, rows in (("one Zeek", expected), (given.backend, found)):
            for row in rows:
                row.pop("sample")
                sys.stdout.write(f"{title} {json.dumps(row)}\n")
        sums = [[sum(row[name] for row in rows) for name in ("attempts", "ports")] for rows in (expected, found)]
        sys.exit(0 if found and sums[0] == sums[1] else 1)
    finally:
        if given.keep:
            shutil.copytree(folder, given.keep)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
