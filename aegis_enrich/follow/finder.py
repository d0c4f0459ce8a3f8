"""Finds the logs in the sources' folders: which file is which log, by contents, whatever it is called by now."""

from __future__ import annotations

import heapq
import os
import stat
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from . import names
from .known import Known
from .logfile import LogFile, Lost, Place
from .names import LogName
from .opened import OpenFiles
from .reader import GzipReader, Reader
from .state import HEAD_BYTES, LogState, head_of
from .tree import Listing, Tree
from .wanted import end_us, floor_us, is_archive, kind_of

Stream = tuple[str, str, str]  # sensor, log name, node
Queued = tuple[int, str, str, LogFile]  # when, path, id

FULL_S = 60.0  # how often files that are read to their end are looked at again
KEEP_S = 7 * 86_400.0  # how long a log is remembered that is read to its end and gone from the folders


class Finder:
    """The files of the sources and their logs.

    A log is one sequence of lines and may lie in several files at once (renamed, copied, compressed): each is one of
    its places. Two files whose first 4 KiB are equal, and whose contents are up to where one was read, are one log:
    a true copy in the same tree counts once.
    """

    def __init__(
        self,
        sources: Mapping[str, Sequence[Path]],
        known: Iterable[LogState],
        *,
        tables: Collection[str],
        since_us: int | None,
        back_us: int | None,
        floors: Mapping[str, int | None],
        grace_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.tree = Tree(sources)
        self.tables, self.grace_s, self.clock = tables, grace_s, clock
        self.known = Known()
        self.stale: list[LogFile] = []  # of the state, where they may have lost bytes while nobody read
        for state in known:
            log = LogFile(state)
            self.known.add(log)
            if not state.done:
                self.stale.append(log)
        self.active: dict[LogFile, None] = {}  # logs that may have something to read, archives in the queues aside
        self.queues: defaultdict[Stream, list[Queued]] = defaultdict(list)  # heaps of new archives, the oldest first
        self.unreadable: dict[str, str] = {}
        self.files = OpenFiles(self.unreadable, clock)
        self.missing: dict[LogFile, float] = {}  # what was not read to its end where it was, since when
        self.ended = False
        self.skipped: dict[str, None] = {}
        self.older = 0
        self.lost: list[Lost] = []
        self.finished: list[LogFile] = []  # whose state has changed without a row: read to their ends, or cut short
        self._since_us, self._back_us = since_us, back_us
        self.floors = dict(floors)  # sensor -> from when on its archives are read; None: all
        self._places: dict[str, Place] = {}
        self.undecided: dict[str, Place] = {}  # rotated files that may yet become copies of a known log
        self._names: dict[str, frozenset[str]] = {}
        self._busy: dict[str, set[str]] = {}
        self._retired: deque[tuple[float, LogFile]] = deque()
        self._full_s = clock()

    # Looking

    def scan(self, *, full: bool = False) -> None:
        """Looks at what changed: all paths first, so that renames are seen as a whole, then their contents."""
        now = self.clock()
        if now - self._full_s >= FULL_S or full:
            full, self._full_s = True, now
            self._forget()
        todo: list[Place] = []
        for listing in self.tree.walk(full=full):
            self._visit(listing, todo)
        for place in todo:
            if place.sensor not in self.floors:
                self.floors[place.sensor] = self._floor(place.sensor, todo)
        for place in sorted(todo, key=lambda p: (p.when_us, p.path)):
            if not self._too_old(place):
                self._identify(place)
        for place in todo:
            self._cut_short(place)

    def _visit(self, listing: Listing, todo: list[Place]) -> None:
        folder = listing.folder
        self.unreadable.pop(folder, None)
        if listing.given:
            chosen = listing.names
        elif listing.fresh:
            for name in self._names.get(folder, frozenset()) - listing.names:
                self._gone(os.path.join(folder, name))  # noqa: PTH118
            self._names[folder] = chosen = listing.names
        else:
            chosen = frozenset(self._busy.get(folder, ()))
        busy = {name for name in sorted(chosen) if self._look(listing, name, todo)}
        if not listing.given:
            self._busy[folder] = busy

    def _look(self, listing: Listing, name: str, todo: list[Place]) -> bool:
        """Whether this file is to be looked at each time, even where its folder stays as it is."""
        path = os.path.join(listing.folder, name)  # noqa: PTH118
        place = self._places.get(path)
        if place is None:
            kind = names.parse(name, self.tables, folder=os.path.basename(listing.folder))  # noqa: PTH119
            if kind is None and not listing.given:
                self._skip(path, name)
                return False
            if not names.is_text(path):
                self.unreadable[path] = "its name is no UTF-8; rename it"
                return False
            place = Place(listing.sensor, path, kind or LogName(""), listing.given, size=-1)
        try:
            info = os.stat(path)  # noqa: PTH116
        except OSError as error:
            self._gone(path)
            if listing.given or not isinstance(error, FileNotFoundError):
                self.unreadable[path] = error.strerror or str(error)
            return False
        if not stat.S_ISREG(info.st_mode):
            self.unreadable[path] = "it is no file but a pipe, a socket or a device"
            return False
        if path in self._places and (info.st_dev, info.st_ino) != (place.device, place.inode):
            self._gone(path)
            place = Place(place.sensor, path, place.kind, place.given, size=-1)
        self._places[path] = place
        changed = (place.size, place.mtime_ns) != (info.st_size, info.st_mtime_ns)
        log = place.log
        if log is not None and not place.gz:
            log.reaches = max(log.reaches, place.size)
        place.device, place.inode = info.st_dev, info.st_ino
        if changed:
            place.changed_s = self.clock()
        if log is not None and log.at is place and log.reader is not None:
            if not self.whole(log):
                todo.append(place)
        elif changed or (log is None and not place.asleep):
            todo.append(place)
        place.size, place.mtime_ns = info.st_size, info.st_mtime_ns
        return not place.asleep and not self._at_rest(place)

    def _at_rest(self, place: Place) -> bool:
        if not place.kind.rotated or place.given:
            return False
        log = place.log
        read = log is None or (place.spent and log.reader is None)
        return (read and self._settled(place)) or (log is not None and log.state.done)

    def _settled(self, place: Place) -> bool:
        return self.ended or self.clock() - place.changed_s >= self.grace_s

    def _skip(self, path: str, name: str) -> None:
        if names.packed(name):
            self.unreadable[path] = "its compression is not known; of compressed logs, gzip is read"
        elif stem := names.unknown(name):
            self.skipped[stem] = None

    def _gone(self, path: str) -> None:
        place = self._places.pop(path, None)
        self.undecided.pop(path, None)
        self.unreadable.pop(path, None)
        if place is not None and place.log is not None:
            self._leave(place, place.log)

    def _leave(self, place: Place, log: LogFile) -> None:
        """A place is no longer the log's; what it held beyond the position is missed unless it is open or elsewhere."""
        place.log = None
        log.places.remove(place)
        if log.at is place:
            log.at = None
            log.changed_s = self.clock()
        if log.state.done and not log.places:
            self._retired.append((self.clock(), log))
        if log.reader is None and not place.spent:
            self._miss(log, log.state.position + place.size if place.gz else place.size)

    def _miss(self, log: LogFile, reaches: int) -> None:
        """Notes that the log was longer than it is read, to be said as lost unless it turns up elsewhere."""
        log.ready = False
        log.reaches = max(log.reaches, reaches)
        if log.reaches > log.state.position:
            self.missing.setdefault(log, self.clock())

    # Identity

    def _floor(self, sensor: str, places: Sequence[Place]) -> int | None:
        return floor_us(
            [p for p in places if p.sensor == sensor],
            [log.state for log in self.known if log.sensor == sensor],
            self.tables,
            since_us=self._since_us,
            back_us=self._back_us,
        )

    def _too_old(self, place: Place) -> bool:
        floor = self.floors[place.sensor]
        if floor is None or not is_archive(place) or end_us(place) >= floor or place.log is not None:
            return False
        if not place.asleep:
            place.asleep = True
            self.older += 1
        return True

    def _identify(self, place: Place) -> None:
        """Finds the log that a file holds, or begins a new one; leaves it for later while its contents do not tell."""
        self.undecided.pop(place.path, None)
        before = place.log
        if before is not None:
            before.places.remove(place)
            before.at = None if before.at is place else before.at
            place.log = None
        self._identify_anew(place)
        if before is not None and place.log is not before and before.reader is None:
            self._miss(before, 0)

    def _identify_anew(self, place: Place) -> None:
        held = self.files.holder(place)
        if held is not None and self.whole(held):
            self._join(place, held)
            return
        reader = self.files.open(place)
        if reader is None:
            return
        try:
            self._identify_by(place, reader)
        finally:
            if place.log is None or place.log.reader is not reader:
                reader.close()

    def _identify_by(self, place: Place, reader: Reader) -> None:
        place.gz = reader.gz
        data = reader.peek(0, HEAD_BYTES)
        complete = reader.ended or self._settled(place)
        if complete and len(data) < HEAD_BYTES:
            self.files.report(place, reader)
        head = head_of(data, whole=self.ended or (place.kind.rotated and complete))
        if not head:
            return
        kind = kind_of(place.path, head, self.tables) if place.given else place.kind
        if kind is None:
            place.asleep = True
            self.skipped[names.unknown(Path(place.path).name) or Path(place.path).name] = None
            return
        place.kind = kind
        found = self.known.find(place.sensor, kind.name, head)
        for log in found:
            if self._same(log, reader, sure=len(found) > 1):
                self._join(place, log, reader, head)
                return
        copying = kind.rotated and not complete and len(head) < HEAD_BYTES
        if copying and self.known.may_grow_into(place.sensor, kind.name, head):
            self.undecided[place.path] = place
        else:
            self._begin(place, reader, head)

    def _same(self, log: LogFile, reader: Reader, *, sure: bool) -> bool:
        """Whether a file that begins like the log is it; of a gzip file, looked at only where another fits as well."""
        if isinstance(reader, GzipReader) and (not sure or _all_read(log, reader)):
            return True
        return log.resume(reader) is not False

    def _begin(self, place: Place, reader: Reader, head: bytes) -> None:
        kind = place.kind
        log = LogFile(LogState(uuid.uuid4().hex, place.sensor, kind.name, kind.node, path=place.path))
        log.grow_head(head)
        self.known.add(log)
        self._join(place, log, reader, head)
        log.ready = b"\n" in head
        if log.ready and kind.rotated:
            self.active.pop(log, None)
            queue = self.queues[(log.sensor, log.name, log.node)]
            heapq.heappush(queue, (place.when_us, place.path, log.state.id, log))

    def _join(self, place: Place, log: LogFile, reader: Reader | None = None, head: bytes = b"") -> None:
        place.log = log
        log.places.append(place)
        if len(head) > log.state.head_len or not log.head:
            with self.known.regrown(log):
                log.grow_head(head or log.head)
        if reader is None:
            log.at = log.at or place
        else:
            place.spent = _all_read(log, reader)
            if log.reader is None and not place.kind.rotated and log.resume(reader):
                self.files.hold(log, reader, place)
        if not place.spent or log.reader is not None:
            self.active[log] = None

    def _cut_short(self, place: Place) -> None:
        """A live file that ends before its log's position, where no other place holds more, goes on from its end.

        So it is after a power loss: sensors do not fsync. Its head says that it is the same log.
        """
        log = place.log
        if log is None or place.gz or place.kind.rotated or place.path != log.state.path or log.reader is not None:
            return
        if any(p.gz or p.size >= log.state.position for p in log.places):
            return
        reader = self.files.open(place)
        if reader is not None:
            self._rewind(log, reader)
            self.files.hold(log, reader, place)
            self.active[log] = None

    def _rewind(self, log: LogFile, reader: Reader) -> None:
        """Goes on from the file's end; to be kept, for once it has grown beyond the old position nothing tells it."""
        log.rewind(reader)
        self.finished.append(log)

    def part(self, place: Place, reader: Reader) -> None:
        """A place whose contents are others than those of its log, though they begin alike, is a log of its own."""
        if place.log is not None:
            place.log.places.remove(place)
            place.log = None
        data = reader.peek(0, HEAD_BYTES)
        self._begin(place, reader, head_of(data) or data)

    def overwritten(self) -> list[LogFile]:
        """Logs of the state that were found nowhere, whose file was written anew in place while nobody read."""
        gone = [log for log in self.stale if not log.places and log.reader is None]
        now = [(log, self._places.get(log.state.path)) for log in gone]
        return [g for g, p in now if p and (p.device, p.inode) == (g.state.device, g.state.inode)]

    def lose(self, log: LogFile, size: int | None) -> None:
        """Says that so many bytes of a log that lies nowhere any more were not read."""
        log.state = replace(log.state, done=True)
        self.lost.append(Lost(log.sensor, log.name, log.state.path, size, log=log.state.id))

    def whole(self, log: LogFile) -> bool:
        """Whether the log's open file still holds what was read of it; if not, it is closed and the file is another."""
        reader = log.reader
        if reader is None:
            return False
        if reader.intact():
            if not reader.gz and reader.length() < log.state.position:
                self._rewind(log, reader)
            return True
        place, size, gz = log.at, log.size, reader.gz
        seen = place.size if place else 0
        self.files.release(log)
        for other in log.places:
            other.spent = False
        log.at = None
        if place is not None:
            place.log = None
            place.size = -1
            log.places.remove(place)
            self._busy.setdefault(os.path.dirname(place.path), set()).add(os.path.basename(place.path))  # noqa: PTH119, PTH120
        self._miss(log, 0 if gz else max(size, seen))
        return False

    def retire(self, log: LogFile) -> None:
        """Closes a log that is read to its end."""
        for place in log.places:
            place.spent = place.spent or place is log.at
        self.files.release(log)
        if log.state.head_len == HEAD_BYTES:
            log.head = b""
        if not log.state.done:
            log.state = replace(log.state, done=True)
            self.finished.append(log)
        if not log.places:
            self._retired.append((self.clock(), log))

    def _forget(self) -> None:
        """Drops logs that are read to their ends and have long been gone from the folders."""
        while self._retired and self.clock() - self._retired[0][0] > KEEP_S:
            _, log = self._retired.popleft()
            if log.state.done and not log.places and self.known.holds(log):
                self.known.drop(log)


def _all_read(log: LogFile, reader: Reader) -> bool:
    """Whether a file holds nothing beyond the log's position, as far as that is seen without reading it."""
    position = log.state.position
    if isinstance(reader, GzipReader):
        return position > 0 and reader.trailer() == position % 2**32
    return reader.length() <= position
