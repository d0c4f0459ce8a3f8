"""What `watch` is told to read: folders, or Kafka's topics, which need nothing of Kafka until they are read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from aegis_enrich.cli import feeds
from aegis_enrich.cli.watch import command
from aegis_enrich.config import Config, Kafka
from aegis_enrich.follow import LogState
from aegis_enrich.store import LogProgress, Store


def test_addresses_are_told_from_folders():
    given = [feeds.Feed().convert(v, None, None) for v in ("/var/log/zeek", "kafka://b:9092/zeek", "x")]
    folders, named, addresses = feeds.split(given, ["a=/x", "lab=kafka://b/t"])
    assert folders == [Path("/var/log/zeek"), Path("x")] and named == ["a=/x"]
    assert addresses == ["kafka://b:9092/zeek", "lab=kafka://b/t"]


def test_one_address_or_the_configured_one():
    config = Config(kafka=Kafka(url="kafka://c/t", group="site"))
    assert feeds.address({}, [], Config()) is None and feeds.address({"s": []}, [], config) is None
    found = feeds.address({}, [], config)
    assert found is not None and (str(found), found.group, found.sensor) == ("kafka://c/t", "site", "")
    found = feeds.address({}, ["lab=kafka://b/t?group=g"], config)
    assert found is not None and (str(found), found.group, found.sensor) == ("kafka://b/t", "g", "lab")
    for folders, addresses in (({"s": []}, ["kafka://b/t"]), ({}, ["kafka://b/t", "kafka://b/u"])):
        with pytest.raises(click.UsageError, match="one watch reads folders or one kafka"):
            feeds.address(folders, addresses, config)


def test_logs_of_kafka_are_no_files():
    states = [LogState("a", "s", "conn", path="/x/conn.log"), LogState("b", "s", "conn", path="kafka:zeek/0")]
    assert feeds.of_files([LogProgress(s, {}, 0, 0) for s in states]) == states[:1]


def test_wrong_usage_is_said(tmp_path):
    result = CliRunner().invoke(command, [str(tmp_path), "kafka://b/t", "--state", str(tmp_path / "s")])
    assert result.exit_code == 2 and "one watch reads folders or one kafka" in result.output


def test_settings_are_checked_before_anything_is_asked(tmp_path):
    config = Config(kafka=Kafka(settings={"group.id": "x"}))
    address = feeds.address({}, ["kafka://127.0.0.1:1/zeek"], config)
    assert address is not None
    with Store(tmp_path) as store, pytest.raises(Exception, match=r"use kafka\.group"):
        feeds.open_source(address, config, store, once=True)


def test_nothing_of_kafka_or_s3_is_imported_where_it_is_not_used(tmp_path):
    """Neither by a run over files nor by any command's help; a client that is not installed is said."""
    (tmp_path / "conn.log").write_text('{"ts":1,"uid":"C1"}\n')
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['confluent_kafka', 'pyarrow._s3fs', 'boto3', 'pyspark']))\n"
        "from aegis_enrich.cli import main, COMMANDS, group\n"
        "import click\n"
        "for name in COMMANDS: group.get_command(click.Context(group), name)\n"
        "main(sys.argv[1:])"
    )
    run = [sys.executable, "-c", code, "watch", "--once", "--state", str(tmp_path / "state")]
    done = subprocess.run([*run, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([*run, "kafka://127.0.0.1:1/zeek"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "pip install 'aegis-enrich[kafka]'" in done.stderr
    assert "Traceback" not in done.stderr
