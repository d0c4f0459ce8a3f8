"""Runs a sensor over one capture; whatever happens, nothing of it is left running."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from ..errors import CaptureError
from . import suricata, zeek
from .feed import Fed, Progress, feed
from .magic import head
from .sensors import Command, Sensor

SAID = "sensor.out"  # what the sensor prints
WAIT_S = 0.1
_ERROR = re.compile(r"^E: |\berror\b", re.IGNORECASE)


def run(
    sensor: Sensor,
    capture: Path,
    folder: Path,
    *,
    inside: Sequence[str] = (),
    load: Sequence[str] = (),
    progress: Progress = lambda done, size: None,
) -> Fed:
    """Lets the sensor write the logs of a capture into `folder`, which is there and empty.

    Raises CaptureError where the sensor fails or the capture holds no packet. `progress` is called while it reads and
    while it ends; an exception from it, or an interrupt, ends the sensor.
    """
    begin = head(capture)
    if sensor.name == "zeek":
        command = zeek.command(sensor, folder, inside=inside, load=load, head=begin)
    else:
        command = suricata.command(sensor, folder, inside=inside, load=load)
    with (folder / SAID).open("wb") as said:
        try:
            code, fed = _feed(command, folder, capture, said, progress)
        except OSError as error:
            what = f"{error.strerror} ({sensor.title}: {sensor.path})"
            raise CaptureError(what, where=str(error.filename or capture)) from error
    if not fed.packets:
        why = f" ({fed.problem})" if fed.problem else ""
        raise CaptureError(f"holds no packet{why}, so there is nothing to analyze", where=str(capture))
    if code:
        last = _last(folder / SAID)
        how = f"ended with exit code {code}" if code > 0 else f"was killed by {signal.Signals(-code).name}"
        raise CaptureError(f"{sensor.title} ({sensor.path}) {how}: {last or 'it said nothing'}", where=str(capture))
    return fed


def _feed(command: Command, folder: Path, capture: Path, said: IO[bytes], progress: Progress) -> tuple[int, Fed]:
    process = subprocess.Popen(
        command.arguments,
        stdin=subprocess.PIPE,
        stdout=said,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=dict(command.env),
        start_new_session=True,  # a group of its own, so that it can be ended with all that it started
    )
    assert process.stdin is not None
    done = (0, 0)

    def count(now: int, size: int) -> None:
        nonlocal done
        done = (now, size)
        progress(now, size)

    try:
        fed = feed(capture, process.stdin, count)
        _close(process.stdin)
        while fed.packets:  # Suricata waits a minute for the first one
            try:
                return process.wait(WAIT_S), fed
            except subprocess.TimeoutExpired:
                progress(*done)
        return 0, fed
    finally:
        _end(process)


def _close(pipe: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError):
        pipe.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and all that it started, at once: nothing that it may still write is wanted."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdin is not None:
        _close(process.stdin)


def _last(said: Path) -> str:
    """The last line that speaks of an error, else the last line."""
    lines = [line for line in said.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return next((line for line in reversed(lines) if _ERROR.search(line)), lines[-1] if lines else "").strip()
