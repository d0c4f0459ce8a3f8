"""What conditions and titles see of a finding, or of an alert document, and of the two ends that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..plugin import CONTEXT, Finding
from .fields import of_end

if TYPE_CHECKING:  # a document is made of rules, whose tests know what may be seen
    from .document import Describe

# What is known of an end, by the name that enrichers give it in rows (after `orig_` or `resp_`), and where a
# description has it. `scope` is internal or external by the networks in force.
FACTS: Mapping[str, str] = {
    "scope": "locality",
    "internal": "locality",
    "net": "network.name",
    "asset": "asset.name",
    "owner": "asset.owner",
    "criticality": "asset.criticality",
    "country": "geo.country_iso_code",
    "city": "geo.city_name",
    "asn": "as.number",
    "as_org": "as.organization.name",
}
SCOPES: Mapping[str, str] = {"orig_scope": "orig_internal", "resp_scope": "resp_internal"}  # and the row's column
SIDES: Mapping[str, str] = {"orig": "source", "resp": "destination"}
OF_ENDS: tuple[str, ...] = tuple(f"{side}_{fact}" for side in SIDES for fact in FACTS)
OF_FINDINGS: tuple[str, ...] = ("sensor", "score")


class Seen(Mapping[str, Any]):
    """Values by name; facts of the two ends are looked up when they are asked for, and only where nothing says them."""

    def __init__(self, values: Mapping[str, Any], describe: Describe) -> None:
        self._values, self._describe = values, describe

    def __getitem__(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        side, _, fact = name.partition("_")
        if side not in SIDES or fact not in FACTS:
            raise KeyError(name)
        return _fact(fact, (self._orig if side == "orig" else self._resp).get(FACTS[fact]))

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._values, *OF_ENDS)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @cached_property
    def _orig(self) -> Mapping[str, Any]:
        return self._end("orig_h")

    @cached_property
    def _resp(self) -> Mapping[str, Any]:
        return self._end("resp_h")

    def _end(self, column: str) -> Mapping[str, Any]:
        value = self._values.get(column)
        return self._describe("address", value) if isinstance(value, str) else {}


def finding_values(finding: Finding) -> dict[str, Any]:
    """What a finding says itself: columns, `sensor`, `score`, and `evidence.<name>`."""
    numbers = {f"evidence.{name}": value for name, value in finding.evidence.items()}
    return {**numbers, "sensor": finding.sensor, "score": finding.score, **finding.context, **finding.entity}


def document_values(doc: Mapping[str, Any]) -> dict[str, Any]:
    """The same of an alert document: of its entity, its leading finding or row, and its ends.

    Evidence of a row rule goes by its columns' own names, too. `sensor` is the list of all that saw it.
    """
    aegis = doc.get("aegis", {})
    evidence = aegis.get("evidence", {})
    values: dict[str, Any] = {**evidence, **{f"evidence.{name}": value for name, value in evidence.items()}}
    values |= {"sensor": list(aegis.get("sensors", ())), "score": aegis.get("score")}
    for column, path in CONTEXT.items():
        if path and (value := _at(doc, path)) is not None:
            values[column] = value
    for side, end in SIDES.items():
        values |= {f"{side}_{fact}": _fact(fact, _at(doc, of_end(end, path))) for fact, path in FACTS.items()}
    return values | dict(aegis.get("entity", {}))


def _fact(fact: str, value: Any) -> Any:
    """As rows have it: `internal` is true or false, or null where the end is no address."""
    return value if fact != "internal" or value is None else value == "internal"


def _at(doc: Mapping[str, Any], path: str) -> Any:
    here: Any = doc
    for key in path.split("."):
        here = here.get(key) if isinstance(here, Mapping) else None
    return here
