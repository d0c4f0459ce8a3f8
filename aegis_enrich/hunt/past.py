"""What a hunt reads: the rows of states and common lakes in a span of event time, under a manifest of its own."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa

from ..errors import ConfigError
from ..plugin import HOUR_US
from ..store import Segment, Store
from ..store.common_lake import is_common, whole
from ..store.common_lake import segments as of_common
from ..store.views import View
from .away import Away, is_uri

FOREVER_US = 2**62
_COLUMNS = "segment_id, tbl, sensor, source, path, rows, bytes, min_us, max_us, hours, derived, committed"


class Past(Store):
    """A state that names the segments of other states and of common lakes, and writes nothing into these.

    What is found goes into the folder `root`, as do segments of lakes in an object store (a URI, and of other stores
    than AWS's their `endpoint`) once they are read. Rows and hours from `until_us` on (a whole hour) are not there.
    """

    def __init__(
        self, root: Path, lakes: Sequence[Path | str], until_us: int | None = None, *, endpoint: str = ""
    ) -> None:
        named = [lake for lake in lakes if is_uri(lake)]
        self.away = [Away(str(uri), root / "away" / str(n), endpoint=endpoint) for n, uri in enumerate(named)]
        self.lakes = tuple(Path(lake) for lake in lakes if not is_uri(lake))
        self.until_us = FOREVER_US if until_us is None else until_us
        super().__init__(root)
        try:
            self.renew()
        except BaseException:
            self.close()
            raise

    def renew(self) -> None:
        """Takes the manifests as they are now: segments may have been merged meanwhile, and their files be gone."""
        found = [(str(lake), s) for lake in self.lakes for s in _segments(lake)]
        for away in self.away:
            found += [(f"{away.far.target} {state}", s) for state, s in _checked(away)]
        named = {s.id: s for s in whole(found) if s.min_us < self.until_us}
        with self.transaction() as tx:
            tx.execute("DELETE FROM segments")
            tx.executemany(
                f"INSERT INTO segments ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(*_values(s), number) for number, s in enumerate(sorted(named.values(), key=lambda s: s.id), 1)],
            )

    def __enter__(self) -> Past:
        return self

    @property
    def sensors(self) -> list[str]:
        """The names of the sensors of which there are rows."""
        return sorted(str(s) for (s,) in self.query("SELECT DISTINCT sensor FROM segments"))

    def present(self, table: str, sensor: str) -> set[int]:
        """The hours of a derived table that are in segments."""
        return {hour for segment in self.segments(table, sensor) for hour in segment.hours}

    def hours(self, tables: Sequence[str], sensor: str, *, after_us: int | None = None) -> list[int]:
        return [h for h in super().hours(tables, sensor, after_us=after_us) if h < self.until_us]

    def view(self, table: str, sensor: str, start_us: int, end_us: int, schema: pa.Schema) -> View:
        return self._there(super().view, table, sensor, start_us, min(end_us, self.until_us), schema)

    def derived_view(
        self, table: str, sensor: str, start_us: int, end_us: int, schema: pa.Schema, temporary: Sequence[pa.Table] = ()
    ) -> View:
        end_us = min(end_us, self.until_us)
        return self._there(super().derived_view, table, sensor, start_us, end_us, schema, temporary)

    def bring(self, files: Collection[Path]) -> bool:
        """Brings those here that are elsewhere; whether all are here: segments may have been merged meanwhile."""
        for away in self.away:
            away.bring([file for file in files if file.is_relative_to(away.folder)])
        return all(file.exists() for file in files)

    def _there(self, made: object, *arguments: object) -> View:
        """The view, over files that are there."""
        view: View = made(*arguments)  # type: ignore[operator]
        if not self.bring([Path(path) for path in view.paths]):
            self.renew()
            view = made(*arguments)  # type: ignore[operator]
            self.bring([Path(path) for path in view.paths])
        return view


def _checked(away: Away) -> list[tuple[str, Segment]]:
    found = away.segments()
    if not found:
        raise ConfigError("holds no common lake (SENSOR/manifest/DATE.jsonl); name one", where=away.far.target)
    return found


def _segments(lake: Path) -> list[Segment]:
    """Those that a state or a common lake names now."""
    lake = lake.absolute()
    if (lake / "state.db").is_file():
        with Store(lake, read_only=True) as store:
            return store.living("1 = 1", ())
    if is_common(lake):
        return of_common(lake)
    what = "neither a state folder (state.db) nor a common lake (SENSOR/manifest/DATE.jsonl); name one"
    raise ConfigError(f"holds {what}", where=str(lake))


def _values(segment: Segment) -> tuple[object, ...]:
    s = segment
    hours = json.dumps(list(s.hours))
    path = str(s.path.absolute())
    return (s.id, s.table, s.sensor, s.source, path, s.rows, s.bytes, s.min_us, s.max_us, hours, int(s.derived))


def whole_hour(time_us: int, *, up: bool) -> int:
    """The hour that begins at or before a time, or (`up`) at or after it."""
    return -(-time_us // HOUR_US) * HOUR_US if up else time_us // HOUR_US * HOUR_US
