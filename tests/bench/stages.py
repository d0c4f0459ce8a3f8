"""Runs one `aegis-enrich` command and prints as its last line, in JSON, the seconds of a core that each stage took.

What runs beside the reading thread is marked so. CPU time, so that what else runs on the machine is not measured; of a
query over more than two million rows, which takes two threads, it is that of one. Clocks around a few calls a chunk:
they cost nothing that can be measured.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

begun = time.perf_counter()
clock = time.thread_time

from aegis_enrich.cli import analyze as _analyze  # noqa: E402
from aegis_enrich.cli import main  # noqa: E402
from aegis_enrich.decide import Decider  # noqa: E402
from aegis_enrich.detect.evaluate import Derivation, Evaluation  # noqa: E402
from aegis_enrich.detect.together import Together  # noqa: E402
from aegis_enrich.enrich import Enrichment  # noqa: E402
from aegis_enrich.follow import Follower  # noqa: E402
from aegis_enrich.pipeline import chunks, engine, intake  # noqa: E402
from aegis_enrich.store import Store  # noqa: E402
from aegis_enrich.store.lake import Lake  # noqa: E402

SECONDS: Counter[str] = Counter({"import": clock()})
_inside = threading.local()


def timed(owner: Any, name: str, stage: str | Callable[[Any], str]) -> None:
    """Counts the time that a function takes, of nested stages only the inner one's; a stage may depend on `self`."""
    function: Callable[..., Any] = getattr(owner, name)

    @wraps(function)
    def counted(*args: Any, **kwargs: Any) -> Any:
        outer, _inside.seconds = getattr(_inside, "seconds", 0.0), 0.0
        start = clock()
        try:
            return function(*args, **kwargs)
        finally:
            took = clock() - start
            beside = " (beside)" if threading.current_thread() is not threading.main_thread() else ""
            SECONDS[(stage if isinstance(stage, str) else stage(args[0])) + beside] += took - _inside.seconds
            _inside.seconds = outer + took

    setattr(owner, name, counted)


timed(_analyze, "assemble", "load rules and enrichers")
timed(engine.Engine, "run_to_end", "other")
timed(Follower, "pending", "follow")
timed(Follower, "read", "follow")
timed(chunks, "decode", "decode")
timed(Enrichment, "apply", "enrich")
timed(engine, "evaluate_rows", "row rules")
timed(Store, "write", "write")
timed(Lake, "_write_temporary", "write")
timed(intake.Intake, "_settle", "wait for write")
timed(Store, "commit", "commit")
timed(Derivation, "run", lambda derivation: f"derive {derivation.table.name}")
timed(Evaluation, "run", lambda evaluation: f"detect {evaluation.detector.name}")
timed(Together, "run", lambda t: f"{'derive' if isinstance(t.work, Derivation) else 'detect'} {t.work.plugin.name}")
timed(Decider, "window", "decide")
timed(Decider, "settle", "decide")

try:
    main(sys.argv[1:])
except SystemExit as end:
    if end.code:
        raise
SECONDS["whole"] = time.process_time()
SECONDS["whole, by the clock on the wall"] = time.perf_counter() - begun
sys.stdout.write(json.dumps({stage: round(seconds, 4) for stage, seconds in SECONDS.items()}) + "\n")
