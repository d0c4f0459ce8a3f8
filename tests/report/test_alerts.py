import dataclasses

from html_page import Page

from aegis_enrich.report import alerts as module
from aegis_enrich.report.alerts import alerts


def changed(contents, *documents):
    return dataclasses.replace(contents, alerts=documents, severities={47: len(documents)})


def test_a_row_for_each_alert(contents):
    page = Page.of(alerts(contents))
    rows = [e for e in page.all("tr") if "data-rule" in e.attributes]
    assert [r.attributes["data-rule"] for r in rows] == [a["rule"]["id"] for a in contents.alerts]
    for document, row in zip(contents.alerts, rows, strict=True):
        assert document["event"]["reason"] in row.text
        assert document["source"]["ip"] in row.text
        assert row.attributes["id"] == f"a-{document['event']['id'][:12]}"
        assert f"incident {contents.incidents[0].document['event']['id'][:8]}" in row.text


def test_without_a_script_nothing_is_hidden_but_the_filter(contents):
    page = Page.of(alerts(contents))
    assert [e.name for e in page.elements if "hidden" in e.attributes] == ["form"]


def test_the_filter_offers_what_is_there(contents):
    page = Page.of(alerts(contents))
    assert [e.attributes["value"] for e in page.all("input", type="checkbox")] == [
        str(s) for s in sorted(contents.severities, reverse=True)
    ]
    assert next(e.text for e in page.all("option")) == "every rule"
    assert len(page.all("option")) == 1 + len({a["rule"]["id"] for a in contents.alerts})


def test_no_alert_no_section(quiet):
    assert alerts(quiet) == ""


def test_what_is_cut_is_said(contents, monkeypatch):
    monkeypatch.setattr(module, "BUDGET", 4_000)
    text = Page.of(alerts(contents)).text
    assert "worst of 7 alerts, the worst first." in text
    assert "are left out to keep the page small: `aegis-enrich alerts list` has them all." in text


def test_an_end_says_all_that_is_known_of_it(contents):
    document = {
        **contents.alerts[0],
        "source": {},
        "destination": {
            "ip": "192.0.2.1",
            "domain": "c2.example",
            "port": 443,
            "geo": {"country_iso_code": "NL"},
            "as": {"organization": {"name": "Example"}},
        },
    }
    page = Page.of(alerts(changed(contents, document)))
    assert "192.0.2.1c2.example, port 443, Example, NL" in page.text


def test_an_alert_that_tells_of_another_s_act_says_so(contents):
    lead = {**contents.alerts[1]["aegis"], "lead": contents.alerts[0]["event"]["id"], "count": 3}
    page = Page.of(alerts(changed(contents, {**contents.alerts[1], "aegis": lead})))
    assert "the same act · 3 times" in page.text
    assert f"#a-{contents.alerts[0]['event']['id'][:12]}" in {e.attributes["href"] for e in page.all("a")}
