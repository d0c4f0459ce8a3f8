"""Logs made line by line, and engines over folders of logs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aegis_enrich import registry
from aegis_enrich.config import Config, Flush
from aegis_enrich.follow import Follower
from aegis_enrich.pipeline.engine import Engine, assemble
from aegis_enrich.store import Crash, Store

LAB = Path(__file__).parents[1] / "data" / "lab"
HOUR_S = 3600
BASE_S = 475_000 * HOUR_S

Start = Callable[..., contextlib.AbstractContextManager[Engine]]


@pytest.fixture(scope="session")
def lab() -> Path:
    return LAB


@pytest.fixture
def write() -> Callable[..., None]:
    """Appends rows to a log in Zeek's JSON; `ts` is in seconds after an hour."""
    return _write


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({**row, "ts": BASE_S + row["ts"]}) + "\n" for row in rows)


@pytest.fixture
def probes() -> Callable[..., list[dict[str, Any]]]:
    """Refused attempts, a port each, a second apart, from `first_s` after the hour on."""

    def made(count: int, first_s: float = 0.0, source: str = "10.0.0.9", **columns: Any) -> list[dict[str, Any]]:
        row = {"id.orig_h": source, "id.resp_h": "198.51.100.7", "proto": "tcp", "conn_state": "REJ", "history": "Sr"}
        row |= {"orig_pkts": 1, "resp_pkts": 1, "duration": 0.001} | columns
        return [
            {"ts": first_s + n, "uid": f"C{source}-{first_s + n}", "id.orig_p": 40_000 + n, "id.resp_p": 1 + n} | row
            for n in range(count)
        ]

    return made


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """An engine over folders by sensor, on a state that stays from one call to the next."""

    @contextlib.contextmanager
    def started(
        *paths: Path,
        sensors: Mapping[str, Sequence[Path]] | None = None,
        live: bool = False,
        crash: Crash = lambda point: None,
        progress: Callable[[Engine], None] | None = None,
        state: str = "state",
        **config: Any,
    ) -> Iterator[Engine]:
        flush = Flush(seconds=0.05, small_seconds=0.05)
        chosen = replace(Config(state=str(tmp_path / state), flush=flush, threads=1), **config)
        sources = sensors or {"sensor": list(paths)}
        engines: list[Engine] = []

        def go_on(stage: str, intake: Any) -> None:
            if progress is not None:
                progress(engines[0])

        with Store(chosen.state_dir, crash=crash) as store:
            known = [p.state for p in store.progress()]
            with Follower({s: list(p) for s, p in sources.items()}, known, poll=True) as follower:
                engine = Engine(assemble(chosen, registry.load()), store, follower, {}, live=live, progress=go_on)
                engines.append(engine)
                yield engine
                engine.delivery.close()

    return started


@pytest.fixture
def alerts() -> Callable[[Engine], list[dict[str, Any]]]:
    """The state's alerts, in the order of first seen, with status and revision beside the document."""

    def held(engine: Engine) -> list[dict[str, Any]]:
        rows = engine.store.query("SELECT alert_id, status, revision, document FROM alerts ORDER BY first_us, alert_id")
        return [{"id": i, "status": s, "revision": r, **json.loads(d)} for i, s, r, d in rows]

    return held
