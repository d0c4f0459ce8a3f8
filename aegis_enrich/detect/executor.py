"""Runs evaluations: beside the reading, in a process of its own, so that a long query never delays a row rule; or, once
all is read, side by side."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from .jobs import SMALL_ROWS, TRIES, Job, Jobs


class Beside:
    """One evaluation at a time in a process of its own; its result is committed by the caller's `collect`.

    `ended` is told of each: its job, how long it took with its tries in seconds, and whether it was given up. `prepare`
    is called first in each new process, and can be pickled.
    """

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._job: Job | None = None
        self._future: Future[object] | None = None
        self._tries = 0
        self._begun_s = 0.0
        self.ended: Callable[[Job, float, bool], None] = lambda job, seconds, failed: None
        self.prepare: Callable[[], None] = _as_it_is

    @property
    def busy(self) -> bool:
        return self._job is not None

    def start(self, job: Job) -> None:
        """Begins a job; only when not `busy`."""
        self._job, self._tries, self._begun_s = job, 0, time.monotonic()
        self._submit()

    def collect(self, timeout_s: float = 0.0) -> bool:
        """Commits the job's result if it is there; True where one was. A failure is tried again over new views."""
        if self._job is None or self._future is None:
            return False
        try:
            error = self._future.exception(timeout_s)
        except TimeoutError:
            return False
        job, self._tries = self._job, self._tries + 1
        if error is None:
            result = self._future.result()
            self._job = self._future = None
            self.ended(job, time.monotonic() - self._begun_s, False)
            job.commit(result)
            return True
        if isinstance(error, BrokenProcessPool):
            self._close_pool()
        if self._tries < TRIES:
            self._job = job.again()
            self._submit()
            return False
        self._job = self._future = None
        self.ended(job, time.monotonic() - self._begun_s, True)
        job.failed(error if isinstance(error, Exception) else RuntimeError(str(error)))
        return True

    def close(self) -> None:
        """Ends the process; what it was at is done again after the next start."""
        self._job = self._future = None
        self._close_pool()

    def _submit(self) -> None:
        assert self._job is not None
        try:
            self._future = self._workers().submit(self._job.work.run)
        except BrokenProcessPool:  # it was killed between two jobs
            self._close_pool()
            self._future = self._workers().submit(self._job.work.run)

    def _workers(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(self.prepare,)
            )
        return self._pool

    def _close_pool(self) -> None:
        if self._pool is not None:
            for process in list((self._pool._processes or {}).values()):
                process.terminate()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _as_it_is() -> None:
    """A worker needs nothing."""


def _begin(prepare: Callable[[], None]) -> None:
    _end_with_parent()
    prepare()


def _end_with_parent() -> None:
    """A worker whose parent was killed ends too, and leaves interrupts to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def wait() -> None:
            parent.join()
            os._exit(0)

        threading.Thread(target=wait, daemon=True).start()


def run_together(jobs: Iterable[Job | Jobs], threads: int, *, stop: Callable[[], bool]) -> None:
    """Runs jobs that do not need each other and commits them in their order, until `stop` says so.

    Small ones run side by side, each with its part of the memory and one of the threads: a query is planned in one
    thread. A large one runs alone and has all. One that fails is tried again alone.
    """
    with ThreadPoolExecutor(threads) as pool:
        running: deque[tuple[Job | Jobs, Future[Any]]] = deque()
        jobs = iter(jobs)
        while not stop() and (job := next(jobs, None)):
            if job.rows > SMALL_ROWS:
                _settle(running, 0)
                job.run_here()
                continue
            running.append((job, pool.submit(job.part(threads).run)))
            _settle(running, 2 * threads)
        _settle(running, 0)


def _settle(running: deque[tuple[Job | Jobs, Future[Any]]], left: int) -> None:
    while len(running) > left:
        job, future = running.popleft()
        if future.exception() is None:
            job.commit(future.result())
        else:
            job.again().run_here()
