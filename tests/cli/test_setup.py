"""`aegis-enrich setup elasticsearch`."""

from __future__ import annotations

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
