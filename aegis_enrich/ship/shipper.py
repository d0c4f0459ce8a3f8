"""One round of shipping: segments that the lake lacks are copied, then the manifests of the days that changed are put.

A merged segment takes the place of those whose commits it holds; what the state has let go by its retention stays.
Nothing is remembered but what the lake's manifests say, so a round may end anywhere.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..errors import StateError
from ..store import Segment, Store, common_lake, holds
from .far import TEMPORARY, Far

log = logging.getLogger(__name__)

GRACE = timedelta(hours=1)  # how long a file stays that no manifest names any more: somebody may be reading it

Day = tuple[str, str]  # sensor, UTC date


@dataclass(frozen=True)
class Round:
    """What a round did. `missed`: segments that went while they were copied; the next round finds what they became."""

    copied: int = 0
    bytes: int = 0
    replaced: int = 0
    dropped: int = 0
    missed: int = 0

    def __add__(self, other: Round) -> Round:
        return Round(
            self.copied + other.copied,
            self.bytes + other.bytes,
            self.replaced + other.replaced,
            self.dropped + other.dropped,
            self.missed + other.missed,
        )


class Shipper:
    """Ships a state to a lake. `stop`: asked between two segments. `now`: wall clock, for the age of files only."""

    def __init__(
        self,
        root: Path,
        far: Far,
        *,
        stop: Callable[[], bool] = lambda: False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.root, self.far, self._stop, self._now = root, far, stop, now
        self._there: dict[Day, list[Segment]] = {}  # what the lake's manifests of this state say
        self._swept: set[Day] = set()

    def round(self) -> Round:
        """Brings the lake up to what the state holds now; raises ShipError, or StateError for the state."""
        state, days = self._living()
        done = Round()
        for day in sorted(days):
            if self._stop():
                break
            done += self._ship(state, day, days[day])
        for day in sorted(days.keys() - self._swept):
            if not self._stop() and self._is_quiet(state, day):
                self._sweep(state, day)
                self._swept.add(day)
        return done

    def drop(self, before: str, *, derived: bool = False) -> Round:
        """Takes the rows of all days before this date (and hours of derived tables) out of the lake, for good.

        What the state still holds stays, for it would be shipped again.
        """
        state, held = self._living()
        done = Round()
        for sensor in self.far.folders(""):
            for path in sorted(self.far.files_in(f"{sensor}/{common_lake.MANIFEST}")):
                date, _, rest = path.rpartition("/")[2].partition(".")
                if rest == f"{state}.jsonl" and date < before and not self._stop():
                    done += self._drop(
                        path, {s.id for (_, d), those in held.items() if d == date for s in those}, derived
                    )
        self._there.clear()
        return done

    def _living(self) -> tuple[str, dict[Day, list[Segment]]]:
        """The state's id, and its segments by sensor and date."""
        days: defaultdict[Day, list[Segment]] = defaultdict(list)
        with Store(self.root, read_only=True) as store:
            state = store.id
            for segment in store.living("1 = 1", ()):
                days[segment.sensor, common_lake.date_of(segment)].append(segment)
        if not state:
            raise StateError("is of an older AegisEnrich; start `aegis-enrich watch` on it once", where=str(self.root))
        return state, days

    def _ship(self, state: str, day: Day, segments: Sequence[Segment]) -> Round:
        there = self._manifest(state, day)
        known = {s.id for s in there}
        wanted = [s for s in segments if s.id not in known]
        if not wanted:
            return Round()
        copied: list[Segment] = []
        taken: set[int] = set()
        size = 0
        for segment in wanted:
            if self._stop():
                break
            try:
                new = self.far.copy(segment.path, self._path(state, segment))
                taken.update(holds.held(segment.path, segment.number))
            except FileNotFoundError:
                continue
            copied.append(segment)
            size += segment.bytes if new else 0
        living = {s.id for s in segments}
        kept = [s for s in there if s.id in living or s.number not in taken]
        if copied:
            self._put(state, day, [*kept, *copied])
        return Round(len(copied), size, len(there) - len(kept), missed=len(wanted) - len(copied))

    def _manifest(self, state: str, day: Day) -> list[Segment]:
        if day not in self._there:
            path = common_lake.manifest_of(*day, state)
            text = self.far.read(path) or ""
            folder = Path(common_lake.sensor_folder(day[0]))
            self._there[day] = [s for _, s in common_lake.read_lines(text, folder, where=f"{self.far.target}/{path}")]
        return self._there[day]

    def _put(self, state: str, day: Day, segments: Sequence[Segment]) -> None:
        self._there.pop(day, None)
        self._swept.discard(day)
        self.far.put(common_lake.manifest_of(*day, state), common_lake.lines(segments, state))
        self._there[day] = list(segments)

    def _path(self, state: str, segment: Segment) -> str:
        return f"{common_lake.sensor_folder(segment.sensor)}/{common_lake.file_of(segment, state)}"

    # What no manifest names any more

    def _is_quiet(self, state: str, day: Day) -> bool:
        """Whether the day's manifest is as it is for so long that nobody reads by one before it."""
        written = self.far.written(common_lake.manifest_of(*day, state))
        return written is not None and self._now() - written >= GRACE

    def _sweep(self, state: str, day: Day) -> None:
        """Removes this state's files of a day that its manifest does not name: replaced ones, and rests of a kill."""
        sensor, date = common_lake.sensor_folder(day[0]), day[1]
        named = {self._path(state, s) for s in self._manifest(state, day)}
        for table in self.far.folders(sensor):
            if table.rpartition("/")[2] == common_lake.MANIFEST:
                continue
            for path in self.far.files_in(f"{table}/{date}"):
                if path.rpartition("/")[2].startswith(f"{state}.") and path not in named:
                    self.far.delete(path)
        for path in self.far.files_in(f"{sensor}/{common_lake.MANIFEST}"):
            if path.endswith(TEMPORARY) and path.rpartition("/")[2].startswith(f"{date}.{state}."):
                self.far.delete(path)

    def _drop(self, path: str, held: Iterable[str], derived: bool) -> Round:
        text = self.far.read(path) or ""
        sensor = path.partition("/")[0]
        told = common_lake.read_lines(text, Path(sensor), where=f"{self.far.target}/{path}")
        gone = [(state, s) for state, s in told if s.id not in held and (derived or not s.derived)]
        if not gone:
            return Round()
        ids = {s.id for _, s in gone}
        left = [s for _, s in told if s.id not in ids]
        if left:
            self.far.put(path, common_lake.lines(left, told[0][0]))
        else:
            self.far.delete(path)
        for state, segment in gone:
            self.far.delete(f"{sensor}/{common_lake.file_of(segment, state)}")
        return replace(Round(), dropped=len(gone), bytes=sum(s.bytes for _, s in gone))
