"""A real `watch` process that is asked over HTTP, and what a service manager hears of it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

LAB = Path(__file__).parents[1] / "data" / "lab"
MAIN = "from aegis_enrich.cli import main; main()"
PATIENCE_S = 180.0


@pytest.fixture(scope="session")
def lab() -> Path:
    return LAB


@dataclass
class Watching:
    """A `watch` and where its files are."""

    process: subprocess.Popen[bytes]
    logs: Path
    state: Path
    err: Path
    heard: list[str] = field(default_factory=list)

    def said(self) -> str:
        return self.err.read_text(encoding="utf-8", errors="replace")

    def until(self, true: Callable[[], object], what: str) -> None:
        """Waits for something that the process does by itself."""
        end_s = time.monotonic() + PATIENCE_S
        while not true():
            assert self.process.poll() is None, f"it ended before {what}: {self.said()}"
            assert time.monotonic() < end_s, f"never {what}: {self.said()}"
            time.sleep(0.05)

    @property
    def url(self) -> str:
        self.until(lambda: "metrics on http://" in self.said(), "said where it listens")
        found = re.search(r"metrics on (http://\S+?)/metrics", self.said())
        assert found
        return found[1]

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        return fetch(f"{self.url}{path}", **headers)

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 60.0) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout_s)


def fetch(url: str, **headers: str) -> tuple[int, str]:
    """Status and text."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@contextlib.contextmanager
def starting(folder: Path) -> Iterator[Callable[..., Watching]]:
    """What starts a `watch` over `folder/logs`; it ends with this, whatever becomes of that."""
    with contextlib.ExitStack() as stack:

        def start(
            *arguments: str,
            config: str = "",
            environment: Mapping[str, str] | None = None,
            before: tuple[str, ...] = (),
        ) -> Watching:
            logs, err, file = folder / "logs", folder / "err", folder / "aegis.yml"
            logs.mkdir(exist_ok=True)
            file.write_text(config or "flush: {seconds: 0.2, small_seconds: 0.2}\n", encoding="utf-8")
            command = [sys.executable, "-c", MAIN, *before, "watch", str(logs), "--state", str(folder / "state")]
            with err.open("wb") as stream:
                process = subprocess.Popen(
                    [*command, "--config", str(file), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stream,
                    env={**os.environ, **(environment or {})},
                )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return Watching(process, logs, folder / "state", err)

        yield start


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watching]]:
    """Starts a `watch` over `tmp_path/logs`, which ends with the test."""
    with starting(tmp_path) as start:
        yield start


@dataclass
class Manager:
    """A service manager's socket."""

    name: str
    socket: socket.socket

    def hear(self, wanted: str, of: Watching) -> list[str]:
        """All messages of a `watch` up to the first that has this line in it."""
        heard: list[str] = []
        end_s = time.monotonic() + PATIENCE_S
        self.socket.settimeout(0.5)
        while not any(wanted in message.splitlines() for message in heard):
            assert of.process.poll() in (None, 0), of.said()
            assert time.monotonic() < end_s, f"never {wanted}: {of.said()}"
            with contextlib.suppress(TimeoutError):
                heard.append(self.socket.recv(4096).decode())
        return heard


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    """A datagram socket as systemd has it: beside a file, or in the abstract namespace."""
    name = str(tmp_path_factory.mktemp("n") / "s") if request.param == "file" else f"@aegis-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name if request.param == "file" else "\0" + name[1:])
        yield Manager(name, listening)
