"""What the rules in force say on how to investigate, with the alert's own columns in it."""

from types import SimpleNamespace

from correlate.conftest import made

from aegis_enrich.correlate.advice import adviser
from aegis_enrich.decide.investigate import Investigate


def test_the_alert_s_columns_are_filled_in(store, put):
    doc = made("port_scan", "10.0.0.5", "10.0.0.6", ports=7)
    put(doc)
    rules = {"port_scan": SimpleNamespace(investigate=Investigate(confirm=("{orig_h} probed {evidence.ports} ports",)))}
    advice = adviser(store, rules)
    assert advice({"rule": "port_scan", "id": doc["event"]["id"]}).confirm == ("10.0.0.5 probed 7 ports",)
    assert advice({"rule": "port_scan", "id": "gone"}) is None
    assert advice({"rule": "gone", "id": doc["event"]["id"]}) is None
