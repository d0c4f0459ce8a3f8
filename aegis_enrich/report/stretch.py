"""Which time the plots show: the stretch without a long silence that holds most rows, as far as it can be read."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from ..plugin import DAY_US, HOUR_US
from ..store import Store
from .clock import step_us

SILENCE_US = 30 * DAY_US  # without any row: what lies on its two sides is not shown as one
MOST_ROWS = 20_000_000  # of all tables; of more, the newest hours
BUCKETS = 100


@dataclass(frozen=True)
class Stretch:
    """`[start_us, end_us)` of event time on multiples of `bucket_us`, and how many rows lie in it and outside of it."""

    start_us: int
    end_us: int
    bucket_us: int
    rows: int = 0
    outside: int = 0

    @property
    def buckets(self) -> int:
        return (self.end_us - self.start_us) // self.bucket_us


def stretch(store: Store, since_us: int | None, until_us: int | None, near_us: int | None = None) -> Stretch | None:
    """That of the rows between these times; None where there is none. `near_us`: a time whose stretch comes first."""
    segments = store.query(
        "SELECT rows, min_us, max_us, hours FROM segments WHERE tombstone_us IS NULL AND derived = 0 AND rows > 0"
        " AND max_us >= ? AND min_us < ?",
        [-(2**62) if since_us is None else since_us, 2**62 if until_us is None else until_us],
    )
    hours: Counter[int] = Counter()
    for rows, _, _, text in segments:
        held = json.loads(text)
        for hour in held:
            hours[hour] += max(1, rows // len(held))
    inside = sorted(h for h in hours if _meets(h, since_us, until_us))
    if not inside:
        return None
    first, last = _readable(_chosen(_runs(inside), hours, near_us), hours)
    start = max([t for t in (since_us,) if t is not None] + [_least(segments, first)])
    end = min([t for t in (until_us,) if t is not None] + [_most(segments, last) + 1])
    bucket = step_us(max(end - start, 1), BUCKETS)
    kept = sum(hours[h] for h in inside if first <= h <= last)
    return Stretch(start // bucket * bucket, -(-end // bucket) * bucket, bucket, kept, sum(hours.values()) - kept)


def _meets(hour: int, since_us: int | None, until_us: int | None) -> bool:
    return (since_us is None or hour + HOUR_US > since_us) and (until_us is None or hour < until_us)


def _runs(hours: list[int]) -> list[list[int]]:
    """Hours cut at silences."""
    runs = [[hours[0]]]
    for before, hour in pairwise(hours):
        if hour - before > SILENCE_US:
            runs.append([])
        runs[-1].append(hour)
    return runs


def _chosen(runs: list[list[int]], hours: Counter[int], near_us: int | None) -> list[int]:
    near = [r for r in runs if near_us is not None and r[0] <= near_us < r[-1] + HOUR_US]
    return max(near or runs, key=lambda run: (sum(hours[h] for h in run), run[0]))


def _readable(run: list[int], hours: Counter[int]) -> tuple[int, int]:
    """The first and last hour of a run's newest part that is not too much; the last hour at least."""
    total = 0
    first = run[-1]
    for hour in reversed(run):
        total += hours[hour]
        if total > MOST_ROWS and hour != run[-1]:
            break
        first = hour
    return first, run[-1]


def _least(segments: list[tuple[int, int, int, str]], hour: int) -> int:
    """The first row of an hour, as nearly as the manifest tells."""
    return min((least for _, least, _, _ in segments if hour <= least < hour + HOUR_US), default=hour)


def _most(segments: list[tuple[int, int, int, str]], hour: int) -> int:
    return max((most for _, _, most, _ in segments if hour <= most < hour + HOUR_US), default=hour + HOUR_US - 1)
