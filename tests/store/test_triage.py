"""What analysts say: kept in order, beside a running writer, and after a power loss."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from aegis_enrich.errors import StateError
from aegis_enrich.store.triage import Mark, Triage


def test_the_last_status_and_all_notes_are_kept(tmp_path):
    triage = Triage(tmp_path)
    assert triage.latest().of("a", {}) is None and triage.stamp() == 0
    triage.say(Mark("a", "2026-01-01T00:00:00+00:00", "closed", "a drill", "ada", 3))
    triage.say(Mark("b", "2026-01-02T00:00:00+00:00", "open", "", "bob"))
    triage.say(Mark("a", "2026-01-03T00:00:00+00:00", "open", "no drill", "bob", 4))
    said = Triage(tmp_path).latest().of("a", {})
    assert (said["status"], said["author"], said["alerts"]) == ("open", "bob", 4)
    assert [n["note"] for n in said["notes"]] == ["a drill", "no drill"]
    assert triage.stamp() > 0


def test_what_was_said_of_merged_ones_counts_in_the_order_of_time(tmp_path):
    triage = Triage(tmp_path)
    triage.say(Mark("new", "2026-01-01T00:00:00+00:00", "open", "first"))
    triage.say(Mark("old", "2026-01-02T00:00:00+00:00", "closed", "second"))
    said = triage.latest().of("new", {"new": ["old"]})
    assert said["status"] == "closed" and [n["note"] for n in said["notes"]] == ["first", "second"]


def test_a_line_that_was_cut_loses_nothing_else(tmp_path):
    triage = Triage(tmp_path)
    triage.say(Mark("a", "2026-01-01T00:00:00+00:00", "closed", "kept"))
    with triage.path.open("ab") as file:
        file.write(b'{"incident": "a", "at": "2026')
    triage.say(Mark("a", "2026-01-02T00:00:00+00:00", "open", "kept too"))
    assert [n["note"] for n in triage.latest().of("a", {})["notes"]] == ["kept", "kept too"]


@pytest.mark.parametrize("note", ["a\u2028b", "c\x85d\x1ce", "two\nlines", "half \udcff", "\u202egpj"])
def test_any_note_is_kept(tmp_path, note):
    triage = Triage(tmp_path)
    triage.say(Mark("a", "2026-01-01T00:00:00+00:00", "closed", note))
    triage.say(Mark("a", "2026-01-02T00:00:00+00:00", "open", "next"))
    kept, after = (n["note"] for n in triage.latest().of("a", {})["notes"])
    assert kept == note.replace("\udcff", "?") and after == "next"


def test_what_is_no_mark_is_passed_over(tmp_path):
    triage = Triage(tmp_path)
    triage.path.write_bytes(b'[1]\n"x"\n{"incident": 5, "at": null, "status": "open"}\n\xff\xfe\n{"no": 1}\n')
    triage.say(Mark("a", "2026-01-01T00:00:00+00:00", "closed"))
    assert list(triage.latest().marks) == ["a"]


def test_what_was_said_since_is_told_from_the_rest(tmp_path):
    triage = Triage(tmp_path)
    triage.say(Mark("a", "2026-01-01T00:00:00+00:00", "closed"))
    stamp = triage.stamp()
    assert triage.since(stamp) == set()
    triage.say(Mark("b", "2026-01-01T00:00:00+00:00", "closed"))
    assert triage.since(stamp) == {"b"} and triage.since(0) == triage.since(10**9) == {"a", "b"}


def test_many_may_speak_at_once(tmp_path):
    def speak(author: int) -> None:
        for n in range(30):
            Triage(tmp_path).say(Mark(f"i{n}", "2026-01-01T00:00:00+00:00", "closed", "x" * 500, str(author)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(speak, range(4)))
    assert sum(map(len, Triage(tmp_path).latest().marks.values())) == 120


def test_where_it_cannot_be_written_that_is_said(tmp_path):
    with pytest.raises(StateError, match="cannot be written"):
        Triage(tmp_path / "gone").say(Mark("a", "", "open"))
