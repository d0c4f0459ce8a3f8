"""The fields of incident documents; that documents have them is tested with the document."""

from aegis_enrich.correlate.fields import FIELDS


def test_what_alerts_have_too_is_of_the_same_type_and_the_rest_is_of_incidents():
    assert FIELDS["event.risk_score"] == "float" and FIELDS["related.ip"] == "ip"
    assert not any(f.startswith(("source.", "destination.", "rule.")) for f in FIELDS)
