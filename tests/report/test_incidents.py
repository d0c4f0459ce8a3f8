import dataclasses

from html_page import Page

from aegis_enrich.report import incidents as module
from aegis_enrich.report.contents import Told
from aegis_enrich.report.incidents import cards, incidents


def test_an_incident_is_told_from_its_summary_to_what_to_do(contents):
    read = Page.of(incidents(contents))
    assert "7 alerts of the sensor" in read.text
    titles = [e.text for e in read.elements if e.name in ("h4", "b", "h5") and not e.text.isdigit()]
    assert titles[:2] == ["Who did what to whom", "The story"]
    assert titles[2].endswith("Reconnaissance") and "Exfiltration" in titles[8]
    assert titles[9:] == [
        "What to do next",
        "What would confirm it",
        "What would refute it",
        "How sure",
        "Why this risk",
    ]
    text = read.text
    assert "13 s later 10.10.0.14, which had just been entered, goes on." in text


def test_uids_stand_apart_from_the_sentence(contents):
    apart = [e.text for e in Page.of(incidents(contents)).elements if e.attributes.get("class") == "uids"]
    assert any(u.startswith("C0vjbT3TsRlwVMv9Ti, ") for u in apart)
    assert not any("]" in u for u in apart)


def test_no_incident_no_section(quiet):
    assert incidents(quiet) == ""


def test_stages_are_drawn_where_the_picture_above_is_of_several(contents):
    (told,) = contents.incidents
    assert "Stages in time" not in incidents(contents)
    two = dataclasses.replace(contents, incidents=(told, told), incident_count=2)
    assert incidents(two).count("Stages in time") == 2


def test_those_without_a_story_are_a_line_each(contents):
    (told,) = contents.incidents
    rest = tuple(Told(told.document, None) for _ in range(3))
    page = Page.of(incidents(dataclasses.replace(contents, incidents=(told, *rest), incident_count=9)))
    assert len(page.all("article")) == 1
    assert page.text.count("Break-in by guessing: 203.0.113.66") == 4
    assert "5 incidents of less risk are left out." in page.text


def test_stories_have_a_budget(contents, monkeypatch):
    monkeypatch.setattr(module, "BUDGET", 1)
    two = dataclasses.replace(contents, incidents=contents.incidents * 4, incident_count=4)
    assert len(Page.of(incidents(two)).all("article")) == 1


def test_a_long_stage_is_folded_and_then_cut(contents):
    sentences = tuple(f"Sentence {n}." for n in range(100))
    story = dataclasses.replace(contents.incidents[0].story, chapters=(("2026-11-22 02:28:46  discovery", sentences),))
    told = (Told(contents.incidents[0].document, story),)
    page = Page.of(incidents(dataclasses.replace(contents, incidents=told)))
    assert "92 more sentences" in page.text
    assert "Sentence 47." in page.text and "Sentence 48." not in page.text
    assert "52 sentences more are left out" in page.text


def test_what_analysts_said_is_told(contents):
    (told,) = contents.incidents
    document = {**told.document, "aegis": {**told.document["aegis"], "triage": {"status": "closed"}}}
    story = dataclasses.replace(told.story, triage=("closed since yesterday by Ada.",))
    text = Page.of(incidents(dataclasses.replace(contents, incidents=(Told(document, story),)))).text
    assert "marked closed" in text and "by Ada" in text


def test_cards_are_the_worst_in_a_line_each(contents):
    page = Page.of(cards(contents.incidents * 3, 2))
    assert len(page.all("li")) == 2
    assert page.all("a")[0].attributes["href"] == f"#i-{contents.incidents[0].document['event']['id'][:12]}"
    assert "99 % sure · 7 alerts" in page.text
