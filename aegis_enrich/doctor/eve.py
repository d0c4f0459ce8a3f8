"""Whether a Suricata's EVE log has what the engine can use of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from ..config import shipped
from .check import Check

LEAST = 5  # rows of a table, below which their emptiness tells nothing
WANTED = {"ssl": ("ja3", "ja4"), "ssh": ("hassh",), "files": ("sha256",)}
WITH_FLOW = ("dns", "http", "quic", "ssh", "ssl")  # tables whose rows belong to flows


def eve(sensor: str, name: str, tables: Mapping[str, pa.Table]) -> Iterator[Check]:
    """What the newest events of the log `name`, decoded, lack: a note at most, for that may be as wanted."""
    flows = {table: rows for table, rows in tables.items() if table != "suricata_stats"}
    number = sum(rows.num_rows for rows in flows.values())
    missing = []
    if number >= LEAST and all(_empty(rows, "community_id") for rows in flows.values()):
        missing.append("community_id")
    for table, columns in WANTED.items():
        if table in tables and tables[table].num_rows >= LEAST:
            missing += [f"{column} of {table}" for column in columns if _empty(tables[table], column)]
    if "conn" not in tables and sum(flows[t].num_rows for t in WITH_FLOW if t in flows) >= 10 * LEAST:
        missing.append("flow events, of which the table conn is made")
    if missing:
        config = shipped("suricata", "plugins/suricata") / "aegis.yaml"
        yield Check(
            sensor, "note", f"{name} has no {', no '.join(missing)}; include {config} at the end of suricata.yaml"
        )
    elif number >= LEAST:
        yield Check(sensor, "ok", f"{name} has what is read of it")


def _empty(rows: pa.Table, column: str) -> bool:
    return bool(rows[column].null_count == rows.num_rows)
