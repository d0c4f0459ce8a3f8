#!/usr/bin/env python3
"""Fills the tables of docs/performance.md from docs/performance.json, which `make bench` wrote.

    make bench BENCH="--json docs/performance.json"     then .venv/bin/python docs/performance.py

A table stands between `<!-- figures: NAME -->` and `<!-- end -->`; what lies between is written anew. A part that was
not run says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
PAGE, FIGURES = ROOT / "performance.md", ROOT / "performance.json"
BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
INGEST = ("follow", "decode", "enrich", "row rules", "write", "wait for write", "commit")
SHOWN_S = 0.03  # a detector or table that takes less of a core is not named

Part = Mapping[str, Any]


def page(text: str, figures: Part) -> str:
    """The page with its tables filled."""

    def filled(match: re.Match[str]) -> str:
        part = figures.get(PARTS[match[2]][0])
        table = PARTS[match[2]][1](figures) if part else "*Not measured.*"
        return f"{match[1]}{table}\n{match[3]}"

    return BLOCK.sub(filled, text)


def _machine(figures: Part) -> str:
    its = figures["machine"]
    kind = "a virtual machine" if its["virtual"] else "a machine"
    packages = ", ".join(f"{name} {version}" for name, version in its["packages"].items())
    return (
        f"Measured on {kind} with {its['cores']} cores ({its['processor']}), {its['memory_gb']} GB of memory,"
        f" {its['system']}, Python {its['python']}, {packages}. Load of the machine when it began: {its['load_1min']}."
    )


def _start(figures: Part) -> str:
    rows = [[f"`{name}`", _n(f["seconds"]), _n(f["cpu_s"]), _n(f["ratio"])] for name, f in figures["start"].items()]
    return _table(["command", "seconds", "CPU s", "of an empty Python's"], rows)


def _load(figures: Part) -> str:
    head = ["run", "rows/s", "ratio to zat, whole process", "without start", "CPU s", "peak MB"]
    keys = ("rows_per_s", "ratio", "own_ratio", "cpu_s", "rss_mb")
    return _table(head, [[name, *(_n(f[k]) for k in keys)] for name, f in figures["load"].items()])


def _logs(figures: Part) -> str:
    head = ["run", "rows", "rows/s", "ratio to zat's load of conn.log", "CPU s", "peak MB"]
    keys = ("rows", "rows_per_s", "ratio", "cpu_s", "rss_mb")
    return _table(head, [[name, *(_n(f[k]) for k in keys)] for name, f in figures["logs"].items()])


def _stages(figures: Part) -> str:
    kinds = figures["stages"]
    names = ("import", "load rules and enrichers", *INGEST, "derive", "detect", "decide", "other")
    rows = [[name, *(_n(_of(its, name)) for its in kinds.values())] for name in names]
    rows.append(["whole process", *(_n(its["whole"]) for its in kinds.values())])
    ratios = [f"**{_n(figures['detect_of_ingest'][kind])}**" for kind in kinds]
    rows.append(["**derive, detect and decide, over what reads, decodes, enriches and stores**", *ratios])
    whole = list(kinds.values())[-1]
    plugins = {n.removesuffix(" (beside)"): s for n, s in whole.items() if n.startswith(("detect ", "derive "))}
    dear = sorted((s, n) for n, s in plugins.items() if s >= SHOWN_S)
    told = ", ".join(f"{n.replace('detect ', '').replace('derive ', '')} {s:.2f}" for s, n in reversed(dear))
    return _table(["stage, CPU seconds", *kinds], rows) + f"\n\nOf all detectors and hours: {told}; each other less."


def _of(its: Mapping[str, float], stage: str) -> float:
    """Its seconds, in whichever thread, and those of what it consists of."""
    return sum(s for n, s in its.items() if n.removesuffix(" (beside)") == stage or _is_plugin(n, stage))


def _is_plugin(name: str, stage: str) -> bool:
    return stage in ("derive", "detect") and name.startswith(f"{stage} ")


def _one(name: str, words: Mapping[str, str]) -> Callable[[Part], str]:
    def table(figures: Part) -> str:
        return _table(["what", "figure"], [[said, _n(figures[name][key])] for key, said in words.items()])

    return table


def _memory(figures: Part) -> str:
    rows = [[_n(int(n)), _n(f["rows_per_s"]), _n(f["rss_mb"])] for n, f in figures["memory"].items()]
    return _table(["rows of one hour", "rows/s", "peak MB"], rows)


DAY = {
    "zat_s": "zat's load of the file, s",
    "seconds": "`analyze` with all detectors, s",
    "of_zat": "the second over the first",
}
WATCH = {
    "rows_per_s": "committed rows/s",
    "rss_mb": "peak MB, with the evaluating process",
    "commits": "commits",
    "stop_s": "seconds to stop",
}
LIVE = {
    "rows_per_s": "rows/s that were written",
    "seconds": "for so many seconds",
    "read_lag_p50_s": "how long the oldest unread row had waited, s: p50",
    "read_lag_p99_s": "p99",
    "read_lag_max_s": "most",
    "commit_lag_p50_s": "from the row's writing to its commit, s: p50",
    "commit_lag_p99_s": "p99",
    "commit_lag_max_s": "most",
    "alert_p50_s": "from the row's writing to a search that finds the row rule's alert, s: p50",
    "alert_p99_s": "p99",
    "alert_max_s": "most",
    "marks": "such rows",
    "missing": "alerts that did not come",
    "rss_mb": "peak MB of `watch` and its evaluating process",
    "cpu_s": "CPU seconds of both",
}
BEACON = {
    "rows": "rows of the day",
    "fill_rows_per_s": "rows/s into the lake",
    "fill_rss_mb": "peak MB of that",
    "pair_hours": "rows of `pair_hour`",
    "derive_s": "seconds of its 24 hours",
    "window_s": "seconds of the longest window of `beaconing`",
    "rss_mb": "peak MB of both",
}
PARTS: Mapping[str, tuple[str, Callable[[Part], str]]] = {
    "machine": ("machine", _machine),
    "start": ("start", _start),
    "load": ("load", _load),
    "logs": ("logs", _logs),
    "stages": ("stages", _stages),
    "day": ("day", _one("day", DAY)),
    "memory": ("memory", _memory),
    "watch": ("watch", _one("watch", WATCH)),
    "live": ("live", _one("live", LIVE)),
    "beacon": ("beacon", _one("beacon", BEACON)),
}


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _n(value: float) -> str:
    """Three digits or so."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def main() -> None:
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")


if __name__ == "__main__":
    main()
