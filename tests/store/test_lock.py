"""The lock: one process writes a state, and the next is told who does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from aegis_enrich.errors import StateError
from aegis_enrich.store import Store
from aegis_enrich.store.lock import Lock, holder

HOLDING = (
    "import sys; from pathlib import Path; from aegis_enrich.store.lock import Lock; lock = Lock(Path(sys.argv[1]));"
)
WAITING = "print('held', flush=True); sys.stdin.read()"


def test_a_second_writer_is_told_who_holds_it(tmp_path):
    with Store(tmp_path), pytest.raises(StateError) as caught:
        Store(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: is in use by process {os.getpid()} on ")
    assert "name another --state" in str(caught.value)
    Store(tmp_path).close()


def test_a_killed_holder_holds_nothing(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING + WAITING, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        assert holder(tmp_path).startswith(f"process {other.pid} on ")
        with pytest.raises(StateError, match=f"process {other.pid} "):
            Store(tmp_path)
        other.kill()
    assert holder(tmp_path) == ""
    Lock(tmp_path).release()


def test_a_state_that_cannot_be_opened_is_let_go(tmp_path):
    (tmp_path / "state.db").write_bytes(b"no database at all" * 100)
    for _ in range(2):
        with pytest.raises(StateError, match=r"state\.db cannot be"):
            Store(tmp_path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=r"cannot be used: .*; name another --state"):
        Store(tmp_path / "file" / "state")
