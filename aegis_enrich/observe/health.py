"""Whether a run is alive and whether it is ready, and why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .state import Lanes
from .vitals import Vitals

DOWN_AFTER = 3  # failures in a row from which a sink is said to be down


@dataclass(frozen=True)
class Told:
    """An answer: `ok`, the reasons where it is not, and what else is wrong, which does not make it so."""

    ok: bool
    because: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    facts: Mapping[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        return {k: v for k, v in asdict(self).items() if v is not None}


class Health:
    """Answers from what the run notes; asks the engine nothing, so that one that hangs is told of."""

    def __init__(self, vitals: Vitals, lanes: Callable[[], Lanes], *, stall_s: float) -> None:
        self._vitals, self._lanes, self._stall_s = vitals, lanes, stall_s

    def alive(self) -> Told:
        """Whether the engine's loop went round in the last `stall_s` seconds."""
        silent_s = self._vitals.silent_s()
        stalled = silent_s > self._stall_s
        because = (f"the engine's loop has not gone round for {silent_s:.0f} s",) if stalled else ()
        return Told(not stalled, because, facts={"phase": self._vitals.phase, "last_round_s": round(silent_s, 1)})

    def ready(self) -> Told:
        """Whether the state is open, rules are in force, and logs are followed or waited for."""
        because = (*self.alive().because, *self._not_ready())
        return Told(not because, because, tuple(self._beside()), self._facts())

    def _not_ready(self) -> Iterator[str]:
        vitals = self._vitals
        if vitals.phase == "starting":
            yield "it is starting: the state is being opened, rules and lists are being read"
        elif vitals.phase == "stopping":
            yield "it is stopping: what was read is committed and delivered"
        if vitals.phase != "starting" and not vitals.rules:
            yield "no rules are in force"
        if vitals.paused:
            yield "the disk is full (retention.min_free): reading waits for room"

    def _beside(self) -> Iterator[str]:
        vitals = self._vitals
        if vitals.phase == "running" and not vitals.sample.lag:
            yield "no logs yet: waiting for the sensor to write"
        if vitals.rules and vitals.rules.refused:
            yield f"the rules on disk do not check, older ones are in force: {vitals.rules.refused}"
        yield from (f"enricher {name} is disabled after too many failures" for name in vitals.sample.disabled)
        for sink, lanes in self._lanes().items():
            if any(lane.failures >= DOWN_AFTER for lane in lanes):
                yield f"{sink} takes no documents just now; they wait"

    def _facts(self) -> dict[str, Any]:
        vitals, lags = self._vitals, self._vitals.sample.lag.values()
        rules = vitals.rules
        return {
            "phase": vitals.phase,
            "sensors": sorted(vitals.sources),
            "logs": len(lags),
            "lag_bytes": sum(lag.bytes for lag in lags),
            "lag_s": round(max((lag.seconds for lag in lags), default=0.0), 1),
            "rules": {"detectors": rules.detectors, "rows": rules.rows} if rules else None,
        }
