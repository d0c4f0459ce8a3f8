"""What people are told of an alert: by what was told before, over restarts and gaps."""

from __future__ import annotations

import pytest

from aegis_enrich.deliver import choice as module
from aegis_enrich.deliver.choice import Choice
from aegis_enrich.plugin import Document


def doc(id_="a", severity=47, status="open", revision=1, kind="alert"):
    return Document(kind, id_, revision, {"event": {"id": id_, "severity": severity}, "aegis": {"status": status}})


def events(choice, *documents):
    found = []
    for document in documents:
        found.append(choice.event(document))
        choice.note(document)
    return found


def test_the_life_of_an_alert():
    life = [doc(), doc(), doc(severity=73), doc(severity=47), doc(status="closed"), doc(status="closed"), doc()]
    expected = ["open", "update", "severity", "update", "close", "update", "update"]
    assert events(Choice("low", ["open"]), *life) == expected


def test_below_the_least_severity_nothing_is_told_until_it_rises():
    found = events(Choice("high", ["open"]), doc(), doc(status="closed"), doc(severity=73), doc(severity=99))
    assert found == [None, None, "open", "severity"]


def test_the_newest_revision_of_one_that_nobody_heard_of_is_its_opening_even_where_it_is_over():
    assert events(Choice("low", ["open"]), doc(revision=9, status="closed"), doc(revision=10)) == ["open", "update"]


def test_alerts_and_incidents_of_the_same_id_are_two():
    assert events(Choice("low", ["open"]), doc(), doc(kind="incident")) == ["open", "open"]


def test_a_restart_knows_what_was_told():
    before = Choice("low", ["open"])
    events(before, doc(), doc("b", severity=99, status="closed"))
    after = Choice("low", ["open"])
    after.resume(before.mark())
    assert events(after, doc(), doc("b", severity=99), doc("c")) == ["update", "update", "open"]
    after.resume("")
    assert events(after, doc()) == ["open"]


def test_it_remembers_so_many_and_forgets_what_is_over_first(monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED", 3)
    choice = Choice("low", ["open"])
    events(choice, doc("a"), doc("b", status="closed"), doc("c"), doc("d"))
    assert [choice.event(doc(name)) for name in "abcd"] == ["update", "open", "update", "update"]
    events(choice, doc("e"))
    assert [choice.event(doc(name)) for name in "acde"] == ["open", "update", "update", "update"]


@pytest.mark.parametrize(("event", "told"), [("open", True), ("close", True), ("update", False), (None, False)])
def test_only_what_was_asked_for_is_told(event, told):
    assert Choice("low", ["open", "close"]).is_told(event) is told
