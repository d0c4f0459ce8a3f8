"""The configuration: strict, every problem at once, and defaults that work."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from aegis_enrich.config import Config, load, shipped, shipped_rules, size_bytes
from aegis_enrich.errors import ConfigError, Problems


def test_no_file_is_all_defaults() -> None:
    assert load(None) == Config()


def test_all_problems_come_at_once_with_their_lines(tmp_path) -> None:
    file = tmp_path / "aegis.yml"
    file.write_text("stat: /x\nflush:\n  rows: ten\n  minutes: 3\nretention: 5\nmemory_limit: lots\nthreads: 0\n")
    with pytest.raises(Problems) as found:
        load(file)
    lines = str(found.value).splitlines()
    assert [line.removeprefix(f"{file}:").split(":")[0] for line in lines[:5]] == ["1", "3", "4", "5", "7"]
    assert "unknown setting stat; known are state, sensors" in lines[0]
    assert "memory_limit" in lines[5] and "512MB" in lines[5]


def test_paths_are_relative_to_the_file(tmp_path) -> None:
    (tmp_path / "a.yml").write_text(
        "geo: {asn: geo/asn.mmdb}\nintel: lists\nsensors: {north: /logs/north, south: [south]}\n"
    )
    config = load(tmp_path / "a.yml")
    assert config.geo.asn == str(tmp_path / "geo" / "asn.mmdb")
    assert config.intel == [str(tmp_path / "lists")]
    assert config.sensors == {"north": ["/logs/north"], "south": [str(tmp_path / "south")]}


def test_settings_of_other_plugins_reach_them(tmp_path) -> None:
    (tmp_path / "a.yml").write_text("plugins: {webhook: {url: https://hook, tries: 3}}\n")
    assert load(tmp_path / "a.yml").enricher_settings()["webhook"] == {"url": "https://hook", "tries": 3}
    (tmp_path / "a.yml").write_text("plugins: {webhook: 3}\n")
    with pytest.raises(Problems, match="mapping of names to settings"):
        load(tmp_path / "a.yml")


@pytest.mark.parametrize(("text", "value"), [("512MB", 512_000_000), ("1 GiB", 2**30), ("77", 77), ("1.5kb", 1500)])
def test_sizes(text, value) -> None:
    assert size_bytes(text) == value


def test_a_size_that_is_none_says_how_to_write_one() -> None:
    with pytest.raises(ConfigError, match="512MB"):
        size_bytes("much")


def test_every_setting_says_what_it_is_and_has_a_default_that_checks() -> None:
    def settings(kind: type, prefix: str = "") -> Iterator[tuple[str, Any, Any, Mapping[str, Any]]]:
        made = kind()
        for setting in dataclasses.fields(kind):
            value = getattr(made, setting.name)
            if dataclasses.is_dataclass(value):
                yield from settings(type(value), f"{prefix}{setting.name}.")
            yield f"{prefix}{setting.name}", value, setting.metadata.get("least"), setting.metadata

    for name, value, least, meta in settings(Config):
        assert meta.get("doc"), name
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            assert least is not None and value >= least and (meta["most"] is None or value <= meta["most"]), name
    for text in (Config().memory_limit, Config().retention.max_size, Config().retention.min_free):
        assert size_bytes(text) > 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("threads: 1.5", "is not a number"),
        ("threads: true", "is not a number"),
        ("threads: 65", "is not in the range 1 to 64"),
        ("flush: {seconds: 0}", "is not in the range 0.05 to 600"),
        ("retention: {rows_days: 0}", "is not in the range 0.1 to …"),
        ("community_id: sometimes", "is not true or false"),
        ("state: [a]", "is not a text"),
        ("output: true", "is not a text"),
        ("intel: {a: b}", "is not a list of texts"),
        ("intel: [1]", "is not a list of texts"),
        ("sensors: [a]", "is not a mapping"),
        ("retention: {max_size: big}", "retention.max_size: 'big' is not a size"),
        ("elasticsearch: {uri: x}", "unknown setting elasticsearch.uri; known are url"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_allowed(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "aegis.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Problems) as found:
        load(file)
    assert problem in str(found.value) and str(found.value).startswith(str(file))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("log: {format: xml}\n", "1: log.format: 'xml' is none of text, json"),
        ("log:\n  level: loud\n", "2: log.level: 'loud' is none of debug, info, warning, error"),
        ("metrics: {stall_s: 1}\n", "1: metrics.stall_s: 1 is not in the range 5 to 3600"),
        ("metrics: ':9108'\n", "1: metrics takes a mapping of settings"),
    ],
)
def test_what_is_told_of_itself_has_words_and_ranges(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "aegis.yml"
    file.write_text(text)
    with pytest.raises(Problems, match=re.escape(told)):
        load(file)


@pytest.mark.parametrize(
    ("text", "problem"), [("a: [", "aegis.yml:1: not YAML"), ("- a", "a mapping of settings is expected")]
)
def test_what_is_no_configuration_is_told(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "aegis.yml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=problem):
        load(tmp_path / "aegis.yml")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.yml: No such file .*--config"):
        load(tmp_path / "none.yml")


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    (tmp_path / "aegis.yml").write_text("# nothing\n", encoding="utf-8")
    assert load(tmp_path / "aegis.yml") == Config()


def test_whole_numbers_are_seconds_too(tmp_path: Path) -> None:
    (tmp_path / "aegis.yml").write_text("idle_after_s: 5\nflush: {rows: 10}\nretention: {max_size: 100}\n")
    config = load(tmp_path / "aegis.yml")
    assert (config.idle_after_s, type(config.idle_after_s)) == (5.0, float)
    assert (config.flush.rows, config.flush.seconds, config.retention.max_size) == (10, 5.0, "100")


def test_the_state_lies_where_the_platform_keeps_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AEGIS_STATE", "/somewhere")
    assert Config().state_dir == Path("/somewhere")
    assert Config(state="/here").state_dir == Path("/here")
    monkeypatch.delenv("AEGIS_STATE")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert Config().state_dir == Path("/var/lib/aegis-enrich")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert Config().state_dir == tmp_path / "aegis-enrich"


def test_the_site_s_files_are_those_of_the_rules_unless_named() -> None:
    settings = Config(rules="/rules").enricher_settings()
    assert settings["networks"] == {"path": "/rules/networks.yml", "required": False}
    assert settings["intel"] == {"paths": ["/rules/intel"]}
    named = Config(rules="/rules", networks="/site/networks.yml", intel=["/lists"]).enricher_settings()
    assert named["networks"] == {"path": "/site/networks.yml", "required": True}
    assert named["intel"] == {"paths": ["/lists"]}


def test_the_rules_that_come_with_it_are_there() -> None:
    assert (shipped_rules() / "detectors").is_dir() and Config().rules_dir == shipped_rules()


def test_other_data_comes_with_it_too() -> None:
    assert (shipped("zeek_scripts") / "__load__.zeek").is_file()
    assert (shipped("suricata", "plugins/suricata") / "aegis.yaml").is_file()


def test_settings_of_kafka_are_texts(tmp_path) -> None:
    file = tmp_path / "aegis.yml"
    file.write_text("kafka: {away_s: 30, settings: {socket.timeout.ms: 5000, api.version.request: no}}\n")
    assert load(file).kafka.settings == {"socket.timeout.ms": "5000", "api.version.request": "false"}
    file.write_text("kafka: {away_s: 1, settings: {ssl: {ca: x}}}\n")
    with pytest.raises(Problems) as raised:
        load(file)
    assert "kafka.away_s: 1 is not in the range 6 to 1800" in str(raised.value)
    assert "is not a mapping of names to texts" in str(raised.value)
