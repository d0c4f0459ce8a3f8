"""The signature: the secret, the body and the time are in it; the window is the receiver's."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from aegis_plugins.sinks.webhook.signing import SIGNATURE, TIMESTAMP, signed, verify

BODY, NOW_S = b'{"a": 1}', 1_790_000_000.7


def test_it_is_what_the_document_says():
    headers = signed(BODY, ["s"], NOW_S)
    right = hmac.new(b"s", b"1790000000." + BODY, hashlib.sha256).hexdigest()
    assert headers == {TIMESTAMP: "1790000000", SIGNATURE: f"v1={right}"}
    assert signed(BODY, [], NOW_S) == {}


@pytest.mark.parametrize(
    ("body", "secret", "later_s", "right"),
    [
        (BODY, "s", 0, True),
        (BODY, "s", 299, True),
        (BODY, "s", 302, False),
        (BODY, "s", -302, False),
        (BODY + b" ", "s", 0, False),
        (BODY, "t", 0, False),
    ],
)
def test_who_knows_the_secret_tells_what_was_changed_or_kept(body, secret, later_s, right):
    assert verify(body, signed(BODY, ["s"], NOW_S), secret, NOW_S + later_s) is right


def test_while_a_secret_is_changed_both_hold():
    headers = {name.lower(): value for name, value in signed(BODY, ["old", "new"], NOW_S).items()}
    assert verify(BODY, headers, "old", NOW_S) and verify(BODY, headers, "new", NOW_S)
    assert not verify(BODY, headers, "older", NOW_S)


def test_a_time_that_was_changed_is_none():
    headers = signed(BODY, ["s"], NOW_S)
    assert not verify(BODY, headers | {TIMESTAMP: "1790000001"}, "s", NOW_S)
    for odd in ("", "-1", "1e9", "²", "soon"):
        assert not verify(BODY, headers | {TIMESTAMP: odd}, "s", NOW_S)
    assert not verify(BODY, {}, "s", NOW_S)
