"""A hunt: rules over all rows of some lakes in a span of event time, decided as `analyze` decides."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from ..correlate import Correlator
from ..decide import Decider, DetectorRule, RowRule, RuleSet, alert_documents
from ..decide.decider import STORED
from ..decide.standing import unsuppressed
from ..detect.evaluate import Limits
from ..detect.executor import run_together
from ..detect.scheduler import Watch
from ..errors import ConfigError, StateError
from ..pipeline.engine import Parts, wall_us
from ..pipeline.parts import can_find
from .past import Past
from .plan import Plan
from .rows import row_hits

log = logging.getLogger(__name__)
NEVER_US = -(2**62)
Progress = Callable[[str, int, int], None]  # what is done; how much of it; of how much (0: not known)


@dataclass(frozen=True)
class Span:
    """Windows that end, and rows that lie, in `[since_us, until_us)`; None: from the first row, to the last one."""

    since_us: int | None = None
    until_us: int | None = None


class Runner(Protocol):
    """Evaluates all windows of a hunt; each result goes to the plan's `decide`."""

    def run(self, hunt: Hunt) -> None: ...


@dataclass
class Hunt:
    """One hunt. `past`: what it reads, and where it keeps what it finds."""

    past: Past
    parts: Parts
    rules: RuleSet
    span: Span
    progress: Progress = lambda what, done, of: None
    plan: Plan = field(init=False)

    def __post_init__(self) -> None:
        parts, config = self.parts, self.parts.config
        self.decider = Decider(self.rules, parts.enrichment.describe, parts.config_hash(parts.rules), wall_us)
        self.plan = Plan(
            self.past,
            [Watch(r.detector, r.tuning, r.lateness_s) for r in self.rules.detectors.values() if can_find(r)],
            self.parts.registry.tables,
            self.schema,
            self.decider.window,
            lambda tx, unit: None,
            Limits(config.memory_limit, config.threads, self.past.root / "spill"),
        )

    def schema(self, table: str) -> pa.Schema:
        """A log's table with the columns of the enrichers."""
        return self.parts.enrichment.schema(table)

    def run(self, runner: Runner) -> list[dict[str, Any]]:
        """The alert documents, by first seen, as at the end of the input; raises StateError where a window failed."""
        if self.span.since_us is not None:
            with self.past.transaction() as tx:
                for sensor in self.past.sensors:
                    for name in self.plan.watches:
                        self.past.seal(tx, sensor, f"detector:{name}", self.span.since_us)
        self._rows()
        runner.run(self)
        self._failures()
        Correlator(self.past, self.parts.correlation, self.rules.health, wall_us).run(all_of_them=True)
        with self.past.transaction() as tx:
            self.decider.settle(tx, all_of_them=True)
        found = self.past.query(f"SELECT {STORED} FROM alerts WHERE status != 'withdrawn' ORDER BY first_us, alert_id")
        return unsuppressed(self.rules, alert_documents(found))

    def _rows(self) -> None:
        since_us = NEVER_US if self.span.since_us is None else self.span.since_us
        for hits in row_hits(self.past, self.rules, self.decider.describe, since_us, self.past.until_us, self.progress):
            with self.past.transaction() as tx:
                self.decider.rows(tx, hits)

    def _failures(self) -> None:
        failed = self.past.query("SELECT detector, count(*), min(error) FROM windows_failed GROUP BY detector")
        if failed:
            told = "; ".join(f"{number} of {name} ({error})" for name, number, error in failed)
            raise StateError(f"windows could not be evaluated: {told}; raise memory_limit, or hunt a shorter span")


class OnDuckDB:
    """All windows on this machine, as `analyze` runs them."""

    def run(self, hunt: Hunt) -> None:
        for what, group in zip(("hours", "windows"), hunt.plan.finish(hunt.past.sensors), strict=True):
            done = 0

            def stop(what: str = what) -> bool:
                nonlocal done
                hunt.progress(what, done, 0)
                done += 1
                return False

            run_together(group, hunt.plan.limits.threads, stop=stop)


@contextlib.contextmanager
def hunting(
    parts: Parts,
    lakes: Sequence[Path | str],
    span: Span = Span(),
    only: Collection[str] = (),
    progress: Progress = lambda what, done, of: None,
    *,
    endpoint: str = "",
) -> Iterator[Hunt]:
    """A hunt over these lakes, with a temporary state. `only`: ids of rules or names of detectors; none: all."""
    rules = chosen(parts.rules, only)
    with (
        tempfile.TemporaryDirectory(prefix="aegis-hunt-") as root,
        Past(Path(root), lakes, span.until_us, endpoint=endpoint) as past,
    ):
        if not past.sensors:
            where = ", ".join(map(str, lakes))
            raise ConfigError("holds no rows of that time; name another lake, or another --from and --to", where=where)
        yield Hunt(past, parts, rules, span, progress)


def chosen(rules: RuleSet, only: Collection[str]) -> RuleSet:
    """The rules with these ids, or of these detectors; raises ConfigError for a name that none has."""
    if not only:
        return rules
    on: list[DetectorRule | RowRule] = [*rules.detectors.values(), *rules.rows.values()]
    names = {rule.id: {rule.id} for rule in on} | {r.id: {r.id, r.detector.name} for r in rules.detectors.values()}
    unknown = sorted(set(only) - set().union(*names.values()))
    if unknown:
        known = ", ".join(sorted(rules.detectors))
        raise ConfigError(f"--detector: no enabled rule {', '.join(unknown)}; those of detectors are {known}")
    kept = [rule for rule in on if names[rule.id] & set(only)]
    return RuleSet.of(kept, rules.suppress, rules.off, rules.hash)
