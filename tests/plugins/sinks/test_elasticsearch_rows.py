"""Log rows as ECS documents."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aegis_enrich.decide.fields import FIELDS
from aegis_enrich.enrich import part
from aegis_enrich.registry import load
from aegis_enrich.tables import TABLES
from aegis_plugins.sinks.elasticsearch import ecs
from aegis_plugins.sinks.elasticsearch.rows import fields, row_document, stream

AT = datetime(2026, 11, 21, 15, 0, 0, 123456, tzinfo=UTC)
ENDS = {
    "ts": AT,
    "end_ts": AT,
    "uid": "C1",
    "orig_h": "10.0.0.1",
    "orig_p": 50000,
    "resp_h": "192.0.2.1",
    "resp_p": 443,
}


def leaves(document, path=""):
    """Dotted names of what is in a document; objects in flattened fields count as one."""
    for key, value in document.items():
        dotted = f"{path}{key}"
        if isinstance(value, dict) and dotted != "aegis.extra":
            yield from leaves(value, f"{dotted}.")
        else:
            yield dotted


def test_a_connection() -> None:
    row = {
        **ENDS,
        "sensor": "north",
        "source": "zeek",
        "community_id": "1:abc",
        "proto": "tcp",
        "service": "ssl",
        "duration": 1.5,
        "orig_bytes": 10,
        "orig_ip_bytes": 50,
        "orig_l2_addr": "00:0a:95:9d:68:16",
        "local_orig": True,
        "conn_state": "SF",
        "tunnel_parents": [],
        "vlan": None,
        "orig_internal": True,
        "resp_internal": False,
        "resp_country": "NL",
        "resp_asn": 64496,
        "direction": "outbound",
        "extra": '{"new.column": 1}',
        "other_score": 0.5,
    }
    assert row_document("conn", row) == {
        "@timestamp": "2026-11-21T15:00:00.123456+00:00",
        "ecs": {"version": ecs.VERSION},
        "data_stream": {"type": "logs", "dataset": "aegis.conn", "namespace": "default"},
        "event": {
            "kind": "event",
            "category": ["network"],
            "type": ["connection"],
            "module": "aegis",
            "dataset": "aegis.conn",
            "provider": "zeek",
            "end": "2026-11-21T15:00:00.123456+00:00",
            "duration": 1_500_000_000,
        },
        "observer": {"name": "north"},
        "source": {
            "ip": "10.0.0.1",
            "port": 50000,
            "bytes": 50,
            "mac": "00-0A-95-9D-68-16",
        },
        "destination": {
            "ip": "192.0.2.1",
            "port": 443,
            "geo": {"country_iso_code": "NL"},
            "as": {"number": 64496},
        },
        "network": {"community_id": "1:abc", "transport": "tcp", "protocol": "ssl", "direction": "outbound"},
        "related": {"ip": ["10.0.0.1", "192.0.2.1"]},
        "aegis": {
            "uids": ["C1"],
            "conn": {"orig_bytes": 10, "local_orig": True, "conn_state": "SF", "other_score": 0.5},
            "extra": {"new.column": 1},
            "source": {"locality": "internal"},
            "destination": {"locality": "external"},
        },
    }


def test_names_meet_where_an_analyst_pivots() -> None:
    ssl = row_document("ssl", {**ENDS, "server_name": "a.example.com", "ja3": "f00", "ja4": "t13", "version": "TLSv12"})
    http = row_document("http", {**ENDS, "host": "a.example.com:8080", "uri": "/x?y", "status_code": 200})
    dns = row_document(
        "dns", {**ENDS, "query": "a.example.com", "trans_id": 7, "answers": ["b.example.com", "192.0.2.9"]}
    )
    assert [d["related"]["hosts"] for d in (ssl, http, dns)] == [["a.example.com"]] * 3
    assert ssl["destination"]["domain"] == http["destination"]["domain"] == http["url"]["domain"] == "a.example.com"
    assert ssl["tls"] == {
        "client": {"server_name": "a.example.com", "ja3": "f00"},
        "version": "1.2",
    }
    assert ssl["related"]["hash"] == ["f00", "t13"]
    assert http["http"]["response"]["status_code"] == 200
    assert dns["dns"] == {"question": {"name": "a.example.com"}, "id": "7", "resolved_ip": ["192.0.2.9"]}
    assert dns["aegis"]["dns"]["answers"] == ["b.example.com", "192.0.2.9"]


def test_a_files_addresses_and_hashes() -> None:
    row = {
        "ts": AT,
        "tx_hosts": ["10.0.0.1", "10.0.0.2"],
        "rx_hosts": ["10.0.0.1"],
        "md5": "d4",
        "conn_uids": ["C1", "C2"],
    }
    document = row_document("files", row)
    assert document["related"] == {"ip": ["10.0.0.1", "10.0.0.2"], "hash": ["d4"]}
    assert document["file"] == {"hash": {"md5": "d4"}}
    assert document["aegis"]["uids"] == ["C1", "C2"]


@pytest.mark.parametrize(
    ("host", "name"),
    [("a.b:80", "a.b"), ("a.b", "a.b"), ("[2001:db8::1]:80", "[2001:db8::1]"), ("2001:db8::1", "2001:db8::1")],
)
def test_a_host_header_loses_its_port(host, name) -> None:
    assert row_document("http", {"ts": AT, "host": host})["url"]["domain"] == name


@pytest.mark.parametrize(("zeek", "version"), [("TLSv13", "1.3"), ("SSLv3", "3.0"), ("DTLSv12", "1.2"), ("odd", "odd")])
def test_tls_versions(zeek, version) -> None:
    assert row_document("ssl", {"ts": AT, "version": zeek})["tls"]["version"] == version


def test_a_suricata_alert_is_no_alert_of_its_own() -> None:
    row = {**ENDS, "signature": "ET MALWARE X", "signature_id": 2019, "mitre_technique_id": ["T1071"], "severity": 1}
    document = row_document("suricata_alert", row)
    assert document["event"]["kind"] == "event"
    assert document["rule"] == {"name": "ET MALWARE X", "id": "2019"}
    assert document["threat"]["technique"]["id"] == ["T1071"]


def test_extra_that_is_no_object_stays_readable() -> None:
    assert row_document("conn", {"ts": AT, "extra": "{broken"})["aegis"]["extra"] == {"text": "{broken"}


def test_rows_of_open_connections_use_the_fields_of_closed_ones() -> None:
    assert row_document("open_conn", {"ts": AT, "history": "Sh"})["aegis"] == {"conn": {"history": "Sh"}}
    assert stream("open_conn") == "logs-aegis.open_conn-default"


SAMPLES = {
    "time": AT,
    "interval": 1.0,
    "double": 1.0,
    "count": 1,
    "port": 1,
    "bool": True,
    "string": "a",
    "addr": "10.0.0.1",
    "strings": ["192.0.2.1"],
    "addrs": ["10.0.0.1"],
    "intervals": [1.0],
    "counts": [1],
    "ints": [-1],
}


@pytest.mark.parametrize("table", sorted(TABLES))
def test_each_column_has_a_field_and_each_field_a_column(table) -> None:
    added = {c.name: c.kind for enricher in load().enrichers.values() for c in part(enricher, table)[1]}
    kinds = {**TABLES[table].kinds, **added}
    document = row_document(table, {column: SAMPLES[kind] for column, kind in kinds.items()})
    assert set(leaves(document)) | {"event.ingested"} | {"related.ip"} == set(fields(table, added))


def test_a_field_has_one_type_in_all_tables_and_in_alerts() -> None:
    types: dict[str, set[str]] = {path: {kind} for path, kind in FIELDS.items()}
    for table in TABLES:
        for path, kind in fields(table, {}).items():
            types.setdefault(path, set()).add(kind)
    assert {path: kinds for path, kinds in types.items() if len(kinds) > 1} == {}
    objects = {path.rpartition(".")[0] for path in types}
    assert not objects & set(types), "a field that is an object elsewhere"
