"""Templates made from the alert document's fields and the canonical tables."""

from __future__ import annotations

from typing import ClassVar

from aegis_enrich.decide.fields import FIELDS
from aegis_enrich.plugin import Column, Enricher
from aegis_enrich.tables import TABLES
from aegis_plugins.sinks.elasticsearch.templates import INDEX, mappings, templates

CORE = {"keyword", "ip", "date", "long", "float", "double", "boolean", "geo_point", "flattened"}


def made(**enrichers):
    return {t.name: t for t in templates("7d", enrichers)}


def leaves(node, path=""):
    for name, below in node["properties"].items():
        if "properties" in below:
            yield from leaves(below, f"{path}{name}.")
        else:
            yield f"{path}{name}", below


def test_mappings_hold_exactly_the_fields() -> None:
    mapping = mappings({"a": "keyword", "b.c": "ip", "b.d.e": "flattened", "url.original": "keyword"})
    assert mapping["dynamic"] is False
    assert dict(leaves(mapping)) == {
        "a": {"type": "keyword", "ignore_above": 1024},
        "b.c": {"type": "ip"},
        "b.d.e": {"type": "flattened", "ignore_above": 1024},
        "url.original": {"type": "keyword", "ignore_above": 8191},
    }


def test_alerts_have_the_documents_fields_and_aliases() -> None:
    template = made()["aegis-alerts"].body
    assert template["index_patterns"] == ["aegis-alerts-*"]
    assert template["priority"] > 200
    assert set(template["template"]["aliases"]) == {"aegis-alerts", "logs-aegis.alerts"}
    assert {path: leaf["type"] for path, leaf in leaves(template["template"]["mappings"])} == FIELDS
    assert "data_stream" not in template


def test_each_table_has_a_data_stream_kept_as_long_as_is_set() -> None:
    found = made()
    monthly = {"aegis-alerts", "aegis-incidents"}
    assert {t.name for t in found.values() if t.kind == INDEX} == monthly | {f"logs-aegis.{t}" for t in TABLES}
    assert found["logs-aegis.conn"].body["data_stream"] == {}
    assert found["logs-aegis.conn"].body["index_patterns"] == ["logs-aegis.conn-*"]
    assert found["logs-aegis@settings"].body["template"]["lifecycle"] == {"data_retention": "7d"}


def test_only_core_types() -> None:
    used = {
        leaf["type"] for t in made().values() if t.kind == INDEX for _, leaf in leaves(t.body["template"]["mappings"])
    }
    assert used <= CORE


def test_components_come_before_what_is_composed_of_them() -> None:
    seen: set[str] = set()
    for template in templates("7d", {}):
        wanted = set(template.body.get("composed_of", ())) - set(
            template.body.get("ignore_missing_component_templates", ())
        )
        assert wanted <= seen
        seen.add(template.name)


class Strange(Enricher):
    name = "strange"
    reads: ClassVar = {"dns": ("query",)}
    adds: ClassVar = {"dns": (Column("strangeness", "double", "how strange"),)}

    def enrich(self, table, batch):
        return {}


def test_columns_of_other_packages_enrichers_are_mapped() -> None:
    mapping = made(strange=Strange)["logs-aegis.dns"].body["template"]["mappings"]
    assert dict(leaves(mapping))["aegis.dns.strangeness"] == {"type": "double"}


def test_the_digest_tells_contents_apart() -> None:
    ours, same, other = made()["logs-aegis.dns"], made()["logs-aegis.dns"], made(strange=Strange)["logs-aegis.dns"]
    assert ours.digest == same.digest != other.digest
    assert ours.signed["_meta"]["digest"] == ours.digest
    assert ours.signed["version"] == ours.version
