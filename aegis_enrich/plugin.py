"""What a plugin declares and does: enricher, derived table, detector, sink. None knows severity or a clock."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Literal

import pandas as pd
import pyarrow as pa

MICROS = 1_000_000
HOUR_US = 3_600 * MICROS
DAY_US = 24 * HOUR_US


@dataclass(frozen=True)
class Column:
    """A column that a plugin makes: `kind` is a word of `tables.TYPES`."""

    name: str
    kind: str
    doc: str
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Feature(Column):
    """A column that a model or a detector may read as a number; `features.py` lists all there are."""

    family: str  # statistical, timing, dns, tls or quic
    formula: str  # over the rows of its group
    source: str  # a paper, RFC or document
    least: float | None = None  # its range, both ends allowed; None where there is no end
    most: float | None = None
    needs: tuple[str, ...] = ()  # "table.column": where one of these is null in every row, so is the feature


class Plugin:
    """What all four kinds share: a name that is also its folder, its rule and its test file."""

    name: ClassVar[str]

    @classmethod
    def text(cls, filename: str) -> str:
        """A file that lies beside the plugin's module, such as `features.sql`."""
        return (Path(inspect.getfile(cls)).parent / filename).read_text(encoding="utf-8")


class Enricher(Plugin, ABC):
    """Adds columns to rows from a table of facts; works on the unique values of a batch and on nothing else."""

    reads: ClassVar[Mapping[str, tuple[str, ...]]]  # table -> columns it needs; key "*": each table that has them all
    adds: ClassVar[Mapping[str, tuple[Column, ...]]]  # table (or "*") -> columns that it adds there

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """`settings`: the plugin's section of the configuration (paths resolved); raises ConfigError where wrong."""
        self.settings = settings

    def refresh(self) -> bool:
        """Takes up files that were replaced on disk; True where something changed. Called between batches."""
        return False

    def health(self, now_s: float) -> Sequence[str]:
        """What an operator should know and do about its files, a sentence each, for `doctor`."""
        return ()

    def digest(self) -> str:
        """A hash of what decides the result and is the analysts' (networks, intel); "" where there is none."""
        return ""

    def inside(self) -> Sequence[str]:
        """Networks that it knows to be inside, as CIDRs, for a sensor that is run over a capture."""
        return ()

    def problems(self) -> Sequence[str]:
        """What in its files is passed over, as `file:line: what`; for `rules check`."""
        return ()

    @abstractmethod
    def enrich(self, table: str, batch: pa.Table) -> Mapping[str, pa.Array]:
        """The added columns of `table` for `batch`, each as long as it; null where nothing is known.

        Text columns that several enrichers read may come dictionary-encoded; `lookup.Lookup` takes both forms.
        """

    def describe(self, kind: Literal["address", "domain"], value: str) -> Mapping[str, Any]:
        """ECS sub-fields of an address or domain for an alert document, such as `{"geo.country_iso_code": "NL"}`."""
        return {}


class DerivedTable(Plugin, ABC):
    """A query over one sealed hour whose rows are segments like any others, kept far longer than rows.

    `hour.sql` reads views named as `reads` (rows of one sensor with `end_ts` in the hour) and knows `$hour_start` and
    `$hour_end` (µs since the epoch). Its result holds exactly `columns`; the engine adds `sensor` and `hour_us`.
    """

    reads: ClassVar[tuple[str, ...]]
    columns: ClassVar[tuple[Column, ...]]
    level: ClassVar[str] = ""  # of a table of features: whom a row is about, "flow", "pair" or "host"
    needs: ClassVar[tuple[str, ...]] = ()  # of `reads`: without a row in one of these nothing comes out; (): in any
    shard_key: ClassVar[str] = ""  # a column of every table in `reads`: the engine may run it per hash shard of it
    lateness_s: ClassVar[int] = 330
    lateness_suricata_s: ClassVar[int] = 660

    @classmethod
    def sql(cls) -> str:
        return cls.text("hour.sql")


@dataclass(frozen=True)
class NoTuning:
    """A detector without tunables."""


def tunable(default: Any, doc: str, *, least: float | None = None, most: float | None = None, unit: str = "") -> Any:
    """A field of a tuning dataclass: its default, its range (both ends allowed), its unit and a line of doc."""
    return field(default=default, metadata={"doc": doc, "least": least, "most": most, "unit": unit})


class Detector(Plugin, ABC):
    """A query and a score over one sealed window; keeps no state and reads no clock.

    `features.sql` reads views named as `reads` and `derived` and knows `$window_start` and `$window_end` (µs since the
    epoch) and each field of the tuning as `$field`. The views hold one sensor's rows with `end_ts` in
    `[window_start - lookback_s, window_end)`, with `ts_us` and `end_us` (BIGINT µs) beside `ts` and `end_ts`; a derived
    table's view holds the rows with `hour_us` in that span, `past_s` instead of `lookback_s` where that is given. Only
    groups with a row in the last `every_s` may come out.
    """

    reads: ClassVar[tuple[str, ...]]
    derived: ClassVar[tuple[str, ...]] = ()
    window_s: ClassVar[int]
    every_s: ClassVar[int]  # divides window_s; windows lie on multiples of it since the epoch
    lookback_s: ClassVar[int] = 0  # rows before the window that joins may see (a name's lookup before its connection)
    past_s: ClassVar[int] = 0  # the same for derived tables, where a baseline sees farther back; 0: lookback_s
    lateness_s: ClassVar[int] = 330  # of the slowest rows it counts, from Zeek
    lateness_suricata_s: ClassVar[int] = 660  # the same where Suricata fills the table
    # Which rows of a table it counts, where not all: those that match one of these; no other row is late for it.
    counts: ClassVar[Mapping[str, tuple[Mapping[str, tuple[str, ...]], ...]]] = {}
    # Tables of `reads` whose rows are told of at once: `watch` evaluates the windows that they lie in before these are
    # sealed, over these tables alone (the others are empty). What the sealed window gives takes the place of that.
    early: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()  # of `reads` and `derived`: likewise, and its query is not run
    shard_key: ClassVar[str] = ""  # likewise; a derived table without that column is whole in every shard
    rowwise: ClassVar[bool] = False  # a finding comes of one row, so that no window's edge can split it
    entity: ClassVar[tuple[str, ...]]  # columns of a finding that say whom it is about; part of the alert's id
    tuning: ClassVar[type] = NoTuning  # a frozen dataclass of `tunable` fields
    # Names of its evidence to their kinds, as `evidence.typed` gives them: sinks index it so. A name is of one kind in
    # all detectors; what is not declared is delivered and not indexed.
    evidence: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def sql(cls) -> str:
        return cls.text("features.sql")

    @classmethod
    def idle(cls, tuning: Any) -> str:
        """Why it can find nothing with this tuning, and what to do; "" where it can.

        While it is idle it is not run, and hours that only it reads are not computed. Raises AegisError where the
        tuning names a file that cannot be used.
        """
        return ""

    @abstractmethod
    def score(self, features: pd.DataFrame, tuning: Any) -> pd.DataFrame:
        """Findings, a row each, from at most 50,000 rows of features; row by row: no row may depend on another.

        Columns: those of `entity`; any of CONTEXT that the document should name; `score` 0.0-1.0 (1 is worst);
        `first_us`, `last_us` (µs: first and last row that it tells of); `evidence` (a dict of named numbers, texts and
        lists, units in the names); `reason` (one sentence with the numbers in it); `uids` (list, the first 20 by ts and
        uid); and, where the alert's period is not that of `last_us`, `period_us`. Groups that are nothing are left out.
        """


# Columns of a finding (entity or not) that the alert document knows, and where it puts them.
CONTEXT: Mapping[str, str] = {
    "orig_h": "source.ip",
    "orig_p": "source.port",
    "resp_h": "destination.ip",
    "resp_p": "destination.port",
    "name": "destination.domain",
    "proto": "network.transport",
    "service": "network.protocol",
    "direction": "network.direction",
    "community_id": "network.community_id",
    "start_us": "",  # part of an entity only
    "key": "",  # part of an entity only: text that tells two findings of the same addresses apart
}


@dataclass(frozen=True)
class Finding:
    """What a detector (or a row rule) found about one entity in one window of one sensor."""

    detector: str
    sensor: str
    window_start_us: int
    window_end_us: int
    entity: Mapping[str, Any]
    context: Mapping[str, Any]
    score: float
    first_us: int
    last_us: int
    period_us: int  # the time whose hour or day is the alert's period
    evidence: Mapping[str, Any]
    reason: str
    uids: tuple[str, ...] = ()


Outcome = Literal["stored", "there", "retry", "refused"]


@dataclass(frozen=True)
class Document:
    """One document on its way to a sink; its id and revision make delivery idempotent.

    `kind`: alert, incident, health or row.
    """

    kind: str
    id: str
    revision: int
    body: Mapping[str, Any]


class Sink(Plugin, ABC):
    """Takes documents in order; the same document may come again after a crash.

    `deliver` and `deliver_rows` may be called at the same time, each by a thread of its own.
    """

    target: str = ""  # where it delivers to (a file, a URL), without secrets: one with another target begins anew
    pause_s: float = 0.0  # how long the other side asked to be left alone when it last failed (Retry-After)
    earlier: bool = True  # whether a sink that is new gets what was found before
    at_once: ClassVar[int] = 500  # alerts and incidents that it gets at a time: what a crash may send again
    kinds: ClassVar[tuple[str, ...]] = ("alert",)  # of documents that it takes: alert, incident, health
    takes_rows: ClassVar[bool] = False  # whether log rows can be delivered too

    def __init__(self, settings: Any) -> None:
        """`settings`: its section of the configuration; raises ConfigError or Problems where wrong."""

    def takes(self) -> Sequence[str]:
        """The kinds of documents that it takes as it is configured."""
        return self.kinds

    @abstractmethod
    def deliver(self, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        """An outcome and its reason for each; raises SinkError where the sink cannot be used at all just now."""

    def row_document(self, table: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """A log row as this sink wants it."""
        return row

    def deliver_rows(self, table: str, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        """As `deliver`, for the rows of a log's table; only where `takes_rows`."""
        raise NotImplementedError

    @classmethod
    def check(cls, settings: Mapping[str, Any]) -> Sequence[str]:
        """What keeps it from being used with these settings, a sentence each with what to do, for `doctor`."""
        return ()

    @classmethod
    def setup(cls, settings: Mapping[str, Any]) -> Sequence[str]:
        """Makes what it needs on the other side, as often as wanted; what was made, a line each."""
        return ()

    @classmethod
    def boards(cls) -> str:
        """Dashboards over what it delivers, as the file that their program imports; "" where it has none."""
        return ""

    @classmethod
    def show(cls, settings: Mapping[str, Any], url: str) -> Sequence[str]:
        """Puts its boards into the program at `url`, over those that are there; what was done, a line each."""
        return ()

    def mark(self) -> str:
        """What `resume` needs after a crash, kept with what is acknowledged (a file's length); "" for nothing."""
        return ""

    def resume(self, mark: str) -> None:
        """Called once before the first delivery, with the mark of the last that was acknowledged."""

    def close(self) -> None:
        """Called once at a stop."""


@dataclass(frozen=True)
class Month:
    """A monthly index of a sink, and the first day after it."""

    index: str
    end: date


class IndexSink(Sink):
    """A sink whose server needs templates, and keeps alerts and incidents in an index a month."""

    @classmethod
    @abstractmethod
    def requests(cls, settings: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """What `setup` would send to a server that has nothing yet (method, path, body), in order; asks no server."""

    @classmethod
    @abstractmethod
    def months(cls, settings: Mapping[str, Any], before: date) -> Sequence[Month]:
        """The indices whose months ended by that day, the oldest first; raises SinkError or ConfigError."""

    @classmethod
    @abstractmethod
    def drop(cls, settings: Mapping[str, Any], months: Sequence[Month]) -> Sequence[str]:
        """Deletes them; a line each."""
