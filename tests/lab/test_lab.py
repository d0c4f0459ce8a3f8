"""The scenarios are named, told and of one kind; playing them needs root and is no test."""

from __future__ import annotations

import inspect
import socket
import threading
from pathlib import Path

import pytest
from lab import lab
from lab.cable import Cable, destination
from lab.services import SITES, random_names, resolvers, sites
from lab.topology import ADDRESSES


def test_scenarios_have_a_line_that_says_what_happens() -> None:
    assert len(lab.SCENARIOS) >= 30
    for name, play in lab.SCENARIOS.items():
        assert play.__doc__ and "\n" not in play.__doc__ and play.__doc__.endswith("."), name
        assert list(inspect.signature(play).parameters) == ["lab"], name


def test_no_name_is_used_twice() -> None:
    names = [play.__name__ for module in lab.MODULES for play in module.SCENARIOS]
    assert sorted(names) == sorted(set(names))


def test_arguments() -> None:
    args = lab.arguments(["run", "loss_5", "latency", "--name", "second"])
    assert (args.names, args.name) == (["loss_5", "latency"], "second")
    with pytest.raises(SystemExit):
        lab.arguments(["run", "loss_6"])


def test_list_names_all(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["lab", "list"])
    lab.main()
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(lab.SCENARIOS)


def test_random_names_are_the_same_each_time() -> None:
    assert random_names() == random_names()
    assert len(random_names()) == 154 and sum(answered for _, answered in random_names()) == 4


def test_each_site_has_an_address_and_a_server(tmp_path: Path) -> None:
    configuration, (_, resolver) = sites(tmp_path), resolvers()
    for name, (address, _) in SITES.items():
        assert f"--host-record={name},{address}" in resolver
        assert name in configuration and f"listen {address}:443" in configuration
    assert ADDRESSES["c4"] == "10.10.0.14"


def frame(address: str) -> bytes:
    return bytes(12) + b"\x08\0" + bytes(16) + bytes(map(int, address.split(".")))


def test_the_cable_knows_where_a_frame_goes() -> None:
    assert destination(frame("192.0.2.11")) == "192.0.2.11"
    assert destination(bytes(12) + b"\x08\x06" + bytes(28)) == ""


def test_the_cable_holds_back_what_is_far_and_returns_at_once() -> None:
    near, near_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    far, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    cable = Cable(near_end.fileno(), far_end.fileno(), {"192.0.2.13": 0.1})
    thread = threading.Thread(target=cable.carry)
    with near, near_end, far, far_end:
        for address in ("192.0.2.13", "192.0.2.11"):
            near.send(frame(address))
        far.send(frame("10.10.0.11"))
        thread.start()
        assert near.recv(100) == frame("10.10.0.11")
        assert [far.recv(100) for _ in range(2)] == [frame("192.0.2.11"), frame("192.0.2.13")]
        cable.over.set()
        thread.join()
