"""Says which asset an address is, whose it is and how much depends on it, from a CSV file."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import pyarrow as pa

from aegis_enrich.errors import ConfigError, Problems
from aegis_enrich.lookup import Lookup
from aegis_enrich.plugin import Column, Enricher
from aegis_enrich.prefixes import Network, Prefixes, parse_network
from aegis_enrich.replaced import Replaced

HEADER = ("address", "name", "owner", "criticality")
CRITICALITIES = ("low", "medium", "high", "critical")
_SIDES = {"*": (("orig", "originator"), ("resp", "responder")), "aegis_scan": (("orig", "originator"),)}


class Asset(NamedTuple):
    """One line of the file without its address; null where the field is empty."""

    name: str | None
    owner: str | None
    criticality: str | None


class Assets(Enricher):
    """Settings: `path` (assets.csv; without it, or where it is not there, no assets), `required` (refuse to start
    without the file; false)."""

    name = "assets"
    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {"*": ("orig_h", "resp_h"), "aegis_scan": ("orig_h",)}
    adds: ClassVar[Mapping[str, tuple[Column, ...]]] = {
        table: tuple(
            Column(f"{side}_{column}", "string", f"{doc} of the {role}")
            for side, role in sides
            for column, doc in (
                ("asset", "the asset's name"),
                ("owner", "the asset's owner"),
                ("criticality", "the criticality (low, medium, high, critical)"),
            )
        )
        for table, sides in _SIDES.items()
    }

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._file: Replaced[dict[Network, Asset]] = Replaced(
            settings.get("path", ""),
            load,
            {},
            required=bool(settings.get("required")),
            without="no assets are known",
        )
        self._take(self._file.value)

    def refresh(self) -> bool:
        if not self._file.refresh():
            return False
        self._take(self._file.value)
        return True

    def digest(self) -> str:
        return self._digest

    def enrich(self, table: str, batch: pa.Table) -> Mapping[str, pa.Array]:
        sides = _SIDES.get(table, _SIDES["*"])
        columns = [made for side, _ in sides for made in self._lookup(batch[f"{side}_h"])]
        return {
            column.name: values for column, values in zip(self.adds.get(table, self.adds["*"]), columns, strict=True)
        }

    def describe(self, kind: Literal["address", "domain"], value: str) -> Mapping[str, Any]:
        asset = self._assets.find(value) if kind == "address" else None
        facts = {f"asset.{k}": v for k, v in asset._asdict().items() if v is not None} if asset else {}
        return facts | ({"asset.id": self._single[value]} if value in self._single else {})

    def _take(self, assets: Mapping[Network, Asset]) -> None:
        self._assets = Prefixes(assets.items())
        # lines of one address name one machine: two with one name are two addresses of it
        self._single = {str(n.network_address): a.name for n, a in assets.items() if n.num_addresses == 1 and a.name}
        self._lookup = Lookup(self._assets.find, (pa.string(),) * 3)
        facts = sorted((str(network), *asset) for network, asset in assets.items())
        self._digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def load(path: Path) -> dict[Network, Asset]:
    """The assets of a file by address or network; raises Problems with every problem and its line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{error}; write a file that can be read", where=str(path)) from error
    problems: list[ConfigError] = []
    rows: list[tuple[int, list[str]]] = []
    for number, line in enumerate(lines, 1):
        try:
            rows += [(number, next(csv.reader([line])))] if _says_something(line) else []
        except csv.Error as error:
            problems.append(ConfigError(f"{error}; write a line of CSV", where=f"{path}:{number}"))
    if problems:
        raise Problems(problems)
    if not rows:
        return {}
    (first, header), *rows = rows
    if tuple(h.strip() for h in header) != HEADER:
        what = f"the header is {','.join(header)!r}; write {','.join(HEADER)}"
        raise ConfigError(what, where=f"{path}:{first}")
    assets: dict[Network, Asset] = {}
    for number, row in rows:
        try:
            network, asset = _asset([cell.strip() for cell in row])
            if network in assets:
                raise ValueError(f"{row[0]} stands here twice; write it once")
            assets[network] = asset
        except ValueError as error:
            problems.append(ConfigError(str(error), where=f"{path}:{number}"))
    if problems:
        raise Problems(problems)
    return assets


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _asset(row: list[str]) -> tuple[Network, Asset]:
    if len(row) != len(HEADER):
        raise ValueError(f"{len(row)} fields; write {len(HEADER)}: {', '.join(HEADER)} (the last three may be empty)")
    address, name, owner, criticality = row
    if criticality and criticality not in CRITICALITIES:
        raise ValueError(f"{criticality!r} is no criticality; write one of {', '.join(CRITICALITIES)}")
    return parse_network(address), Asset(name or None, owner or None, criticality or None)
