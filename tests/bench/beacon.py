"""Evaluates what is due over the rows of a state, and prints in JSON how long hours and windows took.

The state is one that `aegis-enrich analyze --state` filled while no detector was on; the rules given here are.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from aegis_enrich.config import Config
from aegis_enrich.detect.evaluate import Derivation
from aegis_enrich.detect.jobs import Jobs
from aegis_enrich.follow import Follower
from aegis_enrich.pipeline.engine import Engine, assemble
from aegis_enrich.registry import load
from aegis_enrich.store import Store


def main(state: Path, rules: Path) -> None:
    config = Config(state=str(state), rules=str(rules))
    parts = assemble(config, load())
    hours: list[float] = []
    windows: list[float] = []
    with Store(state) as store, Follower({}) as follower:
        engine = Engine(parts, store, follower, {}, live=False)

        def run_all(jobs: object) -> None:
            for job in jobs:  # type: ignore[attr-defined]
                begun = time.perf_counter()
                job.run_here()
                work = job.work.work if isinstance(job, Jobs) else job.work
                (hours if isinstance(work, Derivation) else windows).append(time.perf_counter() - begun)

        run_all(iter(lambda: engine.scheduler.due(engine.marks, now_s=time.monotonic()), None))
        run_all(job for group in engine.scheduler.finish(engine.marks.sensors()) for job in group)
        found = store.query("SELECT count(*) FROM alerts")[0][0]
        pairs = store.query("SELECT sum(rows) FROM segments WHERE tbl = 'pair_hour'")[0][0]
    sys.stdout.write(json.dumps({"hours": hours, "windows": windows, "alerts": found, "pair_hours": pairs}) + "\n")


main(Path(sys.argv[1]), Path(sys.argv[2]))
