"""The canonical tables: what every table has, and that names in it mean something."""

from __future__ import annotations

import pyarrow as pa
import pytest

from aegis_enrich.tables import COLUMN_ALIASES, EVERY, LOG_ALIASES, SETS, TABLES, TIMESTAMP, TYPES

ENGINE_S = [c.split(":")[0] for c in EVERY.split()]


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda t: t.name)
def test_each_table_has_the_engine_s_columns_first_and_extra_last(table) -> None:
    names = table.schema.names
    assert names[: len(ENGINE_S)] == ENGINE_S and names[-1] == "extra"
    assert len(names) == len(set(names))
    assert table.schema.field("ts").type == table.schema.field("end_ts").type == TIMESTAMP
    assert {f.name: f.type for f in table.schema} == {c: TYPES[k] for c, k in table.kinds.items()}


def test_the_tables_that_there_are() -> None:
    zeek = "conn dns ssl x509 http files ssh quic rdp smb_files smb_mapping dce_rpc kerberos ntlm ftp smtp dhcp"
    more = "ldap sip software notice weird capture_loss suricata_alert suricata_anomaly"
    ours = "aegis_scan aegis_retransmission aegis_packets"
    assert set(TABLES) >= {*zeek.split(), *more.split(), *ours.split(), "open_conn", "open_http", "open_ssl"}
    for name in ("conn", "http", "ssl"):
        assert TABLES[f"open_{name}"].schema == TABLES[name].schema


def test_addresses_are_text_and_counts_are_64_bit() -> None:
    conn = TABLES["conn"].schema
    assert conn.field("orig_h").type == pa.string()
    assert conn.field("orig_bytes").type == conn.field("resp_p").type == pa.int64()
    assert conn.field("duration").type == pa.float64()


def test_sets_and_aliases_name_what_is_there() -> None:
    for table, columns in SETS.items():
        kinds = TABLES[table].kinds
        assert {kinds[c] for c in columns} <= {"strings", "addrs"}
    for table, renamed in COLUMN_ALIASES.items():
        assert set(renamed.values()) <= set(TABLES[table].schema.names)
    assert {t for t in LOG_ALIASES.values() if t} <= set(TABLES)
