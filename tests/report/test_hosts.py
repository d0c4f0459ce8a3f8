import dataclasses

from html_page import Page

from aegis_enrich.report.hosts import RANKED, hosts, names, severities


def test_hosts_by_risk_and_by_bytes(contents):
    text = Page.of(hosts(contents)).section("hosts")
    assert text.index("Hosts by the risk") < text.index("10.10.0.14") < text.index("Top talkers")
    assert "Command and Control, Discovery, Credential Access, Lateral Movement" in text


def test_the_worst_alert_of_a_host_marks_it(contents):
    found = severities(contents)
    assert found["203.0.113.66"] == found["10.10.0.14"] == 99  # who guessed, and whose password
    (beacon,) = [a for a in contents.alerts if a["rule"]["id"] == "beaconing"]
    assert found["203.0.113.50"] == beacon["event"]["severity"]
    assert "10.10.0.11" not in found


def test_names_are_the_site_s(contents):
    assert names(contents) == {}
    host = dataclasses.replace(contents.hosts[0].host, name="files", criticality="critical")
    ranked = (dataclasses.replace(contents.hosts[0], host=host),)
    changed = dataclasses.replace(contents, hosts=ranked)
    assert names(changed) == {"10.10.0.14": "files"}
    assert "files, inside, critical asset" in Page.of(hosts(changed)).text


def test_of_many_hosts_the_worst(contents):
    page = Page.of(hosts(dataclasses.replace(contents, hosts=contents.hosts * 10)))
    assert len(page.all("tr")) == 1 + RANKED
    assert "15 further hosts acting in alerts" in page.text


def test_no_host_no_section(quiet):
    assert hosts(dataclasses.replace(quiet, talkers=())) == ""
    assert "Hosts by the risk" not in hosts(quiet)
