"""Dead letters: whole where they can be, chosen by what they are, ordered about from beside the writer."""

from __future__ import annotations

import json

import pytest

from aegis_enrich.errors import StateError
from aegis_enrich.plugin import Document
from aegis_enrich.store import DeadLetter
from aegis_enrich.store import letters as module
from aegis_enrich.store.letters import (
    ORDERS,
    Selection,
    carry_out,
    letters,
    number_to_replay,
    order,
    refuse,
    take_orders,
    to_replay,
)


@pytest.fixture
def filled(store):
    """Two lines, two alerts and a row."""
    store.flush([], [], [DeadLetter("/logs/conn.log", n, b"bad \xff" * 2_000, "no JSON") for n in (3, 9)])
    alerts = [
        (Document("alert", f"a{n}", n, {"event": {"id": f"a{n}"}, "x": "é\ud800"}), n, "400 no ip") for n in (1, 2)
    ]
    with store.transaction() as tx:
        refuse(tx, "es:https://es", alerts)
        refuse(tx, "es:https://es#conn", [(Document("row", "seg-7", 0, {"ts": 1}), 7, "400 no ts")], "conn")
    return store


def ids(store, **selection):
    return [letter.id for letter in letters(store, Selection(**selection))]


def test_a_refused_document_is_kept_whole_with_what_it_is(filled):
    *_, alert, row = letters(filled, Selection(kind="document"))
    assert (alert.origin, alert.offset, alert.kind, alert.document, alert.revision) == (
        "sink:es:https://es",
        2,
        "alert",
        "a2",
        2,
    )
    assert alert.as_document() == Document("alert", "a2", 2, {"event": {"id": "a2"}, "x": "é?"})
    assert (row.table, row.whole, row.attempts, row.replay) == ("conn", True, 1, False)
    assert row.at_us > 1_700_000_000 * 10**6


def test_one_that_is_too_large_is_cut_and_says_so(store, monkeypatch):
    monkeypatch.setattr(module, "REFUSED_BYTES", 10)
    with store.transaction() as tx:
        refuse(tx, "es", [(Document("alert", "a", 1, {"text": "x" * 100}), 1, "no")])
    (letter,) = letters(store, Selection())
    assert (len(letter.body), letter.whole) == (10, False)


def test_letters_are_chosen_by_what_they_are(filled):
    assert ids(filled) == [1, 2, 3, 4, 5]
    assert ids(filled, kind="line") == [1, 2] and ids(filled, kind="document") == [3, 4, 5]
    assert ids(filled, origin="conn.log") == [1, 2] and ids(filled, origin="#conn") == [5]
    assert ids(filled, reason="no ip", upto=3) == [3] and ids(filled, ids=(2, 5, 99)) == [2, 5]
    assert ids(filled, reason="%") == []


def test_only_whole_documents_are_marked_to_go_again_and_of_their_sink(filled):
    with filled.transaction() as tx:
        assert carry_out(tx, "replay", Selection()) == 3
    assert [x.id for x in to_replay(filled, "es:https://es", 10)] == [3, 4, 5]
    assert number_to_replay(filled, "es:https://es") == 3
    assert to_replay(filled, "es:https", 10) == [] and number_to_replay(filled, "other") == 0


def test_orders_are_carried_out_once(filled):
    order(filled.root, "drop", Selection(kind="line"))
    order(filled.root, "replay", Selection(ids=(4,)))
    assert take_orders(filled) == 3
    assert ids(filled) == [3, 4, 5] and [x.id for x in to_replay(filled, "es:https://es", 9)] == [4]
    with filled.transaction() as tx:
        tx.execute("UPDATE dead_letters SET replay = 0")
    assert take_orders(filled) == 0
    order(filled.root, "drop", Selection(upto=3))
    assert take_orders(filled) == 1 and ids(filled) == [4, 5]


def test_an_order_is_carried_out_whole_or_again_after_a_crash(filled):
    order(filled.root, "drop", Selection())

    def die(point: str) -> None:
        if point == "before commit":
            raise KeyboardInterrupt

    filled.crash = die
    with pytest.raises(KeyboardInterrupt):
        take_orders(filled)
    filled.crash = lambda point: None
    assert len(ids(filled)) == 5 and take_orders(filled) == 5


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{}", b"null", b'{"do": "burn"}', b'{"do": "drop", "x": 1}', b"\xff\x00"]
)
def test_what_is_no_order_changes_nothing_and_the_next_counts(filled, line):
    (filled.root / ORDERS).write_bytes(line + b"\n")
    order(filled.root, "drop", Selection(ids=(1,)))
    take_orders(filled)
    assert ids(filled) == [2, 3, 4, 5]


def test_a_line_that_is_being_written_is_taken_once_it_is_whole(filled):
    whole = json.dumps({"do": "drop", "ids": [1]}).encode() + b"\n"
    (filled.root / ORDERS).write_bytes(whole[:9])
    assert take_orders(filled) == 0
    (filled.root / ORDERS).write_bytes(whole)
    assert take_orders(filled) == 1


def test_who_may_not_write_beside_the_state_is_told(filled, monkeypatch):
    def no(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", no)
    with pytest.raises(StateError, match="say it as the user that runs"):
        order(filled.root, "drop", Selection())
