"""Steps over a state: networks as intervals, sensors apart, parameters, and what a step shows."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.ask.archive import ADDRESS_HEX, Archive, network_bounds, schema, shown
from aegis_enrich.ask.plan import Step
from aegis_enrich.ask.scope import scope_of
from aegis_enrich.config import Config
from aegis_enrich.store import Rows, Store
from aegis_enrich.tables import TABLES

CONNECTION = duckdb.connect(":memory:")
CONNECTION.execute(ADDRESS_HEX)


@given(st.ip_addresses())
def test_an_address_in_digits_is_its_number(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    (digits,) = CONNECTION.execute("SELECT address_hex($a)", {"a": str(address)}).fetchone() or ()
    assert int(digits, 16) == int(address) and len(digits) == (8 if address.version == 4 else 32)


@pytest.mark.parametrize("text", ["::", "::1", "1::", "fe80::1:0:0:2", "2001:db8:1:2:3:4:5:6"])
def test_the_forms_of_ipv6(text: str) -> None:
    (digits,) = CONNECTION.execute("SELECT address_hex($a)", {"a": text}).fetchone() or ()
    assert digits == ipaddress.ip_address(text).exploded.replace(":", "")


def test_a_network_s_bounds() -> None:
    assert network_bounds("10.0.0.0/8") == ("0a000000", "0affffff")
    assert network_bounds("fd00::/8") == ("fd" + "0" * 30, "fd" + "f" * 30)


def test_sensors_are_asked_one_by_one_and_nothing_is_added(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.flush([_rows("a", 3), _rows("b", 2)], [])
    with Store(tmp_path, read_only=True) as store:
        archive = Archive(scope_of(store, Config()))
        sql = "SELECT count(*) AS n, $who AS who FROM conn"
        order = (("n", True),)
        step = Step("n", "rows", "lake", sql, {"who": "it's", "unused": 1}, (), ("conn",), 0, 10_000_000, order)
        assert archive.step(step) == [
            {"n": 3, "who": "it's", "sensor": "a"},
            {"n": 2, "who": "it's", "sensor": "b"},
        ]
        assert archive.step(Step("n", "rows", "lake", sql, {"who": ""}, (), ("conn",), 0, 3_000_000, order, 1)) == [
            {"n": 2, "who": "", "sensor": "a"}
        ]
        assert shown(step)["values"] == {"who": "it's"} and "conn, from 1970" in shown(step)["reads"]


def _rows(sensor: str, number: int) -> Rows:
    times = pa.array([(n + 1) * 1_000_000 for n in range(number)], TABLES["conn"].schema.field("ts").type)
    own = {"ts": times, "end_ts": times, "sensor": pa.array([sensor] * number), "source": pa.array(["zeek"] * number)}
    columns = [own.get(f.name, pa.nulls(number, f.type)) for f in TABLES["conn"].schema]
    return Rows("conn", sensor, pa.table(columns, schema=TABLES["conn"].schema))


def test_columns_of_enrichers_are_there_without_them() -> None:
    assert {"orig_country", "resp_as_org", "direction"} <= set(schema("conn").names)
    assert schema("conn").names[: len(TABLES["conn"].schema)] == TABLES["conn"].schema.names


def test_incidents_of_a_state_without_a_correlator_are_none(state: Callable[[str], Any]) -> None:
    held = scope_of(state("empty").store, Config())
    assert held.empty and Archive(held).step(Step("incidents", "", "incidents")) == []
