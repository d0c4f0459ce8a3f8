"""`aegis-enrich ship`: committed segments to a common lake of many sensors."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import click

from ..errors import AegisError, StateError
from .options import config_option, configuration
from .spans import Span

log = logging.getLogger(__name__)

EVERY_S = 60.0
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@click.command("ship")
@click.option("--to", "target", required=True, metavar="DIR|s3://…", help="The common lake.")
@click.option("--every", type=Span(), default=f"{EVERY_S:.0f}s", help="How often, until it is stopped (default 60s).")
@click.option("--once", is_flag=True, help="Bring the lake up to date and exit.")
@click.option("--endpoint", metavar="URL", default="", help="Of an object store that is not AWS's: http://host:9000.")
@click.option(
    "--drop-before", metavar="DATE", help="Remove this state's rows before a UTC date from the lake, and exit."
)
@click.option("--drop-derived", is_flag=True, help="With --drop-before: its hours of derived tables, too.")
@config_option
def command(
    target: str,
    every: float,
    once: bool,
    endpoint: str,
    drop_before: str | None,
    drop_derived: bool,
    config_file: Path | None,
    state: Path | None,
) -> int:
    """Copy what `watch` has committed to a folder or an object store that sensors share.

    It may run while `watch` does, and be stopped or killed anywhere: it goes on where the lake's manifests say.
    Credentials are those that AWS's tools find (environment, profile, role).
    """
    if drop_before and not _DATE.fullmatch(drop_before):
        raise click.BadParameter(f"{drop_before!r}: write it as 2026-01-31", param_hint="--drop-before")
    if drop_derived and not drop_before:
        raise click.UsageError("--drop-derived goes with --drop-before")
    root = configuration(config_file, state).state_dir
    from ..ship import Far, Shipper  # object stores' libraries, only where they are used

    stopping = threading.Event()
    with _alone(root), _stopped_by_signals(stopping):
        shipper = Shipper(root, Far(target, endpoint=endpoint), stop=stopping.is_set)
        if drop_before:
            dropped = shipper.drop(drop_before, derived=drop_derived)
            click.echo(f"{dropped.dropped:,} segments ({dropped.bytes / 1e6:,.1f} MB) removed from {target}")
            return 0
        if once:
            done = shipper.round()
            click.echo(f"{done.copied:,} segments ({done.bytes / 1e6:,.1f} MB) to {target}; {done.replaced:,} replaced")
            return 0
        while not stopping.is_set():
            try:
                done = shipper.round()
                log.info("%d segments (%.1f MB) to %s", done.copied, done.bytes / 1e6, target)
            except AegisError as error:
                log.warning("%s; it is tried again", error)
            stopping.wait(every)
    return 0


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Holds the state against a second `ship`; it may belong to a user who may only read it."""
    try:
        handle = os.open(root / "lake", os.O_RDONLY)
    except OSError as error:
        raise StateError("holds no rows; run `aegis-enrich watch` or `analyze` first", where=str(root)) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StateError("is being shipped by another process; stop that one", where=str(root)) from error
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _stopped_by_signals(stopping: threading.Event) -> Iterator[None]:
    before = {s: signal.signal(s, lambda number, frame: stopping.set()) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
