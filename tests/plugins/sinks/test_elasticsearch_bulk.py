"""Requests of a bearable size, and an outcome for each document of them."""

from __future__ import annotations

import json

import pytest

from aegis_enrich.errors import SinkError
from aegis_plugins.sinks.elasticsearch import bulk
from aegis_plugins.sinks.elasticsearch.bulk import Later, Pace, TooLarge, action, outcome, send, take


def actions(number, size_bytes=100):
    return [action("create", {"_index": "i", "_id": str(n)}, {"n": n, "fill": "x" * size_bytes}) for n in range(number)]


def ids(lines):
    return [json.loads(line)["create"]["_id"] for line in lines[::2]]


def stored(lines):
    return [{"create": {"status": 201}} for _ in lines[::2]]


def parted(many):
    """As `send` takes them where all goes well."""
    done = 0
    while done < len(many):
        chunk = take(many, done, bulk.MAX_ACTIONS, bulk.MAX_BYTES)
        done += len(chunk)
        yield chunk


def test_an_action_is_two_lines_of_json() -> None:
    made = action("index", {"_id": "a"}, {"text": "ü\n\ud800"})
    assert json.loads(made.head) == {"index": {"_id": "a"}}
    assert json.loads(made.body) == {"text": "ü\n?"}
    assert b"\n" not in made.head + made.body


def test_chunks_keep_the_order_and_both_limits(monkeypatch) -> None:
    monkeypatch.setattr(bulk, "MAX_BYTES", 1000)
    monkeypatch.setattr(bulk, "MAX_ACTIONS", 5)
    many = [*actions(12, 10), *actions(1, 5000), *actions(12, 150)]
    made = list(parted(many))
    assert [a for chunk in made for a in chunk] == many
    assert all(len(c) <= 5 and (len(c) == 1 or sum(a.size_bytes for a in c) <= 1000) for c in made)
    assert max(len(c) for c in made) == 5
    assert not list(parted([]))


def test_a_request_that_is_too_large_is_halved_until_it_fits_and_keeps_its_order(monkeypatch) -> None:
    sent = []

    def post(lines):
        if len(lines) > 6 or ("5" in ids(lines) and len(lines) > 2):
            raise TooLarge("413")
        if ids(lines) == ["5"]:
            raise TooLarge("too large")
        sent.extend(ids(lines))
        return stored(lines)

    outcomes = send(post, actions(16))
    assert outcomes == [("refused", "too large") if n == 5 else ("stored", "") for n in range(16)]
    assert sent == [str(n) for n in range(16) if n != 5]


def test_once_the_server_pushes_back_the_rest_waits(monkeypatch) -> None:
    monkeypatch.setattr(bulk, "MAX_ACTIONS", 2)
    asked = []

    def post(lines):
        asked.append(ids(lines))
        if len(asked) == 2:
            return [{"create": {"status": 201}}, {"create": {"status": 429, "error": {"type": "full", "reason": "no"}}}]
        return stored(lines)

    outcomes = send(post, actions(6), "https://es")
    assert [o for o, _ in outcomes] == ["stored", "stored", "stored", "retry", "retry", "retry"]
    assert {why for o, why in outcomes if o == "retry"} == {"https://es: answers 429 (full: no)"}
    assert len(asked) == 2


def test_a_server_that_does_not_answer_leaves_what_it_took() -> None:
    def post(lines):
        if "1000" in ids(lines):
            raise Later("does not answer")
        return stored(lines)

    outcomes = send(post, actions(1500))
    assert outcomes == [("stored", "")] * 1000 + [("retry", "does not answer")] * 500


def test_while_requests_fail_as_a_whole_they_get_smaller_and_larger_again_once_they_do_not() -> None:
    sizes, working = [], [False]

    def post(lines):
        sizes.append(len(lines) // 2)
        if not working[0]:
            raise Later("reset")
        return stored(lines)

    pace, many = Pace(), actions(100)
    for _ in range(9):
        assert send(post, many, "", pace) == [("retry", "reset")] * 100
    assert sizes == [100, 100, 50, 25, 12, 6, 3, 1, 1]
    working[0], sizes[:] = True, []
    assert send(post, many, "", pace) == [("stored", "")] * 100
    assert sizes == [1, 2, 4, 8, 16, 32, 37]


def test_what_was_too_large_once_is_not_tried_again() -> None:
    sizes = []

    def post(lines):
        sizes.append(sum(len(line) + 1 for line in lines))
        if sizes[-1] > 300_000:
            raise TooLarge("413")
        return stored(lines)

    pace = Pace()
    for _ in range(2):
        assert {o for o, _ in send(post, actions(100, 10_000), "", pace)} == {"stored"}
    assert sum(size > 300_000 for size in sizes) == 2


def test_items_that_stop_delivery_do_not_take_those_that_were_stored_with_them() -> None:
    def post(lines):
        return [
            *stored(lines[2:]),
            {"create": {"status": 403, "error": {"type": "security_exception", "reason": "no"}}},
        ]

    outcomes = send(post, actions(3), "es")
    assert [o for o, _ in outcomes] == ["stored", "stored", "retry"] and "privileges" in outcomes[2][1]
    with pytest.raises(SinkError, match="privileges"):
        send(post, actions(1), "es")


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ({"status": 201}, "stored"),
        ({"status": 200}, "stored"),
        ({"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "it is there"}}, "there"),
        ({"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "full"}}, "retry"),
        ({"status": 503, "error": {"type": "unavailable_shards_exception", "reason": "no primary"}}, "retry"),
        ({"status": 403, "error": {"type": "cluster_block_exception", "reason": "flood stage"}}, "retry"),
        ({"status": 400, "error": {"type": "document_parsing_exception", "reason": "no ip"}}, "refused"),
        ({"status": 404, "error": {"type": "document_missing_exception", "reason": "gone"}}, "refused"),
        ({"status": 201, "failure_store": "used"}, "refused"),
        ({"status": 201, "failure_store": "not_applicable_or_unknown"}, "stored"),
    ],
)
def test_outcomes(answer, result) -> None:
    found, why = outcome({"create": answer})
    assert found == result
    assert bool(why) == (result in ("retry", "refused"))


def test_a_refusal_names_its_causes() -> None:
    cause = {"type": "illegal_argument_exception", "reason": "'x' is not an IP"}
    error = {"type": "document_parsing_exception", "reason": "failed to\nparse [source.ip]", "caused_by": cause}
    expected = "400 document_parsing_exception: failed to parse [source.ip]: 'x' is not an IP"
    assert outcome({"index": {"status": 400, "error": error}}) == ("refused", expected)


@pytest.mark.parametrize(
    ("status", "kind", "advice"),
    [(403, "security_exception", "privileges"), (404, "index_not_found_exception", "auto_create_index")],
)
def test_what_concerns_every_document_stops_delivery(status, kind, advice) -> None:
    with pytest.raises(SinkError, match=f"^https://es: {kind}: no; .*{advice}"):
        outcome({"create": {"status": status, "error": {"type": kind, "reason": "no"}}}, "https://es")
