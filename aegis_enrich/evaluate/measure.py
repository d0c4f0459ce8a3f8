"""Alerts held against the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

from .truth import FOREVER, Act, Truth

Alert = Mapping[str, Any]
SLACK_US = 60_000_000  # a row's time and a packet's differ: a connection ends by a timeout, a clock is off
LOUD = 47

# A rule's name to the seconds from the start of its window to the time when the window is evaluated.
Delay = Callable[[str], float]


@dataclass
class Tally:
    """What one rule did."""

    found: int = 0  # acts that it ought to find, or that no rule is named for
    missed: int = 0  # acts that it ought to find
    beside: int = 0  # acts of which another rule ought to tell, or told first
    false: Counter[int] = field(default_factory=Counter)  # severity to alerts that no act explains
    delays_s: list[float] = field(default_factory=list)  # first packet of the act to the first window that showed it


@dataclass
class Result:
    """Of one scenario."""

    name: str
    rules: dict[str, Tally]
    missed: Counter[str]  # acts that nothing found, or not what ought to
    false: list[tuple[str, int, str]]  # rule, severity, reason
    host_days: int | None = None  # of hosts inside that opened a connection; None where nobody counted


def measure(truth: Truth, alerts: Sequence[Alert], delay: Delay, host_days: int | None = None) -> Result:
    """Every alert is of an act, beside one, or false; every act is found, or missed by whoever ought to find it."""
    result = Result(truth.name, {}, Counter(), [], host_days)
    of_act: dict[int, set[str]] = {}
    for alert in alerts:
        rule = alert["rule"]["id"]
        matching = [n for n, act in enumerate(truth.acts) if explains(act, alert)]
        matching = [n for n in matching if rule in truth.acts[n].rules] or matching
        tally = result.rules.setdefault(rule, Tally())
        for n in matching:
            of_act.setdefault(n, set()).add(rule)
            act = truth.acts[n]
            if (not act.rules or rule in act.rules) and act.start_us != FOREVER[0]:
                tally.delays_s.append(_delay_s(act, alert, delay(rule)))
        if not matching:
            severity = int(alert["event"]["severity"])
            tally.false[severity] += 1
            result.false.append((rule, severity, str(alert["event"]["reason"])))
    for n, act in enumerate(truth.acts):
        _count(result, act, of_act.get(n, set()))
    return result


def _count(result: Result, act: Act, told: set[str]) -> None:
    ought = told & act.rules if act.rules else told
    for rule in told:
        if rule in ought:
            result.rules[rule].found += 1
        else:
            result.rules[rule].beside += 1
    if ought or not act.expected:
        return
    result.missed[act.what] += 1
    for rule in act.rules:
        result.rules.setdefault(rule, Tally()).missed += 1


def explains(act: Act, alert: Alert) -> bool:
    """Whether the alert is about this act: its parties are the act's, and its rows lie in the act's time."""
    first, last = (_us(alert["aegis"][side]) for side in ("first_seen", "last_seen"))
    if last < act.start_us - SLACK_US or first > act.end_us + SLACK_US:
        return False
    source, others = _parties(alert)
    if source is None:
        return any(o in act.who or (act.whom is not None and o in act.whom) for o in others)
    if source in act.who:
        return act.whom is None or not others or any(o in act.whom or o in act.who for o in others)
    return act.whom is not None and source in act.whom and any(o in act.who for o in others)


def _parties(alert: Alert) -> tuple[str | None, set[str]]:
    source, destination = alert.get("source", {}), alert.get("destination", {})
    named = {str(destination[key]) for key in ("ip", "domain") if destination.get(key)}
    named |= {str(name) for name in alert.get("related", {}).get("hosts", [])}
    return source.get("ip"), named - {source.get("ip")}


def _delay_s(act: Act, alert: Alert, window_s: float) -> float:
    start = alert["event"].get("start") if window_s else alert["aegis"]["first_seen"]
    return max(0.0, (_us(start) - act.start_us) / 1e6 + window_s)


def _us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1e6)


def totals(results: Iterable[Result]) -> dict[str, dict[str, Any]]:
    """Rule to its sums over scenarios, as JSON takes them."""
    results = list(results)
    days = sum(r.host_days or 0 for r in results)
    summed: dict[str, dict[str, Any]] = {}
    for rule in sorted({rule for r in results for rule in r.rules}):
        tallies = [r.rules[rule] for r in results if rule in r.rules]
        false: Counter[int] = sum((t.false for t in tallies), Counter())
        delays = [d for t in tallies for d in t.delays_s]
        loud = sum(n for severity, n in false.items() if severity >= LOUD)
        summed[rule] = {
            "found": sum(t.found for t in tallies),
            "missed": sum(t.missed for t in tallies),
            "beside": sum(t.beside for t in tallies),
            "false": {str(severity): false[severity] for severity in sorted(false)},
            "loud_false_per_host_day": round(loud / days, 4) if days else None,
            "median_delay_s": round(median(delays), 1) if delays else None,
        }
    return summed
