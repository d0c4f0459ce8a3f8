"""A small MMDB file over the addresses of the lab."""

from __future__ import annotations

from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

PLACES = {
    "203.0.113.0/24": ("NL", "Netherlands", "Amsterdam", 52.37, 4.89),
    "198.51.100.0/24": ("FR", "France", "Lyon", 45.76, 4.84),
}


def write_mmdb(path: Path) -> Path:
    writer = MMDBWriter(4, "GeoLite2-City", languages=["en"], int_type="u32", float_type="f64")
    for network, (code, country, city, latitude, longitude) in PLACES.items():
        record = {
            "country": {"iso_code": code, "names": {"en": country}},
            "city": {"names": {"en": city}},
            "location": {"latitude": latitude, "longitude": longitude},
        }
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path
