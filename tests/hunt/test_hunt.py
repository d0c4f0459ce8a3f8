"""A hunt gives the alerts, under the same ids, that the analysis of each sensor gave."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hunt_lakes import LAB, contents, found, ship

from aegis_enrich.errors import ConfigError, ShipError, StateError
from aegis_enrich.hunt import Hunt, Span, hunting
from aegis_enrich.hunt.hunt import OnDuckDB
from aegis_enrich.pipeline.engine import Parts
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.ship import Far
from aegis_enrich.store import Store

SENSORS = {
    "north": ("multistage", "scan_horizontal"),
    "south": ("beacon_https_60s", "dns_tunnel"),
    "east": ("scan_horizontal", "dga", "beacon_https_60s"),  # two of these others saw, too
}
OF_CORRELATION = ("incident", "corroborated_by", "lead", "sensors", "uids")


def by_id(documents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {doc["event"]["id"]: contents(doc) for doc in documents}


@pytest.fixture(scope="module")
def states(analyzed: Callable[..., Path]) -> dict[str, Path]:
    """One state a sensor."""
    return {name: analyzed({name: [LAB / s / "tsv" for s in some]}) for name, some in SENSORS.items()}


@pytest.fixture(scope="module")
def lake(states: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lake")
    for state in states.values():
        ship(state, root)
    return root


@pytest.fixture(scope="module")
def whole(parts: Parts, lake: Path) -> dict[str, dict[str, Any]]:
    with hunting(parts, [lake]) as hunt:
        return by_id(hunt.run(OnDuckDB()))


def test_a_lake_of_three_sensors_gives_the_union(states: dict[str, Path], whole: dict[str, dict[str, Any]]) -> None:
    seen = {name: found(state) for name, state in states.items()}
    assert set(whole) == set().union(*seen.values())
    shared = [i for i in whole if sum(i in some for some in seen.values()) > 1]
    assert shared
    for name, some in seen.items():
        for i, document in some.items():
            assert name in whole[i]["aegis"]["sensors"]
            if i in shared:
                assert sorted(whole[i]["aegis"]["sensors"]) == sorted(n for n in seen if i in seen[n])
            else:
                assert _plain(whole[i]) == _plain(document)


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    aegis = {k: v for k, v in document["aegis"].items() if k not in OF_CORRELATION}
    return {k: v for k, v in document.items() if k not in ("observer", "aegis")} | {"aegis": aegis}


def test_states_are_hunted_as_the_lake_is(
    parts: Parts, states: dict[str, Path], whole: dict[str, dict[str, Any]]
) -> None:
    before = {p: p.stat().st_mtime_ns for state in states.values() for p in state.rglob("*") if p.is_file()}
    with hunting(parts, list(states.values())) as hunt:
        assert by_id(hunt.run(OnDuckDB())) == whole
    after = {p: p.stat().st_mtime_ns for state in states.values() for p in state.rglob("*.parquet")}
    assert {p: t for p, t in before.items() if p in after} == after  # nothing is written there


def test_missing_hours_are_made(parts: Parts, lake: Path, whole: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    copy = tmp_path / "lake"
    shutil.copytree(lake, copy)
    for manifest in copy.glob("*/manifest/*.jsonl"):
        lines = manifest.read_text(encoding="utf-8").splitlines()
        manifest.write_text("".join(f"{line}\n" for line in lines if '"derived":false' in line), encoding="utf-8")
    with hunting(parts, [copy]) as hunt:
        assert by_id(hunt.run(OnDuckDB())) == whole


def test_only_one_rule(parts: Parts, lake: Path, whole: dict[str, dict[str, Any]]) -> None:
    with hunting(parts, [lake], only=["port_scan"]) as hunt:
        one = hunt.run(OnDuckDB())
    assert one
    assert {d["event"]["id"] for d in one} == {i for i, d in whole.items() if d["rule"]["id"] == "port_scan"}
    with pytest.raises(ConfigError, match="no enabled rule nonsense"), hunting(parts, [lake], only=["nonsense"]):
        pass


def test_a_span_of_hours(parts: Parts, lake: Path, whole: dict[str, dict[str, Any]]) -> None:
    """Up to an hour: as if the logs ended there; from an hour on: what ends later."""
    with hunting(parts, [lake], only=["port_scan"]) as hunt:
        least = hunt.past.hours(["conn"], "north")[0]
        most = max(hour for sensor in hunt.past.sensors for hour in hunt.past.hours(["conn"], sensor)) + HOUR_US
    scans = {i for i, d in whole.items() if d["rule"]["id"] == "port_scan"}
    for span in (Span(least, most), Span(least, None), Span(None, most)):
        with hunting(parts, [lake], span, ["port_scan"]) as hunt:
            assert {d["event"]["id"] for d in hunt.run(OnDuckDB())} == scans
    middle = least + HOUR_US
    halves = []
    for span in (Span(None, middle), Span(middle, None)):
        with hunting(parts, [lake], span, ["port_scan"]) as hunt:
            halves.append({d["event"]["id"] for d in hunt.run(OnDuckDB())})
    assert halves[0] | halves[1] == scans
    with pytest.raises(ConfigError, match="no rows of that time"), hunting(parts, [lake], Span(None, least)):
        pass


def test_while_small_segments_become_one(parts: Parts, states: dict[str, Path], tmp_path: Path) -> None:
    """A file that is gone was merged into another meanwhile: the manifest is read again."""
    root = tmp_path / "state"
    shutil.copytree(states["south"], root)
    with hunting(parts, [root], only=["beaconing"]) as hunt:
        with Store(root) as store:
            for number, segment in enumerate(store.living("1 = 1", ())):
                moved = segment.path.with_name(f"{number:032}.parquet")
                segment.path.rename(moved)
                with store.transaction() as tx:
                    path = str(moved.relative_to(root))
                    tx.execute("UPDATE segments SET path = ? WHERE segment_id = ?", [path, segment.id])
        assert [d["rule"]["id"] for d in hunt.run(OnDuckDB())] == ["beaconing"]


@pytest.fixture
def elsewhere(lake: Path, bucket: tuple[str, str]) -> tuple[str, str]:
    """The lake in an object store: its URI and endpoint."""
    far = Far(bucket[0], endpoint=bucket[1])
    for file in sorted(p for p in lake.rglob("*") if p.is_file()):
        far.copy(file, str(file.relative_to(lake)))
    return bucket


def test_a_lake_in_an_object_store(
    parts: Parts, lake: Path, states: dict[str, Path], whole: dict[str, dict[str, Any]], elsewhere: tuple[str, str]
) -> None:
    uri, endpoint = elsewhere
    with hunting(parts, [uri], endpoint=endpoint) as hunt:
        assert by_id(hunt.run(OnDuckDB())) == whole
    with hunting(parts, [uri, states["north"]], endpoint=endpoint) as hunt:
        assert set(by_id(hunt.run(OnDuckDB()))) == set(whole), "rows that lie in both are the same rows"


def test_of_an_object_store_only_what_is_needed_comes_here(
    parts: Parts, whole: dict[str, dict[str, Any]], elsewhere: tuple[str, str]
) -> None:
    """And where a segment was merged into another meanwhile, that one."""
    uri, endpoint = elsewhere
    far = Far(uri, endpoint=endpoint)
    with hunting(parts, [uri], only=["port_scan"], endpoint=endpoint) as hunt:
        for sensor in SENSORS:
            for manifest in far.files_in(f"{sensor}/manifest"):
                told = far.read(manifest)
                assert told is not None
                for line in told.splitlines():
                    path = json.loads(line)["file"]
                    moved = path.replace(".parquet", "f.parquet")
                    far._files.move(far._at(f"{sensor}/{path}"), far._at(f"{sensor}/{moved}"))
                    told = told.replace(path, moved)
                far.put(manifest, told)
        found = by_id(hunt.run(OnDuckDB()))
        here = {p.parent.parent.name for p in hunt.past.away[0].folder.rglob("*.parquet")}
    assert set(found) == {i for i, d in whole.items() if d["rule"]["id"] == "port_scan"}
    assert "conn" in here and not here & {"dns", "ssl", "http"}


def test_what_is_no_object_store(parts: Parts, bucket: tuple[str, str]) -> None:
    uri, endpoint = bucket
    with pytest.raises(ConfigError, match="holds no common lake"), hunting(parts, [uri], endpoint=endpoint):
        pass
    with pytest.raises(ShipError, match="cannot be used"), hunting(parts, ["nonsense://x/y"]):
        pass


def test_a_window_that_fails_is_told(parts: Parts, lake: Path) -> None:
    class Fails:
        def run(self, hunt: Hunt) -> None:
            with hunt.past.transaction() as tx:
                hunt.past.note_failed_window(tx, "north", "port_scan", 0, HOUR_US, "out of memory")

    with hunting(parts, [lake]) as hunt, pytest.raises(StateError, match=r"1 of port_scan \(out of memory"):
        hunt.run(Fails())


def test_what_is_no_lake(parts: Parts, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither a state folder"), hunting(parts, [tmp_path]):
        pass


def test_without_spark_nothing_of_it_is_imported() -> None:
    """The command and a hunt on DuckDB need neither PySpark nor sqlglot."""
    code = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("pyspark", "sqlglot", "py4j"):
            raise ModuleNotFoundError(f"blocked {name}", name=name)
sys.meta_path.insert(0, Blocker())
import aegis_enrich.cli.hunt as command
try:
    with command.runner("spark", None):
        pass
except Exception as error:
    print(error)
with command.runner("duckdb", None) as runs:
    print(type(runs).__name__)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    refusal, name = ran.stdout.splitlines()
    assert "aegis-enrich[spark]" in refusal
    assert name == "OnDuckDB"
