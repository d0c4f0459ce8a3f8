"""Alerts do not depend on whether Zeek writes TSV or JSON, compresses its logs, or cuts them into files."""

from __future__ import annotations

import gzip
import random

import pytest


@pytest.fixture(scope="module")
def hours(tools):
    """Every scenario of the lab, an hour each, as one sensor's logs."""
    return [(scenario, n) for n, scenario in enumerate(tools.SCENARIOS)]


@pytest.fixture(scope="module")
def tsv(tools, parts, hours, tmp_path_factory):
    root = tmp_path_factory.mktemp("tsv")
    scene = tools.zeek_scene(hours)
    result = tools.one_pass(parts, root / "s", scene.write(root / "logs"))
    assert len(result.alerts) >= 15
    assert result.late == 0
    return tools.Whole(scene, root / "logs", result)


@pytest.fixture(scope="module")
def json(tools, hours):
    return tools.zeek_scene(hours, form="json")


def test_json(tools, parts, tsv, json, tmp_path):
    assert tools.one_pass(parts, tmp_path / "s", json.write(tmp_path / "logs")) == tsv.result


def test_gzip(tools, parts, tsv, tmp_path):
    for log in tsv.folder.iterdir():
        data = log.read_bytes()
        cut = data.find(b"\n", len(data) // 2) + 1  # two members, as `cat a.gz b.gz` makes them
        (tmp_path / f"{log.name}.gz").write_bytes(gzip.compress(data[:cut]) + gzip.compress(data[cut:]))
    assert tools.one_pass(parts, tmp_path / "s", tmp_path) == tsv.result


def test_hourly_archives_some_of_them_compressed_and_some_in_json(tools, parts, tsv, json, tmp_path):
    """A sensor that was switched over: each hour's files in the one form or the other."""
    rng = random.Random(5)
    logs = tmp_path / "logs"
    half_past = [tools.BASE_S * 1_000_000 + (2 * n + 1) * tools.hour_us // 2 for n in range(len(tools.SCENARIOS))]
    lines = {"tsv": tsv.scene.cut(half_past), "json": json.cut(half_past)}
    for hour, begun_us in enumerate([half_past[0] - tools.hour_us, *half_past]):
        scene, form = rng.choice([(tsv.scene, "tsv"), (json, "json")])
        stamp = tools.stamp(begun_us)
        scene.append(logs, lines[form][hour], file=lambda name, at=stamp: name.replace(".log", f".{at}.log"))
    for path in list(logs.iterdir()):
        if rng.random() < 0.5:
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    assert tools.one_pass(parts, tmp_path / "s", logs) == tsv.result


@pytest.mark.parametrize("scenario", ["scan_horizontal", "beacon_https_60s", "multistage"])
def test_a_scenario_as_it_was_recorded(tools, parts, lab, tmp_path, scenario):
    tsv, json = (tools.one_pass(parts, tmp_path / form, lab / scenario / form) for form in ("tsv", "json"))
    assert tsv == json
    assert tsv.alerts
