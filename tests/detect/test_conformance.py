"""Every registered detector and derived table holds to the contract: as it is written, and as it runs on real rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pyarrow as pa
import pytest

from aegis_enrich import registry
from aegis_enrich.decide import load_rules
from aegis_enrich.decide.cases import Case
from aegis_enrich.decide.made_rows import make_rows
from aegis_enrich.decide.testing import Bench
from aegis_enrich.detect.conformance import columns_of, declared, parameters_of, refused
from aegis_enrich.detect.replay import Replay
from aegis_enrich.detect.trial import CHECKS, Trial
from aegis_enrich.plugin import Column, DerivedTable, Detector, tunable
from aegis_enrich.sigma.detector import OfPlan

ROOT = Path(__file__).parents[2]
PLUGINS = registry.load()
BENCH = Bench.of(PLUGINS)
ALL: Mapping[str, type[Detector] | type[DerivedTable]] = {**PLUGINS.detectors, **PLUGINS.tables}

# Recorded scenarios in which each finds something: name, format, tuning that differs from the default.
ROWS: Mapping[str, tuple[tuple[str, str, dict[str, Any]], ...]] = {
    "anomaly_ensemble": (("scan_vertical", "tsv", {"model": "example"}),),
    "beaconing": (
        ("beacon_https_60s", "tsv", {}),
        ("beacon_http_60s", "eve.json.gz", {}),
        ("multistage", "tsv", {}),
    ),
    "brute_force": (
        ("ssh_bruteforce", "json", {}),
        ("multistage", "tsv", {}),
        ("ssh_bruteforce", "eve.json.gz", {}),
        ("multistage", "eve.json.gz", {}),
    ),
    "dga": (("dga", "tsv", {}), ("dga_nxdomain", "json", {})),
    "dns_tunnel": (("dns_tunnel", "tsv", {}), ("dns_tunnel", "eve.json.gz", {})),
    "exfiltration": (("exfil_small", "tsv", {}), ("exfil", "eve.json.gz", {})),
    "fast_flux": (("flux", "made", {}),),
    "high_latency": (("latency_5h", "tsv", {}),),
    "icmp_anomaly": (("icmp_sweep", "tsv", {}), ("icmp_tunnel", "eve.json.gz", {})),
    "long_connection": (
        ("long_connection", "json", {"min_duration_s": 60}),
        ("benign_tls", "tsv", {"min_duration_s": 10}),
        ("long_connection_66min", "json", {}),
    ),
    "packet_loss": (("loss_5", "tsv", {}), ("loss_download_20", "json", {})),
    "port_scan": (("scan_horizontal", "json", {}), ("multistage", "tsv", {}), ("scan_udp", "eve.json.gz", {})),
    "protocol_anomaly": (("days", "made", {"min_connections": 20, "min_hours": 2, "min_history_h": 24}),),
    "rare_destination": (("days", "made", {"min_history_h": 3}),),
    "syn_flood": (("syn_flood", "json", {}), ("syn_flood_spoofed", "tsv", {})),
    "quic_c2": (("quic", "made", {"min_kinds": 2, "min_sessions": 3, "min_clients": 2, "even_sizes": 1.0}),),
    "tls_c2": (("beacon_https", "tsv", {}), ("beacon_https_60s", "eve.json.gz", {})),
    "exposed_service": (("multistage", "tsv", {"services": ("22/tcp ssh",), "analyzers": ("ssh ssh",)}),),
    "botnet": (("dga_nxdomain", "tsv", {"min_names": 3}), ("dga_nxdomain", "json", {"min_names": 3})),
    "threat_classifier": (("scan_vertical", "tsv", {"model": "example", "min_probability": 0.4}),),
    "lateral_movement": (("smb", "made", {}),),
    "traffic_spike": (("days", "made", {"min_history_h": 3, "min_bytes": 10_000_000}),),
    "destination_hour": (("benign_tls", "tsv", {}), ("multistage", "eve.json.gz", {})),
    "egress_hour": (("exfil", "json", {}), ("multistage", "eve.json.gz", {})),
    "flow_features_hour": (("multistage", "tsv", {}), ("icmp_tunnel", "eve.json.gz", {})),
    "host_dns_hour": (("dns_tunnel", "tsv", {}), ("benign", "eve.json.gz", {})),
    "host_hour": (("multistage", "tsv", {}), ("benign", "eve.json.gz", {})),
    "host_quic_hour": (("quic", "made", {}),),
    "host_statistical_hour": (("multistage", "tsv", {}), ("benign", "eve.json.gz", {})),
    "host_timing_hour": (("benign", "tsv", {}), ("beacon_http_60s", "eve.json.gz", {})),
    "host_tls_hour": (("benign_tls", "tsv", {}), ("benign_tls", "eve.json.gz", {})),
    "lasting_hour": (("long_connection_66min", "tsv", {}), ("long_connection", "json", {})),
    "name_hour": (("dns_tunnel", "json", {}), ("dns_tunnel", "eve.json.gz", {})),
    "pair_features_hour": (("benign", "tsv", {}), ("multistage", "eve.json.gz", {})),
    "pair_hour": (("benign", "tsv", {}), ("scan_vertical", "eve.json.gz", {})),
    "rtt_hour": (("latency_5h", "json", {}), ("dns_tunnel", "eve.json.gz", {})),
    "server_hour": (("benign", "tsv", {}), ("multistage", "eve.json.gz", {})),
    "service_hour": (("multistage", "json", {}), ("benign_tls", "eve.json.gz", {})),
    "server_name_hour": (("benign_tls", "tsv", {}), ("multistage", "tsv", {})),
    "tls_server_hour": (("benign_tls", "tsv", {}), ("benign", "eve.json.gz", {})),
}


@pytest.mark.parametrize("name", ALL)
def test_it_is_declared_as_the_contract_says(name: str) -> None:
    assert declared(ALL[name], PLUGINS.tables) == []


@pytest.mark.parametrize("name", ALL)
def test_it_has_its_files(name: str) -> None:
    kind = "detectors" if name in PLUGINS.detectors else "tables"
    expected = [ROOT / "plugins" / "aegis_plugins" / kind / name / "README.md"]
    expected.append(ROOT / "tests" / "plugins" / kind / f"test_{name}.py")
    if kind == "detectors":
        expected.append(ROOT / "rules" / "detectors" / f"{name}.yml")
    assert [f for f in expected if not f.is_file()] == []


def test_each_detector_has_a_rule_with_a_hit_a_miss_and_a_near_miss() -> None:
    assert {name for name, rule in RULES.items() if not issubclass(rule.detector, OfPlan)} == set(PLUGINS.detectors)
    for rule in RULES.values():
        misses = [case for case in rule.tests if case.expect.alerts == 0]
        assert len(rule.tests) - len(misses) >= 1 and len(misses) >= 2, rule.id


def test_each_is_tried_on_rows() -> None:
    assert set(ROWS) == set(ALL), "name a recorded scenario in which it finds something"


TRIALS = {f"{name}-{rows[0]}-{rows[1][:4]}": (name, *rows) for name, several in ROWS.items() for rows in several}


@pytest.fixture(scope="session")
def trial(
    lab: Callable[..., Mapping[str, pa.Table]],
    schema: Callable[[str], pa.Schema],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Trial]:
    """A trial by its name, one for all checks: what comes out of its rows is found once."""

    @cache
    def of(which: str) -> Trial:
        name, scenario, form, tuning = TRIALS[which]
        plugin, replay = ALL[name], Replay(schema, PLUGINS.tables)
        chosen = plugin.tuning(**tuning) if issubclass(plugin, Detector) else None
        return Trial(plugin, lab(scenario, form), replay, tmp_path_factory.mktemp("segments"), chosen)

    return of


FIRST = {f"{name}-{several[0][0]}-{several[0][1][:4]}" for name, several in ROWS.items()}


def _tried(check: str, which: str) -> bool:
    """A column that is null is so whatever sensor wrote it: that is tried with the first rows of each plugin."""
    return which in FIRST or check != "bears_missing_rows"


@pytest.mark.parametrize(
    ("which", "check"),
    [pytest.param(t, c, marks=pytest.mark.xdist_group(t)) for t in TRIALS for c in CHECKS if _tried(c, t)],
)
def test_it_runs_as_the_contract_says(which: str, check: str, trial: Callable[[str], Trial]) -> None:
    assert CHECKS[check](trial(which)) == []


RULES = load_rules(ROOT / "rules", PLUGINS.detectors).detectors
HITS = [(name, case) for name, rule in RULES.items() for case in rule.tests if case.expect.alerts]


@pytest.mark.parametrize(("name", "case"), HITS, ids=[f"{name}-{case.name}" for name, case in HITS])
def test_it_runs_so_on_the_rows_of_its_rule_s_tests(name: str, case: Case, tmp_path: Path) -> None:
    rows: dict[str, list[pa.Table]] = defaultdict(list)
    for group in make_rows(case, BENCH.enrichment):
        rows[group.table].append(group.rows)
    whole = {table: pa.concat_tables(parts) for table, parts in rows.items()}
    replay = Replay(BENCH.enrichment.schema, PLUGINS.tables)
    trial = Trial(RULES[name].detector, whole, replay, tmp_path, case.tuning, cuts=1)
    checks = ("gives_something", "well_formed", "same_however_cut")
    assert {check: CHECKS[check](trial) for check in checks} == {check: [] for check in checks}


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT any_value(uid) FROM conn", "any_value takes whichever row comes first"),
        ("SELECT first(uid) FROM conn", "first takes whichever row comes first"),
        ("SELECT last(uid ORDER BY ts_us) FROM conn", "last takes whichever row comes first"),
        ("SELECT arbitrary(uid) FROM conn", "arbitrary takes whichever row comes first"),
        ("SELECT arg_max(uid, ts_us) FROM conn", "arg_max takes whichever row comes first"),
        ("SELECT max_by(uid, ts_us) FROM conn", "max_by takes whichever row comes first"),
        ("SELECT mode(resp_p) FROM conn", "mode takes whichever row comes first"),
        ("SELECT list(uid) FROM conn", "list is in no fixed order; write list_sort(list(…)) or ORDER BY inside"),
        ("SELECT len(list(DISTINCT uid)) FROM conn", "list is in no fixed order"),
        ("SELECT array_agg(uid) FILTER (WHERE resp_p = 1) FROM conn", "array_agg is in no fixed order"),
        ("SELECT list_sort(list_concat([1], list(resp_p))) FROM conn", "list is in no fixed order"),
        ("SELECT list(uid) OVER (ORDER BY ts_us) FROM conn", "list is in no fixed order"),
        ("SELECT string_agg(uid, ',') FROM conn", "string_agg is in no fixed order; write ORDER BY inside"),
        ("SELECT list_sort(string_split(group_concat(uid), ',')) FROM conn", "group_concat is in no fixed order"),
        ("SELECT approx_count_distinct(uid) FROM conn", "approx_count_distinct is an estimate"),
        ("SELECT approx_quantile(resp_p, 0.5) FROM conn", "approx_quantile is an estimate"),
        ("SELECT reservoir_quantile(resp_p, 0.5) FROM conn", "reservoir_quantile is an estimate"),
        ("SELECT random() FROM conn", "random differs from run to run"),
        ("SELECT gen_random_uuid() FROM conn", "gen_random_uuid differs from run to run"),
        ("SELECT * FROM conn USING SAMPLE 10", "a sample differs from run to run"),
        ("SELECT * FROM conn WHERE ts > now()", "now reads the clock"),
        ("SELECT * FROM conn WHERE ts > current_timestamp", "current_timestamp reads the clock"),
        ("SELECT CURRENT_DATE FROM conn", "current_date reads the clock"),
        ("SELECT get_current_timestamp() FROM conn", "get_current_timestamp reads the clock"),
        ("SELECT today() FROM conn", "today reads the clock"),
        ("SELECT age(ts) FROM conn", "age reads the clock"),
        ("SELECT * FROM read_parquet('lake/*.parquet')", "read_parquet reads what is no view"),
        ("SELECT * FROM read_csv_auto('a.csv')", "read_csv_auto reads what is no view"),
        ("SELECT * FROM parquet_scan('a.parquet')", "parquet_scan reads what is no view"),
        ("SELECT * FROM glob('*')", "glob reads what is no view"),
        ("SELECT * FROM duckdb_settings()", "duckdb_settings reads what is no view"),
        ("SELECT getenv('HOME') FROM conn", "getenv reads what is no view"),
        ("SELECT * FROM 'a.parquet'", "reads a.parquet, which the plugin does not declare"),
        ("SELECT * FROM dns", "reads dns, which the plugin does not declare"),
        ("SELECT * FROM conn LIMIT 5", "LIMIT and DISTINCT ON take whichever rows come first"),
        ("SELECT DISTINCT ON (orig_h) * FROM conn", "LIMIT and DISTINCT ON take whichever rows come first"),
        ("SELECT row_number() OVER (PARTITION BY orig_h) FROM conn", "row_number without ORDER BY"),
        ("SELECT lag(ts_us) OVER () FROM conn", "lag without ORDER BY"),
        ("SELECT * FROM conn WHERE ts_us > $since", "$since is no parameter; there are window_end, window_start"),
        ("SELECT 1; SELECT 2", "is more than one statement"),
        ("CREATE TABLE t AS SELECT 1", "is no SELECT that DuckDB reads"),
        ("SELECT (", "is no SELECT that DuckDB reads"),
    ],
)
def test_what_may_differ_from_run_to_run_is_refused(sql: str, problem: str) -> None:
    for text in (sql, f"WITH a AS ({sql}) SELECT * FROM a") if problem[:2] != "is" else (sql,):
        (found,) = refused(text, tables=["conn"], parameters=["window_start", "window_end"])
        assert problem in found


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT list_sort(list(DISTINCT uid) FILTER (WHERE resp_p = 1)) FROM conn",
        "SELECT list(uid ORDER BY ts_us, uid) FROM conn",
        "SELECT string_agg(uid, ',' ORDER BY uid) FROM conn",
        "SELECT * FROM conn ORDER BY ts_us, uid LIMIT 5",
        "SELECT row_number() OVER (PARTITION BY orig_h ORDER BY ts_us, uid) FROM conn",
        "SELECT first_value(uid) OVER (PARTITION BY orig_h ORDER BY ts_us, uid) FROM conn",
        "SELECT 'now() list(x)' AS first FROM conn  -- any_value(x)",
        "SELECT count(*) OVER (PARTITION BY orig_h), unnest([1, 2]) FROM conn WHERE ts_us >= $window_start",
        "WITH own AS (SELECT min(uid) FROM conn) SELECT * FROM own, range(3)",
    ],
)
def test_what_gives_the_same_every_time_passes(sql: str) -> None:
    assert refused(sql, tables=["conn"], parameters=["window_start", "window_end"]) == []


def test_a_problem_bears_its_line() -> None:
    (found,) = refused("SELECT orig_h,\n  -- größer\n  any_value(uid)\nFROM conn")
    assert found.startswith("line 3: ")


def test_names_in_a_query() -> None:
    sql = "SELECT c.orig_h, max(uid) FROM conn AS c WHERE ts_us > $window_start AND resp_p = $port"
    assert parameters_of(sql) == {"window_start", "port"}
    assert columns_of(sql) == {"orig_h", "uid", "ts_us", "resp_p"}


@dataclass(frozen=True)
class Careless:
    """Tunables as they should not be."""

    least: int = tunable(5, "how many", least=10)
    wild: float = tunable(0.5, "no range")
    spare: bool = tunable(True, "")


class Wrong(Detector):
    name = "wrong"
    reads = ("conn", "nothing")
    derived = ("no_hour",)
    window_s = 7200
    every_s = 5000
    lateness_s = 20
    counts: ClassVar = {"dns": ({"proto": ("udp",)},), "conn": ({"nope": ("x",)},)}
    needs = ("http",)
    entity = ("orig_h", "host")
    tuning = Careless

    @classmethod
    def sql(cls) -> str:
        return "SELECT any_value(orig_h) FROM conn WHERE resp_p > $least AND orig_p > $most"

    def score(self, features: pd.DataFrame, tuning: Careless) -> pd.DataFrame:
        return features[features["score"] > tuning.wild]


def test_what_is_declared_wrong_is_told() -> None:
    found = "\n".join(declared(Wrong, PLUGINS.tables))
    for problem in (
        "has no README.md",
        "has no docstring",
        "reads nothing, which is no canonical table",
        "reads no_hour, which is no derived table",
        "every_s 5000 does not divide window_s 7200",
        "every_s 5000 is over half of window_s 7200",
        "a window over an hour has every_s from 3600 on and reads derived tables only",
        "counts rows of ['dns'], which it does not read",
        "counts by conn.nope",
        "needs http, which it does not read",
        "lateness_s is at least 330",
        "tunable least has a default outside its range: 5",
        "tunable wild has no range",
        "tunable spare has no doc",
        "tunable spare is used neither in the SQL nor in the score",
        "tunable least is not in README.md",
        "entity column host is not in plugin.CONTEXT",
        "its SQL: line 1: any_value takes",
        "its SQL: line 1: $most is no parameter",
    ):
        assert problem in found, problem


class Vague(DerivedTable):
    """A table that does not say what it holds."""

    name = "vague"
    reads = ("conn",)
    columns = (Column("orig_h", "address", "client"), Column("n", "count", ""))
    shard_key = "host"
    lateness_s = 30

    @classmethod
    def sql(cls) -> str:
        return "SELECT orig_h, count(*) AS n FROM conn WHERE ts_us > $window_start GROUP BY orig_h"


def test_a_derived_table_that_is_declared_wrong_is_told() -> None:
    assert declared(Vague, PLUGINS.tables) == [
        "has no README.md beside its module",
        "column n has no doc",
        "column orig_h: 'address' is no word of tables.TYPES",
        "lateness_s is at least 330, lateness_suricata_s at least 660",
        "shard key host is no column of conn",
        "its SQL: line 1: $window_start is no parameter; there are hour_end, hour_start",
    ]
