"""`aegis-enrich features`."""

from __future__ import annotations

from aegis_enrich import registry
from aegis_enrich.features import catalogue


def test_it_lists_every_feature(aegis) -> None:
    listed = aegis("features", "--json").json
    assert listed == catalogue(registry.load().tables) and len(listed) >= 62
    assert all(f["name"] and f["family"] and f["unit"] and f["source"] for f in listed)
    assert len(aegis("features").out.splitlines()) == len(listed)


def test_it_can_be_narrowed_down(aegis) -> None:
    listed = aegis("features", "--family", "dns", "--level", "host", "--json").json
    assert {(f["family"], f["level"]) for f in listed} == {("dns", "host")}
    assert aegis("features", "--family", "smell").code == 2


def test_it_tells_all_about_one(aegis) -> None:
    text = aegis("features", "burstiness", "tls_weak_key_share").out
    for part in ("-1 to 1", "Goh, Barabási 2008", "table host_timing_hour", "ssl.cert_key_type or x509."):
        assert part in text
    assert len([line for line in text.splitlines() if not line.startswith(" ")]) == 2


def test_an_unknown_name_is_said(aegis) -> None:
    ran = aegis("features", "burstines")
    assert ran.code == 1 and "no feature 'burstines'" in ran.err
