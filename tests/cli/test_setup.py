"""`aegis-enrich setup elasticsearch`."""

from __future__ import annotations

import io
import json

import pytest
from kibana_server import Kibana


@pytest.mark.elasticsearch
def test_it_prints_what_was_made_and_may_be_run_again(aegis, elasticsearch) -> None:
    elasticsearch.call("DELETE", "/_index_template/aegis-alerts")
    first = aegis("setup", "elasticsearch", "--es", elasticsearch.url)
    again = aegis("setup", "elasticsearch", "--es", elasticsearch.url)
    assert (first.code, again.code) == (0, 0)
    assert "index template aegis-alerts: made" in first.out.splitlines()
    assert all(line.endswith(": is there") for line in again.out.splitlines())
    assert {line.split(":")[0] for line in again.out.splitlines()} >= {
        "component template logs-aegis@settings",
        "index template logs-aegis.conn",
    }


@pytest.mark.elasticsearch
def test_server_and_credentials_of_the_configuration(aegis, secured_elasticsearch, tmp_path) -> None:
    settings = secured_elasticsearch.settings("setup", log_retention="7d")
    lines = [f"  {k}: {v}" for k, v in settings.items() if v]
    (tmp_path / "aegis.yml").write_text("\n".join(["elasticsearch:", *lines, ""]))
    ran = aegis("setup", "elasticsearch", "--config", tmp_path / "aegis.yml")
    assert ran.code == 0, ran.err
    made = secured_elasticsearch.call("GET", "/_component_template/logs-aegis@settings")["component_templates"][0]
    assert made["component_template"]["template"]["lifecycle"]["data_retention"] == "7d"


@pytest.mark.elasticsearch
def test_wrong_credentials_are_one_line(aegis, secured_elasticsearch, tmp_path) -> None:
    (tmp_path / "aegis.yml").write_text(f"elasticsearch:\n  ca_certs: {secured_elasticsearch.ca_certs}\n")
    url = secured_elasticsearch.url.replace("//", "//setup:wrong@")
    ran = aegis("setup", "elasticsearch", "--es", url, "--config", tmp_path / "aegis.yml")
    assert (ran.code, ran.out) == (1, "")
    (line,) = ran.err.splitlines()
    assert line.startswith(f"aegis-enrich: {secured_elasticsearch.url}: wrong credentials") and "wrong@" not in line


def test_a_server_that_is_not_there_is_one_line(aegis) -> None:
    ran = aegis("setup", "elasticsearch", "--es", "http://127.0.0.1:9")
    assert (ran.code, ran.out) == (1, "")
    (line,) = ran.err.splitlines()
    assert line.startswith("aegis-enrich: http://127.0.0.1:9: does not answer")


def test_no_server_named_is_wrong_usage(aegis) -> None:
    ran = aegis("setup", "elasticsearch")
    assert ran.code == 2
    assert "--es https://host:9200" in ran.err


def test_kibana_s_objects_are_written_to_a_file(aegis, tmp_path) -> None:
    ran = aegis("setup", "kibana", "-o", tmp_path / "aegis.ndjson")
    assert ran.code == 0 and "saved objects in" in ran.out
    lines = (tmp_path / "aegis.ndjson").read_text().splitlines()
    assert ran.out.startswith(f"{len(lines) - 1} saved objects")
    assert aegis("setup", "kibana", "-o", "-").out.splitlines() == lines


def test_kibana_needs_a_file_or_a_url(aegis) -> None:
    ran = aegis("setup", "kibana")
    assert ran.code == 2 and "--kibana https://host:5601" in ran.err


def test_a_file_that_cannot_be_written_is_one_line(aegis, tmp_path) -> None:
    ran = aegis("setup", "kibana", "-o", tmp_path / "none" / "aegis.ndjson")
    assert ran.code == 1 and "cannot be written: No such file" in ran.err and len(ran.err.splitlines()) == 1


def test_a_kibana_that_is_not_there_is_one_line(aegis) -> None:
    ran = aegis("setup", "kibana", "--kibana", "http://127.0.0.1:9")
    assert (ran.code, ran.out) == (1, "")
    (line,) = ran.err.splitlines()
    assert line.startswith("aegis-enrich: http://127.0.0.1:9: does not answer")


def test_kibana_takes_what_the_file_holds(aegis, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("AEGIS_ES_API_KEY", "key")
    kibana = Kibana()
    try:
        ran = aegis("setup", "kibana", "--kibana", kibana.url, "-o", tmp_path / "aegis.ndjson")
    finally:
        kibana.stop()
    assert ran.code == 0 and ran.out.splitlines()[1:] == ["dashboard: 2 imported", "search: 1 imported"]
    ((_, headers, body),) = kibana.asked
    assert headers["Authorization"] == "ApiKey key"
    assert (tmp_path / "aegis.ndjson").read_bytes() in body


def test_what_would_be_put_is_printed_without_a_server(aegis, tmp_path) -> None:
    (tmp_path / "aegis.yml").write_text("elasticsearch: {lifecycle: ilm, log_retention: 9d}\n")
    ran = aegis("setup", "elasticsearch", "--print", "--config", tmp_path / "aegis.yml")
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out)
    assert {tuple(sorted(each)) for each in found} == {("body", "method", "path")}
    assert (found[0]["method"], found[0]["path"]) == ("PUT", "/_ilm/policy/aegis-logs")
    assert found[0]["body"]["policy"]["phases"]["delete"]["min_age"] == "9d"
    assert "/_index_template/logs-aegis.health" in {each["path"] for each in found}


@pytest.mark.parametrize(
    ("setting", "said"),
    [("lifecycle: curator", "'curator' is not known"), ("log_retention: long", "'long' is no time; write it like 30d")],
)
def test_settings_that_are_none_are_told(aegis, tmp_path, setting, said) -> None:
    (tmp_path / "aegis.yml").write_text(f"elasticsearch:\n  {setting}\n")
    ran = aegis("setup", "elasticsearch", "--print", "--config", tmp_path / "aegis.yml")
    assert (ran.code, ran.out) == (1, "") and said in ran.err


@pytest.fixture
def months(elasticsearch):
    """Indices of two old months and of this one, and one of another name."""
    elasticsearch.forget_alerts()
    names = ("aegis-alerts-2020.01", "aegis-incidents-2020.02", "aegis-alerts-2999.01", "my-aegis-alerts-2020.01")
    for name in names:
        elasticsearch.call("PUT", f"/{name}")
    yield elasticsearch
    elasticsearch.forget_alerts()
    elasticsearch.call("DELETE", f"/{names[-1]}")


def _names(server):
    found = server.call("GET", "/_cat/indices/*aegis-alerts*,aegis-incidents*?format=json&h=index")
    return {each["index"] for each in found}


@pytest.mark.elasticsearch
def test_old_months_are_dropped_when_somebody_says_so(aegis, months, monkeypatch) -> None:
    def drop(*options):
        return aegis("setup", "drop-months", "--older-than", "400d", "--es", months.url, *options)

    before = _names(months)
    dry = drop("--dry-run")
    assert dry.code == 0
    assert dry.out.splitlines() == [
        "aegis-alerts-2020.01 (until 2020-01-31)",
        "aegis-incidents-2020.02 (until 2020-02-29)",
    ]
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    asked = drop()
    assert asked.code not in (0, 2) and "Delete 2 indices for good?" in asked.out + asked.err
    assert _names(months) == before
    done = drop("--yes")
    assert done.code == 0 and done.out.splitlines()[2:] == [
        "aegis-alerts-2020.01: dropped",
        "aegis-incidents-2020.02: dropped",
    ]
    assert _names(months) == {"aegis-alerts-2999.01", "my-aegis-alerts-2020.01"}
    assert drop("--yes").out == "no index is that old\n"


@pytest.mark.parametrize("age", ["", "0d", "-1d", "a year", "1.5d", "999999d"])
def test_an_age_that_is_none_is_wrong_usage(aegis, age) -> None:
    ran = aegis("setup", "drop-months", "--older-than", age, "--es", "http://127.0.0.1:9")
    assert ran.code == 2 and "write days like 400d" in ran.err


@pytest.mark.elasticsearch
def test_the_same_for_opensearch(aegis, opensearch, tmp_path) -> None:
    opensearch.forget_alerts()
    opensearch.call("PUT", "/aegis-alerts-2020.01")
    (tmp_path / "aegis.yml").write_text(f"opensearch: {{url: '{opensearch.url}', lifecycle: none}}\n")
    config = ("--config", tmp_path / "aegis.yml")
    printed = json.loads(aegis("setup", "opensearch", "--print", *config).out)
    assert "/_index_template/logs-aegis.conn" in {each["path"] for each in printed}
    made = aegis("setup", "opensearch", *config)
    assert made.code == 0 and len(made.out.splitlines()) == len(printed)
    dropped = aegis("setup", "drop-months", "--opensearch", "--older-than", "400d", "--yes", *config)
    assert dropped.out.splitlines()[-1] == "aegis-alerts-2020.01: dropped"


def test_no_opensearch_named_is_wrong_usage(aegis) -> None:
    ran = aegis("setup", "opensearch")
    assert ran.code == 2 and "opensearch: {url: https://host:9200}" in ran.err


def test_months_of_no_server_are_wrong_usage(aegis) -> None:
    ran = aegis("setup", "drop-months", "--older-than", "400d")
    assert ran.code == 2 and "--es https://host:9200" in ran.err
