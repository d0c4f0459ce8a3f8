"""The sink against a real OpenSearch; the policy, whose plugin that one lacks, against a stand-in."""

from __future__ import annotations

import subprocess
import sys
import uuid
from contextlib import contextmanager
from datetime import UTC, date, datetime

import pytest
from proxy_server import proxying

from aegis_enrich.enrich import part
from aegis_enrich.errors import ConfigError, SinkError
from aegis_enrich.plugin import Document
from aegis_enrich.registry import load
from aegis_enrich.tables import TABLES
from aegis_plugins.sinks.elasticsearch.setup import setup
from aegis_plugins.sinks.opensearch import OpenSearch

SENT = datetime(2026, 11, 21, 15, tzinfo=UTC)
PERIOD = "2026-11-21T15:00:00.000000Z"
OF_KIND = {
    "time": SENT,
    "interval": 1.5,
    "double": 2.5,
    "count": 7,
    "port": 443,
    "bool": True,
    "string": "text",
    "addr": "192.0.2.1",
    "strings": ["a"],
    "addrs": ["192.0.2.1"],
    "intervals": [1.5],
    "counts": [1],
    "ints": [-1],
}


def settings(server, **others):
    return {"url": server.url, "lifecycle": "none", **others}


@contextmanager
def sink(settings):
    made = OpenSearch(settings, now=lambda: SENT)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def server(opensearch):
    opensearch.forget_alerts()
    OpenSearch.setup(settings(opensearch))
    return opensearch


def alert(id_, revision=1, period=PERIOD, **fields):
    body = {"@timestamp": period, "event": {"id": id_}, "aegis": {"period": period, "revision": revision}, **fields}
    return Document("alert", id_, revision, body)


@pytest.mark.elasticsearch
def test_setup_makes_all_once(server) -> None:
    again = OpenSearch.setup(settings(server))
    assert all(line.endswith(": is there") for line in again)
    assert "component template aegis-alerts@custom: is there" in again
    assert OpenSearch.check(settings(server) | {"index_logs": ["conn"]}) == []
    assert OpenSearch.check(settings(server, log_retention="7d")) == []  # how long rows stay is the policy's affair


@pytest.mark.elasticsearch
def test_what_a_site_made_is_left_alone(server) -> None:
    theirs = {"template": {"settings": {"index": {"refresh_interval": "7s"}}}}
    server.call("PUT", "/_component_template/aegis-alerts@custom", theirs)
    try:
        assert all(line.endswith(": is there") for line in OpenSearch.setup(settings(server)))
        made = server.call("POST", "/_index_template/_simulate_index/aegis-alerts-2026.11")
    finally:
        server.call("PUT", "/_component_template/aegis-alerts@custom", {"template": {}})
    assert made["template"]["settings"]["index"]["refresh_interval"] == "7s"


@pytest.mark.elasticsearch
def test_alerts_of_the_lab_at_their_newest_revision(server, golden_alerts) -> None:
    sent = [Document("alert", d["event"]["id"], 2, d) for d in golden_alerts]
    older = [Document("alert", d["event"]["id"], 1, d) for d in golden_alerts]
    with sink(settings(server)) as made:
        assert {o for o, _ in made.deliver(sent)} == {"stored"}
        assert {o for o, _ in made.deliver([*sent, *older])} == {"there"}
    assert server.count("logs-aegis.alerts") == len(golden_alerts)
    assert server.count("aegis-alerts", exists={"field": "_ignored"}) == 0
    found = server.count("aegis-alerts", range={"aegis.evidence.dials": {"gte": 9}})
    assert found == sum((d["aegis"]["evidence"].get("dials") or 0) >= 9 for d in golden_alerts) > 0
    technique = golden_alerts[0]["aegis"]["attack"][0]["technique"]["id"]
    assert server.count("aegis-alerts", term={"aegis.attack.technique.id": technique}) >= 1


@pytest.mark.elasticsearch
def test_a_bad_document_is_refused_alone(server) -> None:
    with sink(settings(server)) as made:
        outcomes = made.deliver([alert("a"), alert("b", source={"ip": "no address"}), alert("c")])
    assert [o for o, _ in outcomes] == ["stored", "refused", "stored"]
    assert "mapper_parsing_exception" in outcomes[1][1]


@pytest.mark.elasticsearch
def test_rows_of_every_table_and_health_are_there_once(server) -> None:
    with sink(settings(server)) as made:
        for table in sorted(TABLES):
            added = {c.name: c.kind for e in load().enrichers.values() for c in part(e, table)[1]}
            row = {column: OF_KIND[kind] for column, kind in {**TABLES[table].kinds, **added}.items()}
            documents = [Document("row", uuid.uuid4().hex, 0, made.row_document(table, row))]
            assert made.deliver_rows(table, documents) == [("stored", "")], table
            assert made.deliver_rows(table, documents) == [("there", "")], table
        body = {"@timestamp": PERIOD, "event": {"kind": "metric"}, "aegis": {"health": {"rows": 1, "lag_s": 0.5}}}
        assert made.deliver([Document("health", uuid.uuid4().hex, 1, body)]) == [("stored", "")]
    assert server.count("logs-aegis.health-default", range={"aegis.health.lag_s": {"lt": 1}}) == 1


@pytest.mark.elasticsearch
def test_a_pipeline_of_the_site_s_own_works_on_every_document(server) -> None:
    server.call("PUT", "/_ingest/pipeline/ours", {"processors": [{"set": {"field": "tags", "value": ["ours"]}}]})
    with sink(settings(server, pipeline="ours")) as made:
        assert made.deliver([alert("a"), alert("a", 2)]) == [("stored", "")] * 2
    (hit,) = server.documents("aegis-alerts")
    assert (hit["_source"]["tags"], hit["_version"]) == (["ours"], 2)
    with pytest.raises(SinkError, match="the ingest pipeline theirs is missing"):
        OpenSearch.setup(settings(server, pipeline="theirs"))


@pytest.mark.elasticsearch
def test_old_months(server) -> None:
    with sink(settings(server)) as made:
        made.deliver([alert("a", period="2020-01-15T00:00:00.000000Z"), alert("b")])
    found = OpenSearch.months(settings(server), date(2026, 1, 1))
    assert [m.index for m in found] == ["aegis-alerts-2020.01"]
    assert OpenSearch.drop(settings(server), found) == ["aegis-alerts-2020.01: dropped"]
    assert server.count("aegis-alerts") == 1


@pytest.mark.elasticsearch
def test_a_server_without_policies_says_so(server) -> None:
    with pytest.raises(SinkError, match=r"state management policy aegis-logs: no handler .*choose another lifecycle"):
        OpenSearch.setup(settings(server) | {"lifecycle": "ism"})


@pytest.mark.elasticsearch
def test_by_a_proxy_and_past_a_host_that_is_down(server) -> None:
    with proxying() as proxy, sink(settings(server, proxy=proxy.url)) as made:
        assert made.deliver([alert("a")]) == [("stored", "")]
    assert any(line.startswith(f"POST {server.url}/_bulk") for line in proxy.asked)
    with sink(settings(server) | {"url": f"http://127.0.0.1:9,{server.url}"}) as made:
        assert made.deliver([alert("b")]) == [("stored", "")]


class Managed:
    """A server with index state management: what is there is changed by its sequence number only."""

    target = "http://managed:1"

    def __init__(self):
        self.policy, self.seq = None, 6
        self.paths = []

    def get(self, path):
        from aegis_plugins.sinks.elasticsearch.server import NotThere

        if "/_ism/" not in path or self.policy is None:
            raise NotThere(path)
        held = {"policy_id": "aegis-logs", "schema_version": 21, **self.policy}
        return {"_id": "aegis-logs", "_version": 1, "_seq_no": self.seq, "_primary_term": 1, "policy": held}

    def put(self, path, body):
        self.paths.append(path)
        if "/_ism/" in path:
            self.policy, self.seq = body["policy"], self.seq + 1


def test_the_policy_is_made_once_and_changed_by_its_number() -> None:
    server = Managed()
    assert setup(server, OpenSearch.wanted({}))[0] == "state management policy aegis-logs: made"
    assert setup(server, OpenSearch.wanted({}))[0] == "state management policy aegis-logs: is there"
    assert setup(server, OpenSearch.wanted({"log_retention": "7d"}))[0] == "state management policy aegis-logs: renewed"
    asked = [path for path in server.paths if "/_ism/" in path]
    base = "/_plugins/_ism/policies/aegis-logs"
    assert asked == [base, f"{base}?if_seq_no=7&if_primary_term=1"]
    assert server.policy["states"][0]["transitions"][0]["conditions"] == {"min_index_age": "7d"}


def test_nothing_of_it_is_imported_before_it_is_used() -> None:
    asked = "import sys, aegis_plugins.sinks.opensearch as s; s.OpenSearch.requests({})"
    looked = "print([m for m in ('opensearchpy', 'elasticsearch', 'elastic_transport') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", f"{asked}; {looked}"], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_without_its_client_one_line_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "opensearchpy", None)
    monkeypatch.delitem(sys.modules, "aegis_plugins.sinks.opensearch.connection", raising=False)
    with pytest.raises(ConfigError, match=r"pip install aegis-enrich\[opensearch\]"):
        OpenSearch.connect({"url": "http://127.0.0.1:9"})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "no server is named"),
        ({"url": "http://a:1", "lifecycle": "ilm"}, "'ilm' is not known; it is one of ism, none"),
    ],
)
def test_settings_that_make_no_connection(given, said) -> None:
    (problem,) = OpenSearch.check(given)
    assert said in problem


def test_there_are_no_boards_for_it() -> None:
    assert OpenSearch.boards() == ""
    with pytest.raises(ConfigError, match="no boards"):
        OpenSearch.show({}, "http://127.0.0.1:9")
