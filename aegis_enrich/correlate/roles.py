"""What each host is in an incident: who attacks, who is broken into, who is under suspicion, what serves the attack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from .alert import Alert
from .settings import Settings
from .ties import carries, entered

ATTACKER, VICTIM, SUSPECT, INFRASTRUCTURE, TARGET = "attacker", "victim", "suspect", "infrastructure", "target"
SERVES = frozenset({"TA0010", "TA0011"})  # tactics whose outside targets serve the attacker


def roles(alerts: Sequence[Alert], settings: Settings) -> dict[str, str]:
    """By host, in the order of time. A victim that goes on to attack stays a victim; an inside host whose part has no
    known beginning is a suspect; what was only probed and told by name is a target."""
    found: dict[str, str] = {}
    acting: dict[str, list[Alert]] = defaultdict(list)
    for alert in alerts:
        acting[alert.actor].append(alert)
    for alert in alerts:
        if alert.actor:
            found.setdefault(alert.actor, SUSPECT if alert.internal(alert.actor) else ATTACKER)
        elif alert.subject and alert.subject not in alert.names:
            found.setdefault(alert.subject, VICTIM)
        for host in entered(alert, settings):
            # it is said, or shows in what the host does soon after
            if host in alert.entered or any(carries(alert, host, a, settings) for a in acting.get(host, ())):
                found[host] = VICTIM
        for target in alert.targets if len(alert.targets) == 1 and alert.targets[0] in alert.places else ():
            outside = not alert.internal(target) and not SERVES.isdisjoint(alert.tactics)
            found.setdefault(target, INFRASTRUCTURE if outside else TARGET)
    return found
