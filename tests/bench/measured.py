"""Runs a command in a process of its own: how long it took, and how much memory its whole process tree held at once."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SAMPLE_S = 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Measured:
    """`seconds` of the wall clock and of processors, start and imports included; `rss_mb` the peak of the tree."""

    seconds: float
    cpu_s: float
    rss_mb: float
    output: str


def run(command: Sequence[str]) -> Measured:
    """Runs it to its end; raises RuntimeError with what it said where it fails."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        peak = Peak(process.pid)
        while process.poll() is None:
            peak.sample()
            with suppress(subprocess.TimeoutExpired):  # reads on, so that the command never waits for us
                output, _ = process.communicate(timeout=SAMPLE_S)
                break
        else:
            output, _ = process.communicate()
        seconds = time.perf_counter() - begun
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{output}")
    return Measured(seconds, peak.cpu_s, peak.mb, output)


class Peak:
    """The greatest sum of resident memory over a process and all that descend from it, as far as it was sampled."""

    def __init__(self, pid: int) -> None:
        self.pid, self.mb, self.cpu_s = pid, 0.0, 0.0

    def sample(self) -> None:
        pids = _tree(self.pid)
        self.mb = max(self.mb, sum(map(_resident_mb, pids)))
        self.cpu_s = max(self.cpu_s, sum(map(_cpu_s, pids)))


def _tree(pid: int) -> list[int]:
    found, left = [], [pid]
    while left:
        at = left.pop()
        found.append(at)
        for thread in _listed(Path(f"/proc/{at}/task")):
            with suppress(OSError):
                left += map(int, (thread / "children").read_text().split())
    return found


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 2**20
    except OSError:
        return 0.0


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
