"""Suppressions: what is known and wanted at this site, with its reason and, if it has one, its last day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..plugin import DAY_US
from .conditions import Conditions, parse
from .source import Key, Source

EPOCH_DAY = date(1970, 1, 1)


@dataclass(frozen=True)
class Suppression:
    """What is known to be harmless, from a day of event time to another (UTC, both held through), if they are given.

    `rules` empty: for every rule.
    """

    where: Conditions
    reason: str
    author: str = ""
    begins: date | None = None
    expires: date | None = None
    rules: tuple[str, ...] = ()
    written: str = field(default="", compare=False)  # file and line

    def covers(self, values: Mapping[str, Any], time_us: int) -> bool:
        """Whether it holds for these values at a time of event time (µs)."""
        return self._within(time_us) and self.where.hold(values)

    def _within(self, time_us: int) -> bool:
        begun = self.begins_us is None or time_us >= self.begins_us
        return begun and (self.expires_us is None or time_us < self.expires_us)

    def mask(self, rows: pa.Table) -> pa.ChunkedArray:
        """Which rows it covers, by their `end_ts`."""
        covered, ends = self.where.mask(rows), rows["end_ts"].cast(pa.int64())
        if self.begins_us is not None:
            covered = pc.and_(covered, pc.greater_equal(ends, self.begins_us))
        return covered if self.expires_us is None else pc.and_(covered, pc.less(ends, self.expires_us))

    def expired(self, now_us: int) -> bool:
        """Whether its last day is over by this clock, so that it covers nothing that is new."""
        return self.expires_us is not None and now_us >= self.expires_us

    def __str__(self) -> str:
        """Its reason, author and last day, for people."""
        begun = f"from {self.begins}" if self.begins else ""
        until = f"until {self.expires}" if self.expires else ""
        more = ", ".join(p for p in (self.author, begun, until) if p)
        return f"{self.reason} ({more})" if more else self.reason

    @property
    def begins_us(self) -> int | None:
        """The beginning of its first day, in µs since the epoch."""
        return None if self.begins is None else (self.begins - EPOCH_DAY).days * DAY_US

    @property
    def expires_us(self) -> int | None:
        """The end of its last day, in µs since the epoch."""
        return None if self.expires is None else (self.expires - EPOCH_DAY + timedelta(days=1)).days * DAY_US


def parse_suppressions(source: Source, items: Any, *key: str | int, site: bool = False) -> tuple[Suppression, ...]:
    """A list of suppressions: those of a rule, or, with `site`, those of suppress.yml, which name rules."""
    if not isinstance(items, list):
        source.wrong("a list of suppressions is expected; rules/README.md shows one", *key)
        return ()
    allowed = ("where", "reason", "author", "begins", "expires", *(("rule",) if site else ()))
    found = []
    for number, item in enumerate(items):
        at: Key = (*key, number)
        if not isinstance(item, dict):
            source.wrong("a suppression is a mapping with where and reason", *at)
            continue
        source.unknown_keys(allowed, *at, of=" in a suppression")
        found.append(
            Suppression(
                parse(source, item.get("where"), *at, "where"),
                source.text("reason", *at, required=True),
                source.text("author", *at),
                source.day("begins", *at),
                source.day("expires", *at),
                source.texts("rule", *at) if site else (),
                source.where(*at),
            )
        )
    return tuple(found)
