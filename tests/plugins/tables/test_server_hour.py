"""Calls of many clients in, a row per server out: how many of them called it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from aegis_enrich.plugin import HOUR_US, DerivedTable
from aegis_plugins.tables.server_hour import ServerHour

Made = Callable[..., Mapping[str, pa.Table]]
Hours = Callable[[type[DerivedTable], Mapping[str, pa.Table]], list[dict[str, Any]]]
HOUR = 475_000 * HOUR_US


def called(*clients: int, **columns: Any) -> list[dict[str, Any]]:
    return [{"orig_h": f"10.0.0.{n}", "uid": f"C{n}-{at}", "ts": at, **columns} for at, n in enumerate(clients)]


def servers(found: Sequence[Mapping[str, Any]], column: str = "clients") -> dict[str, Any]:
    return {row["server"]: row[column] for row in found}


def test_a_server_s_numbers(made: Made, hours: Hours) -> None:
    rows = called(1, 2, 2, 3, resp_h="198.51.100.7") + called(4, 5, resp_h="198.51.100.8")
    found = sorted(hours(ServerHour, made(conn=rows)), key=lambda r: str(r["server"]))
    assert found[0] == {
        "server": "198.51.100.7",
        "clients": 3,
        "all_clients": 5,
        "connections": 4,
        "first_us": HOUR,
        "last_us": HOUR + 3_000_000,
    }
    assert [r["clients"] for r in found] == [3, 2]


def test_clients_of_a_name_are_counted_over_its_servers(made: Made, hours: Hours) -> None:
    tls = called(1, 2, server_name="C2.test", resp_h="198.51.100.7")
    tls += called(2, 3, server_name="c2.test.", resp_h="198.51.100.8")
    http = called(4, host="c2.test:8080", resp_h="198.51.100.9") + called(5, host="198.51.100.9:80")
    assert servers(hours(ServerHour, made(ssl=tls, http=http))) == {"c2.test": 4}


def test_who_calls_inside_only_is_no_client_of_the_outside(made: Made, hours: Hours) -> None:
    rows = called(1, 2, resp_h="198.51.100.7") + called(3, 4, 5, resp_h="10.0.9.9")
    found = hours(ServerHour, made(conn=rows))
    assert servers(found) == {"198.51.100.7": 2, "10.0.9.9": 3}
    assert set(servers(found, "all_clients").values()) == {2}


def test_what_a_proxy_of_ours_is_asked_for_lies_outside(made: Made, hours: Hours) -> None:
    proxy = {"resp_h": "10.0.9.9", "resp_p": 3128}
    asked = called(1, 2, method="CONNECT", host="c2.test:443", uri="c2.test:443", **proxy)
    asked += called(3, method="GET", host="intranet.test", uri="/", **proxy)
    found = hours(ServerHour, made(conn=called(1, 2, 3, 4, **proxy), http=asked))
    assert servers(found) == {"10.0.9.9": 4, "c2.test": 2, "intranet.test": 1}
    assert set(servers(found, "all_clients").values()) == {2}
