"""Trainers are found by entry point and loaded when asked for; a model that is made is one that `analyze` uses."""

from __future__ import annotations

import json
import random
import shutil
from importlib.metadata import EntryPoint
from pathlib import Path

import click
import pytest
import yaml

from aegis_enrich.cli import train

ROOT = Path(__file__).parents[2]


@click.command("greet")
@click.option("--count", default=1)
def greet(count: int) -> str | int:
    """Say a word."""
    return "good day" if count == 1 else count


@pytest.fixture
def points(monkeypatch):
    def use(**values: str) -> None:
        made = [EntryPoint(name, value, train.GROUP) for name, value in values.items()]
        monkeypatch.setattr(train, "entry_points", lambda group: made)

    return use


def test_a_trainer_s_text_is_printed_and_its_number_the_exit_code(points, aegis) -> None:
    points(greet=f"{__name__}:greet")
    train.greet = greet
    points(greet="aegis_enrich.cli.train:greet")
    ran = aegis("train", "greet")
    assert (ran.code, ran.out, ran.err) == (0, "good day\n", "")
    assert aegis("train", "greet", "--count", "3").code == 3
    assert "Say a word." in aegis("train", "--help").out
    del train.greet


def test_none_is_loaded_for_help(points, aegis) -> None:
    points(broken="no_such_module:command")
    assert aegis("--help").code == 0


@pytest.mark.parametrize(
    ("value", "said"), [("no_such_module:command", "does not load"), ("json:dumps", "is no click command")]
)
def test_one_that_is_of_no_use_is_named(points, aegis, value, said) -> None:
    points(broken=value)
    ran = aegis("train", "broken")
    assert ran.code == 1 and "trainer 'broken'" in ran.err and said in ran.err


def test_an_unknown_one_is_wrong_usage(aegis) -> None:
    ran = aegis("train", "nonsense")
    assert ran.code == 2 and "No such command 'nonsense'" in ran.err


def test_those_that_come_with_it_are_listed(aegis) -> None:
    listed = aegis("train", "--help").out
    assert all(f"\n  {name} " in listed for name in ("anomaly", "classifier"))


def connections(host: str, hour: int, number: int, chance: random.Random) -> list[dict]:
    """An hour of a host that browses."""
    base = 1_700_000_000 // 3600 * 3600 + hour * 3600
    return [
        {
            "ts": round(base + chance.uniform(1, 3500), 6),
            "uid": f"C{host.replace('.', 'x')}x{hour}x{n}",
            "id.orig_h": host,
            "id.orig_p": 40_000 + n,
            "id.resp_h": f"198.51.100.{chance.randint(1, 12)}",
            "id.resp_p": chance.choice((80, 443)),
            "proto": "tcp",
            "duration": round(chance.uniform(0.05, 20), 6),
            "orig_pkts": (packets := chance.randint(4, 40)),
            "orig_ip_bytes": packets * chance.randint(60, 200),
            "resp_pkts": packets + 2,
            "resp_ip_bytes": packets * chance.randint(200, 1300),
            "conn_state": "SF",
        }
        for n in range(number)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Logs of two hours of sixty hosts that browse, and of a later hour of three hosts, of whom one scans, too."""
    folder, chance = tmp_path_factory.mktemp("logs"), random.Random(1)
    past = [r for hour in (0, 1) for n in range(60) for r in connections(f"10.0.0.{n}", hour, 40, chance)]
    new = [r for n in range(3) for r in connections(f"10.0.0.{n}", 5, 40, chance)]
    new += [
        row
        | {"uid": f"S{n}", "id.resp_h": f"10.1.{n // 250}.{n % 250}", "id.resp_p": 445, "conn_state": "S0"}
        | {"duration": 0.0, "orig_pkts": 1, "orig_ip_bytes": 60, "resp_pkts": 0, "resp_ip_bytes": 0}
        for n, row in enumerate(connections("10.0.0.1", 5, 1500, chance))
    ]
    for name, rows in (("past", past), ("new", new)):
        (folder / name).mkdir()
        text = "".join(json.dumps(row) + "\n" for row in sorted(rows, key=lambda r: r["ts"]))
        (folder / name / "conn.log").write_text(text)
    return folder


def rules(folder: Path, **tuning: object) -> Path:
    """Rules of this detector alone."""
    folder.mkdir()
    path = Path(shutil.copy(ROOT / "rules" / "detectors" / "anomaly_ensemble.yml", folder))
    rule = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(rule | {"tuning": rule["tuning"] | tuning, "tests": []}))
    return folder


def test_anomaly_is_trained_and_used(folder, tmp_path, aegis) -> None:
    model = tmp_path / "anomaly.parquet"
    ran = aegis("train", "anomaly", "--from", str(folder / "past"), "-o", str(model))
    assert ran.code == 0, ran.err
    assert "120 hours of 60 hosts over 2 h" in ran.out and f"model: {model}" in ran.out
    again = tmp_path / "again.parquet"
    aegis("train", "anomaly", "--from", str(folder / "past"), "-o", str(again))
    assert model.read_bytes() == again.read_bytes()

    used = ["analyze", str(folder / "new"), "--rules", str(rules(tmp_path / "rules", model=str(model))), "--json"]
    (alert,) = json.loads(aegis(*used).out)["alerts"]
    assert alert["source"]["ip"] == "10.0.0.1"
    assert alert["aegis"]["evidence"]["votes"] == 3


def test_anomaly_is_trained_on_a_state_and_idle_without_a_model(folder, tmp_path, aegis) -> None:
    state = tmp_path / "state"
    idle = rules(tmp_path / "rules")
    ran = aegis("analyze", str(folder / "past"), "--state", str(state), "--rules", str(idle), "--json")
    assert json.loads(ran.out)["alerts"] == []
    assert not (state / "lake" / "host_statistical_hour").exists()
    assert aegis("train", "anomaly", "--state", str(state)).code == 0
    assert (state / "models" / "anomaly.parquet").is_file()
    assert "has no model" in aegis("doctor", "--state", str(state), "--rules", str(idle)).out


def test_a_model_that_cannot_be_used_is_told_by_doctor(folder, tmp_path, aegis) -> None:
    wrong = rules(tmp_path / "rules", model=str(tmp_path / "none.parquet"))
    assert "there is no such model" in aegis("doctor", "--state", str(tmp_path / "s"), "--rules", str(wrong)).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--state", "nothing"], "holds no state"), (["--from", "empty"], "no log that AegisEnrich reads")],
)
def test_nothing_to_train_on(tmp_path, monkeypatch, aegis, arguments, said) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    ran = aegis("train", "anomaly", *arguments)
    assert ran.code == 1 and said in ran.err and ran.out == ""


def test_too_little_to_train_on(folder, tmp_path, aegis) -> None:
    ran = aegis("train", "anomaly", "--from", str(folder / "new"), "-o", str(tmp_path / "m"))
    assert ran.code == 1 and "3 hours of hosts with enough connections; 100 are needed" in ran.err
    assert not (tmp_path / "m").exists()
