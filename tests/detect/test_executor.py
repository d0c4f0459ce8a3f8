"""Evaluations in a process of their own: results, failures, and processes that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from aegis_enrich.detect.evaluate import Limits
from aegis_enrich.detect.executor import SMALL_ROWS, Beside, run_together
from aegis_enrich.detect.jobs import TRIES, Job
from aegis_enrich.store import DiskFull

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Work:
    """What a worker is to do: tell its process, fail, or die."""

    act: str = "tell"
    shards: int = 1
    flag: Path | None = None
    rows: int = 1
    limits: Limits = Limits("512MB", 2)
    waits_s: float = 0.0

    @property
    def views(self) -> list[Work]:
        return [self]

    def run(self) -> tuple[int, int, int]:
        if self.act == "fail" or (self.act == "fail once" and self.shards == 1):
            raise ValueError("cannot be scored")
        if self.act == "die" or (self.act == "die once" and self.shards == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.waits_s)
        if self.flag is not None:
            self.flag.write_text(str(os.getpid()))
            time.sleep(PATIENCE_S)
        return os.getpid(), os.getppid(), self.shards


@dataclass
class Told:
    """What became of the jobs."""

    results: list[Any]
    failures: list[Exception]

    def job(self, work: Work, commit: Callable[[Any], None] | None = None) -> Job:
        def renewed(shards: int) -> Job:
            return self.job(replace(work, shards=shards), commit)

        return cast(Job, Again(work, commit or self.results.append, self.failures.append, renewed))


class Again(Job):
    """A job whose work has a shard key."""

    def again(self) -> Job:
        return self.renewed(self.work.shards * 4)


@pytest.fixture
def told() -> Told:
    return Told([], [])


@pytest.fixture
def beside() -> Iterator[Beside]:
    made = Beside()
    yield made
    made.close()


def collect(beside: Beside) -> None:
    """Waits for the job's end."""
    until = time.monotonic() + PATIENCE_S
    while not beside.collect(1.0):
        assert time.monotonic() < until and beside.busy


def test_a_job_runs_in_another_process_that_lives_on(beside: Beside, told: Told) -> None:
    assert not beside.busy and not beside.collect()
    for _ in range(2):
        beside.start(told.job(Work()))
        assert beside.busy
        collect(beside)
        assert not beside.busy
    (first, parent, _), (second, *_) = told.results
    assert first == second != os.getpid() == parent


def test_a_failure_is_tried_again_in_smaller_shards(beside: Beside, told: Told) -> None:
    beside.start(told.job(Work("fail once")))
    collect(beside)
    assert [shards for *_, shards in told.results] == [4]
    assert told.failures == []


def prepared() -> None:
    os.environ["AEGIS_TEST_PREPARED"] = "yes"


@dataclass(frozen=True)
class Asked(Work):
    def run(self) -> Any:
        return os.environ.get("AEGIS_TEST_PREPARED")


def test_a_process_is_prepared_before_its_first_job(beside: Beside, told: Told) -> None:
    beside.prepare = prepared
    beside.start(told.job(Asked()))
    collect(beside)
    assert told.results == ["yes"] and "AEGIS_TEST_PREPARED" not in os.environ


def test_what_fails_each_time_is_told_once(beside: Beside, told: Told) -> None:
    beside.start(told.job(Work("fail")))
    collect(beside)
    assert (told.results, [str(f) for f in told.failures]) == ([], ["cannot be scored"])
    assert not beside.busy


@pytest.mark.parametrize(("act", "failed"), [("tell", False), ("fail once", False), ("fail", True)])
def test_the_end_of_each_is_told_with_how_long_it_took(beside: Beside, told: Told, act: str, failed: bool) -> None:
    ends: list[tuple[float, bool]] = []
    beside.ended = lambda job, seconds, failed: ends.append((seconds, failed))
    beside.start(told.job(Work(act, waits_s=0.2)))
    collect(beside)
    ((seconds, gave_up),) = ends
    assert gave_up == failed
    assert failed or 0.2 <= seconds < PATIENCE_S


def test_a_worker_that_is_killed_is_replaced(beside: Beside, told: Told) -> None:
    beside.start(told.job(Work("die once")))
    collect(beside)
    assert [shards for *_, shards in told.results] == [4]


def test_a_job_that_kills_each_worker_is_given_up(beside: Beside, told: Told) -> None:
    beside.start(told.job(Work("die")))
    collect(beside)
    assert len(told.failures) == 1 and TRIES > 1
    beside.start(told.job(Work()))
    collect(beside)
    assert len(told.results) == 1


def test_a_worker_that_was_killed_between_two_jobs_is_replaced(beside: Beside, told: Told) -> None:
    beside.start(told.job(Work()))
    collect(beside)
    ((pid, *_),) = told.results
    os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + PATIENCE_S
    while not beside._pool._broken:  # type: ignore[union-attr]  # so that it is known before the next job
        assert time.monotonic() < until
    beside.start(told.job(Work()))
    collect(beside)
    assert told.results[1][0] != pid and told.failures == []


def test_a_commit_that_finds_no_room_leaves_the_job_to_be_due_again(beside: Beside, told: Told) -> None:
    def full(result: Any) -> None:
        raise DiskFull("no space left")

    beside.start(told.job(Work(), full))
    with pytest.raises(DiskFull):
        collect(beside)
    assert not beside.busy and told.failures == []


def test_closing_ends_a_worker_that_is_busy(beside: Beside, told: Told, tmp_path: Path) -> None:
    beside.start(told.job(Work(flag=tmp_path / "pid")))
    pid = written(tmp_path / "pid")
    begun = time.monotonic()
    beside.close()
    assert time.monotonic() - begun < PATIENCE_S / 2
    assert not beside.busy and not alive(pid) and told.results == []


def test_a_worker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys, time
            from pathlib import Path
            from test_executor import Beside, Told, Work

            if __name__ == "__main__":
                beside, told = Beside(), Told([], [])
                beside.start(told.job(Work(flag=Path(sys.argv[1]))))
                time.sleep(60)
            """
        )
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    parent = subprocess.Popen([sys.executable, script, tmp_path / "pid"], env={**os.environ, "PYTHONPATH": path})
    try:
        worker = written(tmp_path / "pid")
    finally:
        parent.kill()
        parent.wait()
    until = time.monotonic() + PATIENCE_S / 2
    while alive(worker):
        assert time.monotonic() < until
        time.sleep(0.05)


def written(path: Path) -> int:
    """The number in a file that another process is to write."""
    until = time.monotonic() + PATIENCE_S
    while not path.exists() or not path.read_text():
        assert time.monotonic() < until
        time.sleep(0.02)
    return int(path.read_text())


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@dataclass(frozen=True)
class Limited(Work):
    """Says what it may use."""

    number: int = 0

    def run(self) -> Any:
        super().run()
        return self.number, self.limits.memory, self.limits.threads


def test_small_jobs_run_side_by_side_and_are_committed_in_their_order(told: Told) -> None:
    works = [Limited(number=n, waits_s=0.2 if n % 2 == 0 else 0.0) for n in range(7)]
    run_together(map(told.job, works), 2, stop=lambda: False)
    assert told.results == [(n, "256MB", 1) for n in range(7)]


def test_a_large_job_runs_alone_with_all_there_is(told: Told) -> None:
    works = [Limited(number=n, rows=SMALL_ROWS + 1 if n == 1 else 1, waits_s=0.1) for n in range(3)]
    run_together(map(told.job, works), 2, stop=lambda: False)
    assert told.results == [(0, "256MB", 1), (1, "512MB", 2), (2, "256MB", 1)]


def test_of_jobs_side_by_side_one_that_fails_is_tried_again(told: Told) -> None:
    works = [Limited(number=0), Limited("fail once", number=1), Limited("fail", number=2), Limited(number=3)]
    run_together(map(told.job, works), 2, stop=lambda: False)
    assert [number for number, _, _ in told.results] == [0, 1, 3]
    assert [str(f) for f in told.failures] == ["cannot be scored"]


def test_a_stop_commits_what_runs_and_takes_no_more(told: Told) -> None:
    taken: list[int] = []

    def jobs() -> Iterator[Job]:
        for n in range(100):
            taken.append(n)
            yield told.job(Limited(number=n))

    run_together(jobs(), 2, stop=lambda: len(taken) > 9)
    assert [number for number, _, _ in told.results] == taken
