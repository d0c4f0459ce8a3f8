"""`make bench`: how fast AegisEnrich is, and how much memory it takes, beside zat on the same file in the same run.

Nothing here says whether a figure is good: machines differ. What each part measures stands in docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import growing
import live
import made
import start
from machine import machine
from measured import Measured, run
from rich.console import Console
from rich.table import Table

from aegis_enrich.config import shipped_rules
from aegis_enrich.registry import load

HERE = Path(__file__).resolve().parent
HOUR_S = 3600
HOUR_RULES, ALL_RULES = "windows to 1 h", "all detectors"
PARTS = ("start", "load", "logs", "stages", "day", "memory", "watch", "beacon")
SLOW_PARTS = ("live",)  # only where they are asked for
Figures = dict[str, Any]


class Bench:
    """The parts, each of which adds its figures to `figures` and a table to what is printed."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.options = folder, options
        self.rows, self.beacon_rows, self.repeat = options.rows, options.beacon_rows, options.repeat
        self.networks = options.networks
        self.figures: Figures = {"machine": machine(), "rows": self.rows, "networks": self.networks}
        self.console = Console(width=110)
        self.rules = {ALL_RULES: shipped_rules(), HOUR_RULES: self._rules("hour", lambda d: d.window_s <= HOUR_S)}

    def load(self) -> None:
        """`analyze` and zat in turn, so that a machine that slows down slows both."""
        log = self._log(self.rows)
        runs: dict[str, list[tuple[Measured, float]]] = {"zat": [], HOUR_RULES: [], ALL_RULES: []}
        for _ in range(self.repeat):
            loaded = self._script("zat_load.py", log)
            runs["zat"].append((loaded, json.loads(_last_line(loaded))["seconds"]))
            for name, rules in self.rules.items():
                analyzed = self._analyze(log, rules)
                runs[name].append((analyzed, _own_seconds(analyzed)))
        table = self._table("rows/s", "run", "whole process", "ratio", "without start", "ratio", "CPU s", "peak RSS MB")
        base = runs["zat"]
        for name, measured in runs.items():
            of_zat = [z[0].seconds / m[0].seconds for z, m in zip(base, measured, strict=True)]
            own_of_zat = [z[1] / m[1] for z, m in zip(base, measured, strict=True)]
            figures = {
                "rows_per_s": self.rows / statistics.median(m.seconds for m, _ in measured),
                "ratio": statistics.median(of_zat),
                "own_rows_per_s": self.rows / statistics.median(s for _, s in measured),
                "own_ratio": statistics.median(own_of_zat),
                "cpu_s": statistics.median(m.cpu_s for m, _ in measured),
                "rss_mb": max(m.rss_mb for m, _ in measured),
            }
            self.figures.setdefault("load", {})[name] = figures
            shown = "zat LogToDataFrame" if name == "zat" else f"analyze, {name}"
            _add(table, shown, *figures.values())
        self.console.print(table)

    def start(self) -> None:
        """Commands that do nothing else, beside an empty Python's."""
        self.figures["start"] = start.start(self.folder, self._log(1_000), self.repeat)
        table = self._table("start", "command", "seconds", "CPU s", "of an empty Python's")
        for name, figures in self.figures["start"].items():
            _add(table, name, *figures.values())
        self.console.print(table)

    def logs(self) -> None:
        """`analyze` with all detectors of a conn.log, and of it with dns, ssl and http, and zat's load of it."""
        rows = self.options.log_rows
        folder = made.write_all(self.folder / "logs", rows, networks=self.networks)
        conn = folder / "conn.log"
        kinds: dict[str, Callable[[], Measured]] = {
            "zat LogToDataFrame of conn": lambda: self._script("zat_load.py", conn),
            "analyze of conn": lambda: self._analyze(conn, self.rules[ALL_RULES]),
            f"analyze of {', '.join(made.LOGS)}": lambda: self._analyze(folder, self.rules[ALL_RULES]),
        }
        runs = [{name: run_it() for name, run_it in kinds.items()} for _ in range(self.repeat)]
        shutil.rmtree(folder)
        table = self._table("large logs", "run", "rows", "rows/s", "ratio to zat", "CPU s", "peak RSS MB")
        for name in kinds:
            measured = [r[name] for r in runs]
            all_rows = _rows(measured[0]) or rows
            seconds = statistics.median(m.seconds for m in measured)
            figures = {
                "rows": all_rows,
                "rows_per_s": all_rows / seconds,
                "ratio": statistics.median(next(iter(r.values())).seconds / r[name].seconds for r in runs),
                "cpu_s": statistics.median(m.cpu_s for m in measured),
                "rss_mb": max(m.rss_mb for m in measured),
            }
            self.figures.setdefault("logs", {})[name] = figures
            _add(table, name, *figures.values())
        self.console.print(table)

    def live(self) -> None:
        """A watch that feeds a real Elasticsearch, from a log that grows at a steady rate."""
        options = self.options
        self.figures["live"] = live.live(
            self.folder,
            rows_per_s=options.live_rows,
            seconds=options.live_seconds,
            networks=self.networks,
            version=options.elasticsearch,
        )
        table = self._table(f"live, {options.live_rows:,} rows/s for {options.live_seconds:,.0f} s", "what", "figure")
        for name, value in self.figures["live"].items():
            _add(table, name, value)
        self.console.print(table)
        for left in ("live", "live.state"):
            shutil.rmtree(self.folder / left)
        (self.folder / "live.log").unlink()

    def stages(self) -> None:
        """The seconds of a core that each stage takes: medians, of runs of each kind in turn."""
        log = self._log(self.rows)
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in self.rules}
        for _ in range(self.repeat):
            for name, rules in self.rules.items():
                runs[name].append(json.loads(_last_line(self._script("stages.py", "analyze", log, "--rules", rules))))
        measured = {
            name: {
                stage: statistics.median(r.get(stage, 0.0) for r in its)
                for stage in sorted({s for r in its for s in r})
            }
            for name, its in runs.items()
        }
        of_ingest = {name: statistics.median(map(_of_ingest, its)) for name, its in runs.items()}
        self.figures |= {"stages": measured, "detect_of_ingest": of_ingest}
        names = sorted(
            {s for m in measured.values() for s in m}, key=lambda s: -max(m.get(s, 0) for m in measured.values())
        )
        table = self._table("seconds of a core by stage", "stage", *measured, *(f"rows/s, {n}" for n in measured))
        for stage in names:
            seconds = [m.get(stage, 0.0) for m in measured.values()]
            rates = [f"{self.rows / s:,.0f}" if s >= 0.001 else "" for s in seconds]
            table.add_row(stage, *(f"{s:.3f}" for s in seconds), *rates)
        table.add_row("all that derives and detects / all that ingests", *(f"{of_ingest[n]:.2f}" for n in measured))
        self.console.print(table)

    def day(self) -> None:
        """A day of rows with all detectors, whose windows are many and small, beside zat's load of the same file."""
        log = made.write(self.folder / "day.log", self.rows, hours=24, networks=self.networks)
        zat, ours = [], []
        for _ in range(self.repeat):
            zat.append(json.loads(_last_line(self._script("zat_load.py", log)))["seconds"])
            ours.append(self._analyze(log, self.rules[ALL_RULES]).seconds)
        log.unlink()
        ratio = statistics.median(o / z for z, o in zip(zat, ours, strict=True))
        figures = {"zat_s": statistics.median(zat), "seconds": statistics.median(ours), "of_zat": ratio}
        self.figures["day"] = figures
        table = self._table("a day of rows", "zat's load, s", "analyze, s", "ratio")
        _add(table, *figures.values())
        self.console.print(table)

    def memory(self) -> None:
        """The peak of `analyze` with all detectors, over an hour of 1 and of 10 times the rows."""
        table = self._table("memory", "rows", "whole process, rows/s", "peak RSS MB of the process tree")
        for rows in (self.rows, 10 * self.rows):
            log = self._log(rows)
            measured = self._analyze(log, self.rules[ALL_RULES])
            if rows > self.rows:
                log.unlink()
            figures = {"rows_per_s": rows / measured.seconds, "rss_mb": measured.rss_mb}
            self.figures.setdefault("memory", {})[str(rows)] = figures
            _add(table, f"{rows:,}", *figures.values())
        self.console.print(table)

    def watch(self) -> None:
        """A watch with a flush every 5 s, over a log that grows by a million rows a second or as fast as it can."""
        config = self.folder / "watch.yml"
        config.write_text("flush: {seconds: 5}\n", encoding="utf-8")
        rows = 5 * self.rows
        grown = growing.watch(self.folder, self._log(rows), rows, config, offered=1e6)
        self.figures["watch"] = vars(grown)
        table = self._table("watch", "rows", "committed rows/s", "peak RSS MB", "commits", "seconds to stop")
        _add(table, f"{rows:,}", *vars(grown).values())
        self.console.print(table)
        for left in ("grows", "grows.state"):
            shutil.rmtree(self.folder / left)

    def beacon(self) -> None:
        """A day of rows: its hours into `pair_hour`, then every window of `beaconing` over them, the last of 24 h."""
        log = made.write(self.folder / "day.log", self.beacon_rows, hours=24, networks=max(self.networks, 1000))
        state = self.folder / "day.state"
        filled = self._analyze(log, self._rules("rows", lambda d: False), "--state", state)
        log.unlink()
        measured = self._script("beacon.py", state, self._rules("beacon", lambda d: d.name == "beaconing"))
        found = json.loads(_last_line(measured))
        figures = {
            "rows": self.beacon_rows,
            "fill_rows_per_s": self.beacon_rows / filled.seconds,
            "fill_rss_mb": filled.rss_mb,
            "pair_hours": found["pair_hours"],
            "derive_s": sum(found["hours"]),
            "window_s": max(found["windows"], default=0.0),
            "windows": len(found["windows"]),
            "rss_mb": measured.rss_mb,
        }
        self.figures["beacon"] = figures
        table = self._table("a day of beacons", "what", "figure")
        for name, value in figures.items():
            _add(table, name, value)
        self.console.print(table)
        shutil.rmtree(state)

    def _log(self, rows: int) -> Path:
        path = self.folder / f"conn.{rows}.log"
        return path if path.exists() else made.write(path, rows, networks=self.networks)

    def _rules(self, name: str, wanted: Callable[[Any], bool]) -> Path:
        """The shipped rules without the detectors that are not wanted, and without sequences, which name these."""
        folder = self.folder / f"rules.{name}"
        if not folder.exists():
            shutil.copytree(shipped_rules(), folder)
            for detector in load().detectors.values():
                if not wanted(detector):
                    (folder / "detectors" / f"{detector.name}.yml").unlink(missing_ok=True)
            for file in (folder / "correlation").glob("*.yml"):
                if file.name not in ("grounds.yml", "settings.yml"):
                    file.unlink()
        return folder

    def _analyze(self, log: Path, rules: Path, *more: object) -> Measured:
        return run([sys.executable, "-m", "aegis_enrich", "analyze", str(log), "--rules", str(rules), *map(str, more)])

    def _script(self, name: str, *arguments: object) -> Measured:
        return run([sys.executable, str(HERE / name), *map(str, arguments)])

    def _table(self, title: str, *columns: str) -> Table:
        table = Table(title=title, title_justify="left", title_style="bold")
        for n, column in enumerate(columns):
            table.add_column(column, justify="left" if n == 0 else "right")
        return table


def _of_ingest(seconds: dict[str, float]) -> float:
    """What derived tables, detectors and decisions took, over what reading, decoding, enriching and storing did."""
    found = sum(s for stage, s in seconds.items() if stage.startswith(("derive", "detect", "decide")))
    ingest = ("follow", "decode", "enrich", "row rules", "write", "wait", "commit")
    return found / sum(s for stage, s in seconds.items() if stage.startswith(ingest))


def _add(table: Table, *values: object) -> None:
    table.add_row(*(v if isinstance(v, str) else f"{v:,.0f}" if float(v) >= 100 else f"{v:.2f}" for v in values))  # type: ignore[arg-type]


def _rows(measured: Measured) -> int:
    """How many rows `analyze` read; 0 where it was none."""
    found = re.search(r"^([0-9,]+) rows \(", measured.output, re.MULTILINE)
    return int(found[1].replace(",", "")) if found else 0


def _last_line(measured: Measured) -> str:
    return measured.output.strip().splitlines()[-1]


def _own_seconds(measured: Measured) -> float:
    """What the summary of `analyze` says."""
    found = re.search(r"rows .* in ([0-9.]+) s", measured.output)
    if not found:
        raise RuntimeError(f"analyze gave no summary:\n{measured.output}")
    return float(found[1])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the conn.log (default 1,000,000)")
    parser.add_argument("--beacon-rows", type=int, default=10_000_000, help="rows of the day of beacons")
    parser.add_argument("--networks", type=int, default=1, help="how many networks the clients lie in (default 1)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, of which the median counts")
    parser.add_argument("--log-rows", type=int, default=5_000_000, help="rows of the conn.log of the part `logs`")
    parser.add_argument("--live-rows", type=int, default=20_000, help="rows a second of the part `live`")
    parser.add_argument("--live-seconds", type=float, default=600.0, help="how long the part `live` takes")
    parser.add_argument("--elasticsearch", default="8.19.3", help="the Elasticsearch of the part `live`")
    parser.add_argument("--only", choices=(*PARTS, *SLOW_PARTS), action="append", help="a part alone; may be repeated")
    parser.add_argument("--json", type=Path, help="write the figures to this file, beside what is there")
    parser.add_argument("--folder", type=Path, help="keep what is made here, and use what is there")
    options = parser.parse_args(arguments)
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
    with (
        nullcontext(options.folder) if options.folder else tempfile.TemporaryDirectory(prefix="aegis-bench-") as folder
    ):
        bench = Bench(Path(folder), options)
        for part in options.only or PARTS:
            getattr(bench, part)()
            if options.json:
                _keep(options.json, bench.figures)


def _keep(path: Path, figures: Figures) -> None:
    """Beside the figures that other parts left there."""
    there = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(there | figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
