"""Logsources and fields: each of the taxonomies' names leads to a column that there is."""

from __future__ import annotations

import duckdb
import pytest
from sigma.rule import SigmaLogSource

from aegis_enrich.sigma.fields import COMPUTED, EVE, GENERIC
from aegis_enrich.sigma.taxonomy import Place, UnknownField, place
from aegis_enrich.tables import TABLES


def test_each_log_of_zeek_is_a_service() -> None:
    for table in TABLES:
        if not table.startswith(("open_", "suricata_")):
            assert place(SigmaLogSource(product="zeek", service=table)).table == table
    assert place(SigmaLogSource(product="Zeek", service="HTTP")).tables == ("http", "open_http")


@pytest.mark.parametrize("category", ["dns", "proxy", "webserver", "firewall", "network_connection"])
def test_generic_categories_have_tables(category) -> None:
    assert place(SigmaLogSource(category=category)).table in TABLES


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"product": "windows", "category": "process_creation"}, "not what a network sensor logs"),
        ({"product": "zeek", "service": "radius"}, "'radius' is no Zeek's log that is read here"),
        ({"category": "antivirus"}, "'antivirus' is no category"),
        ({"service": "dns"}, "no category"),
    ],
)
def test_what_no_log_is_says_what_there_is(source, told) -> None:
    with pytest.raises(UnknownField, match=told):
        place(SigmaLogSource(**source))


@pytest.mark.parametrize(
    ("service", "field", "column"),
    [
        ("conn", "id.orig_h", "orig_h"),
        ("conn", "src_ip", "orig_h"),
        ("dns", "z", "Z"),
        ("dns", "aa", "AA"),
        ("dns", "answer", "answers"),
        ("x509", "certificate.serial", "certificate_serial"),
        ("x509", "san.dns", "san_dns"),
        ("x509", "id", "fuid"),
        ("files", "source", "source_protocol"),
        ("http", "c-useragent", "user_agent"),
        ("smb_files", "times.modified", "times_modified"),
    ],
)
def test_fields_of_zeek(service, field, column) -> None:
    assert Place((service,), "zeek").column(field).name == column


def test_every_name_of_the_taxonomies_is_a_column_somewhere() -> None:
    names = {name for table in TABLES.values() for name in table.kinds}
    assert {c for columns in GENERIC.values() for c in columns} <= names
    assert {c for c in EVE.values() if c} <= names
    assert Place(("suricata_alert",), "suricata").column("alert.signature").name == "signature"
    assert Place(("ssl",), "suricata").column("tls.sni").name == "server_name"


def test_computed_fields_are_sql_over_their_table() -> None:
    with duckdb.connect(":memory:") as connection:
        for table, fields in COMPUTED.items():
            connection.register("rows_", TABLES[table].schema.empty_table())
            for sql, _ in fields.values():
                connection.execute(f"SELECT {sql} FROM rows_")


def test_unknown_fields_are_looked_for_in_extra_of_zeek_and_refused_of_a_category() -> None:
    assert Place(("dns",), "zeek").column("icann_tld").extra
    with pytest.raises(UnknownField, match="near to it is query"):
        Place(("dns",), "dns").column("querry")
    for names in ("zeek", "proxy"):
        with pytest.raises(UnknownField, match="sensors do not log cookies"):
            Place(("http",), names).column("cs-cookie")


def test_an_alert_is_about_the_ends_or_what_else_a_row_is_about() -> None:
    schema = {table: set(TABLES[table].schema.names) for table in TABLES}
    for table in TABLES:
        assert set(Place((table,), "zeek").entity) <= schema[table]
    assert Place(("x509",), "zeek").entity == ("fingerprint",)
