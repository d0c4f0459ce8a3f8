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
import made
from measured import Measured, run
from rich.console import Console
from rich.table import Table

from aegis_enrich.config import shipped_rules
from aegis_enrich.registry import load

HERE = Path(__file__).resolve().parent
HOUR_S = 3600
HOUR_RULES, ALL_RULES = "windows to 1 h", "all detectors"
PARTS = ("load", "stages", "day", "memory", "watch", "beacon")
Figures = dict[str, Any]


class Bench:
    """The parts, each of which adds its figures to `figures` and a table to what is printed."""

    def __init__(self, folder: Path, *, rows: int, beacon_rows: int, repeat: int, networks: int) -> None:
        self.folder, self.rows, self.beacon_rows, self.repeat = folder, rows, beacon_rows, repeat
        self.networks = networks
        self.figures: Figures = {"rows": rows, "networks": networks}
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

    def stages(self) -> None:
        """The seconds of a core that each stage takes, of one run of each kind."""
        log = self._log(self.rows)
        measured = {
            name: json.loads(_last_line(self._script("stages.py", "analyze", log, "--rules", rules)))
            for name, rules in self.rules.items()
        }
        self.figures["stages"] = measured
        names = sorted(
            {s for m in measured.values() for s in m}, key=lambda s: -max(m.get(s, 0) for m in measured.values())
        )
        table = self._table("seconds of a core by stage", "stage", *measured, *(f"rows/s, {n}" for n in measured))
        for stage in names:
            seconds = [m.get(stage, 0.0) for m in measured.values()]
            rates = [f"{self.rows / s:,.0f}" if s >= 0.001 else "" for s in seconds]
            table.add_row(stage, *(f"{s:.3f}" for s in seconds), *rates)
        of_ingest = [_of_ingest(m) for m in measured.values()]
        self.figures["detect_of_ingest"] = dict(zip(measured, of_ingest, strict=True))
        table.add_row("all that derives and detects / all that ingests", *(f"{ratio:.2f}" for ratio in of_ingest))
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
        """The peak of `analyze` with all detectors, over an hour of 1 and of 5 times the rows."""
        table = self._table("memory", "rows", "whole process, rows/s", "peak RSS MB of the process tree")
        for rows in (self.rows, 5 * self.rows):
            measured = self._analyze(self._log(rows), self.rules[ALL_RULES])
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
        """The shipped rules without the detectors that are not wanted."""
        folder = self.folder / f"rules.{name}"
        if not folder.exists():
            shutil.copytree(shipped_rules(), folder)
            for detector in load().detectors.values():
                if not wanted(detector):
                    (folder / "detectors" / f"{detector.name}.yml").unlink(missing_ok=True)
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
    table.add_row(*(v if isinstance(v, str) else f"{v:,.0f}" if float(v) >= 100 else f"{v:.2f}" for v in values))  # type: ignore[arg-type,str-format]


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
    parser.add_argument("--only", choices=PARTS, action="append", help="a part alone; may be repeated")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--folder", type=Path, help="keep what is made here, and use what is there")
    options = parser.parse_args(arguments)
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
    with (
        nullcontext(options.folder) if options.folder else tempfile.TemporaryDirectory(prefix="aegis-bench-") as folder
    ):
        bench = Bench(
            Path(folder),
            rows=options.rows,
            beacon_rows=options.beacon_rows,
            repeat=options.repeat,
            networks=options.networks,
        )
        for part in options.only or PARTS:
            getattr(bench, part)()
    if options.json:
        options.json.write_text(json.dumps(bench.figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
