"""From when on each sensor's archives are read: decided when it is first seen, and kept in the state."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..store import Store

KEY = "archives_from"


def archives_from(store: Store) -> dict[str, int | None]:
    """By sensor, in µs since the epoch; None: all archives. Without those that were never seen."""
    rows = store.query("SELECT value FROM meta WHERE key = ?", [KEY])
    return dict(json.loads(rows[0][0])) if rows else {}


def keep(store: Store, floors: Mapping[str, int | None]) -> None:
    """Keeps what is decided beside what was; raises DiskFull."""
    before = archives_from(store)
    after = {**before, **floors}
    if after != before:
        with store.transaction() as tx:
            tx.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [KEY, json.dumps(after, sort_keys=True)])
