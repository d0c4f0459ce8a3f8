"""Documents and templates against the Elastic Common Schema's own list of fields."""

from __future__ import annotations

import ipaddress
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ecs_fields import OWN, family, mapped, published

from aegis_enrich.correlate import incident_documents
from aegis_enrich.decide.document import ECS_VERSION
from aegis_enrich.enrich import part
from aegis_enrich.registry import load
from aegis_enrich.store import Store
from aegis_enrich.tables import TABLES
from aegis_plugins.sinks.elasticsearch import health
from aegis_plugins.sinks.elasticsearch.rows import row_document

TESTS = Path(__file__).resolve().parents[2]
RELEASE, FIELDS = published()
MAPPED = mapped()
AT = datetime(2026, 11, 21, 15, tzinfo=UTC)
OF_KIND = {
    "time": AT,
    "interval": 1.5,
    "double": 2.5,
    "count": 7,
    "port": 443,
    "bool": True,
    "string": "text",
    "addr": "192.0.2.1",
    "strings": ["a", "192.0.2.7"],
    "addrs": ["192.0.2.1"],
    "intervals": [1.5],
    "counts": [1],
    "ints": [-1],
}
FITS = {
    "boolean": lambda v: isinstance(v, bool),
    "date": lambda v: datetime.fromisoformat(v) is not None,
    "float": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "geo_point": lambda v: set(v) == {"lat", "lon"},
    "ip": lambda v: ipaddress.ip_address(v) is not None,
    "keyword": lambda v: isinstance(v, str),
    "long": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "text": lambda v: isinstance(v, str),
}


def leaves(value, path=""):
    """Dotted names and values; lists of objects by what is in them."""
    if isinstance(value, dict) and path not in FIELDS:
        for name, below in value.items():
            yield from leaves(below, f"{path}.{name}".strip("."))
    elif isinstance(value, list) and any(isinstance(v, dict) for v in value):
        for each in value:
            yield from leaves(each, path)
    else:
        yield path, value


def strangers(document):
    """Fields that are neither ours nor ECS's, and values that are not of the type that ECS says."""
    for path, value in leaves(document):
        if path.startswith(OWN):
            continue
        kind = FIELDS.get(path)
        each = value if isinstance(value, list) else [value]
        if kind is None or not all(FITS[family(kind)](v) for v in each if v is not None):
            yield path, kind, value


@pytest.fixture(scope="module")
def incidents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ecs")
    logs = TESTS / "data" / "lab" / "multistage" / "tsv"
    command = [sys.executable, "-m", "aegis_enrich", "analyze", logs, "--state", folder / "state", "-o", folder / "a"]
    subprocess.run(command, check=True, capture_output=True)
    with Store(folder / "state", read_only=True) as store:
        return incident_documents(store)


def test_the_list_is_of_the_release_that_documents_name() -> None:
    assert RELEASE == ECS_VERSION


def test_every_field_of_every_template_is_ours_or_ecs_s() -> None:
    ours = {name for fields in MAPPED.values() for name in fields if not name.startswith(OWN)}
    assert ours - set(FIELDS) == set()
    assert set(FIELDS) - ours == set()  # the list holds nothing that nobody needs


def test_every_field_is_of_the_family_that_ecs_says() -> None:
    wrong = {
        (template, name, kind, FIELDS[name])
        for template, fields in MAPPED.items()
        for name, kind in fields.items()
        if name in FIELDS and family(kind) != family(FIELDS[name])
    }
    assert wrong == set()


def test_a_name_means_one_type_over_all_templates() -> None:
    """`logs-aegis.*` is one pattern to who searches: a name that is two things there is found by nobody."""
    kinds: dict[str, set[str]] = {}
    for fields in MAPPED.values():
        for name, kind in fields.items():
            kinds.setdefault(name, set()).add(family(kind))
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}


def test_alerts_of_the_lab(golden_documents) -> None:
    assert [s for d in golden_documents for s in strangers(d)] == []


def test_incidents_of_the_lab(incidents) -> None:
    assert incidents
    assert [s for d in incidents for s in strangers(d)] == []


@pytest.mark.parametrize("table", sorted(TABLES))
def test_rows_with_every_column_and_what_enrichers_add(table) -> None:
    added = {c.name: c.kind for enricher in load().enrichers.values() for c in part(enricher, table)[1]}
    row = {column: OF_KIND[kind] for column, kind in {**TABLES[table].kinds, **added}.items()}
    assert list(strangers(row_document(table, row))) == []


def test_health() -> None:
    numbers = {name.rpartition(".")[2]: 1 for name in health.FIELDS if name.startswith("aegis.")}
    body = {
        "@timestamp": AT.isoformat(),
        "ecs": {"version": ECS_VERSION},
        "event": {"kind": "metric", "category": ["network"], "dataset": "aegis.health", "module": "aegis"},
        "observer": {"name": "north"},
        "aegis": {"health": numbers},
    }
    assert list(strangers(health.document(body))) == []


def test_what_ecs_does_not_know_is_found_out() -> None:
    wrong = {"source": {"asset": {"name": "x"}, "port": "443"}, "dns": {"id": 7}, "aegis": {"anything": 1}}
    assert {path for path, _, _ in strangers(wrong)} == {"source.asset.name", "source.port", "dns.id"}
