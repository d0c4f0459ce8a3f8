import json

import pytest

from aegis_enrich.evaluate import labelled_acts
from aegis_enrich.evaluate.labels import label_of


@pytest.mark.parametrize(
    ("extra", "label"),
    [
        ({"label": "Malicious", "detailedlabel": "CC"}, "CC"),
        ({"label": "Malicious", "detailed-label": "PartOfAHorizontalPortScan"}, "PartOfAHorizontalPortScan"),
        ({"label": "malicious", "detailedlabel": "(empty)"}, "malicious"),
        ({"label": "Malicious"}, "malicious"),
        ({"tunnel_parents   label   detailed-label": "(empty)   Malicious   C&C"}, "C&C"),
        ({"tunnel_parents   label   detailed-label": "(empty)   Benign   -"}, None),
        ({"label": "Benign", "detailedlabel": "Malicious"}, None),
        ({"vlan": 3}, None),
    ],
)
def test_the_label_of_a_row(extra, label):
    assert label_of(json.dumps(extra)) == label


def test_an_act_per_source_and_label():
    bad, worse = (json.dumps({"label": "Malicious", "detailedlabel": what}) for what in ("CC", "DDoS"))
    rows = [("10.0.0.1", bad, 5, 9), ("10.0.0.1", bad, 2, 3), ("10.0.0.1", worse, 1, 1), ("10.0.0.2", bad, 7, 7)]
    acts = labelled_acts([*rows, ("10.0.0.3", '{"label":"Benign"}', 1, 2)])
    assert [(a.what, "10.0.0.1" in a.who, a.start_us, a.end_us) for a in acts] == [
        ("CC", True, 2, 9),
        ("DDoS", True, 1, 1),
        ("CC", False, 7, 7),
    ]
    assert all(a.whom is None and a.expected for a in acts)
