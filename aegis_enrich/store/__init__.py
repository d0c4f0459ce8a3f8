"""Rows in the lake, everything else in state.db, and both true together."""

from .lake import Crash, DiskFull, Lake, Rows, Segment
from .state import DeadLetter, LogProgress, Store

__all__ = ["Crash", "DeadLetter", "DiskFull", "Lake", "LogProgress", "Rows", "Segment", "Store"]
