"""Says where addresses are and whose AS they belong to, from MMDB files on this machine."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import maxminddb
import pyarrow as pa

from aegis_enrich.errors import ConfigError
from aegis_enrich.lookup import Lookup
from aegis_enrich.plugin import Column, Enricher
from aegis_enrich.replaced import Replaced

Record = Mapping[str, Any]
OLD_DAYS = 60
_SIDES = {"*": (("orig", "originator"), ("resp", "responder")), "aegis_scan": (("orig", "originator"),)}


class Geo(Enricher):
    """Settings: `city`, `country` (used where there is no city file) and `asn`: paths of MMDB files; none is fine."""

    name = "geo"
    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {"*": ("orig_h", "resp_h"), "aegis_scan": ("orig_h",)}
    adds: ClassVar[Mapping[str, tuple[Column, ...]]] = {
        table: tuple(
            Column(f"{side}_{column}", kind, f"{doc} of the {role}")
            for side, role in sides
            for column, kind, doc in (
                ("country", "string", "the ISO code of the country"),
                ("city", "string", "the city's English name"),
                ("asn", "count", "the number of the autonomous system"),
                ("as_org", "string", "the organisation behind the autonomous system"),
            )
        )
        for table, sides in _SIDES.items()
    }

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        places = settings.get("city") or settings.get("country") or ""
        self._places = Replaced(places, open_copy, None, required=True)
        self._systems = Replaced(settings.get("asn") or "", open_copy, None, required=True)
        self._lookup = Lookup(self._find, (pa.string(), pa.string(), pa.int64(), pa.string()))

    def refresh(self) -> bool:
        renewed = [self._places.refresh(), self._systems.refresh()]
        if any(renewed):
            self._lookup.clear()
        return any(renewed)

    def health(self, now_s: float) -> Sequence[str]:
        """Says which file is old: addresses move on, and the publishers renew these files every week or two."""
        said = []
        for file in (self._places, self._systems):
            if file.value is not None:
                age_days = (now_s - file.value.metadata().build_epoch) / 86_400
                if age_days > OLD_DAYS:
                    said.append(
                        f"{file.path} was built {age_days:.0f} days ago; renew it, for instance with geoipupdate"
                    )
        if self._places.value is None and self._systems.value is None:
            said.append("no MMDB file is configured, so alerts have no country and no AS; set geo.city and geo.asn")
        return said

    def enrich(self, table: str, batch: pa.Table) -> Mapping[str, pa.Array]:
        sides = _SIDES.get(table, _SIDES["*"])
        if self._places.value is None and self._systems.value is None:
            columns = [pa.nulls(len(batch), kind) for kind in self._lookup.types * len(sides)]
        else:
            columns = [made for side, _ in sides for made in self._lookup(batch[f"{side}_h"])]
        return {
            column.name: values for column, values in zip(self.adds.get(table, self.adds["*"]), columns, strict=True)
        }

    def describe(self, kind: Literal["address", "domain"], value: str) -> Mapping[str, Any]:
        if kind != "address":
            return {}
        fields = {**_place(_record(self._places.value, value)), **_system(_record(self._systems.value, value))}
        return {name: field for name, field in fields.items() if field is not None}

    def _find(self, address: str) -> tuple[str | None, str | None, int | None, str | None] | None:
        place = _record(self._places.value, address)
        system = _record(self._systems.value, address)
        if not place and not system:
            return None
        return (
            _country(place).get("iso_code"),
            _english(place.get("city", {})),
            system.get("autonomous_system_number"),
            system.get("autonomous_system_organization"),
        )


def open_copy(path: Path) -> maxminddb.Reader:
    """A reader of a copy that no one else can reach: a file that is truncated while it is mapped kills its reader."""
    with tempfile.TemporaryDirectory(prefix="aegis-enrich-") as folder:
        copy = Path(folder) / path.name
        try:
            shutil.copyfile(path, copy)
            return maxminddb.open_database(copy)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            what = f"no MMDB file that can be read: {error}; fetch it again, for instance with geoipupdate"
            raise ConfigError(what, where=str(path)) from error


def _record(reader: maxminddb.Reader | None, address: str) -> Record:
    """What the file says of an address; empty for none, for no address, and for IPv6 in a file without."""
    if reader is None:
        return {}
    try:
        record = reader.get(address)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _country(place: Record) -> Record:
    """The country of an address, else that in which its network is registered."""
    country: Record = place.get("country") or place.get("registered_country") or {}
    return country


def _english(named: Record) -> str | None:
    name: str | None = named.get("names", {}).get("en")
    return name


def _place(place: Record) -> dict[str, Any]:
    location = place.get("location", {})
    region = (place.get("subdivisions") or [{}])[0]
    country = _country(place)
    region_code = f"{country.get('iso_code')}-{region['iso_code']}" if "iso_code" in region else None
    known = "latitude" in location and "longitude" in location
    return {
        "geo.continent_code": place.get("continent", {}).get("code"),
        "geo.country_iso_code": country.get("iso_code"),
        "geo.country_name": _english(country),
        "geo.region_iso_code": region_code,
        "geo.region_name": _english(region),
        "geo.city_name": _english(place.get("city", {})),
        "geo.timezone": location.get("time_zone"),
        "geo.location": {"lat": location["latitude"], "lon": location["longitude"]} if known else None,
    }


def _system(system: Record) -> dict[str, Any]:
    return {
        "as.number": system.get("autonomous_system_number"),
        "as.organization.name": system.get("autonomous_system_organization"),
    }
