"""Hours of hosts against a past: quiet on what is like it, loud on what is not, and no word without a model of use."""

from __future__ import annotations

import dataclasses
import logging
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from aegis_enrich import registry
from aegis_enrich.decide import load_rules
from aegis_enrich.pipeline.parts import can_find
from aegis_enrich.plugin import DAY_US, HOUR_US
from aegis_plugins.detectors.anomaly_ensemble import AnomalyEnsemble, Tuning, example, model
from aegis_plugins.detectors.anomaly_ensemble.ensemble import METHODS, Ensemble
from aegis_plugins.detectors.anomaly_ensemble.measures import MEASURES
from aegis_plugins.detectors.anomaly_ensemble.train import trained
from aegis_plugins.models import stored
from aegis_plugins.models.stored import ModelError

ROOT = Path(__file__).parents[3]
BENIGN = ROOT / "tests" / "data" / "zeek" / "benign_hour"
PLUGINS = registry.load()
TABLES = [PLUGINS.tables[name] for name in AnomalyEnsemble.derived]
LOGS = ("conn", "dns", "ssl", "x509")


def crowd(tables: dict[str, pa.Table], hosts: int, seed: int) -> dict[str, pa.Table]:
    """Each client so many times under another address, each time with a random three fifths or more of its rows."""
    chance, parts = random.Random(seed), defaultdict(list)
    uids = sorted(pc.unique(tables["conn"]["uid"]).to_pylist())
    for number in range(hosts):
        share = chance.uniform(0.6, 1.0)
        kept = pa.array([uid for uid in uids if chance.random() < share])
        for name in ("conn", "dns", "ssl"):
            rows = tables[name].filter(pc.is_in(tables[name]["uid"].cast(pa.string()), value_set=kept))
            at = rows.schema.get_field_index("orig_h")
            named = pc.replace_substring(rows["orig_h"].cast(pa.string()), "10.10.0.", f"10.{seed}.{number}.")
            parts[name].append(rows.set_column(at, "orig_h", named))
    return {name: pa.concat_tables(several) for name, several in parts.items()} | {"x509": tables["x509"]}


@pytest.fixture(scope="module")
def benign(logs) -> dict[str, pa.Table]:
    return {name: rows for name, rows in logs(BENIGN).items() if name in LOGS}


@pytest.fixture(scope="module")
def hours(evaluate):
    """What the detector's query gives, with the hour."""

    def run(tables: dict[str, pa.Table]) -> pd.DataFrame:
        seen: list[pd.DataFrame] = []

        def score(self: Any, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
            seen.append(features)
            return pd.DataFrame()

        heard = {"score": score, "__module__": AnomalyEnsemble.__module__}
        evaluate(type("Heard", (AnomalyEnsemble,), heard), tables, TABLES)
        frame = pd.concat([f for f in seen if len(f)], ignore_index=True)
        return frame.assign(sensor="s", hour_us=frame["window_end_us"] - HOUR_US)

    return run


@pytest.fixture(scope="module")
def past(benign, hours) -> pd.DataFrame:
    return hours(crowd(benign, 24, 1))


@pytest.fixture(scope="module")
def path(past, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("model") / "anomaly.parquet"
    stored.write(path, *trained(past))
    return str(path)


def added(tables: dict[str, pa.Table], rows: list[dict[str, Any]]) -> dict[str, pa.Table]:
    """Rows of conn, `after` seconds after the hour's first."""
    conn = tables["conn"]
    first = pc.min(conn["ts"]).as_py()
    filled = []
    for number, row in enumerate(rows):
        ts = first + pd.Timedelta(seconds=row["after"])
        end = ts + pd.Timedelta(seconds=row.get("duration", 0))
        filled.append({"uid": f"Z{number:05}", "sensor": "s", "source": "zeek"} | row | {"ts": ts, "end_ts": end})
    columns = [pa.array([r.get(f.name) for r in filled], f.type) for f in conn.schema]
    return tables | {"conn": pa.concat_tables([conn, pa.table(columns, schema=conn.schema)])}


def probe(number: int) -> dict[str, Any]:
    return {
        "orig_h": "10.10.0.12",
        "orig_p": 50_000,
        "resp_h": f"10.20.{number // 250}.{number % 250}",
        "resp_p": 445,
        "proto": "tcp",
        "conn_state": "S0",
        "orig_pkts": 1,
        "orig_ip_bytes": 60,
        "resp_pkts": 0,
        "resp_ip_bytes": 0,
        "after": number * 0.5,
    }


def upload(number: int) -> dict[str, Any]:
    return {
        "orig_h": "10.10.0.13",
        "orig_p": 51_000 + number,
        "resp_h": "203.0.113.99",
        "resp_p": 443,
        "proto": "tcp",
        "conn_state": "SF",
        "orig_pkts": 14_000,
        "orig_ip_bytes": 20_000_000,
        "resp_pkts": 7_000,
        "resp_ip_bytes": 370_000,
        "duration": 4.0,
        "after": number * 8.0,
    }


def severity(finding: Any) -> int:
    rule = load_rules_of_this().detectors["anomaly_ensemble"]
    return rule.severity(finding.score, {f"evidence.{k}": v for k, v in finding.evidence.items()})


def load_rules_of_this(folder: Path | None = None):
    import shutil
    import tempfile

    made = folder or Path(tempfile.mkdtemp())
    shutil.copy(ROOT / "rules" / "detectors" / "anomaly_ensemble.yml", made)
    return load_rules(made, PLUGINS.detectors)


def test_quiet_on_what_it_was_trained_on_and_on_more_of_the_same(benign, path, evaluate) -> None:
    assert evaluate(AnomalyEnsemble, benign, TABLES, model=path) == []
    assert evaluate(AnomalyEnsemble, crowd(benign, 10, 2), TABLES, model=path) == []


def test_a_host_that_starts_to_scan(benign, path, evaluate) -> None:
    (found,) = evaluate(AnomalyEnsemble, added(benign, [probe(n) for n in range(900)]), TABLES, model=path)
    assert found.entity == {"orig_h": "10.10.0.12"}
    evidence = found.evidence
    assert evidence["votes"] == evidence["beyond_past_votes"] == 3
    assert {"failed_share", "peers"} <= set(evidence["drivers"])
    assert evidence["drivers_values"][evidence["drivers"].index("peers")] > 900
    assert [abs(d) for d in evidence["drivers_deviations"]] == sorted(map(abs, evidence["drivers_deviations"]))[::-1]
    assert evidence["deviation"] > 6
    assert "failed_share" in found.reason and "(usually 0" in found.reason


def test_a_host_that_starts_to_exfiltrate(benign, path, evaluate) -> None:
    (found,) = evaluate(AnomalyEnsemble, added(benign, [upload(n) for n in range(40)]), TABLES, model=path)
    assert found.entity == {"orig_h": "10.10.0.13"}
    assert {"sent_bytes", "upload_download_log2"} <= set(found.evidence["drivers"])


@pytest.mark.parametrize("scenario", ["benign", "benign_tls"])
def test_never_loud_on_harmless_hosts_of_another_pace(lab, path, evaluate, scenario) -> None:
    for found in evaluate(AnomalyEnsemble, lab(scenario), TABLES, model=path):
        assert severity(found) == 21


def test_a_vertical_scan_is_medium(lab, path, evaluate) -> None:
    (found,) = evaluate(AnomalyEnsemble, lab("scan_vertical"), TABLES, model=path)
    assert severity(found) == 47


def judged(path: str, rows: pd.DataFrame) -> list[Any]:
    found = AnomalyEnsemble().score(rows, Tuning(model=path, min_votes=1, min_score=0.0, min_deviation=0.0))
    return found.to_dict("records")


CHILD = """
import sys
import pandas as pd
from aegis_plugins.detectors.anomaly_ensemble import AnomalyEnsemble, Tuning
tuning = Tuning(model=sys.argv[1], min_votes=1, min_score=0.0, min_deviation=0.0)
print(AnomalyEnsemble().score(pd.read_parquet(sys.argv[2]), tuning).to_dict("records"))
"""


def test_another_process_says_the_same(path, past, tmp_path) -> None:
    past.head(50).to_parquet(tmp_path / "rows.parquet")
    rows = pd.read_parquet(tmp_path / "rows.parquet")
    command = [sys.executable, "-c", CHILD, path, str(tmp_path / "rows.parquet")]
    there = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert str(judged(path, rows)) == there.strip() != "[]"


def test_a_row_is_judged_the_same_alone(path, past) -> None:
    together = judged(path, past.head(40))
    alone = [found for n in range(40) for found in judged(path, past.iloc[[n]])]
    assert [f["evidence"] for f in together] == [f["evidence"] for f in alone]


def test_a_host_of_which_nothing_is_known_is_not_odd_for_that() -> None:
    rows = example.rows()
    ensemble = Ensemble.of(rows)
    nothing = rows.median().to_frame().T.assign(tls_failed_share=None, dns_bigram_bits_mean=None, gap_cv=None)
    judged = ensemble.judge(nothing.astype(object))
    assert not judged.votes.any() and judged.ranks.max() < 0.9


def test_votes_and_ranks_mean_what_they_say() -> None:
    """Of more hours of the same kind, about one in twenty has a vote, and ranks are even."""
    rows = example.rows()
    ensemble = Ensemble.of(rows.head(200))
    new = ensemble.judge(rows.tail(100))
    for method in range(len(METHODS)):
        assert 0.0 <= new.votes[:, method].mean() <= 0.12
        assert 0.35 < new.ranks[:, method].mean() < 0.65


def test_few_and_equal_hours_can_be_learned() -> None:
    rows = pd.concat([example.rows().head(3)] * 40, ignore_index=True)
    assert not Ensemble.of(rows).judge(rows.head(3)).votes.all()


def test_without_a_model_it_is_idle_and_silent(past) -> None:
    assert "aegis-enrich train anomaly" in AnomalyEnsemble.idle(Tuning())
    assert AnomalyEnsemble.idle(Tuning(model="example")) == ""
    assert AnomalyEnsemble().score(past, Tuning()).empty


def test_the_engine_does_not_run_it_without_a_model(caplog, tmp_path, path) -> None:
    rule = load_rules_of_this(tmp_path).detectors["anomaly_ensemble"]
    with caplog.at_level(logging.INFO):
        assert not can_find(rule)
    assert "has no model" in caplog.text and not [r for r in caplog.records if r.levelno > logging.INFO]
    assert can_find(dataclasses.replace(rule, tuning=Tuning(model=path)))
    assert not can_find(dataclasses.replace(rule, tuning=Tuning(model="/nowhere/anomaly.parquet")))
    assert caplog.records[-1].levelno == logging.ERROR and "there is no such model" in caplog.text


def test_a_stale_model_is_refused(past, path) -> None:
    late = past.head(1).assign(window_end_us=past["window_end_us"].iloc[0] + 31 * DAY_US)
    with pytest.raises(ModelError, match="31 days before the window; max_age_days is 30"):
        judged(path, late)
    assert AnomalyEnsemble().score(late, Tuning(model=path, max_age_days=40)).empty


@pytest.mark.parametrize("change", [{"schema": "other"}, {"library": "0.1"}, {"kind": "classifier"}])
def test_a_model_of_another_kind_is_refused(past, tmp_path, change) -> None:
    about, rows = trained(past)
    stored.write(tmp_path / "m", dataclasses.replace(about, **change), rows)
    with pytest.raises(ModelError, match="aegis-enrich train anomaly"):
        AnomalyEnsemble.idle(Tuning(model=str(tmp_path / "m")))
    with pytest.raises(ModelError, match="aegis-enrich train anomaly"):
        judged(str(tmp_path / "m"), past)


def test_a_path_is_whole() -> None:
    with pytest.raises(ModelError, match="write the whole path"):
        AnomalyEnsemble.idle(Tuning(model="anomaly.parquet"))


def test_the_schema_is_that_of_the_features() -> None:
    columns = {c.name for table in TABLES for c in table.columns}
    assert {m.name for m in MEASURES} <= columns and len(MEASURES) == 38
    assert model.schema() == model.schema() and len(model.schema()) == 16
