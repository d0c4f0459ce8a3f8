"""systemd's protocol over a real datagram socket, and from a real `watch`."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from aegis_enrich.observe.notify import Notifier


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_it_says_ready_with_a_status_of_one_line(manager):
    Notifier({"NOTIFY_SOCKET": manager.name}).ready("two\nREADY=0 lines")
    assert manager.socket.recv(4096).decode() == "READY=1\nSTATUS=two READY=0 lines"


def test_a_reload_is_stamped_as_systemd_wants_it(manager):
    Notifier({"NOTIFY_SOCKET": manager.name}).reloading()
    first, stamp = manager.socket.recv(4096).decode().splitlines()
    assert first == "RELOADING=1"
    assert int(stamp.removeprefix("MONOTONIC_USEC=")) > 0


def test_the_watchdog_hears_of_rounds_at_a_quarter_of_its_time_and_of_nothing_else(manager):
    clock = Clock()
    environment = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "40000000", "WATCHDOG_PID": str(os.getpid())}
    notifier = Notifier(environment, clock=clock)
    for step in (0, 1, 8.9, 0.1, 10):
        clock.now_s += step
        notifier.beat(lambda: "going")
    manager.socket.setblocking(False)
    heard = []
    with pytest.raises(BlockingIOError):
        while True:
            heard.append(manager.socket.recv(4096).decode())
    assert heard.count("WATCHDOG=1") == 3
    assert heard.count("STATUS=going") == 3


def test_a_watchdog_of_another_process_is_not_ours(manager):
    notifier = Notifier({"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"})
    notifier.beat(lambda: "going")
    assert manager.socket.recv(4096).decode() == "STATUS=going"


def test_no_child_speaks_for_it():
    environment = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "PATH": "/bin"}
    Notifier(environment)
    assert environment == {"PATH": "/bin"}


@pytest.mark.parametrize("name", ["", "/nowhere/socket"])
def test_without_a_manager_nothing_happens(name):
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.ready("here")
    notifier.beat(lambda: "here")
    notifier.stopping("gone")


@pytest.mark.parametrize("manager", ["abstract"], indirect=True)
def test_a_watch_says_ready_then_rounds_then_reloading_then_stopping(watch, manager, lab):
    running = watch(environment={"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000"})
    before = manager.hear("READY=1", running)
    assert not any("WATCHDOG" in message for message in before)  # it is not watched before its loop goes round
    assert before[-1].splitlines()[1] == "STATUS=waiting for logs"
    shutil.copy(lab / "multistage" / "tsv" / "http.log", running.logs)
    manager.hear("WATCHDOG=1", running)
    running.process.send_signal(signal.SIGHUP)
    heard = manager.hear("READY=1", running)
    assert any(message.startswith("RELOADING=1\nMONOTONIC_USEC=") for message in heard)
    running.process.send_signal(signal.SIGTERM)
    manager.hear("STOPPING=1", running)
    assert running.process.wait(60) == 0


@pytest.mark.parametrize("manager", ["file"], indirect=True)
def test_a_loop_that_hangs_is_silent(watch, manager):
    """The watchdog is fed by the loop alone: a process that is stopped, or whose loop hangs, does not feed it."""
    running = watch(environment={"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000"})
    manager.hear("WATCHDOG=1", running)
    running.process.send_signal(signal.SIGSTOP)
    manager.socket.settimeout(1.0)
    with pytest.raises(TimeoutError):
        while True:  # what was sent before the stop
            manager.socket.recv(4096)
    running.process.send_signal(signal.SIGCONT)
    manager.hear("WATCHDOG=1", running)
