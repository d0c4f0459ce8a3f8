from itertools import pairwise

import pytest

from aegis_enrich.detect.evaluate import Limits
from aegis_enrich.report.lake import Lake
from aegis_enrich.report.rhythm import _asked, _merged, is_rhythm, rhythm, rhythms
from aegis_enrich.store import Store


def test_the_calls_of_a_beacon_are_read_again(contents):
    (found,) = contents.beacons
    evidence = found.alert["aegis"]["evidence"]
    assert len(found.calls) == evidence["dials"] == 30
    assert [b for b, _ in found.gaps] == list(found.calls[1:])
    assert found.gaps[0][1] == (found.calls[1] - found.calls[0]) / 1e6
    assert all(a < b for a, b in pairwise(found.calls))


def test_only_alerts_on_gaps_have_a_rhythm(contents):
    assert [a["rule"]["id"] for a in contents.alerts if is_rhythm(a)] == ["beaconing"]


def test_alerts_of_several_days_on_one_pair_are_one(contents):
    (alert,) = filter(is_rhythm, contents.alerts)
    other = {**alert, "aegis": {**alert["aegis"], "entity": {"orig_h": "10.0.0.9", "key": "x"}}}
    assert rhythms([alert, other, alert]) == [(alert, alert), (other,)]


def test_rows_that_are_gone_leave_no_call(contents, tmp_path):
    (alert,) = filter(is_rhythm, contents.alerts)
    with Store(tmp_path) as store:
        assert rhythm(Lake(store, Limits()), [alert]).calls == ()


@pytest.mark.parametrize(
    ("key", "query", "some"),
    [
        ("c2.test", "calls_by_name", {"name": "c2.test"}),
        ("192.0.2.1", "calls_by_name", {"name": "192.0.2.1"}),
        ("fd00::1", "calls_by_name", {"name": "fd00::1"}),
        ("192.0.2.1:443/tcp", "calls_by_socket", {"servers": ["192.0.2.1"], "ports": [443], "proto": "tcp"}),
        ("fd00::1:443/udp", "calls_by_socket", {"servers": ["fd00::1"], "ports": [443], "proto": "udp"}),
        ("192.0.2.1:*", "calls_by_socket", {"servers": ["192.0.2.1"], "ports": [1, 2], "apart": False}),
        ("peers", "calls_by_socket", {"servers": ["192.0.2.7"], "apart": True}),
        ("", "calls_by_socket", {"servers": ["192.0.2.7"], "apart": True}),
    ],
)
def test_a_key_says_what_was_called(key, query, some):
    name, values = _asked(key, {"servers_sample": ["192.0.2.7"], "ports": [1, 2]})
    assert name == query
    assert some.items() <= values.items()


def test_calls_of_one_moment_are_one():
    assert _merged([0, 5, 9, 100, 104, 300], 10) == [0, 100, 300]
    assert _merged([], 10) == []
