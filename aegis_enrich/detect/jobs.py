"""What the scheduler hands out: one evaluation, or several in one query, and what becomes of the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from .evaluate import Derivation, Evaluation
from .together import Together

SMALL_ROWS = 2_000_000  # rows behind a query up to which planning it takes as long as running it
TRIES = 3  # an evaluation that fails is run again, in four times as many shards each time


@dataclass(frozen=True)
class Job:
    """One evaluation, to be run anywhere, and what makes its result durable, to be called by the state's writer."""

    work: Evaluation | Derivation
    commit: Callable[[Any], None]
    failed: Callable[[Exception], None]
    renewed: Callable[[int], Job]  # the same job over views made now, in so many shards

    @property
    def end_us(self) -> int:
        return self.work.window.end_us

    @property
    def rows(self) -> int:
        """In the segments behind it, at most."""
        return sum(view.rows for view in self.work.views)

    def part(self, of: int) -> Evaluation | Derivation:
        """The work with a part of the memory, in one thread."""
        return replace(self.work, limits=self.work.limits.part(of))

    def again(self) -> Job:
        """The job for a further try: its files may have been merged meanwhile, or its shards have been too large."""
        return self.renewed(self.work.shards * 4 if self.work.plugin.shard_key else 1)

    def run_here(self) -> None:
        """Runs it in this process, with its further tries."""
        job = self
        for left in reversed(range(TRIES)):
            try:
                result = job.work.run()
            except Exception as error:  # noqa: BLE001  a detector is a plugin: what it raises is contained here
                if left:
                    job = job.again()
                else:
                    self.failed(error)
            else:
                self.commit(result)
                return


@dataclass(frozen=True)
class Jobs:
    """Several evaluations in one query; where that fails, each is run alone."""

    work: Together
    commit: Callable[[list[Any]], None]
    each: Callable[[], Iterator[Job]]

    @property
    def rows(self) -> int:
        """As a job's."""
        return sum(view.rows for view in self.work.views)

    def part(self, of: int) -> Together:
        """As a job's."""
        return replace(self.work, work=replace(self.work.work, limits=self.work.limits.part(of)))

    def again(self) -> Jobs:
        return self

    def run_here(self) -> None:
        """Runs them in this process, each alone where together they fail."""
        try:
            results = self.work.run()
        except Exception:  # noqa: BLE001  it may be one of them only
            for job in self.each():
                job.run_here()
        else:
            self.commit(results)
