"""Entities as conditions: SQL over rows with every value as a parameter, and predicates over alert documents."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .archive import network_bounds
from .entities import Entity
from .reading import Reading

Document = Mapping[str, Any]


@dataclass
class Where:
    """Conditions that all must hold, and their values by name."""

    parts: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def value(self, value: Any) -> str:
        """A place for a value in the SQL; it is never written into it."""
        name = f"v{len(self.values) + 1}"
        self.values[name] = value
        return f"${name}"

    def add(self, condition: str) -> Where:
        if condition:
            self.parts.append(condition)
        return self

    def __str__(self) -> str:
        return "\n  AND ".join(self.parts) if self.parts else "TRUE"

    # ---- one end of a connection

    def end(self, side: str, entity: Entity) -> str:
        """A condition that this end (orig, resp) is what the entity names."""
        if entity.kind == "host":
            return f"{side}_h = {self.value(entity.value)}"
        if entity.kind == "country":
            return f"{side}_country = {self.value(entity.value)}"
        if entity.kind == "scope":
            return f"{side}_internal" if entity.value else f"NOT {side}_internal"
        if entity.kind == "as":
            column = f"{side}_asn" if isinstance(entity.value, int) else f"{side}_as_org"
            return f"{column} = {self.value(entity.value)}"
        return f"({' OR '.join(self._inside(f'{side}_h', cidr) for cidr in cidrs(entity))})"

    def _inside(self, column: str, cidr: str) -> str:
        first, last = network_bounds(cidr)
        family = f"{'' if len(first) > 8 else 'NOT '}contains({column}, ':')"
        return f"({family} AND address_hex({column}) BETWEEN {self.value(first)} AND {self.value(last)})"

    def ends(self, entities: Iterable[Entity], side: str) -> str:
        """That this end is one of them; "" where there are none."""
        return any_of([self.end(side, e) for e in entities])

    def either(self, entities: Sequence[Entity]) -> str:
        """That one of the two ends is one of them."""
        return any_of([self.ends(entities, "orig"), self.ends(entities, "resp")])

    # ---- what a connection is

    def kind(self, reading: Reading, services: Mapping[str, Any]) -> Where:
        """Its direction, port, protocol and service, as far as the question names them."""
        self.add(any_of([f"direction = {self.value(e.value)}" for e in reading.all("direction")]))
        self.add(any_of([f"resp_p = {self.value(e.value)}" for e in reading.all("port")]))
        twins = {e.at for e in reading.all("service")}
        self.add(any_of([f"proto = {self.value(e.value)}" for e in reading.all("protocol") if e.at not in twins]))
        return self.add(any_of([self._service(services[e.value]) for e in reading.all("service")]))

    def _service(self, told: Mapping[str, Any]) -> str:
        named = f"list_contains(string_split(coalesce(service, ''), ','), {self.value(told['service'])})"
        by_port = f"(service IS NULL AND resp_p IN (SELECT unnest({self.value(list(told['ports']))}::BIGINT[])))"
        return f"({named} OR {by_port})" if told["ports"] else named

    def below(self, column: str, domains: Iterable[Entity]) -> str:
        """That a name is one of these domains or below it."""
        made = []
        for entity in domains:
            place = self.value(entity.value)
            made.append(f"(lower({column}) = {place} OR ends_with(lower({column}), '.' || {place}))")
        return any_of(made)


def any_of(conditions: Iterable[str]) -> str:
    kept = [c for c in conditions if c]
    return kept[0] if len(kept) == 1 else f"({' OR '.join(kept)})" if kept else ""


def cidrs(entity: Entity) -> tuple[str, ...]:
    return (entity.value,) if isinstance(entity.value, str) else tuple(entity.value)


# ---- alert documents


def at(doc: Document, path: str, default: Any = None) -> Any:
    """A field of a nested document by its dotted name."""
    here: Any = doc
    for key in path.split("."):
        if not isinstance(here, Mapping) or key not in here:
            return default
        here = here[key]
    return here


def names(doc: Document) -> set[str]:
    """Every address and name that an alert or incident tells of."""
    found = {*at(doc, "related.ip", []), *at(doc, "related.hosts", [])}
    for part in ("aegis.entity", "aegis.evidence"):
        for value in at(doc, part, {}).values():
            found.update(value if isinstance(value, list) else [value])
    for host in at(doc, "aegis.incident.hosts", []):
        found.update(filter(None, (host.get("ip"), host.get("name"))))
    return {str(v) for v in found if isinstance(v, str)}


def sources(doc: Document) -> set[str]:
    """Who acted, as far as the alert says."""
    found = {at(doc, "source.ip"), at(doc, "source.domain"), at(doc, "aegis.entity.orig_h")}
    return {str(v) for v in found if v}


def predicate(reading: Reading, services: Mapping[str, Any]) -> Callable[[Document], bool]:
    """Whether an alert is one that the question asks for, by what SQL over its columns does not tell."""
    tests = list(_tests(reading, services))
    return lambda doc: all(test(doc) for test in tests)


def _tests(reading: Reading, services: Mapping[str, Any]) -> Iterator[Callable[[Document], bool]]:
    for kinds, test in (
        (("host",), _host),
        (("net",), _net),
        (("domain",), _domain),
        (("country", "as"), _place),
        (("scope",), _scope),
    ):
        for role in ("to", "from", ""):
            if asked := [e for e in reading.all(*kinds) if e.role == role]:
                yield lambda doc, asked=asked, test=test: any(test(doc, e) for e in asked)  # type: ignore[misc]
    ports = {e.value for e in reading.all("port")}
    twins = {e.at for e in reading.all("detector")}
    for entity in reading.all("service"):
        if entity.at not in twins:
            told = services[entity.value]
            yield lambda doc, told=told: _of_service(doc, told)  # type: ignore[misc]
    known = {e.at for e in reading.all("detector", "service")}
    if protocols := {e.value for e in reading.all("protocol") if e.at not in known}:
        yield lambda doc: at(doc, "network.transport") in protocols
    if ports:
        yield lambda doc: bool(ports & _ports(doc))
    techniques = [e for e in reading.all("technique", "tactic") if e.at not in twins]
    for place in dict.fromkeys(e.at for e in techniques):
        meant = {e.value for e in techniques if e.at == place}
        yield lambda doc, meant=meant: bool(meant & attack_ids(doc))  # type: ignore[misc]
    if directions := {e.value for e in reading.all("direction")}:
        yield lambda doc: at(doc, "network.direction") in directions
    if sensors := {e.value for e in reading.all("sensor")}:
        yield lambda doc: bool(sensors & set(at(doc, "aegis.sensors", [])))


def attack_ids(doc: Document) -> set[str]:
    """Techniques, their parents and tactics of an alert or incident."""
    found: set[str] = set()
    for pair in at(doc, "aegis.attack", []):
        technique = at(pair, "technique.id", "")
        found |= {technique, technique.split(".")[0], at(pair, "tactic.id", "")}
    return found - {""}


def _of_service(doc: Document, told: Mapping[str, Any]) -> bool:
    named = {at(doc, "network.protocol"), at(doc, "aegis.entity.key"), at(doc, "aegis.evidence.service")}
    return told["service"] in named or bool(set(told["ports"]) & _ports(doc))


def _ports(doc: Document) -> set[int]:
    found = at(doc, "aegis.evidence.ports", [])
    return {p for p in (at(doc, "destination.port"), *(found if isinstance(found, list) else ())) if isinstance(p, int)}


def _acting(role: str, doc: Document) -> set[str]:
    """The names on the side that the role means."""
    by = sources(doc)
    return by if role == "from" else names(doc) - by if role == "to" else names(doc) | by


def _host(doc: Document, entity: Entity) -> bool:
    return entity.value in _acting(entity.role, doc)


def _net(doc: Document, entity: Entity) -> bool:
    networks = [ipaddress.ip_network(c) for c in cidrs(entity)]
    return any(_in(name, networks) for name in _acting(entity.role, doc))


def _in(name: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return any(address in network for network in networks)


def _domain(doc: Document, entity: Entity) -> bool:
    return any(name.lower() == entity.value or name.lower().endswith(f".{entity.value}") for name in names(doc))


def _place(doc: Document, entity: Entity) -> bool:
    """The country or AS of the end that the role means (without one, of either)."""
    sides = {"to": ("destination",), "from": ("source",)}.get(entity.role, ("source", "destination"))
    paths = ["geo.country_iso_code"] if entity.kind == "country" else ["as.number", "as.organization.name"]
    return any(at(doc, f"{side}.{path}") == entity.value for side in sides for path in paths)


def _scope(doc: Document, entity: Entity) -> bool:
    """Whether the end that the role means (without one, any) is inside, or outside."""
    sides = {"to": ("destination",), "from": ("source",)}.get(entity.role, ("source", "destination"))
    wanted = "internal" if entity.value else "external"
    return any(at(doc, f"aegis.{side}.locality") == wanted for side in sides)
