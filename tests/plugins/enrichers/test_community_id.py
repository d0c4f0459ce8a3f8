"""Community ids against the reference implementation and against those that it publishes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import communityid
import pyarrow as pa
import pytest
from communityid import FlowTuple
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_enrich.enrich import Enrichment
from aegis_enrich.errors import ConfigError
from aegis_enrich.tables import TABLES
from aegis_plugins.enrichers.community_id import CommunityId

Rows = Callable[..., pa.Table]

# From the baseline of github.com/corelight/community-id-spec (seed 0).
BASELINE = [
    ("tcp", "128.232.110.120", 34855, "66.35.250.204", 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    ("tcp", "66.35.250.204", 80, "128.232.110.120", 34855, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    ("udp", "192.168.1.52", 54585, "8.8.8.8", 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    ("icmp", "192.168.0.89", 8, "192.168.0.1", 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
    ("icmp", "192.168.0.1", 0, "192.168.0.89", 8, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
    ("icmp", "fe80::200:86ff:fe05:80da", 135, "fe80::260:97ff:fe07:69ea", 0, "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="),
    ("sctp", "192.168.170.8", 7, "192.168.170.56", 80, "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="),
]


def computed(batch: pa.Table, **more: Any) -> list[str | None]:
    return CommunityId({"compute": True, **more}).enrich("conn", batch)["community_id"].to_pylist()


@pytest.mark.parametrize(("proto", "orig", "orig_p", "resp", "resp_p", "expected"), BASELINE)
def test_published_ids(rows: Rows, proto: str, orig: str, orig_p: int, resp: str, resp_p: int, expected: str) -> None:
    batch = rows("conn", proto=[proto], orig_h=[orig], orig_p=[orig_p], resp_h=[resp], resp_p=[resp_p])
    assert computed(batch) == [expected]


_V4 = st.sampled_from(["10.0.0.1", "10.0.0.2", "255.0.0.1", "9.255.255.255"])
_V6 = st.sampled_from(["fe80::1", "fd00::2:1", "2001:db8::", "::1", "ff02::1:ff00:1"])
_PORT = st.integers(0, 65535) | st.integers(0, 20) | st.integers(125, 160)
_FLOW = st.tuples(
    st.sampled_from(["tcp", "udp", "icmp", "sctp"]), st.one_of(st.tuples(_V4, _V4), st.tuples(_V6, _V6)), _PORT, _PORT
)
_NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1, "sctp": 132}


@settings(deadline=None)
@given(st.lists(_FLOW, min_size=1, max_size=30), st.sampled_from([0, 1, 65535]))
def test_every_row_has_the_id_of_the_reference(flows: list, seed: int) -> None:
    reference = communityid.CommunityID(seed=seed)
    expected = []
    for proto, (orig, resp), orig_p, resp_p in flows:
        number = 58 if proto == "icmp" and ":" in orig else _NUMBERS[proto]
        expected.append(reference.calc(FlowTuple(number, orig, resp, orig_p, resp_p)))
    columns = {
        "proto": [f[0] for f in flows],
        "orig_h": [f[1][0] for f in flows],
        "resp_h": [f[1][1] for f in flows],
        "orig_p": [f[2] for f in flows],
        "resp_p": [f[3] for f in flows],
    }
    schema = TABLES["conn"].schema
    arrays = [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(len(flows), f.type) for f in schema]
    assert computed(pa.table(arrays, schema=schema), seed=seed) == expected


def test_what_has_an_id_keeps_it_and_what_can_have_none_stays_null(rows: Rows) -> None:
    batch = rows(
        "conn",
        community_id=["1:kept", None, None, None, None, None, None, None],
        proto=["tcp", "tcp", "tcp", "unknown_transport", None, "tcp", "tcp", "tcp"],
        orig_h=["10.0.0.1", "128.232.110.120", "10.0.0.1", "10.0.0.1", "10.0.0.1", None, "10.0.0.1", "10.0.0.1"],
        orig_p=[1, 34855, None, 1, 1, 1, 70000, 1],
        resp_h=["10.0.0.2", "66.35.250.204", "10.0.0.2", "10.0.0.2", "10.0.0.2", "10.0.0.2", "10.0.0.2", "fe80::1"],
        resp_p=[2, 80, 2, 2, 2, 2, 2, 2],
    )
    assert computed(batch) == ["1:kept", "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", *[None] * 6]


def test_it_is_off_unless_asked_for(rows: Rows) -> None:
    batch = rows("conn", proto=["tcp"], orig_h=["10.0.0.1"], orig_p=[1], resp_h=["10.0.0.2"], resp_p=[2])
    assert CommunityId({}).enrich("conn", batch)["community_id"].to_pylist() == [None]


@pytest.mark.parametrize(
    ("table", "version", "proto"),
    [
        ("http", None, "tcp"),
        ("ssh", None, "tcp"),
        ("quic", None, "udp"),
        ("ssl", "TLSv12", "tcp"),
        ("ssl", None, "tcp"),
        ("ssl", "DTLSv12", "udp"),
    ],
)
def test_tables_without_protocol_have_that_of_their_log(rows: Rows, table: str, version: Any, proto: str) -> None:
    tuples = {"orig_h": ["10.0.0.1"], "orig_p": [40000], "resp_h": ["10.0.0.2"], "resp_p": [443]}
    enrichment = Enrichment([CommunityId({"compute": True})])
    batch = rows(table, **tuples, **({"version": [version]} if table == "ssl" else {}))
    enriched = enrichment.apply(table, batch)
    assert not enrichment.failures
    assert enriched.schema == TABLES[table].schema == enrichment.schema(table)
    assert enriched["community_id"].to_pylist() == computed(rows("conn", proto=[proto], **tuples))


def test_the_seed_is_checked() -> None:
    for seed in (-1, 65536, "0", None):
        with pytest.raises(ConfigError, match="0 to 65535"):
            CommunityId({"seed": seed})
