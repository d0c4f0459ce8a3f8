"""The follower: which logs have lines to read, and their next lines, through growth, rotation and restarts."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from ..tables import TABLES
from .events import Events
from .finder import Finder
from .logfile import Chunk, LogFile, Lost, Place
from .reader import Reader
from .state import LogState

GRACE_S = 60.0  # how long a renamed file may still be written, and a copy take to appear
SCAN_S = 5.0
POLL_S = 2.0

LOG_NAMES = frozenset(name for name in TABLES if not name.startswith("suricata_"))  # and EVE, by its own names


class Follower:
    """Reads the logs of sensors and never writes, moves or deletes any of their files. Not for several threads.

    `sources`: sensor name -> files and folders. `known`: the logs of the state. `since_us`: on a new state, archives
    that end before it (by the time in their name, else mtime) are left out; `back_us`: those that end this long before
    the newest one. A state that knows logs begins with the oldest archive that it has read. `floors`: what was decided
    of that before (property `floors`), by sensor. `poll`: no file events (network file systems). `clock`: monotonic
    seconds. `tables`: the names of the logs that are read.

    `lost`: what can no longer be read; `skipped`: names of other logs; `unreadable`: path -> reason; `older`: archives
    that were left out by `since_us` or `back_us`.
    """

    def __init__(
        self,
        sources: Mapping[str, Sequence[Path]],
        known: Iterable[LogState] = (),
        *,
        since_us: int | None = None,
        back_us: int | None = None,
        floors: Mapping[str, int | None] = MappingProxyType({}),
        poll: bool = False,
        grace_s: float = GRACE_S,
        tables: Collection[str] = LOG_NAMES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._finder = Finder(
            sources,
            known,
            tables=tables,
            since_us=since_us,
            back_us=back_us,
            floors=floors,
            grace_s=grace_s,
            clock=clock,
        )
        self._grace_s, self._clock = grace_s, clock
        self._events = Events(poll=poll)
        self._every_s = POLL_S if poll else SCAN_S
        self._roots = [str(p.resolve()) for paths in sources.values() for p in paths]
        self._started_s = clock()
        self._scanned_s: float | None = None
        self._dirty = False

    @property
    def lost(self) -> Sequence[Lost]:
        return self._finder.lost

    @property
    def skipped(self) -> Collection[str]:
        return self._finder.skipped.keys()

    @property
    def unreadable(self) -> Mapping[str, str]:
        return {**self._finder.tree.unreadable, **self._finder.unreadable}

    @property
    def older(self) -> int:
        return self._finder.older

    @property
    def floors(self) -> Mapping[str, int | None]:
        """From when on each sensor's archives are read, in µs since the epoch; None: all. Of sensors that have logs."""
        return self._finder.floors

    @property
    def lag_bytes(self) -> int:
        """What lies unread on disk in all logs."""
        return sum(self.lag_by_log().values())

    def lag_by_log(self) -> dict[tuple[str, str], int]:
        """What lies unread on disk by sensor and log name; 0 for a log that is followed and read to its end."""
        queued = {log for queue in self._finder.queues.values() for *_, log in queue}
        found: dict[tuple[str, str], int] = {}
        for log in queued | self._finder.active.keys():
            found[log.sensor, log.name] = found.get((log.sensor, log.name), 0) + log.lag_bytes
        return found

    def scan(self) -> None:
        """Looks at the folders again."""
        self._events.watch([r for r in self._roots if Path(r).is_dir()])
        self._events.watch([str(Path(r).parent) for r in self._roots if Path(r).is_file()], recursive=False)
        self._dirty = False
        self._scanned_s = self._clock()
        self._finder.scan()
        self._events.watch(self._finder.tree.linked)

    def pending(self) -> list[LogFile]:
        """Logs with lines to read: archives, the oldest first, then live logs. Scans where it is time to.

        Of the archives of a sensor, log name and node that wait, the oldest one only, and live logs after them, so that
        rows come in order; and nothing that is newer than one that is `held_back`.
        """
        self._scan_where_due()
        ready = self._ready()
        for _ in range(3):
            if not self._dirty:
                break
            self.scan()  # a file was written anew: it is another log by now
            ready = self._ready()
        self._settle_losses()
        held = self._held()
        ready = sorted((log for log in ready if not (held and _is_newer(log, held))), key=_order)
        first: dict[tuple[str, str, str], LogFile] = {}
        for log in ready:
            first.setdefault((log.sensor, log.name, log.node), log)
        oldest = [first[log.sensor, log.name, log.node] for log in ready]
        return [log for log, before in zip(ready, oldest, strict=True) if log is before or (log.live and before.live)]

    @property
    def held_back(self) -> Collection[tuple[str, str, str]]:
        """Sensor, log name and node of what is not read on yet, since an older file may still turn out to be a copy."""
        return self._held().keys()

    def _held(self) -> dict[tuple[str, str, str], int]:
        """When the first of those files begins."""
        held: dict[tuple[str, str, str], int] = {}
        for place in self._finder.undecided.values():
            key = (place.sensor, place.kind.name, place.kind.node)
            held[key] = min(place.when_us, held.get(key, place.when_us))
        return held

    def _ready(self) -> list[LogFile]:
        finder = self._finder
        ready = {log: None for log in list(finder.active) if self._line_there(log)}
        for queue in finder.queues.values():
            while queue and not self._opened(log := queue[0][-1]):
                heapq.heappop(queue)
                if log.reader is not None or any(not p.spent for p in log.places):
                    finder.active[log] = None
            if queue:
                ready[queue[0][-1]] = None
        return list(ready)

    def read(self, log: LogFile, limit: int) -> Chunk | None:
        """The next whole lines, about `limit` bytes and at least a line; None where there are none after all.

        A line is read whole up to 4 MiB; a longer one comes in pieces, each a chunk by itself (`Chunk.cut`) but the
        last. The last line of a log that is complete (`finish`, an archive) may lack its newline.
        """
        if not self._opened(log) or log.reader is None:
            return None
        reader = log.reader
        data = reader.lines(log.state.position, limit, last=log.last)
        if not self._still_whole(log) or not data:
            log.ready = False
            return None
        with self._finder.known.regrown(log):
            chunk = log.advance(data)
        log.changed_s = self._clock()
        cut = reader.is_cut(data, log.state.position)
        if reader.gz and not reader.peek(log.state.position, 1) and reader.ended:
            if log.at is not None:
                self._finder.files.report(log.at, reader)
            self._finder.retire(log)
        return replace(chunk, end=log.state, cut=cut)

    def committed(self, logs: Mapping[LogFile, LogState]) -> None:
        """What is committed of files is known by the states that are."""

    def wait(self, timeout_s: float) -> None:
        """Waits until something happens to the files, at most this long."""
        self._events.wait(timeout_s, lambda: self._dirty or self._grew())

    def finish(self) -> None:
        """The input has ended: nothing is waited for any more, and last lines without newline are lines."""
        self._finder.ended = True
        self._finder.scan(full=True)

    def finished(self) -> list[LogFile]:
        """Archives and rotated logs read to their ends since the last call, and logs that were cut short.

        The states of the first say `done`: later starts are then quicker. Those of the others lie further back. They
        may be committed once all their rows are.
        """
        done, self._finder.finished = self._finder.finished, []
        return done

    def close(self) -> None:
        self._finder.files.close()
        self._events.close()

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _scan_where_due(self) -> None:
        due = self._scanned_s is None or self._clock() - self._scanned_s >= self._every_s
        if self._events.take() or self._dirty or due:
            self.scan()

    def _grew(self) -> bool:
        """Whether a log that had nothing to read has grown; one that had, and is not read, waits for something else."""
        logs = (log for log in self._finder.files.logs if not log.ready)
        return any(log.reader is not None and log.reader.length() != log.size for log in logs)

    # Where a log goes on

    def _line_there(self, log: LogFile) -> bool:
        """Whether a line lies at the log's position, in the file that it is read from or in another of its places."""
        if log.ready and (log.reader is None or self._still_whole(log)):
            return True
        if log.reader is not None and self._line_here(log, log.reader):
            return True
        for place in list(log.places):
            reading = log.reader is not None and log.at is place
            if not reading and not place.spent and self._turn(log, place):
                return True
        if log.reader is None and all(p.spent for p in log.places):
            self._finder.active.pop(log, None)
        return False

    def _line_here(self, log: LogFile, reader: Reader) -> bool:
        if not self._still_whole(log):
            return False
        size = reader.length()
        if size != log.size:
            log.changed_s = self._clock()
        if size != log.size or log.searched < 0:
            log.size = size
            log.ready, log.searched = reader.find_line(log.state.position, log.searched)
        return log.ready or self._at_end(log, reader)

    def _at_end(self, log: LogFile, reader: Reader) -> bool:
        """Whether a last line without newline is to be read; lets go of a log that is complete."""
        live = log.live
        quiet = not live and self._clock() - log.changed_s >= self._grace_s
        if not (self._finder.ended or reader.ended or quiet):
            return False
        if log.at is not None and not live:
            self._finder.files.report(log.at, reader)
        if reader.peek(log.state.position, 1):
            log.ready = log.last = True
            return True
        if not live:
            self._finder.retire(log)
        return False

    def _turn(self, log: LogFile, place: Place) -> bool:
        """Goes on at another place of the log, where that has more of it."""
        reader = self._finder.files.open(place)
        if reader is None:
            moved = place.path not in self._finder.unreadable  # or replaced, or deleted, since it was seen
            self._dirty = self._dirty or moved
            return False
        same = log.resume(reader)
        if same and (log.reader is None or reader.find_line(log.state.position, -1)[0]):
            self._finder.files.hold(log, reader, place)
            return self._line_here(log, reader)
        place.spent = True
        if same is False:
            place.spent = False
            self._finder.part(place, reader)
            self._dirty = True
        if place.log is None or place.log.reader is not reader:
            reader.close()
        return False

    def _opened(self, log: LogFile) -> bool:
        """Whether a line lies at the log's position, in a file that is open."""
        if log.reader is None:
            log.ready = False
        return self._line_there(log)

    def _still_whole(self, log: LogFile) -> bool:
        whole = self._finder.whole(log)
        self._dirty = self._dirty or not whole
        return whole

    # What cannot be read any more

    def _settle_losses(self) -> None:
        finder, now = self._finder, self._clock()
        for log, since_s in list(finder.missing.items()):
            if log.state.position >= log.reaches:
                del finder.missing[log]
            elif (
                log.reader is None
                and all(p.spent for p in log.places)
                and (finder.ended or now - since_s >= self._grace_s)
            ):
                del finder.missing[log]
                left = log.reaches - log.state.position
                finder.lose(log, left)
        if finder.stale and (finder.ended or now - self._started_s >= self._grace_s):
            for log in finder.overwritten():
                finder.lose(log, None)
            finder.stale = []


def _is_newer(log: LogFile, held: Mapping[tuple[str, str, str], int]) -> bool:
    live, when_us, _ = _order(log)
    first_us = held.get((log.sensor, log.name, log.node))
    return first_us is not None and (live or when_us > first_us)


def _order(log: LogFile) -> tuple[bool, int, str]:
    place = log.at or (log.places[0] if log.places else None)
    return (log.live, place.when_us if place else 0, log.state.path)
