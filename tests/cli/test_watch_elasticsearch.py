"""`watch --once --es` against a real Elasticsearch: each alert once, at its newest revision, and every log row once."""

from __future__ import annotations

import gzip
import json
import uuid

import pytest

from aegis_plugins.sinks.elasticsearch import Elasticsearch

pytestmark = pytest.mark.elasticsearch
ALERTS, INCIDENTS = "aegis-alerts", "aegis-incidents"
LOGS = ("conn", "dns", "http", "ssl")


@pytest.fixture
def server(elasticsearch):
    elasticsearch.forget_alerts()
    Elasticsearch.setup(elasticsearch.settings())
    return elasticsearch


@pytest.fixture
def watch(aegis, server, tmp_path):
    """One `watch --once` over a folder into the server; its sensor bears a name of its own."""
    sensor = f"s{uuid.uuid4().hex[:8]}"

    def run(folder, *options):
        url = server.settings()["url"]
        return aegis(
            *("watch", "--sensor", f"{sensor}={folder}", "--once", "--es", url, "--state", tmp_path / "s"), *options
        )

    run.sensor = sensor
    return run


def opened(path):
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def rows(path):
    """As `grep -vc '^#'` counts them."""
    with opened(path) as file:
        return sum(not line.startswith(b"#") for line in file)


def test_alerts_and_rows_are_there_once_however_often_it_runs(watch, server, lab):
    folder = lab / "multistage/tsv"
    golden = json.loads((lab.parents[1] / "golden" / "multistage.json").read_text(encoding="utf-8"))
    for _ in range(2):
        ran = watch(folder, "--index-logs", ",".join(LOGS))
        assert ran.code == 0, ran.err
        found = server.documents(ALERTS)
        assert len(found) == len({d["_id"] for d in found}) == len(golden)
        (incident,) = server.documents(INCIDENTS)
        assert incident["_source"]["aegis"]["alert_count"] == len(found)
        assert {d["_source"]["aegis"]["incident"]["id"] for d in found} == {incident["_id"]}
        for name in LOGS:
            (path,) = folder.glob(f"{name}.log*")
            count = server.count(f"logs-aegis.{name}-default", term={"observer.name": watch.sensor})
            assert count == rows(path), name


def test_after_a_revision_the_newer_one_is_there(watch, server, lab, tmp_path):
    (path,) = (lab / "scan_vertical/tsv").glob("conn.log*")
    with opened(path) as file:
        lines = file.readlines()
    folder = tmp_path / "logs"
    folder.mkdir()
    revisions = []
    for share in (0.5, 1.0):
        (folder / "conn.log").write_bytes(b"".join(lines[: int(len(lines) * share)]))
        assert watch(folder).code == 0
        (found,) = server.documents(ALERTS)
        revisions.append(found["_source"]["aegis"]["revision"])
    assert found["_source"]["aegis"]["evidence"]["ports"] == 1000
    assert revisions[0] < revisions[1]


def test_what_a_hunt_finds_is_what_a_watch_has_there(watch, aegis, server, lab, tmp_path):
    """A hunt indexes alerts and incidents; those that are there already stay as they are."""
    folder, url = lab / "multistage/tsv", server.settings()["url"]
    assert aegis("analyze", "--sensor", f"{watch.sensor}={folder}", "--state", tmp_path / "lake").code == 0
    for _ in range(2):
        ran = aegis("hunt", tmp_path / "lake", "--es", url)
        assert ran.code == 0, ran.err
        hunted = {d["_id"]: d["_source"] for d in server.documents(ALERTS)}
        (incident,) = server.documents(INCIDENTS)
    assert watch(folder).code == 0
    assert {d["_id"] for d in server.documents(ALERTS)} == set(hunted)
    assert [d["_id"] for d in server.documents(INCIDENTS)] == [incident["_id"]]
