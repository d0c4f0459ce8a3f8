"""Kibana's boards over a real Elasticsearch: each panel's aggregation runs and finds the lab's documents."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import kibana_queries
import pyarrow.parquet as pq
import pytest

from aegis_enrich.correlate import incident_documents
from aegis_enrich.observe.documents import document
from aegis_enrich.plugin import Document
from aegis_enrich.registry import load
from aegis_enrich.store import Store
from aegis_plugins.sinks.elasticsearch import Elasticsearch
from aegis_plugins.sinks.elasticsearch.kibana.objects import saved_objects
from aegis_plugins.sinks.elasticsearch.kibana.views import VIEWS, fields

DATA = Path(__file__).resolve().parents[2] / "data"
LOGS = [DATA / "lab" / name / "tsv" for name in ("dns_tunnel", "beacon_https_60s", "latency_5h", "loss_20")]
LOGS += [DATA / "zeek" / "multistage", DATA / "zeek" / "loss_20" / "aegis_retransmission.log"]
TABLES = ("aegis_retransmission", "capture_loss", "conn", "dns", "http", "quic", "ssl", "suricata_stats", "weird")
AT = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
# The lab lost nothing and spoke no QUIC: rows as Zeek writes them, in the minutes of the lab's intrusion.
MADE = {
    "capture_loss": {"ts_delta": 900.0, "peer": "zeek", "gaps": 1_200, "acks": 10_000, "percent_lost": 12.0},
    "quic": {
        "uid": "CQuic1",
        "id.orig_h": "10.10.0.12",
        "id.orig_p": 50_000,
        "id.resp_h": "203.0.113.10",
        "id.resp_p": 443,
        "version": "1",
        "server_name": "www.example.com",
        "history": "IS",
    },
}
# A minute of a sensor, as a live `watch` tells of it.
HEALTH = dict.fromkeys(("bad_lines", "late_rows", "lag_bytes", "outbox", "failed_windows", "lost_bytes", "refused"), 0)
HEALTH |= {"rows": 0, "lag_s": 0.5}
# Tactics that no alert of the lab claims: their panels are asked, and have no row to show.
NOTHING = {
    "attack": {
        "collection",
        "defense-impairment",
        "execution",
        "impact",
        "persistence",
        "privilege-escalation",
        "resource-development",
        "stealth",
    }
}
PATTERNS = {view.key: view.pattern for view in VIEWS}


@pytest.fixture(scope="session")
def objects():
    return saved_objects(fields(load()))


@pytest.fixture(scope="session")
def documents(tmp_path_factory):
    """Alerts, incidents and rows by table of the lab."""
    folder = tmp_path_factory.mktemp("boards")
    for table, row in MADE.items():
        (folder / f"{table}.log").write_text(json.dumps({"ts": AT.timestamp(), **row}) + "\n")
    with gzip.open(DATA / "lab" / "multistage" / "eve.json.gz", "rt") as eve:
        (folder / "eve.json").write_text("".join(line for line in eve if '"event_type":"stats"' in line))
    logs = [*LOGS, *(folder / f"{table}.log" for table in MADE), folder / "eve.json"]
    command = [sys.executable, "-m", "aegis_enrich", "analyze", *logs, "--state", folder / "state", "-o", folder / "a"]
    subprocess.run(command, check=True, capture_output=True)
    with Store(folder / "state", read_only=True) as store:
        incidents = incident_documents(store)
    alerts = [json.loads(line) for line in (folder / "a").read_text().splitlines()]
    rows = {t: [] for t in TABLES}
    for file in sorted((folder / "state" / "lake").rglob("*.parquet")):
        table = file.relative_to(folder / "state" / "lake").parts[0]
        rows.get(table, []).extend(pq.read_table(file).to_pylist())
    return [a for a in alerts if a["event"]["dataset"] == "aegis.alerts"], incidents, rows


@pytest.fixture(scope="module")
def filled(elasticsearch, documents):
    """The shared server with the lab's documents."""
    alerts, incidents, rows = documents
    elasticsearch.forget_alerts()
    Elasticsearch.setup(elasticsearch.settings())
    sink = Elasticsearch(elasticsearch.settings(), now=lambda: AT + timedelta(days=5))
    sent = [
        Document(kind, d["event"]["id"], d["aegis"]["revision"], d)
        for kind, found in (("alert", alerts), ("incident", incidents))
        for d in found
    ]
    assert {o for o, _ in sink.deliver(sent)} == {"stored"}
    made = [document("sensor", AT + timedelta(minutes=n), {**HEALTH, "rows": n}) for n in range(5)]
    assert {o for o, _ in sink.deliver([Document("health", i, 1, body) for i, body in made])} == {"stored"}
    elasticsearch.call("POST", "/logs-aegis.health-default/_refresh")
    for table, found in rows.items():
        bodies = [Document("row", uuid.uuid4().hex, 0, sink.row_document(table, row)) for row in found]
        assert bodies and {o for o, _ in sink.deliver_rows(table, bodies)} == {"stored"}, table
        elasticsearch.call("POST", f"/logs-aegis.{table}-default/_refresh")
    sink.close()
    elasticsearch.call("POST", "/aegis-*/_refresh")
    return elasticsearch


@pytest.mark.elasticsearch
def test_each_panel_finds_the_lab_s_documents(filled, objects) -> None:
    empty: dict[str, set[str]] = {}
    asked = 0
    for board in (o for o in objects if o["type"] == "dashboard"):
        key = board["id"].removeprefix("aegis-board-")
        for index, attributes, references in kibana_queries.panels(board):
            (view,) = set(references.values())
            answer = filled.call("POST", f"/{PATTERNS[view]}/_search", kibana_queries.search(attributes))
            assert answer["_shards"]["failed"] == 0, (index, answer["_shards"])
            asked += 1
            if not kibana_queries.rows(answer, attributes):
                empty.setdefault(key, set()).add(index.removeprefix(f"{key}-"))
    assert asked > 100
    assert empty == NOTHING


@pytest.mark.elasticsearch
def test_each_search_finds_the_lab_s_documents(filled, objects) -> None:
    for found in (o for o in objects if o["type"] == "search"):
        source = json.loads(found["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
        references = {r["name"]: r["id"] for r in found["references"]}
        pattern = PATTERNS[references[source["indexRefName"]]]
        body = {"query": kibana_queries.kept(source["filter"]), "sort": [{"@timestamp": "desc"}], "size": 1}
        assert filled.call("POST", f"/{pattern}/_search", body)["hits"]["hits"], found["id"]


@pytest.mark.elasticsearch
def test_what_kibana_sees_of_the_fields(filled) -> None:
    """Kibana asks which fields its pattern has, and groups only by those that are aggregatable everywhere."""
    wanted = fields(load())
    for view in VIEWS:
        caps = filled.call("GET", f"/{view.pattern}/_field_caps?fields=*")["fields"]
        for name, kinds in caps.items():
            if name.startswith("_") or "object" in kinds:
                continue
            assert set(kinds) == {wanted[view.key][name]}, name
            assert name == "message" or all(kind["aggregatable"] for kind in kinds.values()), name
