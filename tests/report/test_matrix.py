import dataclasses

from html_page import Page

from aegis_enrich.decide.attack import attack
from aegis_enrich.report.matrix import matrix


def tactics(contents):
    page = Page.of(matrix(contents))
    return {e.text[-6:]: e for e in page.all("h3")}, page


def test_every_tactic_has_a_column_in_the_order_of_the_matrix(contents):
    columns, _ = tactics(contents)
    assert list(columns) == list(attack().tactics)


def test_techniques_that_were_seen_have_their_number(contents):
    _, page = tactics(contents)
    seen = {e.attributes["title"]: e.text for e in page.elements if "seen shade" in (e.attributes.get("class") or "")}
    assert len(seen) == len(contents.seen)
    assert seen["Brute Force: Password Guessing"].startswith("T1110.0012")
    assert "10 techniques of 7 tactics" in page.text
    assert f"Enterprise {attack().version}" in page.text


def test_what_rules_watch_for_is_named(contents, quiet):
    idle = [e.text for e in Page.of(matrix(quiet)).all("div", class_="technique")]
    assert {"T1110.001", "T1071", "T1046"} <= set(idle)
    assert "no technique in the alerts" in matrix(quiet)
    unknown = dataclasses.replace(quiet, reading=dataclasses.replace(quiet.reading, rules=None))
    assert not Page.of(matrix(unknown)).all("div", class_="technique")


def test_an_id_that_the_table_does_not_know_is_shown_as_it_is(contents):
    page = Page.of(matrix(dataclasses.replace(contents, seen={("TA0011", "T9999<b>"): 3})))
    assert "T9999<b>" in page.text
