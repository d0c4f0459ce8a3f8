"""What the tests of rules and alerts share: a detector that finds nothing, rules written to a folder, findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from aegis_enrich.decide import Decider, DetectorRule, RowRule, RuleSet, load_rules
from aegis_enrich.decide.made_rows import START_US
from aegis_enrich.detect.windows import Window
from aegis_enrich.plugin import HOUR_US, MICROS, Detector, Finding, tunable
from aegis_enrich.store import Store
from aegis_enrich.tables import TABLES


@dataclass(frozen=True)
class Tuning:
    least: int = tunable(10, "from how many on", least=1, most=100, unit="rows")
    share: float = tunable(0.5, "of all", least=0.0, most=1.0)
    loud: bool = tunable(False, "whether it shouts")
    ports: tuple[int, ...] = tunable((), "ports that do not count")
    names: tuple[str, ...] = tunable(("a",), "names that do not count")
    word: str = tunable("x", "what it says")


class Probe(Detector):
    name = "probe"
    reads = ("conn",)
    window_s = 7_200
    every_s = 3_600
    entity = ("orig_h", "resp_h")
    tuning = Tuning

    def score(self, features: pd.DataFrame, tuning: Any) -> pd.DataFrame:
        return pd.DataFrame()


PROBE = """
id: probe
name: Probe
title: "Probe by {orig_h}"
detector: probe
severity: [{severity: low}, {at_least: 0.5, severity: high}]
attack: [T1046]
per: day
"""


@pytest.fixture
def probe() -> str:
    """A rule that is right."""
    return PROBE


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Writes files below a folder of rules, without the blank line that they begin with."""

    def write(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / "rules" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.lstrip("\n"), encoding="utf-8")
        return tmp_path / "rules"

    return write


@pytest.fixture
def rules(folder: Callable[[Mapping[str, str]], Path]) -> Callable[..., RuleSet]:
    """Loads rules that are given as texts, over the tables' own columns."""

    def load(*texts: str, suppress: str = "[]") -> RuleSet:
        files = {f"r{n}.yml": text for n, text in enumerate(texts)} | {"suppress.yml": suppress}
        return load_rules(folder(files), {"probe": Probe}, lambda table: TABLES[table].schema)

    return load


@pytest.fixture
def detector_rule(rules: Callable[..., RuleSet]) -> Callable[[str], DetectorRule]:
    return lambda text: rules(text).detectors["probe"]


@pytest.fixture
def row_rule(rules: Callable[..., RuleSet]) -> Callable[[str], RowRule]:
    return lambda text: next(iter(rules(text).rows.values()))


@pytest.fixture
def finding() -> Callable[..., Finding]:
    """A finding of `probe` in the window that ends `hour` hours after the first."""

    def make(hour: int = 1, score: float = 0.3, **changes: Any) -> Finding:
        end = START_US + hour * HOUR_US
        values: dict[str, Any] = {
            "detector": "probe",
            "sensor": "s",
            "window_start_us": end - 2 * HOUR_US,
            "window_end_us": end,
            "entity": {"orig_h": "10.0.0.1", "resp_h": "192.0.2.1"},
            "context": {"resp_p": 22},
            "score": score,
            "first_us": end - 60 * MICROS,
            "last_us": end - 30 * MICROS,
            "period_us": end - 30 * MICROS,
            "evidence": {"ports": 20},
            "reason": "10.0.0.1 probed 20 ports",
            "uids": ("C1", "C2"),
        }
        return Finding(**(values | changes))

    return make


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state") as opened:
        yield opened


class Deciding:
    """A decider over a store, with a clock that tests move (in seconds)."""

    def __init__(self, store: Store, rules: RuleSet) -> None:
        self.store, self.now_s = store, 1_000.0
        self.decider = Decider(rules, lambda kind, value: {}, "abc", lambda: round(self.now_s * MICROS))

    def window(self, *found: Finding, hour: int = 1, sensor: str = "s", early: bool = False) -> None:
        end = START_US + hour * HOUR_US
        with self.store.transaction() as tx:
            self.decider.window(tx, "probe", sensor, Window(end - 2 * HOUR_US, end), found, early=early)

    def close(self, hour: int, name: str = "probe") -> int:
        with self.store.transaction() as tx:
            return self.decider.close(tx, name, START_US + hour * HOUR_US)

    def settle(self) -> int:
        with self.store.transaction() as tx:
            return self.decider.settle(tx)

    def delivered(self) -> list[dict[str, Any]]:
        """Every document that was delivered, in order."""
        import json

        return [json.loads(body) for (body,) in self.store.query("SELECT body FROM outbox ORDER BY seq")]

    def said(self) -> list[tuple[str, int, int, int]]:
        """Status, revision, severity and count of every document that was delivered."""
        return [
            (d["aegis"]["status"], d["aegis"]["revision"], d["event"]["severity"], d["aegis"]["count"])
            for d in self.delivered()
        ]


@pytest.fixture
def deciding(store: Store) -> Callable[[RuleSet], Deciding]:
    return lambda rules: Deciding(store, rules)


@pytest.fixture
def table() -> Callable[..., pa.Table]:
    """Rows of a table as they are decoded; `ts` in seconds after the tests' first hour."""

    def make(name: str, *rows: Mapping[str, Any], **extra: pa.DataType) -> pa.Table:
        schema = TABLES[name].schema
        for column, kind in extra.items():
            schema = schema.append(pa.field(column, kind))
        filled = []
        for number, row in enumerate(rows):
            ts = START_US + round(row.get("ts", 0) * MICROS)
            filled.append({"uid": f"C{number}", "source": "zeek", "sensor": "s"} | row | {"ts": ts, "end_ts": ts})
        return pa.table([pa.array([r.get(f.name) for r in filled], f.type) for f in schema], schema=schema)

    return make
