"""What the correlator sees of an alert: who did what to whom, when, and how sure it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Tactics whose acts a compromised host does itself: where such an alert names an outside source and an inside
# destination (a signature on what a control server answers), it is the inside host that it is about.
OF_THE_COMPROMISED = frozenset({"TA0009", "TA0010", "TA0011"})
# Techniques in which the destination's address only resolves what is asked for.
RESOLVING = ("T1568", "T1071.004")
FEW_CLIENTS = 5
# Accounts of this name on two machines are two.
EVERYWHERE = frozenset({"root", "admin", "administrator", "guest", "user", "test", "anonymous", "ubuntu", "pi", ""})
TARGETS = 20  # that an alert names, as many as detectors keep samples of


@dataclass(frozen=True)
class Host:
    """What is known of an address by the site's networks and assets; `name`: of the asset."""

    address: str
    internal: bool = False
    name: str = ""
    criticality: str = ""
    network: str = ""
    organization: str = ""  # of its AS
    asset: str = ""  # the name of the one machine that has the address


@dataclass(frozen=True)
class Alert:
    """An alert as incidents are made of it. Times in µs; `risk` 0-100; `tactics`, `techniques`: ids, in its own order.

    `actor`: the address that acts ("" where the alert does not say); `targets`: the addresses that it acts on, of
    many the first 20; `names`: domains that it acts on; `entered`: those of the targets that it got into.
    """

    id: str
    rule: str
    name: str
    severity: int
    risk: float
    score: float
    first_us: int
    last_us: int
    actor: str
    targets: tuple[str, ...]
    names: tuple[str, ...]
    entered: tuple[str, ...]
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    hosts: Mapping[str, Host]
    sensors: tuple[str, ...]
    evidence: Mapping[str, Any]
    count: int
    message: str
    reason: str
    uids: tuple[str, ...]
    status: str

    @property
    def places(self) -> tuple[str, ...]:
        """Where it goes: its targets and names, but for a resolver that only passes a name on."""
        resolved = any(t.startswith(RESOLVING) for t in self.techniques)
        return self.names if resolved else (*self.names, *self.targets)

    @property
    def accounts(self) -> tuple[str, ...]:
        """Those that somebody got in as, but for names that every machine has."""
        users = (str(user).lower() for user in listed(self.evidence, "got_in_as"))
        return tuple(sorted({user for user in users if user not in EVERYWHERE}))

    @property
    def fingerprint(self) -> str:
        """That of the client program, where only a few hosts have it: an implant's rather than a browser's."""
        clients = self.evidence.get("fingerprint_clients")
        few = isinstance(clients, (int, float)) and 1 < clients <= FEW_CLIENTS
        return str(self.evidence.get("fingerprint") or "") if few else ""

    @property
    def subject(self) -> str:
        """Whom it is about: who acts, else whom it is done to."""
        return self.actor or next(iter(self.targets), "") or next(iter(self.names), "")

    def internal(self, address: str) -> bool:
        host = self.hosts.get(address)
        return host is not None and host.internal

    def values(self) -> Mapping[str, Any]:
        """What conditions of correlation rules see; a rule's README lists them."""
        return self._values

    @cached_property
    def _values(self) -> dict[str, Any]:
        actor, target = self.hosts.get(self.actor), self.hosts.get(next(iter(self.targets), ""))
        moment = EPOCH + timedelta(microseconds=self.first_us)
        return {
            "rule": self.rule,
            "severity": self.severity,
            "risk": self.risk,
            "score": self.score,
            "actor": self.actor or None,
            "target": [*self.targets, *self.names],
            "entered": list(self.entered) or None,
            "tactic": list(self.tactics),
            "technique": list(self.techniques),
            "sensor": list(self.sensors),
            "hour": moment.hour,
            "weekday": moment.strftime("%A").lower(),
            **_of_host("actor", actor),
            **_of_host("target", target),
            **{f"evidence.{name}": value for name, value in self.evidence.items()},
        }


def _of_host(side: str, host: Host | None) -> dict[str, Any]:
    return {
        f"{side}_internal": None if host is None else host.internal,
        f"{side}_asset": (host and host.name) or None,
        f"{side}_criticality": (host and host.criticality) or None,
        f"{side}_network": (host and host.network) or None,
        f"{side}_organization": (host and host.organization) or None,
    }


def alert_of(doc: Mapping[str, Any], status: str = "open") -> Alert:
    """What an alert document says, in the correlator's terms."""
    event, aegis = doc["event"], doc["aegis"]
    evidence = aegis["evidence"]
    sides = [doc.get("source") or {}, doc.get("destination") or {}]
    pairs = tuple((p["tactic"]["id"], p["technique"]["id"]) for p in aegis.get("attack", ()))
    tactics = tuple(dict.fromkeys(tactic for tactic, _ in pairs))
    ours = (aegis.get("source") or sides[0], aegis.get("destination") or sides[1])  # older states: beside ECS's fields
    hosts = {side["ip"]: _host(side, own) for side, own in zip(sides, ours, strict=True) if side.get("ip")}
    if _is_about_the_destination(sides, hosts, tactics):
        sides.reverse()
    actor = str(sides[0].get("ip", ""))
    targets = _texts([sides[1].get("ip"), *listed(evidence, "hosts_sample"), *listed(evidence, "got_into")])
    return Alert(
        id=event["id"],
        rule=doc["rule"]["id"],
        name=doc["rule"]["name"],
        severity=event["severity"],
        risk=event["risk_score"],
        score=aegis["score"],
        first_us=time_us(aegis["first_seen"]),
        last_us=time_us(aegis["last_seen"]),
        actor=actor,
        targets=tuple(t for t in targets if t != actor)[:TARGETS],
        names=_texts([sides[1].get("domain"), sides[0].get("domain")]),
        entered=_texts(listed(evidence, "got_into")),
        tactics=tactics,
        techniques=tuple(dict.fromkeys(technique for _, technique in pairs)),
        pairs=pairs,
        hosts=hosts,
        sensors=tuple(aegis["sensors"]),
        evidence=evidence,
        count=aegis["count"],
        message=doc["message"],
        reason=event["reason"],
        uids=tuple(aegis["uids"]),
        status=status,
    )


def _is_about_the_destination(
    sides: list[Mapping[str, Any]], hosts: Mapping[str, Host], tactics: tuple[str, ...]
) -> bool:
    source, destination = (hosts.get(side.get("ip", "")) for side in sides)
    if source is None or destination is None or source.internal or not destination.internal:
        return False
    return bool(tactics) and OF_THE_COMPROMISED.issuperset(tactics)


def _host(side: Mapping[str, Any], own: Mapping[str, Any]) -> Host:
    """Of the document's ECS fields of an end, and of those that ECS does not have."""
    asset = own.get("asset") or {}
    return Host(
        address=side["ip"],
        internal=own.get("locality") == "internal",
        name=asset.get("name") or "",
        criticality=asset.get("criticality") or "",
        network=(own.get("network") or {}).get("name") or "",
        organization=((side.get("as") or {}).get("organization") or {}).get("name") or "",
        asset=asset.get("id") or "",
    )


def listed(evidence: Mapping[str, Any], name: str) -> list[Any]:
    """A list of the evidence; none where it is something else."""
    value = evidence.get(name)
    return value if isinstance(value, list) else []


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(v) for v in values if v))


def time_us(text: str) -> int:
    """µs since the epoch of a time as documents write it."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)
