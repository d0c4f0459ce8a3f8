"""The listener: where it listens, what it answers, and that nobody can hold it up."""

from __future__ import annotations

import json
import socket
import time

import pytest

from aegis_enrich.errors import ConfigError
from aegis_enrich.observe import server as module
from aegis_enrich.observe.health import Health
from aegis_enrich.observe.server import Listener, address
from aegis_enrich.observe.vitals import Vitals

from .conftest import fetch


@pytest.fixture
def vitals() -> Vitals:
    return Vitals(sources=("sensor",))


@pytest.fixture
def listen(vitals):
    """Starts a listener on a free port; all end with the test."""
    begun = []

    def start(page=lambda accept: (b"aegis_x 1\n", "text/plain"), where=("127.0.0.1", 0)):
        begun.append(Listener(where, page, Health(vitals, dict, stall_s=60)))
        return begun[-1]

    yield start
    for listener in begun:
        listener.close()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (":9108", ("127.0.0.1", 9108)),
        ("9108", ("127.0.0.1", 9108)),
        ("0.0.0.0:9108", ("0.0.0.0", 9108)),
        ("[::1]:0", ("::1", 0)),
        ("sensor.example:80", ("sensor.example", 80)),
    ],
)
def test_a_bare_port_is_of_this_machine_only(text, where):
    assert address(text) == where


@pytest.mark.parametrize("text", ["", "here", "1.2.3.4", "1.2.3.4:", ":70000", ":-1", ":٣"])
def test_what_is_no_address_is_said(text):
    with pytest.raises(ConfigError, match="write :9108"):
        address(text)


def test_a_port_that_is_taken_is_said_at_once(listen):
    port = int(listen().url.rpartition(":")[2])
    with pytest.raises(ConfigError, match=f"127.0.0.1:{port}: cannot listen: .*another --metrics"):
        listen(where=("127.0.0.1", port))


def test_it_answers_three_paths_and_says_which_where_asked_for_another(listen, vitals):
    url = listen().url
    assert fetch(f"{url}/metrics?x=1") == (200, "aegis_x 1\n")
    assert fetch(f"{url}/healthz")[0] == 200
    assert fetch(f"{url}/readyz")[0] == 503
    assert fetch(f"{url}/state.db") == (404, "/metrics /healthz /readyz\n")
    assert json.loads(fetch(f"{url}/readyz")[1])["because"] != []


def test_what_raises_is_an_answer_too(listen, caplog):
    def page(accept: str):
        raise ZeroDivisionError

    assert fetch(f"{listen(page).url}/metrics") == (500, "an error of AegisEnrich; its log has more\n")
    assert "/metrics could not be answered" in caplog.text


def test_clients_that_say_nothing_are_let_go_and_are_bounded(listen, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 4)
    listener = listen()
    host, _, port = listener.url.removeprefix("http://").rpartition(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(12)]
    try:
        end_s = time.monotonic() + 30
        answered = None
        while answered is None and time.monotonic() < end_s:
            try:
                answered = fetch(f"{listener.url}/metrics")[0]
            except OSError:  # there is no room just now
                time.sleep(0.2)
        assert answered == 200
    finally:
        for each in idle:
            each.close()


def test_it_closes_while_a_client_hangs(listen):
    listener = listen()
    host, _, port = listener.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port))) as hanging:
        hanging.sendall(b"GET /metrics HTTP/1.1\r\nHost:")
        begun_s = time.monotonic()
        listener.close()
        assert time.monotonic() - begun_s < 3


@pytest.fixture(autouse=True)
def close_once(monkeypatch):
    """A test may close what the fixture closes."""
    closed = set()
    close = Listener.close

    def once(self):
        if self not in closed:
            closed.add(self)
            close(self)

    monkeypatch.setattr(Listener, "close", once)
