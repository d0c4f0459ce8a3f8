"""Rows in the lake, everything else in state.db, and both true together."""

from .database import Schema
from .lake import Crash, DiskFull, Lake, Rows, Segment, rows_from
from .maintain import Holds, Upkeep
from .state import DeadLetter, LogProgress, Part, Store

__all__ = [
    "Crash",
    "DeadLetter",
    "DiskFull",
    "Holds",
    "Lake",
    "LogProgress",
    "Part",
    "Rows",
    "Schema",
    "Segment",
    "Store",
    "Upkeep",
    "rows_from",
]
