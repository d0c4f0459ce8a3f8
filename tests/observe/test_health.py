"""Alive and ready: why not, and what else is wrong."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from aegis_enrich.observe.health import Health
from aegis_enrich.observe.vitals import Lag, Rules, Sample, Vitals


@pytest.fixture
def vitals() -> Vitals:
    """Of a run that goes on with two logs."""
    found = Vitals(sources=("dmz",), phase="running", rules=Rules(26, 25, "", 0.0))
    found.sample = Sample(lag={("dmz", "conn"): Lag(10, 2.5), ("dmz", "dns"): Lag(0, 0.0)})
    found.beat()
    return found


def health(vitals, lanes=None) -> Health:
    return Health(vitals, lambda: lanes or {}, stall_s=60)


def test_a_run_that_goes_on_is_alive_and_ready(vitals):
    assert health(vitals).alive().ok
    told = health(vitals).ready()
    assert (told.ok, told.because, told.beside) == (True, (), ())
    assert told.document()["facts"] | {} == {
        "phase": "running",
        "sensors": ["dmz"],
        "logs": 2,
        "lag_bytes": 10,
        "lag_s": 2.5,
        "rules": {"detectors": 26, "rows": 25},
    }


def test_a_loop_that_hangs_is_neither(vitals):
    assert vitals.beat_s is not None
    vitals.beat_s -= 61
    assert health(vitals).alive().because == ("the engine's loop has not gone round for 61 s",)
    assert not health(vitals).ready().ok


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"phase": "starting"}, "it is starting"),
        ({"phase": "stopping"}, "it is stopping"),
        ({"rules": None}, "no rules are in force"),
        ({"paused": True}, "the disk is full"),
    ],
)
def test_it_is_not_ready_while(vitals, change, why):
    for name, value in change.items():
        setattr(vitals, name, value)
    told = health(vitals).ready()
    assert not told.ok and told.because[0].startswith(why)
    assert health(vitals).alive().ok


def test_what_does_not_make_it_unready_is_said(vitals):
    """Restarting it, or taking it out of service, would mend none of these."""
    vitals.rules = Rules(26, 25, "", 0.0, "x.yml:3: odd")
    vitals.sample = Sample(disabled=("geo",))
    lanes = {"elasticsearch": [SimpleNamespace(failures=3)], "ndjson": [SimpleNamespace(failures=0)]}
    told = health(vitals, lanes).ready()
    assert told.ok
    assert [said.split(":")[0] for said in told.beside] == [
        "no logs yet",
        "the rules on disk do not check, older ones are in force",
        "enricher geo is disabled after too many failures",
        "elasticsearch takes no documents just now; they wait",
    ]
