"""Stages: an incident's acts in the order of time, those of one tactic by one host in a row as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..decide.attack import attack
from .acts import Act
from .alert import Alert
from .order import by_risk

# What a tactic is called where people talk.
WORDS = {
    "TA0043": "reconnaissance",
    "TA0001": "break-in",
    "TA0002": "execution",
    "TA0003": "persistence",
    "TA0004": "more privileges",
    "TA0005": "evasion",
    "TA0006": "guessing of credentials",
    "TA0007": "looking around inside",
    "TA0008": "movement to another host",
    "TA0009": "collection",
    "TA0010": "exfiltration",
    "TA0011": "command and control",
    "TA0040": "damage",
}
UNMAPPED = "unmapped"


@dataclass(frozen=True)
class Stage:
    """Acts of one tactic by one host, without another's between them. `tactic`: its id, "" where none is told."""

    tactic: str
    acts: tuple[Act, ...]

    @property
    def alerts(self) -> list[Alert]:
        return [a for act in self.acts for a in (act.lead, *act.others)]

    @property
    def best(self) -> Alert:
        """The alert that speaks for it."""
        return min((act.lead for act in self.acts), key=by_risk)

    @property
    def word(self) -> str:
        name = attack().tactics.get(self.tactic, UNMAPPED)
        return WORDS.get(self.tactic, name.lower())

    @property
    def first_us(self) -> int:
        return min(a.first_us for a in self.alerts)

    @property
    def last_us(self) -> int:
        return max(a.last_us for a in self.alerts)


def stages(found: Sequence[Act]) -> list[Stage]:
    """Of acts in the order of time."""
    runs: list[list[Act]] = []
    for act in found:
        if runs and _same(runs[-1][-1], act):
            runs[-1].append(act)
        else:
            runs.append([act])
    return [Stage(tactic(run[0].lead), tuple(run)) for run in runs]


def tactic(alert: Alert) -> str:
    """The tactic that an alert is filed under: the first that it names."""
    return alert.tactics[0] if alert.tactics else ""


def _same(before: Act, act: Act) -> bool:
    return tactic(before.lead) == tactic(act.lead) and before.lead.subject == act.lead.subject
