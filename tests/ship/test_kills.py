"""`ship` as a process, killed at random while the state is written and merged: the lake holds each row once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ship.conftest import rows

from aegis_enrich.store import Rows, Store, compact

KILLS = int(os.environ.get("AEGIS_SHIP_KILLS", "3"))  # the whole: 50
PATIENCE_S = 120.0


@contextmanager
def being_written(root: Path) -> Iterator[Callable[[], int]]:
    """A state in which a `watch` flushes and merges; how many flushes there were."""
    stop, flushes = threading.Event(), [0]

    def write() -> None:
        with Store(root) as store:
            while not stop.is_set():
                store.flush([Rows("conn", "s", rows(20 * flushes[0]))], [])
                flushes[0] += 1
                if flushes[0] % 10 == 0 and (parts := compact.due(store, {"s": 2**60})):
                    compact.put_in_place(store, parts, compact.merge(store.lake, parts), now_us=0, passed=None)
                    for (path,) in store.query("SELECT path FROM segments WHERE tombstone_us IS NOT NULL"):
                        (root / path).unlink(missing_ok=True)
                stop.wait(0.05)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield lambda: flushes[0]
    finally:
        stop.set()
        writer.join()


def files(far) -> set[str]:
    return {path for day in far.folders("s/conn") for path in far.files_in(day)}


@pytest.mark.slow
def test_killed_at_random_while_the_state_is_written(tmp_path, lake, far, state, shipped):
    root, rng = state.root, random.Random(1)
    command = [sys.executable, "-m", "aegis_enrich", "ship", "--state", str(root), "--to", lake[0]]
    command += ["--endpoint", lake[1]] if lake[1] else []
    with being_written(root) as flushes:
        for _ in range(KILLS):
            begun, deadline_s = flushes(), time.monotonic() + PATIENCE_S
            process = subprocess.Popen([*command, "--every", "0.05s"], stderr=subprocess.PIPE)
            before = files(far)
            while flushes() == begun or files(far) <= before:
                assert process.poll() is None and time.monotonic() < deadline_s, process.communicate()[1]
                time.sleep(0.01)
            time.sleep(rng.random() / 2)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert set(shipped(far).values()) <= {1}
    done = subprocess.run([*command, "--once"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert shipped(far) == state.uids()
    assert sorted(shipped(far)) == sorted(f"C{n}" for n in range(20 * flushes()))
