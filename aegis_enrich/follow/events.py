"""Wakes the reader when files come, go or are renamed; growth is seen by looking at the open files."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

log = logging.getLogger(__name__)

SLICE_S = 0.2  # how often open files are looked at: writes are too many to be told of each
_KINDS: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
]


class Events(FileSystemEventHandler):
    """File events below some folders; where the system gives none (`poll`, too many watches), only the looking."""

    def __init__(self, *, poll: bool = False) -> None:
        self._happened = threading.Event()
        self._observer: BaseObserver | None = None if poll else Observer()
        self._watched: set[str] = set()
        if self._observer is not None:
            self._observer.daemon = True
            self._observer.start()

    def watch(self, folders: Iterable[str], *, recursive: bool = True) -> None:
        """Watches these folders and what lies below them, or just their own files."""
        for folder in sorted(set(folders) - self._watched):
            if self._observer is None:
                return
            if any(folder.startswith(f"{other}/") for other in self._watched):
                continue
            try:
                self._observer.schedule(self, folder, recursive=recursive, event_filter=_KINDS)
                self._watched.add(folder)
            except FileNotFoundError:
                continue
            except OSError as error:
                log.warning("%s: no file events (%s); its files are looked at every few seconds", folder, error)
                self._watched.add(folder)

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._happened.set()

    def take(self) -> bool:
        """Whether anything came, went or was renamed since the last call."""
        happened = self._happened.is_set()
        self._happened.clear()
        return happened

    def wait(self, timeout_s: float, grew: Callable[[], bool]) -> None:
        """Returns on an event, when `grew` says so, or after the time."""
        left_s = timeout_s
        while not self._happened.is_set() and not grew() and left_s > 0:
            self._happened.wait(min(SLICE_S, left_s))
            left_s -= SLICE_S

    def close(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None
