"""Scores features where they lie: `score` of the detector, unchanged, in Spark's Python workers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...detect.evaluate import CHUNK_ROWS, findings
from ...plugin import Detector, Finding
from .lift import WINDOW
from .numbers import Numbers

RESULT = f"{WINDOW} bigint, found string"


def scorer(
    detector: type[Detector], tuning: Any, numbers: Numbers, schema: pa.Schema
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """A function for `mapInArrow`: features with the window's number first, to findings as JSON.

    `schema`: the features as DuckDB types them; so `score` sees the same frame.
    """

    def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        plugin = detector()
        for batch in batches:
            rows = pa.Table.from_batches([batch])
            for number in sorted(pc.unique(rows[WINDOW]).to_pylist()):
                some = fitted(rows.filter(pc.equal(rows[WINDOW], number)), schema)
                found: list[str] = []
                for start in range(0, some.num_rows, CHUNK_ROWS):
                    scored = plugin.score(some.slice(start, CHUNK_ROWS).to_pandas(), tuning)
                    made = findings(detector, numbers.sensor(number), numbers.window(number), scored)
                    found += [json.dumps(asdict(one)) for one in made]
                yield pa.RecordBatch.from_pydict(
                    {WINDOW: pa.array([number] * len(found), pa.int64()), "found": pa.array(found, pa.string())}
                )

    return score


def fitted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The features without the window's number, in these types; the columns come in this order."""
    values = rows.drop_columns([WINDOW])
    return pa.table([values.column(n).cast(field.type) for n, field in enumerate(schema)], schema=schema)


def finding(text: str) -> Finding:
    """A finding of its JSON."""
    told = json.loads(text)
    return Finding(**{**told, "uids": tuple(told["uids"])})
