"""The incident document: ECS 8 like an alert's; a function of its alerts and of the correlation's rules alone."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..decide.attack import attack
from ..decide.document import ECS_VERSION, iso
from ..decide.fold import canonical
from .acts import Act, acts
from .alert import Alert, Host, listed
from .grounds import Confidence, confidence, undoubted
from .load import Correlation
from .order import by_risk, by_time
from .risk import Risk, risk
from .roles import TARGET, VICTIM, roles
from .sequences import Match, matches
from .stages import Stage, stages
from .ties import doing
from .wording import several

ALERTS = 200  # that the document holds, the worst ones; all of them are in the state, and counted
HOSTS = 200  # likewise, and of each stage's actors and targets
UIDS, EXAMPLES = 20, 3
LEVELS = ((85.0, 99), (70.0, 73), (40.0, 47), (0.0, 21))  # an incident's severity by its risk


@dataclass(frozen=True)
class Incident:
    """What a group of alerts amounts to. `root`: the host that it began with (of a crowd its place), and `bucket_us`
    the time; its id."""

    id: str
    root: str
    crowd: bool
    bucket_us: int
    alerts: tuple[Alert, ...]
    acts: tuple[Act, ...]
    stages: tuple[Stage, ...]
    matched: tuple[Match, ...]
    roles: Mapping[str, str]
    sure: Confidence
    risk: Risk

    @property
    def first_us(self) -> int:
        return min(a.first_us for a in self.alerts)

    @property
    def last_us(self) -> int:
        return max(a.last_us for a in self.alerts)

    @property
    def severity(self) -> int:
        return next(level for least, level in LEVELS if self.risk.score >= least)


def incident_of(
    alerts: Sequence[Alert], rules: Correlation, health: Sequence[Alert] = (), *, crowd: str = ""
) -> Incident:
    """Of a group of alerts; `health`: alerts on the state of network and sensors, of which those at its time count;
    `crowd`: the place, where the group is those of many hosts about one.

    Its id is a hash of the host that acts first (of a crowd its place) and of the stretch of `gap_h` in which that
    began: since a host's doings without a longer silence are one incident, no other has it; it stays while the incident
    grows.
    """
    alerts = sorted(alerts, key=by_time)
    found = acts(alerts)
    core = [a for a in alerts if a.severity >= rules.settings.core_severity] or alerts
    first, last_us = core[0], max(a.last_us for a in alerts)
    bucket_us = first.first_us // rules.settings.gap_us * rules.settings.gap_us
    matched = matches(alerts, rules.sequences)
    bad = [h for h in health if h.first_us <= last_us and h.last_us >= alerts[0].first_us]
    sure, worst = _weighed(found, matched, rules, bad)
    root, kind = crowd or first.subject, "crowd" if crowd else doing(first)
    named = ["incident", root, bucket_us, *([kind] if kind != "acts" else [])]
    return Incident(
        id=hashlib.sha256(canonical(named).encode()).hexdigest()[:32],
        root=root,
        crowd=bool(crowd),
        bucket_us=bucket_us,
        alerts=tuple(alerts),
        acts=tuple(found),
        stages=tuple(stages(found)),
        matched=tuple(matched),
        roles=roles(alerts, rules.settings),
        sure=sure,
        risk=worst,
    )


def _weighed(
    found: Sequence[Act], matched: Sequence[Match], rules: Correlation, health: Sequence[Alert]
) -> tuple[Confidence, Risk]:
    """How sure and how bad; harmless acts beside it make neither less than what it is without them."""
    sure = confidence(found, matched, rules.grounds, health)
    whole = risk(found, matched, sure, rules.settings)
    clear = undoubted(found, rules.grounds)
    if not clear or len(clear) == len(found):
        return sure, whole
    alerts = sorted((a for act in clear for a in (act.lead, *act.others)), key=by_time)
    surer, worse = _weighed(clear, matches(alerts, rules.sequences), rules, health)
    return replace(sure, value=max(sure.value, surer.value)), max((whole, worse), key=lambda r: r.score)


def document(incident: Incident) -> dict[str, Any]:
    """The incident as nested ECS; status, revision and what analysts say of it are added where it is delivered.

    However long it lasts, its document stays small: its lists have bounds, and counts beside them.
    """
    held = sorted(sorted(incident.alerts, key=by_risk)[:ALERTS], key=by_time)
    pairs = list(dict.fromkeys(f"{t}/{i}" for a in incident.alerts for t, i in a.pairs))
    title = title_of(incident)
    doc: dict[str, Any] = {
        "@timestamp": iso(incident.first_us),
        "message": title,
        "ecs": {"version": ECS_VERSION},
        "event": {
            "id": incident.id,
            "kind": "alert",
            "category": ["intrusion_detection", "network"],
            "type": ["info"],
            "module": "aegis",
            "dataset": "aegis.incidents",
            "provider": "aegis-enrich",
            "severity": incident.severity,
            "risk_score": incident.risk.score,
            "reason": _reason(incident),
            "start": iso(incident.first_us),
            "end": iso(incident.last_us),
        },
        "related": _related(incident),
        "observer": {"vendor": "AegisEnrich", "product": "aegis-enrich", "type": "ids", "name": _sensors(incident)},
        "aegis": {
            "first_seen": iso(incident.first_us),
            "last_seen": iso(incident.last_us),
            "period": iso(incident.bucket_us),
            "alert_count": len(incident.alerts),
            "host_count": len(incident.roles),
            "sensors": _sensors(incident),
            "confidence": incident.sure.value,
            "false_positive": {"likelihood": incident.sure.false_positive, "grounds": list(incident.sure.doubts)},
            "risk": _risk(incident.risk),
            "incident": {
                "id": incident.id,
                "title": title,
                "sequences": [_sequence(match) for match in incident.matched],
                "stages": [_stage(stage, incident.roles, {a.id for a in held}) for stage in incident.stages],
                "hosts": _hosts(incident),
                "alerts": _alerts(incident, held),
            },
        },
    }
    if threat := attack().threat(pairs):
        doc["threat"] = threat
        doc["aegis"] |= {"attack": attack().pairs(pairs), "attack_version": attack().version}
    return doc


def title_of(incident: Incident) -> str:
    """What it is in one line: the best sequence's name where one matched, else its stages."""
    if incident.crowd:
        hosts = len({a.subject for a in incident.alerts})
        what = " and ".join(dict.fromkeys(s.word for s in incident.stages[:3]))
        return f"{hosts} hosts go to one place ({what}): {incident.root}"
    if len({a.rule for a in incident.alerts}) == 1:
        said = min(incident.alerts, key=by_risk).message
        return said if incident.root in said else f"{said}: {incident.root}"
    victims = [host for host, role in incident.roles.items() if role == VICTIM and host != incident.root]
    best = max(incident.matched, key=lambda m: (len(m.found), m.sequence.risk, m.sequence.id), default=None)
    what = best.sequence.title if best else ", then ".join(dict.fromkeys(s.word for s in incident.stages[:4]))
    into = f", reaching {several(victims, 3)}" if victims else ""
    return f"{what[:1].upper()}{what[1:]}: {incident.root}{into}"


def _reason(incident: Incident) -> str:
    hosts = sorted({a.subject for a in incident.alerts if a.internal(a.subject)})
    who = f"{len(hosts)} inside host{'s' * (len(hosts) != 1)}"
    words = " → ".join(s.word for s in incident.stages[:12])
    return f"{len(incident.alerts)} alerts about {who} in {len(incident.stages)} stages: {words}"


def _related(incident: Incident) -> dict[str, list[str]]:
    """Those who have a part in it; who was only probed with many others stands in the alert that says so."""
    names = {n for a in incident.alerts for n in a.names}
    ips = set(incident.roles) - names
    return {k: sorted(v) for k, v in (("ip", ips), ("hosts", names)) if v}


def _sensors(incident: Incident) -> list[str]:
    return sorted({s for a in incident.alerts for s in a.sensors})


def _risk(found: Risk) -> dict[str, Any]:
    return {
        "score": found.score,
        "base": found.base,
        "factors": [{"name": f.name, "factor": f.part, "why": f.why} for f in found.factors],
        "left": found.left,
        "why_left": list(found.why_left),
    }


def _sequence(match: Match) -> dict[str, Any]:
    return {
        "id": match.sequence.id,
        "name": match.sequence.name,
        "stages": [stage.name for stage, _ in match.found],
        "alerts": [alert.id for _, alert in match.found],
    }


def _stage(stage: Stage, roles: Mapping[str, str], held: Collection[str]) -> dict[str, Any]:
    alerts = stage.alerts
    actors = sorted({a.subject for a in alerts})
    names = {n for a in alerts for n in a.names}
    targets = {t for a in alerts for t in a.targets} | names
    return {
        "tactic": {"id": stage.tactic, "name": attack().tactics.get(stage.tactic, "")} if stage.tactic else {},
        "name": stage.word,
        "first_seen": iso(stage.first_us),
        "last_seen": iso(stage.last_us),
        "actors": actors[:HOSTS],
        "actor_count": len(actors),
        "targets": sorted(t for t in targets if t in roles or t in names)[:HOSTS],
        "target_count": max(len(targets), *(_number(a.evidence.get("hosts")) for a in alerts), 0),
        "entered": sorted({t for a in alerts for t in a.entered})[:HOSTS],
        "techniques": sorted({t for a in alerts for t in a.techniques}),
        "alerts": [a.id for a in alerts if a.id in held],
        "alert_count": len(alerts),
        "reason": stage.best.reason,
    }


def _number(value: Any) -> int:
    """Evidence is the plugins': what is no number is none."""
    return int(value) if isinstance(value, (int, float)) else 0


def _hosts(incident: Incident) -> list[dict[str, Any]]:
    """Those with a part in it, of those that are targets only the first, 200 in all."""
    known: dict[str, Host] = {}
    acts_of: dict[str, list[Alert]] = defaultdict(list)
    aimed_at: dict[str, list[Alert]] = defaultdict(list)
    for alert in incident.alerts:
        known |= alert.hosts
        acts_of[alert.subject].append(alert)
        for target in alert.targets:
            aimed_at[target].append(alert)
    found = []
    for address, role in sorted(incident.roles.items(), key=lambda item: item[1] == TARGET)[:HOSTS]:
        own = acts_of[address]
        times = own or aimed_at[address]
        host = known.get(address, Host(address))
        found.append(
            {
                "ip": address,
                "role": role,
                "internal": host.internal,
                "name": host.name,
                "criticality": host.criticality,
                "alerts": len(own),
                "first_seen": iso(min(a.first_us for a in times)),
                "last_seen": iso(max(a.last_us for a in times)),
            }
        )
    return found


def _alerts(incident: Incident, held: Sequence[Alert]) -> list[dict[str, Any]]:
    lead_of = {other.id: act.lead.id for act in incident.acts for other in act.others}
    return [
        {
            "id": a.id,
            "rule": a.rule,
            "name": a.name,
            "severity": a.severity,
            "risk_score": a.risk,
            "actor": a.subject,
            "target": next(iter((*a.names, *a.targets)), ""),
            "first_seen": iso(a.first_us),
            "last_seen": iso(a.last_us),
            "reason": a.reason,
            "techniques": list(a.techniques),
            "examples": [str(e) for e in listed(a.evidence, "examples")][:EXAMPLES],
            "lead": lead_of.get(a.id),
            "uids": list(a.uids[:UIDS]),
        }
        for a in held
    ]


def with_state(
    doc: dict[str, Any], status: str, revision: int, triage: Mapping[str, Any] | None = None, merged_into: str = ""
) -> dict[str, Any]:
    """A document as it is delivered."""
    doc["aegis"] |= {"status": status, "revision": revision}
    if triage:
        doc["aegis"]["triage"] = dict(triage)
    if merged_into:
        doc["aegis"]["incident"]["merged_into"] = merged_into
    return doc
