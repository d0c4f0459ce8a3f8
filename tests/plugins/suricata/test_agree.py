"""Suricata reads captures of the lab now: its tables against Zeek's logs of the same packets, and against its own of
when they were recorded. docs/formats.md says why what differs here does."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from aegis_enrich.decode import decode
from aegis_enrich.store.views import View, create_view
from aegis_enrich.tables import TABLES
from aegis_plugins.enrichers.community_id import CommunityId

LAB = Path(__file__).parents[2] / "data" / "lab"
# Each capture with the scenario whose packets it has. Of benign_tls it has a part: Zeek's logs have more rows.
CAPTURES = {
    "beacon_http": "beacon_http",
    "beacon_http_v6": "beacon_http_v6",
    "beacon_https": "beacon_https",
    "benign_tls_part": "benign_tls",
    "dga": "dga",
    "dns_tunnel": "dns_tunnel",
    "icmp_sweep": "icmp_sweep",
    "icmp_tunnel": "icmp_tunnel",
    "long_connection_66min": "long_connection_66min",
    "scan_horizontal": "scan_horizontal",
    "scan_udp": "scan_udp",
    "scan_vertical": "scan_vertical",
    "scan_vertical_v6": "scan_vertical_v6",
    "ssh_bruteforce": "ssh_bruteforce",
    "syn_flood_spoofed": "syn_flood_spoofed",
}
LOGS = ("conn", "dns", "ssl", "x509", "http", "files", "ssh")
# How far apart the two may say that the same thing began, in seconds, and what else tells one row from another.
# Zeek's time is that of the first packet; Suricata's, but for flows and DNS, when it knew enough to write the event.
PAIRS = {
    "conn": (0.001, "true"),
    "dns": (0.001, "z.trans_id = e.trans_id AND z.query = e.query AND z.qtype = e.qtype"),
    "ssl": (0.1, "true"),
    "http": (0.1, "z.trans_depth = e.trans_depth"),
    "files": (0.1, "z.is_orig = e.is_orig"),
    "ssh": (1.0, "true"),
}
FIVE_TUPLE = ("orig_h", "orig_p", "resp_h", "resp_p")
EQUAL = {
    "conn": "proto ip_proto service conn_state orig_pkts resp_pkts orig_ip_bytes resp_ip_bytes",
    "dns": "proto qtype_name rcode rcode_name query_len",
    "ssl": "version cipher server_name resumed",
    "http": "method host uri referrer version user_agent status_code response_body_len trans_depth",
    "files": "source_protocol seen_bytes",
    "ssh": "version",
}
IDLE = "long_connection_66min"  # idle for longer than Zeek waits: many rows there, one here


def read(name: str, data: bytes, sensor: str) -> dict[str, pa.Table]:
    found = decode(name, data, offset=0, context="", sensor=sensor)
    assert not found.bad
    return dict(found.tables)


def zeek(scenario: str, sensor: str) -> dict[str, pa.Table]:
    tables = {}
    for path in (LAB / scenario / "tsv").glob("*.log*"):
        name = path.name.split(".")[0]
        if name in LOGS:
            data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            tables |= read(name, data, sensor)
    return tables


@pytest.fixture(scope="module")
def rows(replay) -> duckdb.DuckDBPyConnection:
    """The tables `zeek_conn`, `eve_conn` (now), `recorded_conn` (then) …; sensors are named for the captures."""
    parts: dict[str, list[pa.Table]] = {}
    for capture, scenario in CAPTURES.items():
        found = {
            "zeek": zeek(scenario, capture),
            "eve": read("eve", (replay(capture) / "eve.json").read_bytes(), capture),
        }
        recorded = LAB / scenario / "eve.json.gz"
        if recorded.is_file() and capture == scenario:
            found["recorded"] = read("eve", gzip.decompress(recorded.read_bytes()), capture)
        for source, tables in found.items():
            for name, table in tables.items():
                parts.setdefault(f"{source}_{name}", []).append(table)
    connection = duckdb.connect()
    computed = CommunityId({"compute": True})
    for name, tables in parts.items():
        source, _, table = name.partition("_")
        whole = pa.concat_tables(tables)
        if source == "zeek" and table in CommunityId.reads:
            ids = computed.enrich(table, whole)["community_id"]
            whole = whole.set_column(whole.column_names.index("community_id"), "community_id", ids)
        if table == "dns":  # as detectors see it: queries and answers are one row
            create_view(connection, View(table, TABLES[table].schema, -(2**60), 2**60, temporary=whole))
            connection.execute(f"CREATE TABLE {name} AS FROM dns")
        else:
            connection.execute(f"CREATE TABLE {name} AS FROM whole")
    return connection


def paired(table: str) -> str:
    """Both tools' rows of the same thing, as `z` and `e`: by community id and start, files by their five-tuple."""
    apart_s, condition = PAIRS[table]
    by = f"sensor, {', '.join(FIVE_TUPLE)}" if table == "files" else "sensor, community_id"
    near = f"abs(epoch_us(z.ts) - epoch_us(e.ts)) <= {round(apart_s * 1e6)}"
    return f"zeek_{table} z JOIN eve_{table} e USING ({by}) WHERE {near} AND {condition}"


def number(rows: duckdb.DuckDBPyConnection, of: str) -> int:
    (found,) = rows.execute(f"SELECT count(*) FROM {of}").fetchone()
    return int(found)


@pytest.mark.parametrize("table", PAIRS)
def test_each_row_has_its_one_partner(rows, table: str) -> None:
    """All of Suricata's rows but those of connections that the tools cut at other times."""
    ours = f"(SELECT * FROM eve_{table} WHERE sensor <> '{IDLE}' AND NOT starts_with(orig_h, 'fe80:'))"
    pairs = f"(SELECT z.uid, e.uid, e.ts FROM {paired(table)} AND z.sensor <> '{IDLE}')"
    unpaired = rows.execute(f"""
        SELECT e.sensor, e.ts, e.orig_h, e.orig_p, e.resp_h, e.resp_p FROM {ours} e
        WHERE NOT EXISTS (FROM {pairs} p WHERE p.uid_1 = e.uid AND p.ts = e.ts)""").fetchall()
    assert unpaired == []
    alone = number(rows, f"eve_{table} WHERE sensor <> '{IDLE}'") - number(rows, pairs)
    assert 0 <= alone <= 20 and (table == "conn" or alone == 0)


def test_each_of_zeek_s_connections_is_there(rows) -> None:
    """But ICMP errors, which Suricata counts to the flow they answer, and the pieces of an idle one."""
    missing = rows.execute("""
        SELECT sensor, proto, orig_p, count(*) FROM zeek_conn z
        WHERE sensor <> 'benign_tls_part' AND NOT EXISTS (
            FROM eve_conn e WHERE z.sensor = e.sensor AND z.community_id = e.community_id
            AND abs(epoch_us(z.ts) - epoch_us(e.ts)) <= 1000
        ) GROUP BY ALL ORDER BY ALL""").fetchall()
    errors = [row for row in missing if row[1] == "icmp" and row[2] == 3]
    assert [row[0] for row in errors] == ["icmp_sweep", "scan_udp"]
    assert [row[0] for row in missing if row not in errors] == [IDLE]


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table, names in EQUAL.items() for column in (*FIVE_TUPLE, *names.split())]
)
def test_what_agrees_exactly(rows, table: str, column: str) -> None:
    differ = f'FROM {paired(table)} AND z.sensor <> ? AND z."{column}" IS DISTINCT FROM e."{column}"'
    if table == "conn":  # of what has no handshake the tools see no end: Suricata's pieces are shorter
        differ += " AND NOT starts_with(z.orig_h, 'fe80:')"
    assert rows.execute(f'SELECT z.sensor, z."{column}", e."{column}" {differ}', [IDLE]).fetchall() == []


def test_times_agree_to_a_millisecond(rows) -> None:
    assert number(rows, f"{paired('conn')} AND z.ts <> e.ts") == 0
    apart = "abs(coalesce(z.duration, 0) - coalesce(e.duration, 0)) > 0.001"
    local = "NOT starts_with(z.orig_h, 'fe80:')"
    assert number(rows, f"{paired('conn')} AND z.sensor <> '{IDLE}' AND {local} AND {apart}") == 0
    assert number(rows, f"{paired('dns')} AND z.rtt <> e.rtt") == 0
    assert number(rows, f"{paired('dns')} AND z.rtt IS NOT NULL AND e.rtt IS NULL") == 0


def test_answers_agree_but_for_texts_in_parts(rows) -> None:
    """Zeek joins the strings of a TXT record, Suricata lists them."""
    assert number(rows, f"{paired('dns')} AND z.answers IS NOT NULL") > 400
    differ = f"{paired('dns')} AND z.answers IS DISTINCT FROM e.answers"
    assert number(rows, f"{differ} AND z.qtype_name <> 'TXT'") == 0
    assert 0 < number(rows, differ) <= 5
    assert number(rows, f"{differ} AND array_to_string(z.answers, ' ') <> array_to_string(e.answers, ' ')") == 0
    assert number(rows, f"{paired('dns')} AND z.answers = e.answers AND z.TTLs <> e.TTLs") == 0


def test_flags_of_dns_are_those_of_the_answer(rows) -> None:
    """Zeek takes RD from the query, and tells RA only of responses with answers."""
    for flag in ("AA", "TC"):
        assert number(rows, f'{paired("dns")} AND e."{flag}" IS NOT NULL AND z."{flag}" <> e."{flag}"') == 0
    answered = "z.answers IS NOT NULL"
    assert number(rows, f'{paired("dns")} AND {answered} AND z."RA" <> e."RA"') == 0
    assert number(rows, f'{paired("dns")} AND z."RD" <> e."RD" AND z.sensor <> \'dns_tunnel\'') == 0


def test_certificates_are_the_same(rows) -> None:
    """By serial number: Suricata's fingerprint is SHA-1, and it tells of a certificate at each handshake."""
    same = "certificate_serial, certificate_subject, certificate_issuer, certificate_not_valid_before"
    query = "SELECT DISTINCT {0}, certificate_not_valid_after FROM {1}_x509 WHERE sensor = 'beacon_https'"
    theirs, ours = (rows.execute(query.format(same, source)).fetchall() for source in ("zeek", "eve"))
    assert ours == theirs and len(ours) == 1


def test_software_of_ssh_is_without_its_comment(rows) -> None:
    differ = f"{paired('ssh')} AND NOT starts_with(z.{{0}}, e.{{0}})"
    assert number(rows, paired("ssh")) > 10
    assert [number(rows, differ.format(side)) for side in ("client", "server")] == [0, 0]


@pytest.mark.parametrize(
    ("table", "least", "changed"),
    [("conn", 1400, ()), ("dns", 360, ("RD",)), ("ssh", 16, ("ts", "end_ts", "hassh", "hasshServer"))],
)
def test_rows_are_those_that_were_recorded(rows, table: str, least: int, changed: tuple[str, ...]) -> None:
    """Recorded by Suricata 7, which has no RD of queries, without HASSH, for which it waits before it writes an ssh
    event."""
    names = [n for n in TABLES[table].kinds if n not in ("uid", "extra", *changed)]
    columns = ", ".join(f'"{n}"' for n in names)
    now = f"SELECT {columns} FROM eve_{table} WHERE sensor IN (SELECT sensor FROM recorded_{table})"
    then = f"SELECT {columns} FROM recorded_{table}"
    assert number(rows, f"({then})") >= least
    assert rows.execute(f"{now} EXCEPT ALL {then}").fetchall() == []
    assert rows.execute(f"{then} EXCEPT ALL {now}").fetchall() == []
