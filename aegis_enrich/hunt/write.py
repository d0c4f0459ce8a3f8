"""Alert documents as Parquet: a few columns to ask by, and each document whole as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import ConfigError
from ..tables import TIMESTAMP

SCHEMA = pa.schema(
    [
        ("id", pa.string()),  # event.id
        ("timestamp", TIMESTAMP),  # of the first row
        ("last_seen", TIMESTAMP),
        ("rule", pa.string()),
        ("severity", pa.int64()),  # 21, 47, 73, 99
        ("score", pa.float64()),
        ("source_ip", pa.string()),
        ("destination_ip", pa.string()),
        ("destination_domain", pa.string()),
        ("techniques", pa.list_(pa.string())),
        ("sensors", pa.list_(pa.string())),
        ("reason", pa.string()),
        ("document", pa.string()),  # JSON
    ]
)


def write_parquet(documents: Sequence[Mapping[str, Any]], output: Path) -> None:
    """A row a document; the file is made even where there is none."""
    try:
        pq.write_table(pa.Table.from_pylist([_row(doc) for doc in documents], SCHEMA), output, compression="zstd")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror or error}", where=str(output)) from error


def _row(doc: Mapping[str, Any]) -> dict[str, Any]:
    aegis, source, destination = doc["aegis"], doc.get("source", {}), doc.get("destination", {})
    techniques = {a.get("technique", {}).get("id") for a in aegis.get("attack", [])}
    return {
        "id": doc["event"]["id"],
        "timestamp": datetime.fromisoformat(doc["@timestamp"]),
        "last_seen": datetime.fromisoformat(aegis["last_seen"]),
        "rule": doc["rule"]["id"],
        "severity": doc["event"]["severity"],
        "score": aegis["score"],
        "source_ip": source.get("ip"),
        "destination_ip": destination.get("ip"),
        "destination_domain": destination.get("domain"),
        "techniques": sorted(t for t in techniques if t),
        "sensors": list(aegis["sensors"]),
        "reason": doc["event"]["reason"],
        "document": json.dumps(doc, ensure_ascii=False, sort_keys=True),
    }
