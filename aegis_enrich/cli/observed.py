"""What a live `watch` shows of itself to the outside: its listener, the service manager, and SIGHUP."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config import Config, load
from ..errors import AegisError
from ..observe.notify import Notifier
from ..observe.vitals import Vitals
from ..pipeline.engine import Engine
from ..pipeline.watched import Watched
from .said import like_here, say


class Seen:
    """Begins before the engine is there, so that its start can be looked at; `follow` tells it the engine."""

    def __init__(self, config: Config, config_file: Path | None, named: Mapping[str, Sequence[Path]]) -> None:
        self.config, self.config_file = config, config_file
        self.watched = Watched(Vitals(sources=sorted(named)), Notifier())
        self.watched.before_reload = self._say_changed
        self._begun_with = load(config_file)
        self._engine: Engine | None = None

    @contextlib.contextmanager
    def listening(self, address: str | None) -> Iterator[None]:
        """Listens where the command line or the configuration says so; raises ConfigError where that cannot be."""
        where = address or self.config.metrics.listen
        if not where:
            yield
            return
        # What only a listener needs takes 0.1 s to import.
        from ..observe.exporter import Exporter
        from ..observe.health import Health
        from ..observe.server import Listener
        from ..observe.server import address as parsed
        from ..observe.state import StateReadings

        state = StateReadings(self.config.state_dir, self._lanes)
        health = Health(self.watched.vitals, self._lanes, stall_s=self.config.metrics.stall_s)
        exporter = Exporter(self.watched.vitals, state, health)
        listener = Listener(parsed(where, where="--metrics" if address else "metrics.listen"), exporter.page, health)
        say(f"metrics on {listener.url}/metrics, health on /healthz and /readyz")
        try:
            yield
        finally:
            listener.close()
            state.close()

    def follow(self, engine: Engine) -> None:
        """Tells of this engine from now on, and lets SIGHUP reload what it can."""
        self._engine = engine
        engine.tell = say
        engine.beside.prepare = like_here()

    def _lanes(self) -> Mapping[str, Any]:
        return self._engine.delivery.lanes if self._engine else {}

    def _say_changed(self) -> None:
        for line in changed(self._begun_with, self.config_file):
            say(f"reload: {line}")


@contextlib.contextmanager
def reload_on_hangup(engine: Engine) -> Iterator[None]:
    """SIGHUP asks for a reload; where a terminal is looked at, it is gone, and the run ends as on SIGTERM."""
    ends = sys.stdin is not None and sys.stdin.isatty()
    asked = engine.stopping if ends else engine.reload_asked
    before = signal.signal(signal.SIGHUP, lambda number, frame: asked.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def changed(begun_with: Config, config_file: Path | None) -> Iterator[str]:
    """What the file of the configuration says now and did not at the start: all of it takes a restart."""
    try:
        now = load(config_file)
    except AegisError as error:
        yield from (f"the configuration does not check, so the next start would fail: {p}" for p in error.problems)
        return
    for name in differing(dataclasses.asdict(begun_with), dataclasses.asdict(now)):
        yield f"{config_file}: {name} was changed; it takes a restart"


def differing(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of the settings whose values differ."""
    for name in sorted({*one, *other}):
        a, b = one.get(name), other.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from differing(a, b, f"{prefix}{name}.")
        elif a != b:
            yield f"{prefix}{name}"
