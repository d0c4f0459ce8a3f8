"""RFC 5424 by its grammar."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_plugins.sinks.syslog.rfc5424 import FACILITIES, Header, cut, encoded, escaped, message, name, old_message

HEADER = Header("local0", 99, "2026-11-21T15:00:00.123456Z", "host", "app", "alert")
# The ABNF of RFC 5424, 6: PRI VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP SD [SP MSG]
GRAMMAR = re.compile(
    rb"<(\d{1,3})>1 (-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) ([!-~]{1,255}) ([!-~]{1,48})"
    rb" ([!-~]{1,128}) ([!-~]{1,32})"
    rb' (-|(?:\[[!#-<>-\\^-~]{1,32}(?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\])+)'
    rb" (.*)",
    re.DOTALL,
)


@pytest.mark.parametrize(
    ("facility", "severity", "priority"),
    [("kern", 99, 2), ("local0", 73, 131), ("local7", 21, 189), ("authpriv", 47, 84)],
)
def test_priorities(facility, severity, priority):
    assert Header(facility, severity, "", "h", "a").priority == f"<{priority}>"
    assert FACILITIES["local7"] == 23


def test_what_is_missing_is_nil():
    assert message(Header("user", 0, "", "", ""), {}, "x") == b"<13>1 - - - - - - x"


@given(host=st.text(max_size=300), app=st.text(max_size=60), value=st.text(max_size=80), body=st.text(max_size=80))
def test_every_message_is_of_the_grammar_and_on_one_line(host, app, value, body):
    header = Header("local0", 73, HEADER.time, host, app, "alert")
    whole = message(header, {"aegis@32473": {"id": value, "none": ""}}, body)
    match = GRAMMAR.fullmatch(whole)
    assert match and b"\n" not in whole and b"\r" not in whole and b"\0" not in whole
    assert match[8].startswith(b"\xef\xbb\xbf") != body.isascii()
    whole.decode()


@given(st.text(max_size=50))
def test_a_value_comes_back_as_it_was_shown(text):
    back = re.sub(r'\\(["\\\]])', r"\1", escaped(text))
    assert back.encode() == encoded(text)


@given(st.text(min_size=200, max_size=400), st.integers(10, 300))
def test_a_message_is_cut_between_characters(text, most):
    found = cut(text.encode("utf-8", "replace"), most)
    assert len(found) <= most or len(text.encode("utf-8", "replace")) <= most
    found.decode()


def test_names_are_printable_ascii():
    assert name("sensör 1\n", 255) == "sens?r?1?" and name("", 9) == "-" and name("x" * 99, 9) == "x" * 9


def test_the_older_header():
    assert old_message(HEADER, "CEF:0|") == b"<130>Nov 21 15:00:00 host CEF:0|"
    assert old_message(Header("user", 21, "2026-12-01T00:00:00Z", "h", "a"), "x") == b"<13>Dec  1 00:00:00 h x"
    assert old_message(Header("user", 21, "", "h", "a"), "x").startswith(b"<13>Jan  1 00:00:00")
