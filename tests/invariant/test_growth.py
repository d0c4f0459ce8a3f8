"""Alerts do not depend on how logs grow and are rotated while they are followed, nor on stops in between."""

from __future__ import annotations

import gzip
import os
import random
import shutil
from bisect import bisect
from datetime import UTC, datetime
from pathlib import Path

import pytest

EVENING = (
    ("beacon_http_60s", 0.1),
    ("dns_tunnel", 0.9),
    ("scan_slow_1min", 0.2),
    ("scan_udp", 0.7),
    ("multistage", 1.05),
)


def archive(folder: Path, log: str, stamp: str) -> Path:
    return folder / f"{log.removesuffix('.log')}.{stamp}.log"


def rename(folder: Path, log: str, stamp: str) -> None:
    (folder / log).rename(archive(folder, log, stamp))


def rename_and_compress(folder: Path, log: str, stamp: str) -> None:
    rename(folder, log, stamp)
    compress(archive(folder, log, stamp))


def compress(path: Path, into: Path | None = None) -> None:
    (into or path.with_name(f"{path.name}.gz")).write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def into_dated_folder(folder: Path, log: str, stamp: str) -> None:
    """As zeekctl does: `2024-03-05/conn.20:00:00-21:00:00.log.gz` beside the folder that is written."""
    day, clock = stamp[:10], stamp[11:].replace("-", ":")
    dated = folder.parent / day / f"{log.removesuffix('.log')}.{clock}-{clock[:2]}:59:59.log.gz"
    dated.parent.mkdir(exist_ok=True)
    compress(folder / log, dated)


def copy_and_truncate(folder: Path, log: str, stamp: str) -> None:
    shutil.copy2(folder / log, archive(folder, log, stamp))
    os.truncate(folder / log, 0)


def restart(folder: Path, log: str, stamp: str) -> None:
    """Zeek without rotation, started anew: what was there is gone (and was read)."""
    os.truncate(folder / log, 0)


def numbers(folder: Path, log: str, stamp: str) -> None:
    """As logrotate does by default."""
    for n in range(5, 0, -1):
        if (old := folder / f"{log}.{n}").exists():
            old.rename(folder / f"{log}.{n + 1}")
    (folder / log).rename(folder / f"{log}.1")


def archiver(folder: Path, log: str, stamp: str) -> None:
    """As the supervisor and zeek-archiver name: `conn__2024-…__2024-…__log_suffix=logger-1__.log`."""
    name, _, node = log.removesuffix(".log").partition("_")
    suffix = f"log_suffix={node}__" if node else ""
    (folder / log).rename(folder / f"{name}__{stamp}__{stamp[:13]}-59-59__{suffix}.log")


SCHEMES = [rename, rename_and_compress, into_dated_folder, copy_and_truncate, restart, numbers]


@pytest.fixture(scope="module")
def parts(tools, parts):
    """Commits of a minute and more: two hours pass here in seconds, and each commit waits for the disk."""
    return tools.with_flush(parts, seconds=60, small_seconds=180)


@pytest.fixture(scope="module")
def evening(tools, parts, tmp_path_factory):
    """An hour and more of an evening: the scene and what one pass over its TSV gives."""
    root = tmp_path_factory.mktemp("evening")
    scene = tools.zeek_scene(EVENING, notices=20)
    result = tools.one_pass(parts, root / "s", scene.write(root / "logs"))
    assert len(result.alerts) >= 8
    assert result.late == 0
    return tools.Whole(scene, root / "logs", result)


class Sensor:
    """Writes a scene's rows when their time comes, and rotates its logs every 17 minutes."""

    def __init__(self, scene, folder: Path, rotate=None, *, file=str, every_us: int = 17 * 60_000_000) -> None:
        self.scene, self.folder, self.rotate, self.file, self.every_us = scene, folder, rotate, file, every_us
        self.written = self.rotations = 0
        folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, before_us: int, now_us: int) -> None:
        if self.rotate and before_us // self.every_us != now_us // self.every_us:
            self._rotate(now_us)
        until = bisect(self.scene.lines, now_us - 1, key=lambda line: line[0])
        self.scene.append(self.folder, self.scene.lines[self.written : until], file=self.file)
        self.written = until

    def _rotate(self, now_us: int) -> None:
        stamp = datetime.fromtimestamp(now_us // 1_000_000, UTC).strftime("%Y-%m-%d-%H-%M-%S")
        logs = [p for p in self.folder.iterdir() if p.suffix == ".log" and "." not in p.stem and "__" not in p.stem]
        for log in logs:
            if log.stat().st_size:
                self.rotate(self.folder, log.name, stamp)
                self.rotations += 1


def follow(tools, parts, state, root, sensor, monkeypatch, *, seed=0, stops=()):
    scene = sensor.scene
    run = tools.Simulated(parts, state, {"sensor": [root]}, sensor, scene.start_us - 1, scene.end_us)
    run.limits = tools.random_limits(seed)
    late = sum(run.run(monkeypatch, until_us=until_us).late for until_us in stops)
    result = run.run(monkeypatch)
    return tools.replace(result, late=result.late + late)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_rotation(tools, parts, evening, tmp_path, monkeypatch, scheme):
    sensor = Sensor(evening.scene, tmp_path / "logs" / "current", scheme)
    got = follow(tools, parts, tmp_path / "s", tmp_path / "logs", sensor, monkeypatch)
    assert got == evening.result
    assert sensor.rotations >= 15


def test_current_is_a_link(tools, parts, evening, tmp_path, monkeypatch):
    """zeekctl's `logs/current` points to where Zeek runs; a restart may point it elsewhere."""
    logs, spool = tmp_path / "logs", tmp_path / "spool" / "zeek"
    logs.mkdir()

    def rotate(folder: Path, log: str, stamp: str) -> None:
        day, clock = stamp[:10], stamp[11:].replace("-", ":")
        (logs / day).mkdir(exist_ok=True)
        compress(folder / log, logs / day / f"{log.removesuffix('.log')}.{clock}-{clock[:2]}:59:59.log.gz")

    sensor = Sensor(evening.scene, spool, rotate)
    (logs / "current").symlink_to(spool)
    got = follow(tools, parts, tmp_path / "s", logs, sensor, monkeypatch)
    assert got == evening.result
    assert sensor.rotations >= 15


@pytest.mark.parametrize("nodes", [("_logger-1", "_logger-2"), ("-logger-1", ""), ("_proxy",)])
def test_names_of_nodes(tools, parts, evening, tmp_path, monkeypatch, nodes):
    """A cluster whose loggers share the rows of each log."""
    rng = random.Random(1)

    def file(name: str) -> str:
        return name.replace(".log", f"{rng.choice(nodes)}.log")

    rotate = archiver if nodes[0].startswith("_") else rename
    sensor = Sensor(evening.scene, tmp_path / "logs", rotate, file=file)
    got = follow(tools, parts, tmp_path / "s", tmp_path / "logs", sensor, monkeypatch)
    assert got == evening.result


@pytest.mark.parametrize("scheme", [rename_and_compress, into_dated_folder, copy_and_truncate])
def test_stops_and_rotations_while_nobody_reads(tools, parts, evening, tmp_path, monkeypatch, scheme):
    """Stopped three times; the sensor writes and rotates on meanwhile, and what waits is committed piece by piece."""
    scene = evening.scene
    sensor = Sensor(scene, tmp_path / "logs" / "current", scheme)
    run = tools.Simulated(
        tools.with_flush(parts, rows=100),
        tmp_path / "s",
        {"sensor": [tmp_path / "logs"]},
        sensor,
        scene.start_us - 1,
        scene.end_us,
    )
    run.limits = tools.random_limits(3, most=1 << 14)
    rng = random.Random(3)
    span_us = scene.end_us - scene.start_us
    for n in range(1, 4):
        run.run(monkeypatch, until_us=scene.start_us + span_us * n // 4)
        for _ in range(rng.randint(1, 40)):  # up to 40 minutes
            sensor(run.now_us, run.now_us + 60_000_000)
            run.now_us += 60_000_000
    assert run.run(monkeypatch) == evening.result


def test_json_by_copytruncate(tools, parts, evening, tmp_path, monkeypatch):
    """Logs without a header, which begin anew with just any row."""
    scene = tools.zeek_scene(EVENING, form="json")
    notices = [line for line in evening.scene.lines if line[1] == "notice.log"]
    scene.headers["notice.log"] = evening.scene.headers["notice.log"]
    scene.lines = sorted(scene.lines + notices, key=lambda line: line[0])
    sensor = Sensor(scene, tmp_path / "logs", copy_and_truncate)
    assert follow(tools, parts, tmp_path / "s", tmp_path / "logs", sensor, monkeypatch) == evening.result


def test_ends_of_the_input_that_were_none(tools, parts, evening, tmp_path):
    """`watch --once` each half hour: windows that were open are evaluated again, and alerts revised."""
    for part in evening.scene.parts(6):
        evening.scene.append(tmp_path / "logs", part)
        got = tools.one_pass(parts, tmp_path / "s", tmp_path / "logs", limits=tools.random_limits(1))
    assert got == evening.result


def test_reading_waits_for_room_on_the_disk(tools, parts, evening, tmp_path, monkeypatch):
    """For longer than a log may be silent: what was written meanwhile is in time, since nobody had read it."""
    scene = evening.scene
    sensor = Sensor(scene, tmp_path / "logs", rename)
    run = tools.Simulated(
        parts, tmp_path / "s", {"sensor": [tmp_path / "logs"]}, sensor, scene.start_us - 1, scene.end_us
    )
    run.room = lambda now_us: not 60 <= (now_us - scene.start_us) / 60e6 <= 110
    assert run.run(monkeypatch) == evening.result
