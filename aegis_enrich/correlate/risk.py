"""Risk 0-100: the worst alert gives a base, and everything that makes it worse takes a part of what is left to 100.

    risk = 100 * (1 - (1 - base) * (1 - f1) * (1 - f2) ...) * left

A sum of weights would reach the end of its scale with a handful of alerts and rank nothing there; here each factor
counts, none fills the scale, and more of the same (alerts of one detector about one act) adds nothing. `left` is what
doubt leaves of it. The reasons for each factor and a worked example: docs/incidents.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from ..plugin import DAY_US
from .acts import Act
from .alert import Alert
from .grounds import Confidence, witnesses
from .sequences import Match
from .settings import Settings

MOST_HOSTS, MOST_DAYS = 5, 10
# An outsider who does only this has tried: nothing shows that it got in.
TRIES = frozenset({"TA0043", "TA0042", "TA0001", "TA0002", "TA0006", "TA0007"})
RARE = "clients_share"  # the evidence that says which share of the site's hosts knows the target


@dataclass(frozen=True)
class Factor:
    """One thing that makes it worse: the part (0-1) that it takes of the rest, and why."""

    name: str
    part: float
    why: str


@dataclass(frozen=True)
class Risk:
    """`score` 0-100, `base` 0-100 (of the worst alert alone), `left` 0-1 (what doubt and failure leave of it)."""

    score: float
    base: float
    factors: tuple[Factor, ...]
    left: float
    why_left: tuple[str, ...]


def risk(found: Sequence[Act], matched: Sequence[Match], sure: Confidence, settings: Settings) -> Risk:
    """Of the acts of an incident or of a host."""
    alerts = [a for act in found for a in (act.lead, *act.others)]
    base = settings.best_share * max(a.risk for a in alerts) / 100
    factors = tuple(f for f in _factors(found, alerts, matched, settings) if f.part > 0)
    left, why = sure.risk, list(sure.doubts) if sure.risk < 1 else []
    if only_tried(alerts):
        left *= settings.only_tried
        why.append("outsiders tried, and nothing shows that they got in")
    rest = prod(1 - f.part for f in factors)
    score = round(100 * (1 - (1 - base) * rest) * left, 1)
    return Risk(score, round(100 * base, 1), factors, round(left, 2), tuple(why))


def only_tried(alerts: Sequence[Alert]) -> bool:
    """Whether all of it is what outsiders do to get in, without a sign that one did."""
    return all(_from_outside(a) and TRIES.issuperset(a.tactics) and a.tactics and not a.entered for a in alerts)


def _from_outside(alert: Alert) -> bool:
    """Of many at once that nobody names, the detector says it."""
    return not alert.internal(alert.actor) if alert.actor else alert.evidence.get("source_internal") is False


def _factors(
    found: Sequence[Act], alerts: Sequence[Alert], matched: Sequence[Match], settings: Settings
) -> Iterator[Factor]:
    tactics = sorted({t for a in alerts for t in a.tactics})
    if (more := len(tactics) - 1) > 0:
        yield Factor("tactics", _of(settings.per_tactic, more), f"{len(tactics)} tactics of ATT&CK")
    if best := max(matched, key=lambda m: (m.sequence.risk, len(m.found), m.sequence.id), default=None):
        stages = ", ".join(stage.name for stage, _ in best.found)
        yield Factor(f"sequence {best.sequence.id}", best.sequence.risk, f"{best.sequence.name}: {stages}")
    if (more := max(act.detectors for act in found) - 1) > 0:
        yield Factor("corroboration", _of(settings.per_detector, more), f"{more + 1} detectors saw the same act")
    inside = sorted({h for a in alerts for h in (a.subject, *a.entered) if a.internal(h)})
    if (more := min(len(inside) - 1, MOST_HOSTS)) > 0:
        yield Factor("hosts", _of(settings.per_host, more), f"{len(inside)} inside hosts")
    days = {t // DAY_US for a in alerts for t in (a.first_us, a.last_us)}
    if (more := min(len(days) - 1, MOST_DAYS)) > 0:
        yield Factor("days", _of(settings.per_day, more), f"seen on {len(days)} days")
    if len(eyes := witnesses(alerts)) > 1:
        yield Factor("sensors", settings.both_sensors, f"seen by {' and '.join(eyes)}")
    if rare := next((a for a in alerts if _rare(a, settings)), None):
        yield Factor("rare target", settings.rare_target, f"hardly any host knows {_target(rare)}")
    yield from _asset(alerts, settings)


def _asset(alerts: Sequence[Alert], settings: Settings) -> Iterator[Factor]:
    hosts = sorted({(h.criticality, h.name or h.address) for a in alerts for h in a.hosts.values() if h.criticality})
    for level, part in (("critical", settings.critical_asset), ("high", settings.high_asset)):
        names = [name for criticality, name in hosts if criticality == level]
        if names:
            yield Factor("asset", part, f"{level} asset: {', '.join(names[:3])}")
            return


def _rare(alert: Alert, settings: Settings) -> bool:
    share = alert.evidence.get(RARE)
    return isinstance(share, (int, float)) and 0 < share <= settings.rare_share


def _target(alert: Alert) -> str:
    return next(iter((*alert.names, *alert.targets)), "its target")


def _of(part: float, times: int) -> float:
    """What several of the same take together."""
    return round(1 - (1 - part) ** times, 4)
