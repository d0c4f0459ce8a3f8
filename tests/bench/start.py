"""How long a start takes: of the help, and of a watch until the first row is read; beside an empty Python's."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from live import free_port, rows_read
from measured import Measured, Peak, run

OURS = [sys.executable, "-m", "aegis_enrich"]


def start(folder: Path, log: Path, repeat: int) -> dict[str, dict[str, float]]:
    """Medians of seconds by the clock and of processors, and of the ratios to `python -c pass`, run in turn."""
    ran: dict[str, list[Took]] = {"python -c pass": [], "--help": [], "watch to the first row": []}
    for n in range(repeat):
        ran["python -c pass"].append(_took(run([sys.executable, "-c", "pass"])))
        ran["--help"].append(_took(run([*OURS, "--help"])))
        ran["watch to the first row"].append(_first_row(folder / f"start.{n}.state", log))
    of = [took.seconds for took in ran["python -c pass"]]
    return {
        what: {
            "seconds": statistics.median(t.seconds for t in took),
            "cpu_s": statistics.median(t.cpu_s for t in took),
            "ratio": statistics.median(t.seconds / o for t, o in zip(took, of, strict=True)),
        }
        for what, took in ran.items()
    }


@dataclass(frozen=True)
class Took:
    """Seconds by the clock on the wall, and of processors."""

    seconds: float
    cpu_s: float


def _took(measured: Measured) -> Took:
    return Took(measured.seconds, measured.cpu_s)


def _first_row(state: Path, log: Path) -> Took:
    """From the start of the process until its metrics show a row."""
    port = free_port()
    begun = time.perf_counter()
    command = [*OURS, "watch", str(log), "--state", str(state), "--metrics", f":{port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while process.poll() is None:
                try:
                    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                        if rows_read(answer.read().decode()):
                            seconds = time.perf_counter() - begun
                            peak = Peak(process.pid)
                            peak.sample()
                            return Took(seconds, peak.cpu_s)
                except (URLError, OSError):
                    pass
                time.sleep(0.01)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    raise RuntimeError(f"watch ended with {process.returncode}")
