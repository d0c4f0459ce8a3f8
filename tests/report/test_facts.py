import dataclasses

from html_page import Page

from aegis_enrich import __version__
from aegis_enrich.report.facts import facts, hashes


def test_what_was_read_and_by_what_it_was_judged(contents):
    text = Page.of(facts(contents)).text
    assert f"AegisEnrich {__version__}" in text
    assert "2026-11-22 02:28:34 to 2026-11-22 02:32:20" in text
    assert "UTC" in text
    assert hashes(contents)[0] in text
    assert "2,045 in 7 logs" in text
    assert "1,384" in text
    assert "Every line was read, no row came late, every window was evaluated." in text


def test_what_is_not_whole_is_said(contents):
    changed = dataclasses.replace(
        contents,
        reasons=(("no such field", 3),),
        late=(("beaconing", 1200),),
        failed=2,
        reading=dataclasses.replace(contents.reading, rules=None),
    )
    text = Page.of(facts(changed)).text
    assert "3 lines could not be read: no such field" in text
    assert "1,200 rows came too late for beaconing" in text
    assert "2 windows could not be evaluated" in text
    assert "the rules do not check now" in text
    assert "Every line was read" not in text


def test_an_empty_state(quiet):
    text = Page.of(facts(dataclasses.replace(quiet, logs=(), first_us=None, last_us=None))).text
    assert "there are no rows" in text
    assert "no alerts" in text
