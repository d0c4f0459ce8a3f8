"""Acts: the alerts of one incident that tell of the same doing; one leads and names what the others saw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .alert import Alert
from .order import by_risk, by_time, runs

SLACK_US = 60_000_000  # a detector counts from its window's first row, another from a connection's


@dataclass(frozen=True)
class Act:
    """What one host does to one place over one time: the alert that leads, and those that corroborate it."""

    lead: Alert
    others: tuple[Alert, ...] = ()

    @property
    def detectors(self) -> int:
        """How many rules saw it, each by means of its own."""
        return len({a.rule for a in (self.lead, *self.others)})


def acts(alerts: Sequence[Alert]) -> list[Act]:
    """The acts of these alerts, by the first time of their leads."""
    by_place: dict[tuple[str, str, str], list[Alert]] = defaultdict(list)
    for alert in alerts:
        for place in _places(alert):
            for kind in _kinds(alert):
                by_place[alert.subject, place, kind].append(alert)
    lead_of: dict[str, Alert] = {}
    for together in by_place.values():
        for run in runs(together, SLACK_US):
            best = min(run, key=by_risk)
            for alert in run:
                known = lead_of.get(alert.id)
                lead_of[alert.id] = best if known is None else min(known, best, key=by_risk)
    by_id = {a.id: a for a in alerts}
    found: dict[str, list[Alert]] = defaultdict(list)
    for alert in alerts:
        found[_last_lead(alert, lead_of).id].append(alert)
    leads = [Act(by_id[i], tuple(a for a in group if a.id != i)) for i, group in found.items()]
    return sorted(leads, key=lambda act: by_time(act.lead))


def relations(found: Sequence[Act]) -> Mapping[str, tuple[str, tuple[Alert, ...]]]:
    """By alert: the id of the alert that leads it ("" where it leads) and the alerts that corroborate it."""
    told: dict[str, tuple[str, tuple[Alert, ...]]] = {}
    for act in found:
        told[act.lead.id] = ("", act.others)
        told |= {other.id: (act.lead.id, ()) for other in act.others}
    return told


def _places(alert: Alert) -> tuple[str, ...]:
    """Where it is done; an act on many hosts is one of its own."""
    return alert.places if len(alert.targets) <= 1 else ()


def _kinds(alert: Alert) -> set[str]:
    """What is done: its tactics; orders that come in and what goes out may share one channel."""
    return {"channel" if tactic in ("TA0010", "TA0011") else tactic for tactic in alert.tactics}


def _last_lead(alert: Alert, lead_of: Mapping[str, Alert]) -> Alert:
    """Whoever leads the one that leads it, to the end."""
    lead = lead_of.get(alert.id, alert)
    while (next_ := lead_of.get(lead.id, lead)).id != lead.id:
        lead = next_
    return lead
