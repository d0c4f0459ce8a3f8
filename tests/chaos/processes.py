"""The processes of a round: `watch` in a session of its own, forked from one that is ready, or started anew."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from chaos.child import Order


class Nursery:
    """Starts processes: by forking one that has imported everything, or anew."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-m", "chaos.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # so that what is there is seen by select
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def fork(self, order: Order) -> Child:
        assert self._server.stdin
        self._server.stdin.write(order.text().encode() + b"\n")
        return Forked(self._answer(), self)

    def ended(self, timeout_s: float) -> bool:
        assert self._server.stdout
        return bool(select.select([self._server.stdout], [], [], timeout_s)[0])

    def code(self) -> int:
        return self._answer()

    def _answer(self) -> int:
        assert self._server.stdout
        return int(self._server.stdout.readline())

    def close(self) -> None:
        assert self._server.stdin and self._server.stdout
        self._server.stdin.close()
        self._server.wait(30)
        self._server.stdout.close()


class Child:
    """A `watch` that runs, in a session of its own."""

    pid: int
    _code: int | None = None

    def ended(self, timeout_s: float = 0.0) -> bool:
        """Whether it has ended by itself, after this time at most."""
        raise NotImplementedError

    def code(self) -> int:
        """How it ended, once it has."""
        if self._code is None:
            self._code = self._wait()
        return self._code

    def _wait(self) -> int:
        raise NotImplementedError

    def signal(self, number: int) -> None:
        """To all of its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def reload(self) -> None:
        """As a service manager does: to the process alone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGHUP)

    def kill(self) -> int:
        """Kills it unless it has ended; how it ended."""
        if self._code is None:
            self.signal(signal.SIGKILL)
        return self.code()


class Forked(Child):
    def __init__(self, pid: int, nursery: Nursery) -> None:
        self.pid, self._nursery = pid, nursery

    def ended(self, timeout_s: float = 0.0) -> bool:
        return self._code is not None or self._nursery.ended(timeout_s)

    def _wait(self) -> int:
        return self._nursery.code()

    def signal(self, number: int) -> None:
        """To the process alone: it may not have made its session yet."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


class Plain(Child):
    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        command = [sys.executable, "-c", "from aegis_enrich.cli import main; main()", *arguments]
        with log.open("a") as said:
            self._process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
        self.pid = self._process.pid
        self._worker_killed = False

    def ended(self, timeout_s: float = 0.0) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        return self._process.poll() is not None

    def _wait(self) -> int:
        return self._process.wait()

    def kill_worker(self) -> bool:
        """Kills its evaluating process, once: a window that fails three times is given up."""
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            evaluating = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
            for pid in evaluating[:1] if not self._worker_killed else ():
                os.kill(int(pid), signal.SIGKILL)
                self._worker_killed = True
                return True
        return False
