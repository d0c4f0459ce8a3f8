"""`aegis-enrich plugins`."""

from __future__ import annotations

from aegis_enrich import registry


def test_it_lists_every_plugin_with_what_it_does(aegis) -> None:
    plugins = registry.load()
    names = {*plugins.enrichers, *plugins.tables, *plugins.detectors, *plugins.sinks}
    listed = aegis("plugins", "--json").json
    assert {row["name"] for row in listed} == names
    assert all(row["doc"] and row["from"] for row in listed)
    (scan,) = [row for row in listed if row["name"] == "port_scan"]
    assert (scan["kind"], scan["reads"], scan["from"]) == ("detector", ["aegis_scan", "conn"], "aegis_plugins")
    text = aegis("plugins").out
    assert len(text.splitlines()) == len(names) and "port_scan" in text
