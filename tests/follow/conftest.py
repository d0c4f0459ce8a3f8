"""A sensor that writes and rotates its log in a folder, and a reader of it that can be restarted at any time."""

from __future__ import annotations

import gzip
import os
import shutil
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from aegis_enrich.follow import Follower, LogState


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Sensor:
    """Writes Zeek-like logs of numbered lines; `written` is what a reader must have in the end."""

    def __init__(self, folder: Path, name: str = "conn.log", *, header: bool = True) -> None:
        self.folder, self.live, self.header = folder, folder / name, header
        folder.mkdir(parents=True, exist_ok=True)
        self.written: list[bytes] = []
        self.number, self.rotations, self._partial = count(), count(), b""

    def write(self, lines: int, width: int = 60) -> None:
        with self.live.open("ab") as file:
            if not file.tell() and self.header:
                file.write(b"#separator \\x09\n#path\tconn\n#open\t%d\n#fields\tts\n" % next(self.number))
            for _ in range(lines):
                line = b"%d\t".ljust(width, b"x") % next(self.number) + b"\n"
                file.write(self._take_partial(line))
                self.written.append(line)

    def write_part(self, width: int = 60) -> None:
        """The first half of a line; the next write brings its end."""
        if not self._partial and self.live.exists() and self.live.stat().st_size:
            self._partial = (b"%d\t".ljust(width, b"x") % next(self.number))[: width // 2]
            with self.live.open("ab") as file:
                file.write(self._partial)

    def end_part(self) -> None:
        if self._partial:
            with self.live.open("ab") as file:
                file.write(b"\n")
            self.written.append(self._partial + b"\n")
            self._partial = b""

    def _take_partial(self, line: bytes) -> bytes:
        if self._partial:
            self.written.append(self._partial + b"\n")
            self._partial = b""
            return b"\n" + line
        return line

    def rotate(self, scheme: str) -> None:
        self.end_part()
        if not self.live.exists():
            return
        n = next(self.rotations)
        archive = self.folder / f"conn.2026-11-21-{n // 60:02}-{n % 60:02}-00.log"
        dated = self.folder / "2026-11-21" / f"conn.{n // 60:02}:{n % 60:02}:00-{n // 60:02}:{n % 60:02}:59.log.gz"
        dated.parent.mkdir(exist_ok=True)
        if scheme in ("rename", "rename, gzip"):
            self.live.rename(archive)
        if scheme == "rename, gzip":
            compress(archive, archive.with_name(archive.name + ".gz"))
            archive.unlink()
        if scheme == "gzip elsewhere":
            compress(self.live, dated)
            self.live.unlink()
        if scheme == "move":
            self.live.rename(dated.with_suffix(""))
        if scheme in ("copytruncate", "copytruncate, gzip"):
            shutil.copy2(self.live, archive)
            os.truncate(self.live, 0)
        if scheme == "copytruncate, gzip":
            compress(archive, archive.with_name(archive.name + ".gz"))
            archive.unlink()
        if scheme == "numbers":
            for i in range(9, 0, -1):
                if (old := self.folder / f"conn.log.{i}").exists():
                    old.rename(self.folder / f"conn.log.{i + 1}")
            self.live.rename(self.folder / "conn.log.1")


def compress(source: Path, target: Path) -> None:
    target.write_bytes(gzip.compress(source.read_bytes(), 1))


class Reading:
    """A follower and all that it handed on: `states` as after the last chunks, `committed` as a store has them."""

    def __init__(self, *folders: Path, clock: Clock, sensor: str = "s", **options) -> None:
        self.sources, self.clock, self.options = {sensor: list(folders)}, clock, {"poll": True, **options}
        self.states: dict[str, LogState] = {}
        self.committed: dict[str, LogState] = {}
        self.contents: dict[str, bytes] = {}
        self.follower = self._start()

    def _start(self) -> Follower:
        return Follower(self.sources, self.committed.values(), clock=self.clock, **self.options)

    def commit(self) -> None:
        self.committed = dict(self.states)

    def restart(self) -> None:
        self.commit()
        self.kill()

    def kill(self) -> None:
        """A start from what was committed; what was handed on since then was never stored."""
        self.follower.close()
        self.states = dict(self.committed)
        self.contents = {n: self.contents[n][: state.position] for n, state in self.states.items()}
        self.follower = self._start()

    def scan(self) -> None:
        self.follower.scan()

    def read(self, limit: int = 1 << 20, *, most: int = 1 << 30) -> int:
        """Reads what is there, up to `most` chunks; how many it were."""
        chunks = 0
        while chunks < most and (pending := self.follower.pending()):
            chunk = self.follower.read(pending[0], limit)
            assert chunk is not None, pending[0].path
            before = self.states.get(chunk.log.id)
            assert chunk.log.position == (before.position if before else 0)
            assert chunk.end.position == chunk.log.position + len(chunk.data)
            assert chunk.log.context == (before.context if before else "")
            context = f"at {chunk.end.position}"
            pending[0].context = context
            self.states[chunk.end.id] = replace(chunk.end, context=context)
            self.contents[chunk.end.id] = self.contents.get(chunk.end.id, b"") + chunk.data
            chunks += 1
        return chunks

    def finish(self, limit: int = 1 << 20) -> None:
        self.scan()
        self.read(limit)
        self.follower.finish()
        self.read(limit)

    @property
    def lines(self) -> list[bytes]:
        """Data lines of all logs, in order of their number."""
        whole = [line for text in self.contents.values() for line in text.splitlines(keepends=True)]
        return sorted((line for line in whole if not line.startswith(b"#")), key=lambda x: int(x.split(b"\t")[0]))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sensor(tmp_path: Path) -> Sensor:
    return Sensor(tmp_path / "zeek")


@pytest.fixture
def reading(sensor: Sensor, clock: Clock):
    """A reader of the sensor's folder."""
    with_folder = Reading(sensor.folder, clock=clock)
    yield with_folder
    with_folder.follower.close()


@pytest.fixture
def start(clock: Clock):
    """Makes readers: `start(folder, …, **options of the Follower)`."""
    made: list[Reading] = []

    def make(*folders: Path, **options) -> Reading:
        made.append(Reading(*folders, clock=clock, **options))
        return made[-1]

    yield make
    for each in made:
        each.follower.close()


@pytest.fixture(scope="session")
def make_sensor():
    return Sensor


@pytest.fixture(scope="session")
def make_clock():
    return Clock


@pytest.fixture(scope="session")
def make_reading():
    return Reading
