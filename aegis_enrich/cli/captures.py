"""Captures among what `analyze` is given: a sensor reads them first, with progress, and its logs take their place."""

from __future__ import annotations

import contextlib
import logging
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from .. import capture
from ..capture import Folder, Folders, Sensor
from ..errors import CaptureError, Problems

log = logging.getLogger(__name__)

FULL_BYTES = 50_000_000  # less free space than this may be why a sensor failed

DEFAULT = "sensor"  # of paths without a name

Named = Mapping[str, Sequence[Path]]


def split(named: Named) -> tuple[dict[str, list[Path]], list[tuple[str, Path]]]:
    """Files and folders of logs by sensor, and captures with their sensor's name.

    Captures beside logs under the default name are a sensor of their own: they may show the same traffic as the logs,
    which counts once then, and where they are read by another kind of sensor, their rows would be hidden.
    Raises Problems where a file is called like a capture and is none.
    """
    logs: dict[str, list[Path]] = {}
    captures = []
    wrong = []
    for name, paths in named.items():
        for path in paths:
            problem = capture.problem(path)
            if problem:
                wrong.append(CaptureError(problem, where=str(path)))
            elif capture.is_capture(path):
                captures.append((name, path))
            else:
                logs.setdefault(name, []).append(path)
    say(wrong)
    if DEFAULT in logs:
        captures = [("capture" if name == DEFAULT else name, path) for name, path in captures]
    return logs, captures


def say(problems: Sequence[CaptureError]) -> None:
    """Ends the run where there is a problem."""
    if problems:
        raise Problems(problems) if len(problems) > 1 else problems[0]


def beside(named: Named) -> str:
    """Where a folder holds captures and no logs, what to do; else ""."""
    inside = (p for paths in named.values() for path in paths if path.is_dir() for p in sorted(path.iterdir()))
    found = next(filter(capture.is_capture, inside), None)
    return f", such as {found}: captures are named one by one" if found else ""


def refuse(named: Named) -> None:
    """For commands that follow logs."""
    _, captures = split(named)
    if captures:
        what = "is a capture, and nothing writes logs of it; `aegis-enrich analyze` reads captures"
        raise CaptureError(what, where=str(captures[0][1]))


def read(
    captures: Sequence[tuple[str, Path]], folders: Folders, sensor: Sensor, inside: Sequence[str], load: Sequence[str]
) -> tuple[list[tuple[str, Folder]], list[CaptureError]]:
    """Lets the sensor read each capture: where its logs are, and what could not be read."""
    found, failed = [], []
    for name, path in captures:
        folder = folders.folder(path, name, sensor.name)
        if folder.done:
            click.echo(f"{path}: already analyzed into this state", err=True)
            continue
        try:
            if not folder.ran:
                _run(sensor, path, folder, inside, load)
        except CaptureError as error:
            failed.append(error)
        else:
            found.append((name, folder))
    return found, failed


def _run(sensor: Sensor, path: Path, folder: Folder, inside: Sequence[str], load: Sequence[str]) -> None:
    log.info("%s reads %s and writes into %s", sensor.path, path, folder.path)
    with _interrupted_by_sigterm(), _bar(sensor, path, folder) as progress:
        try:
            fed = capture.run(sensor, path, folder.path, inside=inside, load=load, progress=progress)
        except CaptureError as error:
            free = shutil.disk_usage(folder.path).free
            room = f"{free / 1e6:,.0f} MB are free; TMPDIR or --state names another place"
            full = f" (its logs go to {folder.path}, where {room})"
            raise CaptureError(f"{error.what}{full if free < FULL_BYTES else ''}", where=error.where) from error
    if fed.problem:
        click.echo(f"warning: {path}: {fed.problem}; what comes before is analyzed", err=True)
    folder.note_ran()


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the sensor and removes what it wrote, as Ctrl-C does."""

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _bar(sensor: Sensor, path: Path, folder: Folder) -> Iterator[capture.Progress]:
    """What is read of the capture, where somebody looks."""
    if not sys.stderr.isatty():
        yield lambda done, size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    console.print(f"{sensor.title} reads {path}; its logs go to {folder.path}", style="dim", highlight=False)
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task(sensor.title, total=None)

        def show(done: int, size: int) -> None:
            ending = done >= size
            bar.update(task, completed=done, total=size, description=f"{sensor.title}{' ends' if ending else ''}")

        yield show
