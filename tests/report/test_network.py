import dataclasses

import pytest
from html_page import Page

from aegis_enrich.correlate.alert import alert_of
from aegis_enrich.report.network import COLUMNS, MOST, arrowheads, network


@pytest.fixture
def incident(contents):
    return contents.incidents[0].document["aegis"]["incident"]


@pytest.fixture
def known(contents):
    return {d["event"]["id"]: alert_of(d) for d in contents.alerts}


def arrows(page):
    return [e.text for e in page.all("path") if "edge" in (e.attributes.get("class") or "")]


def test_arrows_say_who_did_what_to_whom(incident, known):
    page = Page.of(network(incident, known))
    assert arrows(page) == [
        "203.0.113.66 → 10.10.0.14: Port scan, Brute force",
        "10.10.0.14 → 203.0.113.50: Beaconing",
        "10.10.0.14 → 20 or more targets: Port scan",
        "10.10.0.14 → 10.10.0.15: Brute force",
        "10.10.0.15 → tunnel.test: DNS tunnel",
        "10.10.0.15 → 203.0.113.40: Exfiltration",
    ]
    assert "203.0.113.66 to 10.10.0.14: Port scan, Brute force" in page.all("svg")[0].attributes["aria-label"]


def test_boxes_say_each_host_s_part(incident, known):
    boxes = list(Page.of(network(incident, known)).all("rect"))
    assert [b.attributes["class"] for b in boxes[:3]] == ["node attacker", "node victim", "node victim"]
    assert boxes[0].text == "203.0.113.66 (attacker, outside)"
    places = {(b.attributes["x"], b.attributes["y"]) for b in boxes}
    assert len(places) == len(boxes)


def test_without_documents_the_incident_tells_enough(incident):
    assert "10.10.0.14 → 203.0.113.50: Beaconing" in arrows(Page.of(network(incident, {})))


def test_of_very_many_hosts_the_first_are_drawn(incident, known):
    host = incident["hosts"][0]
    hosts = [*incident["hosts"], *({**host, "ip": f"198.51.100.{n}", "role": "infrastructure"} for n in range(90))]
    first = {**incident["alerts"][0], "id": "x", "actor": "10.10.0.14"}
    alerts = [*incident["alerts"], *({**first, "target": f"198.51.100.{n}"} for n in range(30))]
    page = Page.of(network({**incident, "hosts": hosts, "alerts": alerts}, known))
    assert len(page.all("rect")) <= sum(MOST.values()) + 3
    assert any(" more: Port scan" in a for a in arrows(page))


def test_nobody_does_anything_to_another(incident, known):
    alone = [a for a in incident["alerts"] if a["name"] == "DNS tunnel"]
    told = {"hosts": incident["hosts"], "alerts": [{**alone[0], "target": ""}]}
    assert network(told, {}) == ""


def test_a_server_has_the_name_that_it_was_called_by(incident, known):
    beacon = next(a for a in known.values() if a.rule == "beaconing")
    named = known | {beacon.id: dataclasses.replace(beacon, names=("c2.example",))}
    boxes = Page.of(network(incident, named)).all("rect")
    assert "203.0.113.50 (c2.example, serves the attack)" in {b.text for b in boxes}


def test_an_arrow_ends_with_a_head_that_is_there(incident, known):
    heads = {e.attributes["id"] for e in Page.of(arrowheads()).all("marker")}
    used = {e.attributes["marker-end"][5:-1] for e in Page.of(network(incident, known)).all("path")}
    assert used <= heads


def test_every_role_has_a_column():
    from aegis_enrich.correlate import roles

    assert {roles.ATTACKER, roles.VICTIM, roles.SUSPECT, roles.INFRASTRUCTURE, roles.TARGET} <= set(COLUMNS)
