"""Fields of a document as text: on one line, every character of it showing."""

from __future__ import annotations

import pytest

from aegis_enrich.deliver.texts import derived, plain, severity, text, value
from aegis_enrich.plugin import Document

BODY = {
    "message": "Port\nscan",
    "event": {"severity": 73, "risk_score": 65.5, "reason": "it \u202eprobed"},
    "threat": {"technique": {"id": ["T1"], "subtechnique": {"id": ["T1.001", "T2"]}}},
    "aegis": {"attack": [{"tactic": {"id": "TA1"}}, {"tactic": {"id": "TA2"}}, {}], "status": "open"},
    "observer": {"name": ["dmz"]},
}


def test_fields_by_dotted_names():
    assert value(BODY, "event.severity") == 73
    assert value(BODY, "event.none.more") is None
    assert value(BODY, "aegis.attack.tactic.id") == ["TA1", "TA2"]
    assert text(BODY, "message") == "Port scan"
    assert text(BODY, "event.reason") == "it \\u202eprobed"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (None, ""),
        (True, "true"),
        (3, "3"),
        (["a", "b\n"], "a, b "),
        (list(range(25)), ", 19 and 5 more"),
        ("x" * 9, ""),
    ],
)
def test_values_as_text(given, shown):
    assert plain(given).endswith(shown)


def test_what_templates_may_name():
    known = derived(Document("alert", "i", 4, BODY), "open")
    assert (known["severity"], known["techniques"], known["delivery"]) == ("high", "T1.001, T2", "alert-i-4")
    assert severity({"event": {"severity": 50}}) == "50" and severity({}) == ""
