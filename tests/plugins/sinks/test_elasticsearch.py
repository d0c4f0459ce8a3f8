"""The sink against a real Elasticsearch."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from elasticsearch_server import PASSWORD

from aegis_enrich.correlate import incident_documents
from aegis_enrich.errors import SinkError
from aegis_enrich.plugin import Document
from aegis_enrich.store import Store
from aegis_plugins.sinks.elasticsearch import Elasticsearch

pytestmark = pytest.mark.elasticsearch

LAB = Path(__file__).resolve().parents[2] / "data" / "lab"
SENT = datetime(2026, 11, 21, 15, tzinfo=UTC)
PERIOD = "2026-11-21T15:00:00.000000Z"
UNUSED = "rdp"  # a table without rows in these tests: a template that a data stream uses cannot be deleted


@contextmanager
def sink(settings):
    made = Elasticsearch(settings, now=lambda: SENT)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def server(elasticsearch):
    """The shared server with our templates and without alerts."""
    elasticsearch.forget_alerts()
    Elasticsearch.setup(elasticsearch.settings())
    return elasticsearch


@pytest.fixture
def delivering(server):
    with sink(server.settings()) as made:
        yield made


@pytest.fixture(scope="session")
def analyzed(tmp_path_factory):
    """Alert documents of lab scenarios, and the state that holds their rows."""
    folder = tmp_path_factory.mktemp("analyzed")
    logs = [str(LAB / name / "tsv") for name in ("multistage", "dns_tunnel", "beacon_https_60s", "scan_udp")]
    command = [sys.executable, "-m", "aegis_enrich", "analyze", *logs, "--state", folder / "state", "-o", folder / "a"]
    subprocess.run(command, check=True, capture_output=True)
    return [json.loads(line) for line in (folder / "a").read_text().splitlines()], folder / "state"


def alert(id_, revision=1, **fields):
    body = {"@timestamp": PERIOD, "event": {"id": id_}, "aegis": {"period": PERIOD, "revision": revision}, **fields}
    return Document("alert", id_, revision, body)


def row(sensor, **columns):
    return Document("row", uuid.uuid4().hex, 0, {"@timestamp": PERIOD, "observer": {"name": sensor}, **columns})


def flat(node, path=""):
    for name, below in node.get("properties", {}).items():
        yield from flat(below, f"{path}{name}.") if "properties" in below else [(f"{path}{name}", below["type"])]


def mapped(server, index):
    """Every field of an index (or data stream) with its type."""
    return {
        name: kind
        for found in server.call("GET", f"/{index}/_mapping").values()
        for name, kind in flat(found["mappings"])
    }


def template_of(server, name):
    """An index template as it could be put again."""
    (found,) = server.call("GET", f"/_index_template/{name}")["index_templates"]
    return {key: value for key, value in found["index_template"].items() if not key.endswith(("_date", "_date_millis"))}


def leaves(document, mapping, path=""):
    """Dotted names of what is in a document, down to the fields of the mapping."""
    for key, value in document.items():
        inner = [v for v in value if isinstance(v, dict)] if isinstance(value, list) else [value]
        if f"{path}{key}" in mapping or not any(isinstance(v, dict) for v in inner):
            yield f"{path}{key}"
        else:
            for each in inner:
                yield from leaves(each, mapping, f"{path}{key}.")


def test_setup_makes_what_is_missing_and_then_nothing(elasticsearch) -> None:
    settings = elasticsearch.settings(index_logs=["conn", UNUSED])
    elasticsearch.call("DELETE", "/_index_template/aegis-alerts")
    elasticsearch.call("DELETE", f"/_index_template/logs-aegis.{UNUSED}")
    assert any("aegis-alerts is missing" in p and "aegis-enrich setup" in p for p in Elasticsearch.check(settings))
    assert "index template aegis-alerts: made" in Elasticsearch.setup(settings)
    assert all(line.endswith(": is there") for line in Elasticsearch.setup(settings))
    assert Elasticsearch.check(settings) == []


def test_another_retention_is_another_template(server) -> None:
    changed = server.settings(index_logs=["conn"], log_retention="7d")
    (problem,) = Elasticsearch.check(changed)
    assert "logs-aegis@settings is not this AegisEnrich's" in problem
    assert [line for line in Elasticsearch.setup(changed) if not line.endswith("is there")] == [
        "component template logs-aegis@settings: renewed"
    ]
    made = server.call("POST", "/_index_template/_simulate_index/logs-aegis.conn-default")
    assert made["template"]["lifecycle"]["data_retention"] == "7d"


def test_a_newer_template_is_left_to_its_maker(server) -> None:
    template = template_of(server, "aegis-alerts")
    server.call("PUT", "/_index_template/aegis-alerts", template | {"version": 99, "_meta": {}})
    (problem,) = Elasticsearch.check(server.settings())
    assert "of a newer AegisEnrich (version 99)" in problem
    try:
        with pytest.raises(SinkError, match=r"index template aegis-alerts is of a newer AegisEnrich .*update this one"):
            Elasticsearch.setup(server.settings())
        assert template_of(server, "aegis-alerts")["version"] == 99
    finally:
        server.call("DELETE", "/_index_template/aegis-alerts")


def test_a_site_adds_settings_of_its_own(server) -> None:
    custom = {"template": {"settings": {"index.refresh_interval": "7s", "index.auto_expand_replicas": "false"}}}
    server.call("PUT", "/_component_template/aegis-alerts@custom", custom)
    try:
        made = server.call("POST", "/_index_template/_simulate_index/aegis-alerts-2026.11")
    finally:
        server.call("PUT", "/_component_template/aegis-alerts@custom", {"template": {}})
    settings = made["template"]["settings"]["index"]
    assert (settings["refresh_interval"], settings["auto_expand_replicas"]) == ("7s", "false")


def test_setup_brings_new_fields_to_indices_that_are_there(server, delivering) -> None:
    old = template_of(server, "aegis-alerts")
    del old["template"]["mappings"]["properties"]["tags"]
    server.call("PUT", "/_index_template/aegis-alerts", old | {"_meta": {}})
    assert delivering.deliver([alert("a")]) == [("stored", "")]
    assert "tags" not in mapped(server, "aegis-alerts")
    assert "index template aegis-alerts: renewed" in Elasticsearch.setup(server.settings())
    assert mapped(server, "aegis-alerts")["tags"] == "keyword"


def test_setup_names_an_index_that_was_made_without_it(server) -> None:
    server.call("PUT", "/aegis-alerts-2020.01", {"mappings": {"properties": {"message": {"type": "keyword"}}}})
    server.call("DELETE", "/_index_template/aegis-alerts")
    with pytest.raises(SinkError, match=r"made by another template: delete or reindex it") as said:
        Elasticsearch.setup(server.settings())
    assert len(str(said.value).splitlines()) == 1


def test_without_its_template_nothing_is_delivered(server) -> None:
    server.call("DELETE", f"/_index_template/logs-aegis.{UNUSED}")
    with sink(server.settings()) as fresh, pytest.raises(SinkError, match=r"logs-aegis\.rdp is missing; run `aegis"):
        fresh.deliver_rows(UNUSED, [row("none")])
    assert server.call("GET", f"/logs-aegis.{UNUSED}-default/_mapping") is None


def test_each_alert_is_there_once_at_its_newest_revision(server, delivering) -> None:
    assert delivering.deliver([alert("a"), alert("b"), alert("a", 2)]) == [("stored", "")] * 3
    assert delivering.deliver([alert("a"), alert("b"), alert("a", 2)]) == [("there", "")] * 3
    assert delivering.deliver([alert("b", 7), alert("b", 6), alert("a", 3)]) == [
        ("stored", ""),
        ("there", ""),
        ("stored", ""),
    ]
    found = {hit["_id"]: hit for hit in server.documents("aegis-alerts")}
    assert {i: (h["_version"], h["_source"]["aegis"]["revision"]) for i, h in found.items()} == {
        "a": (3, 3),
        "b": (7, 7),
    }
    assert server.count("logs-aegis.alerts") == 2
    assert found["a"]["_index"] == "aegis-alerts-2026.11"
    event = found["a"]["_source"]["event"]
    assert event == {"id": "a", "created": SENT.isoformat(), "ingested": SENT.isoformat()}


def test_a_bad_document_is_refused_alone(server, delivering) -> None:
    outcomes = delivering.deliver([alert("a"), alert("bad", source={"ip": "nonsense"}), alert("c")])
    assert [o for o, _ in outcomes] == ["stored", "refused", "stored"]
    assert "source.ip" in outcomes[1][1] and "nonsense" in outcomes[1][1]
    assert {hit["_id"] for hit in server.documents("aegis-alerts")} == {"a", "c"}


def test_many_alerts_go_in_several_requests(server, delivering) -> None:
    many = [alert(f"m{n}", message="x" * 12_000) for n in range(1_200)]
    assert delivering.deliver(many) == [("stored", "")] * 1_200
    assert server.count("aegis-alerts") == 1_200


def test_a_row_is_there_once(server, delivering) -> None:
    name = uuid.uuid4().hex
    rows = [row(name, source={"ip": "10.0.0.1"}), row(name, source={"ip": "nonsense"}), row(name)]
    assert [o for o, _ in delivering.deliver_rows("conn", rows)] == ["stored", "refused", "stored"]
    assert [o for o, _ in delivering.deliver_rows("conn", rows)] == ["there", "refused", "there"]
    assert server.count("logs-aegis.conn-default", term={"observer.name": name}) == 2
    (index,) = server.call("GET", "/logs-aegis.conn-default/_mapping")
    assert index.startswith(".ds-logs-aegis.conn-default-")


def test_a_blocked_index_is_tried_again(server, delivering) -> None:
    assert delivering.deliver([alert("a")]) == [("stored", "")]
    for block in ("write", "read_only_allow_delete"):  # the second is what a full disk sets
        server.call("PUT", "/aegis-alerts-2026.11/_settings", {f"index.blocks.{block}": True})
        ((outcome, why),) = delivering.deliver([alert("b")])
        assert outcome == "retry" and "block" in why
        server.call("PUT", "/aegis-alerts-2026.11/_settings", {f"index.blocks.{block}": None})
    assert delivering.deliver([alert("b")]) == [("stored", "")]


def test_alerts_of_real_logs_map_as_the_template_says(server, delivering, analyzed) -> None:
    documents, _ = analyzed
    assert {d["rule"]["id"] for d in documents} >= {"beaconing", "dns_tunnel", "port_scan"}
    sent = [Document("alert", d["event"]["id"], d["aegis"]["revision"], d) for d in documents]
    assert {o for o, _ in delivering.deliver(sent)} == {"stored"}
    template = template_of(server, "aegis-alerts")
    mapping = mapped(server, "aegis-alerts")
    assert mapping == dict(flat(template["template"]["mappings"]))
    assert [name for name, kind in mapping.items() if kind == "text"] == ["message"]
    hits = server.documents("aegis-alerts")
    assert len(hits) == len(documents)
    assert {path for hit in hits for path in leaves(hit["_source"], mapping)} <= set(mapping)
    technique = documents[0]["aegis"]["attack"][0]["technique"]["id"]
    assert server.count("aegis-alerts", term={"aegis.attack.technique.id": technique}) >= 1
    assert server.count("aegis-alerts", term={"source.ip": f"{documents[0]['source']['ip']}/32"}) >= 1


def test_incidents_of_real_logs_are_found_by_host_stage_and_risk(server, delivering, analyzed) -> None:
    with Store(analyzed[1], read_only=True) as store:
        documents = incident_documents(store)
    sent = [Document("incident", d["event"]["id"], d["aegis"]["revision"], d) for d in documents]
    assert {o for o, _ in delivering.deliver(sent)} == {"stored"}
    assert {o for o, _ in delivering.deliver(sent)} == {"there"}
    mapping = mapped(server, "aegis-incidents")
    assert mapping == dict(flat(template_of(server, "aegis-incidents")["template"]["mappings"]))
    assert server.count("aegis-incidents") == len(documents) >= 2
    assert server.count("aegis-incidents", term={"aegis.incident.hosts.ip": "203.0.113.66"}) == 1
    assert server.count("aegis-incidents", term={"aegis.incident.stages.name": "exfiltration"}) == 1
    assert server.count("aegis-incidents", range={"event.risk_score": {"gte": 85}}) == 1


def test_kibana_s_rule_for_external_alerts_promotes_them(server, delivering, golden_alerts) -> None:
    """It reads `logs-*` by `event.ingested` each minute, and takes title, severity and risk from the document's fields.

    (Its query in prebuilt rules: event.kind alert, event.module none of Elastic's own.)
    """
    sent = [Document("alert", d["event"]["id"], 1, d) for d in golden_alerts]  # days old, by their @timestamp
    assert {o for o, _ in delivering.deliver(sent)} == {"stored"}
    assert [o for o, _ in delivering.deliver_rows("conn", [row("external")])] == ["stored"]
    incident = alert("i", event={"id": "i", "kind": "alert"})
    assert delivering.deliver([Document("incident", "i", 1, incident.body)]) == [("stored", "")]
    server.call("POST", "/aegis-*,logs-*/_refresh")
    ingested = {"gt": (SENT - timedelta(minutes=2)).isoformat(), "lte": SENT.isoformat()}
    query = {
        "filter": [{"term": {"event.kind": "alert"}}, {"range": {"event.ingested": ingested}}],
        "must_not": {"terms": {"event.module": ["endgame", "endpoint", "cloud_defend"]}},
    }
    fields = ["message", "event.severity", "event.risk_score", "event.ingested"]
    asked = {"query": {"bool": query}, "fields": fields, "size": 1_000, "sort": ["event.ingested"], "_source": False}
    found = server.call("POST", "/logs-*/_search?ignore_unavailable=true", asked)
    assert found["_shards"]["failed"] == 0
    promoted = {h["_id"]: {name: value for name, (value,) in h["fields"].items()} for h in found["hits"]["hits"]}
    assert set(promoted) == {d["event"]["id"] for d in golden_alerts}
    for document in golden_alerts:
        fields = promoted[document["event"]["id"]]
        assert fields["message"] == document["message"]
        assert fields["event.severity"] == document["event"]["severity"] in (21, 47, 73, 99)
        assert 0 < fields["event.risk_score"] <= 100


def test_health_comes_once_a_minute_and_sensor(server, delivering) -> None:
    body = {
        "@timestamp": PERIOD,
        "ecs": {"version": "8.17.0"},
        "event": {"kind": "metric", "category": ["network"], "dataset": "aegis.health", "module": "aegis"},
        "observer": {"name": "healthy"},
        "aegis": {"health": {"rows": 1200, "lag_bytes": 0, "lag_s": 0.25, "refused": 0}},
    }
    minute = f"healthy-{uuid.uuid4().hex}"
    both = [Document("health", minute, 1, body), alert("a")]
    assert delivering.deliver(both) == [("stored", "")] * 2
    assert delivering.deliver(both) == [("there", "")] * 2
    (hit,) = server.documents("logs-aegis.health-default", ids={"values": [minute]})
    assert hit["_source"]["data_stream"]["dataset"] == "aegis.health"
    assert hit["_source"]["event"]["ingested"] == SENT.isoformat()
    assert server.count("logs-aegis.health-default", range={"aegis.health.lag_s": {"lt": 1}}) >= 1
    mapping = mapped(server, "logs-aegis.health-default")
    assert set(leaves(hit["_source"], mapping)) <= set(mapping)


def test_a_pipeline_of_the_site_s_own_has_to_be_there(server) -> None:
    """This distribution has no processors; what one does to documents is tried with OpenSearch."""
    server.call("PUT", "/_ingest/pipeline/ours", {"processors": []})
    with sink(server.settings(pipeline="ours")) as made:
        assert all(line.endswith("is there") for line in Elasticsearch.setup(server.settings(pipeline="ours")))
        assert made.deliver([alert("a"), alert("b")]) == [("stored", "")] * 2
        assert [o for o, _ in made.deliver_rows("conn", [row("piped")])] == ["stored"]
    with pytest.raises(SinkError, match="the ingest pipeline theirs is missing; make it"):
        Elasticsearch.setup(server.settings(pipeline="theirs"))


def test_without_its_pipeline_nothing_is_delivered_and_nothing_refused(server) -> None:
    said = r"pipeline with id \[theirs\] does not exist; make it"
    with sink(server.settings(pipeline="theirs")) as made, pytest.raises(SinkError, match=said):
        made.deliver([alert("a"), alert("b")])
    assert server.count("aegis-alerts") == 0


def test_alerts_and_incidents_come_in_one_batch(server, delivering) -> None:
    incident = alert("i")
    both = [alert("a"), Document("incident", "i", 1, incident.body)]
    assert delivering.deliver(both) == [("stored", "")] * 2
    assert (server.count("aegis-alerts"), server.count("aegis-incidents")) == (1, 1)


def test_rows_of_real_logs_map_as_the_templates_say(server, delivering, analyzed) -> None:
    _, state = analyzed
    tables = {}
    for file in sorted((state / "lake").rglob("*.parquet")):
        table = file.relative_to(state / "lake").parts[0]
        if server.call("GET", f"/_index_template/logs-aegis.{table}"):  # derived tables are not delivered
            tables.setdefault(table, []).extend(pq.read_table(file).to_pylist())
    assert set(tables) >= {"conn", "dns", "ssl", "http"}
    for table, rows in tables.items():
        before = server.count(f"logs-aegis.{table}-default")
        sent = [Document("row", uuid.uuid4().hex, 0, delivering.row_document(table, r)) for r in rows]
        outcomes = delivering.deliver_rows(table, sent)
        assert {o for o, _ in outcomes} == {"stored"}, next(why for o, why in outcomes if o != "stored")
        assert server.count(f"logs-aegis.{table}-default") == before + len(rows)
        mapping = mapped(server, f"logs-aegis.{table}-default")
        template = template_of(server, f"logs-aegis.{table}")
        assert mapping == dict(flat(template["template"]["mappings"]))
        assert {name for name, kind in mapping.items() if kind == "text"} <= {"message"}
        assert {path for d in sent for path in leaves(d.body, mapping)} <= set(mapping)


def test_the_roles_in_the_readme_suffice(secured_elasticsearch) -> None:
    server = secured_elasticsearch
    server.forget_alerts()
    server.call("DELETE", "/_index_template/aegis-alerts")
    assert any("is missing" in p for p in Elasticsearch.check(server.settings("writer")))
    Elasticsearch.setup(server.settings("setup"))
    assert Elasticsearch.check(server.settings("writer")) == []
    with sink(server.settings("writer")) as writer:
        assert writer.deliver([alert("a"), alert("a", 2)]) == [("stored", "")] * 2
        assert [o for o, _ in writer.deliver_rows("conn", [row("secured")])] == ["stored"]
    assert Elasticsearch.setup(server.settings("setup", log_retention="9d"))[1].endswith("renewed")
    assert server.count("aegis-alerts") == 1


def test_credentials_of_the_environment_and_of_the_url(secured_elasticsearch, monkeypatch) -> None:
    server = secured_elasticsearch
    Elasticsearch.setup(server.settings("setup"))
    without = server.settings("writer") | {"password": ""}
    monkeypatch.setenv("AEGIS_ES_PASSWORD", PASSWORD)
    assert Elasticsearch.check(without) == []
    in_url = server.url.replace("//", f"//writer:{PASSWORD}@")
    assert Elasticsearch.check(without | {"url": in_url, "username": ""}) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"username": "", "password": ""}, "wrong credentials (security_exception: missing authentication"),
        ({"password": "wrong"}, "set elasticsearch.api_key, or username and password"),
        ({"username": "stranger"}, "give the user the privileges in the sink's README"),
        ({"ca_certs": ""}, "no trusted TLS (self-signed certificate"),
        ({"ca_certs": "", "fingerprint": "00" * 32}, "check elasticsearch.url, ca_certs and fingerprint"),
    ],
)
def test_a_stranger_is_told_in_one_line(secured_elasticsearch, changes, said) -> None:
    settings = secured_elasticsearch.settings("writer") | changes
    with sink(settings) as stranger, pytest.raises(SinkError) as raised:
        stranger.deliver([alert("x")])
    for line in (str(raised.value), *Elasticsearch.check(settings)):
        assert line.startswith(secured_elasticsearch.url) and said in line and len(line.splitlines()) == 1


def test_a_fingerprint_is_trusted_without_a_ca_file(secured_elasticsearch) -> None:
    import hashlib
    import ssl

    server = secured_elasticsearch
    Elasticsearch.setup(server.settings("setup"))
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(server.ca_certs.read_text())).hexdigest()
    assert Elasticsearch.check(server.settings("writer") | {"ca_certs": "", "fingerprint": digest}) == []


def test_a_user_who_may_not_write_is_told_so(secured_elasticsearch) -> None:
    """Bulk requests are answered item by item; a missing privilege concerns them all."""
    server = secured_elasticsearch
    Elasticsearch.setup(server.settings("setup"))
    reader = server.settings("reader")
    with sink(reader) as writer, pytest.raises(SinkError, match=r"security_exception.*privileges in the sink's README"):
        writer.deliver([alert("x")])
