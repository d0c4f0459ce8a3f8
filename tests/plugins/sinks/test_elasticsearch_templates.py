"""Templates made from the alert document's fields and the canonical tables."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import pytest

from aegis_enrich.decide.fields import FIELDS
from aegis_enrich.errors import ConfigError
from aegis_enrich.plugin import Column, Enricher
from aegis_enrich.registry import load
from aegis_enrich.tables import TABLES
from aegis_plugins.sinks.elasticsearch import evidence
from aegis_plugins.sinks.elasticsearch.templates import COMPONENT, ILM, INDEX, field_count, mappings, templates

CORE = {"keyword", "text", "ip", "date", "long", "float", "double", "boolean", "geo_point", "flattened"}
SHIPPED = load()


def made(lifecycle="data_stream", **enrichers):
    registry = dataclasses.replace(SHIPPED, enrichers={**SHIPPED.enrichers, **enrichers})
    return {t.name: t for t in templates("7d", registry, lifecycle=lifecycle)}


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
    types = {path: leaf["type"] for path, leaf in leaves(template["template"]["mappings"])}
    ours = evidence.fields(SHIPPED.detectors)
    assert types == {name: kind for name, kind in FIELDS.items() if name != "aegis.evidence"} | ours
    assert "data_stream" not in template


def test_no_template_has_more_fields_than_an_index_takes() -> None:
    """1,000 by default; some are left for the detectors and enrichers of other packages."""
    counted = {t.name: field_count(t.body["template"]["mappings"]) for t in made().values() if t.kind == INDEX}
    assert max(counted.values()) < 900, counted
    mapping = mappings({"a": "keyword", "b.c": "ip", "b.d.e": "flattened"})
    assert field_count(mapping) == 5  # a, b, b.c, b.d, b.d.e


def test_a_value_that_does_not_fit_its_field_loses_no_alert() -> None:
    mapping = dict(leaves(made()["aegis-alerts"].body["template"]["mappings"]))
    assert mapping["aegis.evidence.rows"] == {"type": "long", "ignore_malformed": True}
    assert mapping["aegis.evidence.hosts_sample"] == {"type": "ip", "ignore_malformed": True}
    assert mapping["event.severity"] == {"type": "long"}


def test_a_policy_instead_of_the_data_streams_own_lifecycle() -> None:
    found = made("ilm")
    settings = found["logs-aegis@settings"].body["template"]
    assert settings["settings"]["index.lifecycle.name"] == "aegis-logs" and "lifecycle" not in settings
    policy = found["aegis-logs"]
    assert (policy.kind, policy.path) == (ILM, "/_ilm/policy/aegis-logs")
    assert policy.signed["policy"]["phases"]["delete"] == {"min_age": "7d", "actions": {"delete": {}}}
    assert set(policy.signed["policy"]["_meta"]) == {"made_by", "digest", "version"}
    assert next(iter(found)) == "aegis-logs"  # before the settings that name it
    others = set(found) - {"aegis-logs", "logs-aegis@settings"}
    assert {name: found[name].digest for name in others} == {name: made()[name].digest for name in others}


@pytest.mark.parametrize("retention", ["30", "a month", "0d", "-1d", "30d; DROP"])
def test_a_retention_that_is_no_time_is_told(retention) -> None:
    with pytest.raises(ConfigError, match="is no time; write it like 30d"):
        templates(retention, SHIPPED)


def test_a_lifecycle_that_there_is_not_is_told() -> None:
    with pytest.raises(ConfigError, match="'curator' is not known; it is one of data_stream, ilm"):
        templates("30d", SHIPPED, lifecycle="curator")


def test_health_has_its_data_stream() -> None:
    template = made()["logs-aegis.health"].body
    assert template["index_patterns"] == ["logs-aegis.health-*"] and template["data_stream"] == {}
    types = {path: leaf["type"] for path, leaf in leaves(template["template"]["mappings"])}
    assert types["aegis.health.lag_s"] == "double" and types["aegis.health.rows"] == "long"


def test_each_table_has_a_data_stream_kept_as_long_as_is_set() -> None:
    found = made()
    monthly = {"aegis-alerts", "aegis-incidents"}
    streams = {f"logs-aegis.{t}" for t in (*TABLES, "health")}
    assert {t.name for t in found.values() if t.kind == INDEX} == monthly | streams
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
    for template in templates("7d", SHIPPED):
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


def test_kinds_and_paths() -> None:
    found = made()
    assert found["aegis-alerts@settings"].kind == COMPONENT
    assert found["aegis-alerts@settings"].path == "/_component_template/aegis-alerts@settings"
    assert found["aegis-alerts"].path == "/_index_template/aegis-alerts"


def test_the_digest_tells_contents_apart() -> None:
    ours, same, other = made()["logs-aegis.dns"], made()["logs-aegis.dns"], made(strange=Strange)["logs-aegis.dns"]
    assert ours.digest == same.digest != other.digest
    assert ours.signed["_meta"]["digest"] == ours.digest
    assert ours.signed["version"] == ours.version
