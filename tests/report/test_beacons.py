import dataclasses

from html_page import Page

from aegis_enrich.report.beacons import beacons


def test_a_beacon_has_its_sentence_and_its_plot(contents):
    page = Page.of(beacons(contents))
    assert "10.10.0.14 called 203.0.113.50 30 times in 1.5 min" in page.text
    assert "10.10.0.14 → 203.0.113.50" in page.text
    assert "30 calls" in page.all("svg")[0].attributes["aria-label"]


def test_without_rows_there_is_no_plot_and_that_is_said(contents):
    (found,) = contents.beacons
    gone = dataclasses.replace(contents, beacons=(dataclasses.replace(found, calls=(), gaps=()),))
    page = Page.of(beacons(gone))
    assert not page.all("svg")
    assert "not in the lake any more" in page.text


def test_no_beacon_no_section(quiet):
    assert beacons(quiet) == ""


def test_further_beacons_are_counted(contents):
    assert "4 further beacons" in Page.of(beacons(dataclasses.replace(contents, beacon_count=5))).text
