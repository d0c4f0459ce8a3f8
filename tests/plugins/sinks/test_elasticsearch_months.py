"""Old months of alerts and incidents, by their names."""

from __future__ import annotations

from datetime import date

import pytest

from aegis_enrich.errors import SinkError
from aegis_enrich.plugin import Document, Month
from aegis_plugins.sinks.elasticsearch import Elasticsearch
from aegis_plugins.sinks.elasticsearch.months import month

OTHERS = ("aegis-alerts-2020.13", "aegis-alerts-2020.01-copy", "aegis-alertsx-2020.01", "my-aegis-alerts-2020.01")


@pytest.mark.parametrize(
    ("index", "end"),
    [
        ("aegis-alerts-2026.11", date(2026, 12, 1)),
        ("aegis-incidents-2026.12", date(2027, 1, 1)),
        ("aegis-alerts-2024.02", date(2024, 3, 1)),
    ],
)
def test_a_month_by_its_name(index, end) -> None:
    assert month(index) == Month(index, end)


@pytest.mark.parametrize("index", [*OTHERS, "aegis-alerts", "aegis-alerts-*", "aegis-alerts-2026.11.1", "logs-2026.11"])
def test_every_other_name_is_none(index) -> None:
    assert month(index) is None


@pytest.fixture
def filled(elasticsearch):
    """Alerts of three months and an incident; indices of other names beside them."""
    elasticsearch.forget_alerts()
    Elasticsearch.setup(elasticsearch.settings())
    sink = Elasticsearch(elasticsearch.settings())
    for kind, period in (("alert", "2020-01"), ("alert", "2020-02"), ("alert", "2026-11"), ("incident", "2020-01")):
        at = f"{period}-15T00:00:00.000000Z"
        body = {"@timestamp": at, "event": {"id": period}, "aegis": {"period": at, "revision": 1}}
        assert sink.deliver([Document(kind, period, 1, body)]) == [("stored", "")]
    sink.close()
    for index in OTHERS:
        elasticsearch.call("PUT", f"/{index}")
    yield elasticsearch
    for index in OTHERS:
        elasticsearch.call("DELETE", f"/{index}")


def names(server):
    found = server.call("GET", "/_cat/indices/*aegis-alert*,aegis-incidents-*?format=json&h=index")
    return {each["index"] for each in found}


@pytest.mark.elasticsearch
def test_only_months_that_ended_by_the_day_are_dropped(filled) -> None:
    settings = filled.settings()
    found = Elasticsearch.months(settings, date(2020, 2, 29))
    assert [m.index for m in found] == ["aegis-alerts-2020.01", "aegis-incidents-2020.01"]
    assert [m.index for m in Elasticsearch.months(settings, date(2020, 3, 1))][2:] == ["aegis-alerts-2020.02"]
    assert Elasticsearch.drop(settings, found) == [f"{m.index}: dropped" for m in found]
    assert names(filled) == {"aegis-alerts-2020.02", "aegis-alerts-2026.11", *OTHERS}
    assert Elasticsearch.drop(settings, found) == []  # somebody else was faster


@pytest.mark.elasticsearch
def test_it_needs_a_privilege_of_its_own(secured_elasticsearch) -> None:
    server = secured_elasticsearch
    server.forget_alerts()
    Elasticsearch.setup(server.settings("setup"))
    sink = Elasticsearch(server.settings("writer"))
    body = {
        "@timestamp": "2020-01-15T00:00:00Z",
        "event": {"id": "a"},
        "aegis": {"period": "2020-01-15", "revision": 1},
    }
    assert sink.deliver([Document("alert", "a", 1, body)]) == [("stored", "")]
    sink.close()
    with pytest.raises(SinkError, match="security_exception"):
        Elasticsearch.months(server.settings("writer"), date(2026, 1, 1))
    found = Elasticsearch.months(server.settings("dropper"), date(2026, 1, 1))
    with pytest.raises(SinkError, match="security_exception"):
        Elasticsearch.drop(server.settings("writer"), found)
    assert Elasticsearch.drop(server.settings("dropper"), found) == ["aegis-alerts-2020.01: dropped"]
