"""The fields of an alert document: types that Elasticsearch has, and all that enrichers may say."""

from __future__ import annotations

from aegis_enrich.decide.fields import FIELDS, of_end
from aegis_enrich.plugin import CONTEXT

TYPES = {"date", "keyword", "text", "long", "float", "ip", "geo_point", "flattened", "object"}


def test_every_type_is_one_of_elasticsearch():
    assert set(FIELDS.values()) <= TYPES


def test_no_field_is_a_value_and_a_parent_of_others():
    for name in FIELDS:
        parents = {name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1)}
        assert not parents & set(FIELDS), name


def test_what_findings_name_has_its_field():
    assert {path for path in CONTEXT.values() if path} <= set(FIELDS)


def test_what_the_shipped_enrichers_say_of_addresses_and_names_has_its_field(tmp_path):
    from aegis_plugins.enrichers.assets import Assets
    from aegis_plugins.enrichers.domain import Domain
    from aegis_plugins.enrichers.networks import Networks

    assets, networks = tmp_path / "assets.csv", tmp_path / "networks.yml"
    assets.write_text("address,name,owner,criticality\n10.0.0.1,files,me,high\n", encoding="utf-8")
    networks.write_text("networks: {servers: 10.0.0.0/8}\n", encoding="utf-8")
    enrichers = [Assets({"path": str(assets)}), Networks({"path": str(networks)}), Domain({})]
    said = {k for e in enrichers for k in (*e.describe("address", "10.0.0.1"), *e.describe("domain", "b.a.test"))}
    assert {"asset.criticality", "network.name", "locality", "registered_domain", "subdomain"} <= said
    assert {of_end("source", name) for name in said} <= set(FIELDS)
