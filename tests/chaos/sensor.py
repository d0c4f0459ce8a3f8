"""A sensor that writes real logs in the order of their rows, and rotates them in every way that there is."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import sqlite3
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

from scenes import Line, Scene, eve_scene, stamp, zeek_scene

from aegis_enrich.follow.state import digest
from aegis_enrich.plugin import MICROS

# Of event time between two writes: less than what is left of a detector's 30 s of lateness when a sensor took 5 s.
STEP_US = 5 * MICROS
APPENDED = "eve.json"
KEPT_BYTES = 8192  # more than a log is known by
BAD_EVERY = 120  # rows of a log that is corrupted
PLACED = (
    ("beacon_http_60s", 0.1),
    ("beacon_https_60s", 0.3),
    ("scan_vertical", 0.6),
    ("multistage", 0.8),
    ("dns_tunnel", 1.4),
    ("ssh_bruteforce_success", 1.6),
    ("scan_slow_1min", 1.8),
    ("icmp_sweep", 2.3),
    ("long_connection_66min", 2.4),
    ("dga_nxdomain", 2.6),
    ("exfil_small", 2.9),
    ("scan_udp", 3.2),
    ("beacon_http_60s", 3.4),
    ("scan_horizontal", 3.97),
    ("beacon_http_v6", 4.6),
    ("benign_tls", 5.3),
    ("scan_vertical_v6", 5.6),
    ("icmp_tunnel", 6.2),
    ("syn_flood_drop", 6.4),
    ("loss_20", 6.6),
    ("beacon_https_60s", 6.9),
    ("benign", 7.5),
)
EVE = (("dns_tunnel", 0.4), ("scan_vertical", 2.1), ("beacon_http_60s", 4.2), ("multistage", 5.9))


def made_scene(seed: int, hours: float) -> Scene:
    """Zeek's and Suricata's logs of one link for so many hours; by chance TSV or JSON, and with lines that are bad."""
    rng = random.Random(seed)
    placed = [p for p in PLACED if p[1] < hours - 0.3]
    tsv = zeek_scene(placed, notices=10 + int(6 * hours), chance=seed)
    form_json = zeek_scene(placed, form="json", chance=seed)
    names = sorted(set(form_json.names) - {"aegis_scan.log", "notice.log"})
    in_json = {name for name in names if rng.random() < 0.4}
    eve = eve_scene([p for p in EVE if p[1] < hours - 0.3], alerts=int(8 * hours), chance=seed)
    lines = [line for line in tsv.lines if line[1] not in in_json] + eve.lines
    lines += [line for line in form_json.lines if line[1] in in_json]
    scene = Scene({n: h for n, h in tsv.headers.items() if n not in in_json}, sorted(lines, key=lambda line: line[0]))
    return Scene(scene.headers, sorted([*scene.lines, *corrupted(scene, rng)], key=lambda line: line[0]))


def corrupted(scene: Scene, rng: random.Random) -> list[Line]:
    """Lines that no decoder can read, each unlike the others, among the rows of each log."""
    made: list[Line] = []
    for at_us, name, line in scene.lines:
        if rng.random() < 1 / BAD_EVERY:
            text = line.rstrip(b"\n")
            number = b"%d" % len(made)
            kinds = [
                b"\x00" * 7 + number + text[:40].replace(b"\n", b" "),  # a block that never reached the disk
                number + bytes(rng.randrange(128, 256) for _ in range(30)),
                text[: len(text) // 3] + number,
                text + (b"\t" + number if name in scene.headers else b"}" + number),
            ]
            made.append((at_us, name, rng.choice(kinds) + b"\n"))
    return made


def steps(scene: Scene) -> deque[tuple[int, int]]:
    """Spans of `STEP_US` that hold rows: of each, how many lines come before its end, and its end (µs)."""
    found: deque[tuple[int, int]] = deque()
    end_us = scene.start_us
    for number, (at_us, _, _) in enumerate(scene.lines):
        if at_us >= end_us:
            if found:
                found[-1] = number, end_us
            found.append((0, 0))
            end_us = at_us + STEP_US
    found[-1] = len(scene.lines), end_us
    return found


class Sensor:
    """Writes a scene into `folder/current`. `state`: of the `watch` over it, which tells what may be truncated."""

    def __init__(self, scene: Scene, folder: Path, state: Path, rng: random.Random) -> None:
        self.scene, self.folder, self.state, self.rng = scene, folder, state, rng
        self.current = folder / "current"
        self.current.mkdir(parents=True)
        self.now_us = scene.start_us
        self.at = 0  # of the scene's lines, how many are written
        self._steps = steps(scene)  # up to which line and to which time each goes
        self._all = len(self._steps)
        self.done: Counter[str] = Counter()
        self._to_compress: list[tuple[Path, Path]] = []

    @property
    def part(self) -> float:
        return 1 - len(self._steps) / self._all

    @property
    def ended(self) -> bool:
        return not self._steps

    @property
    def steps_left(self) -> int:
        return len(self._steps)

    def step(self, pause: Callable[[float], None]) -> None:
        """Writes the rows of the next seconds that have any; by chance a line in two pieces, with a pause between."""
        begun, (self.at, self.now_us) = self.at, self._steps.popleft()
        by_log: dict[str, list[bytes]] = {}
        for _, name, line in self.scene.lines[begun : self.at]:
            by_log.setdefault(name, []).append(line)
        for name in self.rng.sample(sorted(by_log), len(by_log)):
            self._write(name, b"".join(by_log[name]), pause)

    def _write(self, name: str, data: bytes, pause: Callable[[float], None]) -> None:
        path = self.current / name
        with path.open("ab", buffering=0) as log:
            if not log.tell():
                log.write(self._header(name))
            if self.rng.random() < 0.1:
                cut = self.rng.randrange(len(data))
                log.write(data[:cut])
                pause(self.rng.uniform(0, 0.1))
                data = data[cut:]
                self.done["torn writes"] += 1
            log.write(data)
        os.utime(path, ns=(self.now_us * 1000, self.now_us * 1000))

    def _header(self, name: str) -> bytes:
        """With the time at which the file is begun, as Zeek writes it."""
        lines = self.scene.headers.get(name, b"").splitlines(keepends=True)
        opened = b"#open\t" + stamp(self.now_us).encode() + b"\n"
        return b"".join(opened if line.startswith(b"#open") else line for line in lines)

    # Rotation

    def rotate(self) -> None:
        """Rotates some of the logs, each in a way of its own."""
        logs = [p for p in sorted(self.current.iterdir()) if p.name in self.scene.names and p.stat().st_size]
        for log in logs:
            if self.rng.random() < 0.7:
                scheme = self.rng.choice(SCHEMES)
                scheme(self, log)

    def compress(self) -> None:
        """Compresses what was put off; now and then the file grows before a reader's eyes."""
        for path, into in self._to_compress:
            self._packed(path, into)
        self._to_compress = []

    def _packed(self, path: Path, into: Path) -> None:
        into.parent.mkdir(exist_ok=True)
        data = gzip.compress(path.read_bytes(), mtime=0)
        cut = self.rng.randrange(len(data))
        with into.open("wb", buffering=0) as packed:
            packed.write(data[:cut])
            packed.write(data[cut:])
        shutil.copystat(path, into)
        path.unlink()
        self.done["gzip"] += 1

    def _archive(self, log: Path) -> Path:
        return log.with_name(f"{log.stem}.{stamp(self.now_us)}{log.suffix}")

    def _close(self, log: Path) -> None:
        """Zeek's last line; none where it crashed."""
        if log.name in self.scene.headers and self.rng.random() < 0.7:
            with log.open("ab") as file:
                file.write(b"#close\t" + stamp(self.now_us).encode() + b"\n")
            os.utime(log, ns=(self.now_us * 1000, self.now_us * 1000))

    def _rename(self, log: Path) -> None:
        self._close(log)
        log.rename(self._archive(log))
        self.done["rename"] += 1

    def _rename_and_compress_later(self, log: Path) -> None:
        self._close(log)
        archive = log.rename(self._archive(log))
        self._to_compress.append((archive, archive.with_name(f"{archive.name}.gz")))
        self.done["rename, gzip later"] += 1

    def _into_dated_folder(self, log: Path) -> None:
        """As zeekctl does."""
        self._close(log)
        day, clock = stamp(self.now_us)[:10], stamp(self.now_us)[11:].replace("-", ":")
        into = self.folder / day / f"{log.stem}.{clock}-{clock[:2]}:59:59{log.suffix}.gz"
        self._packed(log, into)
        self.done["dated folder"] += 1

    def _copy_and_truncate(self, log: Path) -> None:
        shutil.copy2(log, self._archive(log))
        os.truncate(log, 0)
        self.done["copytruncate"] += 1

    def _number(self, log: Path) -> None:
        """As logrotate does by default."""
        for n in range(30, 0, -1):
            if (old := log.with_name(f"{log.name}.{n}")).exists():
                old.rename(log.with_name(f"{log.name}.{n + 1}"))
        log.rename(log.with_name(f"{log.name}.1"))
        self.done["numbers"] += 1

    def _to_archiver(self, log: Path) -> None:
        """As the supervisor and zeek-archiver name."""
        self._close(log)
        log.rename(log.with_name(f"{log.stem}__{stamp(self.now_us)}__{stamp(self.now_us)[:13]}-59-59__{log.suffix}"))
        self.done["archiver"] += 1

    def _restart(self, log: Path) -> None:
        """Zeek without rotation, started anew: what was there is gone, so only where all of it is committed."""
        if not self.committed(log):
            return self._rename(log)
        os.truncate(log, 0)
        self.done["restart truncates"] += 1
        return None

    def lose_power(self) -> bool:
        """The end of Suricata's log, which it does not sync and goes on with, is gone; only where it was committed."""
        log = self.current / APPENDED
        lines = log.read_bytes().splitlines(keepends=True) if log.exists() else []
        cut = sum(map(len, lines[len(lines) - self.rng.randint(1, 20) :]))
        if sum(map(len, lines)) - cut < KEPT_BYTES or not self.committed(log):
            return False
        os.truncate(log, log.stat().st_size - cut)
        return True

    def committed(self, log: Path) -> bool:
        """Whether the state has read the file to its end: not one before it that was as long."""
        info = log.stat()
        if not (self.state / "state.db").exists():
            return False
        query = (
            "SELECT tail_hash, tail_len FROM logs WHERE device = ? AND inode = ? AND position = ? AND path = ?"
            " ORDER BY seen_us DESC LIMIT 1"
        )
        try:
            with sqlite3.connect(f"file:{self.state / 'state.db'}?mode=ro", uri=True, timeout=5) as state:
                found = state.execute(query, [info.st_dev, info.st_ino, info.st_size, str(log)]).fetchone()
            state.close()
        except sqlite3.OperationalError:
            return False
        size = info.st_size
        return found is not None and digest(log.read_bytes()[size - found[1] : size]) == found[0]


SCHEMES = (
    Sensor._rename,
    Sensor._rename_and_compress_later,
    Sensor._into_dated_folder,
    Sensor._copy_and_truncate,
    Sensor._number,
    Sensor._to_archiver,
    Sensor._restart,
)
