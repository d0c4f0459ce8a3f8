"""What ties two alerts: one host's doings, a break-in and what its victim does then, one control server.

Which alerts belong together depends on the set of alerts alone and not on the order in which they came: groups are the
connected components of a graph, and what ties two alerts is seen from those that name the same host or place.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

from .alert import Alert
from .order import by_time, runs
from .settings import Settings

Kind = Literal["acts", "suffers", "entered", "tried", "place", "inside"]
# Tactics of what is done to a host that is not entered by it.
DONE_TO = frozenset({"TA0043", "TA0042", "TA0006", "TA0040"})
# Techniques of which a sensor sees the attempt and not whether it succeeded.
ATTEMPTS = ("T1189", "T1190", "T1203", "T1210")
DOING: tuple[Kind, ...] = ("acts", "suffers")


@dataclass(frozen=True)
class Group:
    """Alerts that belong together, in the order of time. `crowd`: the place that so many hosts go to that this alone
    is what they have in common; "" where it is no crowd."""

    alerts: tuple[Alert, ...]
    crowd: str = ""


def ties(alert: Alert, settings: Settings) -> Iterator[tuple[str, Kind]]:
    """The hosts and names by which an alert may be tied to others, and how it stands to each.

    `acts`: it does something; `suffers`: somebody unknown did it to it, and did not get in; `entered`: it was broken
    into, `tried`: perhaps, by an exploit; `place`: hosts go there for orders, and it lies outside, `inside`: it does
    not.
    """
    for name in _names(alert, alert.subject):
        yield name, doing(alert)
    for host in entered(alert, settings):
        for name in _names(alert, host):
            yield name, "entered" if _is_in(alert, host) else "tried"
    for account in alert.accounts:
        yield f"account {account}", "place"
    if not set(settings.shared).isdisjoint(alert.tactics):
        if alert.fingerprint:
            yield f"fingerprint {alert.fingerprint}", "place"
        at_home = any(alert.internal(t) for t in alert.targets)
        for place in alert.places:
            if place != alert.subject:
                yield place, "inside" if at_home or alert.internal(place) else "place"


def _names(alert: Alert, address: str) -> Iterator[str]:
    """The address, and the machine that has it, where that is known: so two addresses of one are one host."""
    if address:
        yield address
        if (host := alert.hosts.get(address)) and host.asset:
            yield f"asset {host.asset}"


def doing(alert: Alert) -> Kind:
    """How its subject stands to an alert: a host at which many guess or that is flooded does nothing itself."""
    harmless = bool(alert.tactics) and DONE_TO.issuperset(alert.tactics)
    return "suffers" if not alert.actor and not alert.entered and harmless else "acts"


def entered(alert: Alert, settings: Settings) -> tuple[str, ...]:
    """The targets on which the attacker is afterwards: those that it is known to have got into, else all of an act
    that means just that."""
    if alert.entered or "got_into" in alert.evidence:
        return alert.entered
    return alert.targets if not set(settings.carries).isdisjoint(alert.tactics) else ()


def carries(entry: Alert, host: str, act: Alert, settings: Settings) -> bool:
    """Whether what a host does may come of this entry: soon after it, where nothing shows that it succeeded."""
    most_us = settings.carry_us if _is_in(entry, host) else settings.tried_us
    return entry.first_us <= act.first_us <= entry.last_us + most_us


def _is_in(entry: Alert, host: str) -> bool:
    """Whether an entry means that the attacker is on the host: it is said, or the technique is used by who is."""
    return host in entry.entered or not any(t.startswith(ATTEMPTS) for t in entry.techniques)


def groups(alerts: Iterable[Alert], settings: Settings) -> list[Group]:
    """The alerts that belong together; lesser alerts join the nearest group of their host.

    Alerts below `core_severity` tie nothing and make no group of their own: those that no group takes are left out.
    """
    everything = sorted(alerts, key=by_time)
    core = [a for a in everything if a.severity >= settings.core_severity]
    by_key = _by_key(core, settings)
    parent = {a.id: a.id for a in core}
    crowds: dict[str, str] = {}  # alert -> the place at which it is one of many
    for place, by_kind in sorted(by_key.items()):
        for crowd in _crowds(by_kind, settings):
            crowds |= {a.id: place for a in crowd if a.id not in crowds}
            for a, b in pairwise(crowd):
                _join(parent, a.id, b.id)
    for key, by_kind in by_key.items():
        alone = {kind: [a for a in found if a.id not in crowds] for kind, found in by_kind.items()}
        for a, b in _tied(key, alone, settings):
            _join(parent, a.id, b.id)
    found: dict[str, list[Alert]] = defaultdict(list)
    for alert in core:
        found[_root(parent, alert.id)].append(alert)
    lesser = [a for a in everything if a.severity < settings.core_severity]
    whole = _with_lesser([g for g in found.values() if g[0].id not in crowds], lesser, settings)
    whole += [Group(tuple(g), crowds[g[0].id]) for g in found.values() if g[0].id in crowds]
    return sorted(whole, key=lambda group: by_time(group.alerts[0]))


_ByKind = Mapping[Kind, Sequence[Alert]]


def _by_key(core: Sequence[Alert], settings: Settings) -> dict[str, dict[Kind, list[Alert]]]:
    found: dict[str, dict[Kind, list[Alert]]] = defaultdict(lambda: defaultdict(list))
    for alert in core:
        for key, kind in ties(alert, settings):
            found[key][kind].append(alert)
    return found


def _crowds(by_kind: _ByKind, settings: Settings) -> Iterator[list[Alert]]:
    """The alerts about a place that more hosts go to than one attacker is likely to hold."""
    there = sorted((*by_kind.get("place", ()), *by_kind.get("inside", ())), key=by_time)
    for session in runs(there, settings.gap_us):
        if len({a.subject for a in session}) > settings.crowd:
            yield session


def _tied(key: str, by_kind: _ByKind, settings: Settings) -> Iterator[tuple[Alert, Alert]]:
    """Pairs that are tied by one host or name, enough of them to join all that are."""
    for session in runs(by_kind.get("suffers", ()), settings.gap_us):
        yield from pairwise(session)
    acts = {a.id for a in by_kind.get("acts", ())}
    there = sorted((*by_kind.get("acts", ()), *by_kind.get("place", ())), key=by_time)
    for session in runs(there, settings.gap_us):
        yield from pairwise(session)
        acting = [a for a in session if a.id in acts]
        yield from _followed(key, by_kind.get("entered", ()), acting, settings)
        tried: dict[str, list[tuple[Alert, Alert]]] = defaultdict(list)
        for entry, act in _followed(key, by_kind.get("tried", ()), acting, settings):
            tried[act.id].append((entry, act))
        for pairs in tried.values():  # one got in at most: the worst, of these the last before
            yield max(pairs, key=lambda pair: (pair[0].severity, *by_time(pair[0])))


def _followed(
    host: str, entries: Sequence[Alert], acting: Sequence[Alert], settings: Settings
) -> Iterator[tuple[Alert, Alert]]:
    """Each entry with the first that its host does after it, where that may come of it."""
    begun = [a.first_us for a in acting]
    for entry in entries:
        at = bisect_left(begun, entry.first_us)
        if at < len(acting) and carries(entry, host, acting[at], settings):
            yield entry, acting[at]


def _with_lesser(groups: list[list[Alert]], lesser: Sequence[Alert], settings: Settings) -> list[Group]:
    """The groups with the lesser alerts of their hosts: each goes to the group that has the nearest alert to tie it."""
    by_host: dict[tuple[str, Kind], list[tuple[int, _Times, _Times]]] = defaultdict(list)
    for number, group in enumerate(groups):
        for host, by_kind in _by_key(group, settings).items():
            for kind in DOING:
                broken_into = by_kind.get("entered", ()) if kind == "acts" else ()
                by_host[host, kind].append((number, _Times(by_kind.get(kind, ())), _Times(broken_into)))
    joined = [list(group) for group in groups]
    for alert in lesser:
        near = []
        for number, acts, entries in by_host.get((alert.subject, doing(alert)), ()):
            away_us = (acts.away_us(alert), settings.gap_us), (entries.since_us(alert), settings.carry_us)
            near += [(away, number) for away, most in away_us if away is not None and away <= most]
        if near:
            joined[min(near)[1]].append(alert)
    return [Group(tuple(sorted(group, key=by_time))) for group in joined]


class _Times:
    """When alerts begin and until when they last, to find the nearest one."""

    def __init__(self, alerts: Sequence[Alert]) -> None:
        self._begun = sorted(a.first_us for a in alerts)
        self._until = list(accumulate((a.last_us for a in sorted(alerts, key=by_time)), max))

    def since_us(self, alert: Alert) -> int | None:
        """How long before the alert's begin the last of those ends that began before; 0 where it lasts."""
        at = bisect_right(self._begun, alert.first_us)
        return max(alert.first_us - self._until[at - 1], 0) if at else None

    def away_us(self, alert: Alert) -> int | None:
        """How far the nearest is."""
        at = bisect_right(self._begun, alert.first_us)
        after = max(self._begun[at] - alert.last_us, 0) if at < len(self._begun) else None
        return min((away for away in (self.since_us(alert), after) if away is not None), default=None)


def _root(parent: dict[str, str], name: str) -> str:
    while parent[name] != name:
        parent[name] = parent[parent[name]]
        name = parent[name]
    return name


def _join(parent: dict[str, str], a: str, b: str) -> None:
    first, second = sorted((_root(parent, a), _root(parent, b)))
    parent[second] = first
