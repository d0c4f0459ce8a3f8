"""Geo and AS from small MMDB files that the test writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from aegis_enrich.enrich import Enrichment
from aegis_enrich.errors import ConfigError
from aegis_plugins.enrichers.geo import Geo

Rows = Callable[..., pa.Table]
AMSTERDAM = {
    "continent": {"code": "EU"},
    "country": {"iso_code": "NL", "names": {"en": "Netherlands", "de": "Niederlande"}},
    "subdivisions": [{"iso_code": "NH", "names": {"en": "North Holland"}}],
    "city": {"names": {"en": "Amsterdam"}},
    "location": {"latitude": 52.37, "longitude": 4.89, "time_zone": "Europe/Amsterdam"},
}
FRANCE = {"registered_country": {"iso_code": "FR", "names": {"en": "France"}}}
CITIES = {"203.0.113.0/24": AMSTERDAM, "2001:db8::/32": FRANCE}
SYSTEMS = {"203.0.113.0/25": {"autonomous_system_number": 64500, "autonomous_system_organization": "Example BV"}}


def write(path: Path, kind: str, records: Mapping[str, Any]) -> Path:
    ipv6 = any(ip_network(n).version == 6 for n in records)
    writer = MMDBWriter(
        6 if ipv6 else 4, kind, languages=["en"], ipv4_compatible=ipv6, int_type="u32", float_type="f64"
    )
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    city = write(tmp_path / "city.mmdb", "GeoLite2-City", CITIES)
    asn = write(tmp_path / "asn.mmdb", "GeoLite2-ASN", SYSTEMS)
    return {"city": str(city), "country": "", "asn": str(asn)}


def test_place_and_system_of_both_ends(rows: Rows, settings: dict[str, str]) -> None:
    enrichment = Enrichment([Geo(settings)])
    batch = rows(
        "conn",
        orig_h=["203.0.113.1", "203.0.113.200", "10.0.0.1", None, "nonsense"],
        resp_h=["2001:db8::1", "8.8.8.8", "203.0.113.1", "203.0.113.1", None],
    )
    enriched = enrichment.apply("conn", batch)
    assert not enrichment.failures
    assert enriched["orig_country"].to_pylist() == ["NL", "NL", None, None, None]
    assert enriched["orig_city"].to_pylist() == ["Amsterdam", "Amsterdam", None, None, None]
    assert enriched["orig_asn"].to_pylist() == [64500, None, None, None, None]
    assert enriched["orig_as_org"].to_pylist() == ["Example BV", None, None, None, None]
    assert enriched["resp_country"].to_pylist() == ["FR", None, "NL", "NL", None]
    assert enriched["resp_city"].to_pylist() == [None, None, "Amsterdam", "Amsterdam", None]


@pytest.mark.parametrize("settings", [{}, {"city": "", "country": "", "asn": ""}])
def test_none_configured_is_fine(rows: Rows, settings: dict[str, str]) -> None:
    geo = Geo(settings)
    enrichment = Enrichment([geo])
    enriched = enrichment.apply("conn", rows("conn", orig_h=["8.8.8.8"], resp_h=["1.1.1.1"]))
    assert enriched.schema == enrichment.schema("conn")
    assert enriched["orig_asn"].null_count == 1
    assert not geo.refresh()
    assert geo.describe("address", "8.8.8.8") == {}


def test_a_country_file_stands_in_for_a_city_file(rows: Rows, tmp_path: Path) -> None:
    country = write(tmp_path / "country.mmdb", "GeoLite2-Country", {"198.51.100.0/24": FRANCE})
    batch = rows("conn", orig_h=["198.51.100.7"], resp_h=["2001:db8::1"])  # the file knows no IPv6
    enriched = Geo({"country": str(country)}).enrich("conn", batch)
    assert enriched["orig_country"].to_pylist() == ["FR"]
    assert enriched["resp_country"].to_pylist() == [None]


def test_replaced_files_are_taken_up_and_broken_ones_are_not(rows: Rows, settings: dict[str, str]) -> None:
    geo, batch = Geo(settings), rows("conn", orig_h=["203.0.113.1"], resp_h=["8.8.8.8"])
    path = Path(settings["city"])

    def country() -> str | None:
        return geo.enrich("conn", batch)["orig_country"].to_pylist()[0]

    assert country() == "NL"
    path.write_bytes(path.read_bytes()[:40])  # rewritten in place: a reader that maps this very file would die of it
    assert country() == "NL"
    assert not geo.refresh()
    assert country() == "NL"
    write(path.with_suffix(".new"), "GeoLite2-City", {"203.0.113.0/24": FRANCE}).rename(path)
    assert geo.refresh()
    assert country() == "FR"
    path.unlink()
    assert not geo.refresh()
    assert country() == "FR"


def test_what_is_configured_must_be_there_and_be_an_mmdb_file(tmp_path: Path) -> None:
    path = tmp_path / "city.mmdb"
    with pytest.raises(ConfigError, match="there is no such file"):
        Geo({"city": str(path)})
    path.write_text("<html>Please log in</html>")
    with pytest.raises(ConfigError, match=r"city\.mmdb: no MMDB file that can be read"):
        Geo({"city": str(path)})


def test_describe_gives_ecs_fields(settings: dict[str, str]) -> None:
    geo = Geo(settings)
    assert geo.describe("address", "203.0.113.1") == {
        "geo.continent_code": "EU",
        "geo.country_iso_code": "NL",
        "geo.country_name": "Netherlands",
        "geo.region_iso_code": "NL-NH",
        "geo.region_name": "North Holland",
        "geo.city_name": "Amsterdam",
        "geo.timezone": "Europe/Amsterdam",
        "geo.location": {"lat": 52.37, "lon": 4.89},
        "as.number": 64500,
        "as.organization.name": "Example BV",
    }
    assert geo.describe("address", "2001:db8::1") == {"geo.country_iso_code": "FR", "geo.country_name": "France"}
    assert geo.describe("address", "10.0.0.1") == geo.describe("domain", "203.0.113.1") == {}


def test_the_scan_log_has_a_source_only(rows: Rows, settings: dict[str, str]) -> None:
    for chosen in (settings, {}):
        geo, address = Geo(chosen), ["81.2.69.142"]
        made = geo.enrich("aegis_scan", rows("aegis_scan", orig_h=address))
        both = geo.enrich("conn", rows("conn", orig_h=address, resp_h=address))
        assert made == {name: values for name, values in both.items() if name.startswith("orig_")}
