"""The rules: whether they check, what of them is over or finds nothing, and whether a running watch has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..config import Config
from ..correlate import load_correlation
from ..decide import RuleSet, in_force, load_rules
from ..decide.testing import Bench
from ..errors import AegisError
from ..registry import Registry
from ..store import Store
from ..store.lock import holder
from .check import Check

AREA = "rules"


def rules(config: Config, registry: Registry, now_us: int) -> Iterator[Check]:
    """Whether the rules on disk check; every problem of theirs."""
    try:
        found = load_rules(config.rules_dir, registry.detectors, Bench.of(registry).enrichment.schema)
        correlation = load_correlation(config.rules_dir, [r.id for r in found])
    except AegisError as error:
        yield from (Check(AREA, "problem", str(p)) for p in error.problems)
        return
    if not found.detectors and not found.rows:
        yield Check(AREA, "problem", f"{config.rules_dir}: no rule is enabled, so nothing is watched; enable one")
        return
    yield from _idle(found)
    for suppression in found.expired(now_us):
        what = f"{suppression.written}: a suppression has expired: {suppression}; take it out, or give it a later day"
        yield Check(AREA, "note", what)
    off = f"; disabled: {', '.join(found.disabled)}" if found.disabled else ""
    sequences = f", {len(correlation.sequences)} sequences" if correlation.sequences else ""
    yield Check(AREA, "ok", f"{len(found.detectors)} detectors, {len(found.rows)} row rules{sequences}{off}")


def _idle(found: RuleSet) -> Iterator[Check]:
    """Which detectors cannot find anything as they are tuned."""
    for rule in found.detectors.values():
        try:
            why = rule.detector.idle(rule.tuning)
        except AegisError as error:
            yield from (Check(rule.id, "problem", f"is not run: {p}") for p in error.problems)
            continue
        if why:
            yield Check(rule.id, "note", why)


def taken_up(config: Config, registry: Registry) -> Iterator[Check]:
    """Whether the watch that runs on the state uses the rules that lie in its folder."""
    if not (config.state_dir / "state.db").exists() or not holder(config.state_dir):
        return
    try:
        with Store(config.state_dir, read_only=True) as store:
            used = in_force.noted(store)
    except AegisError:
        return  # the state's own check says it
    if used is None:
        return
    if used.refused:
        what = f"the watch keeps the rules that it has, for those in {used.folder} do not check: {used.refused}"
        yield Check(AREA, "problem", what)
    elif used.hash != _on_disk(Path(used.folder), registry):
        yield Check(
            AREA, "note", f"{used.folder} has changed, and the watch has not taken it up yet; it looks every 5 s"
        )
    else:
        yield Check(AREA, "ok", f"the watch uses those in {used.folder}")


def _on_disk(folder: Path, registry: Registry) -> str:
    try:
        found = load_rules(folder, registry.detectors, Bench.of(registry).enrichment.schema)
        return f"{found.hash} {load_correlation(folder, [r.id for r in found]).hash}"
    except AegisError:
        return ""
