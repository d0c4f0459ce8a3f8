"""What doctor says of the listener: ready, not ready and why, silent, or another program."""

from __future__ import annotations

import dataclasses
import socket

import pytest

from aegis_enrich.config import Config, Metrics
from aegis_enrich.doctor.listener import listener
from aegis_enrich.observe.health import Health
from aegis_enrich.observe.server import Listener
from aegis_enrich.observe.vitals import Rules, Vitals


def said(listen: str) -> list[tuple[str, str]]:
    return [(c.level, c.what) for c in listener(dataclasses.replace(Config(), metrics=Metrics(listen=listen)))]


@pytest.fixture
def vitals():
    found = Vitals(phase="running", rules=Rules(1, 1, "", 0.0, "x.yml: odd"))
    found.beat()
    return found


@pytest.fixture
def port(vitals):
    listening = Listener(("127.0.0.1", 0), lambda accept: (b"", ""), Health(vitals, dict, stall_s=60))
    yield int(listening.url.rpartition(":")[2])
    listening.close()


def test_without_a_listener_nothing_is_said():
    assert said("") == []


def test_one_that_is_ready_and_what_is_wrong_beside(port):
    url = f"http://127.0.0.1:{port}/readyz"
    assert said(f"0.0.0.0:{port}") == [
        ("note", f"{url}: no logs yet: waiting for the sensor to write"),
        ("note", f"{url}: the rules on disk do not check, older ones are in force: x.yml: odd"),
        ("ok", f"{url} is ready"),
    ]


def test_one_that_is_not_ready_says_why(port, vitals):
    vitals.paused = True
    assert ("problem", f"http://127.0.0.1:{port}/readyz is not ready: the disk is full") in [
        (level, what.partition(" (")[0]) for level, what in said(f":{port}")
    ]


def test_nobody_there_is_a_note_and_a_wrong_address_a_problem():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ((level, what),) = said(f":{port}")
    assert level == "note" and f"http://127.0.0.1:{port}/readyz does not answer" in what
    assert said("nowhere")[0][0] == "problem"
