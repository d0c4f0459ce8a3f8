"""Messages to lines of logs, by columns: what a sender wraps around a line is taken off, and says which log it is of.

Forms that are read: a line as it is (one topic a log, or `_path`, or EVE), Zeek's tagged JSON `{"conn": {…}}`, and
Filebeat's events, with the line in `message`, its fields in `json`, or its fields at the top.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..decode import json_lines
from ..decode.lines import escape_invalid
from .names import EVE, KNOWN, by_dataset, by_name, by_path, by_topic

_SEPARATOR = "\x1f"
_NO_LOG = "no log is named: no tag, `_path`, dataset, file or topic says which it is; name the topic after its log"
_NO_JSON = "not JSON, and the topic is not named after a log"


@dataclass(frozen=True)
class Group:
    """The lines of one sensor's log among some messages; `numbers`: the message of each line."""

    sensor: str
    log: str
    data: bytes
    numbers: Sequence[int]


@dataclass(frozen=True)
class Opened:
    """What messages hold. `refused`: (sensor, number, contents, reason) of those that are nothing we know.

    `skipped`: names of logs that are not read, with how many messages are of them.
    """

    groups: Sequence[Group] = ()
    refused: Sequence[tuple[str, int, bytes, str]] = ()
    skipped: dict[str, int] = field(default_factory=dict)


def open_messages(
    topic: str, numbers: Sequence[int], sensors: Sequence[str], values: Sequence[bytes], *, sensor_field: str = ""
) -> Opened:
    """The lines in the messages of one partition. `sensors`: of each message, where no field tells it.

    `sensor_field`: dotted name of the field that does; a message without it is of the sensor in `sensors`.
    """
    table = pa.table(
        {
            "number": pa.array(numbers, pa.int64()),
            "sensor": pa.array(sensors, pa.string()).dictionary_encode().cast(pa.string()),
            "line": _texts(values),
        }
    )
    table = table.filter(pc.greater(pc.binary_length(table["line"]), 0))
    read, broken = _asked(table, _pointer(sensor_field))
    logs, reasons = _logs(read["hint"], by_topic(topic))
    opened = Opened()
    refused = _refused(read, logs, reasons) + _broken(broken, topic)
    for name, count in _skipped(reasons).items():
        opened.skipped[name] = count
    named = pa.table({"number": read["number"], "sensor": read["sensor"], "line": read["row"], "log": logs})
    if (whole := by_topic(topic)) is not None:
        log = pa.array([whole] * broken.num_rows, pa.string())
        named = pa.concat_tables([named, broken.append_column("log", log).select(named.column_names)]).sort_by("number")
    return Opened(_groups(named.filter(pc.is_valid(named["log"]))), sorted(refused, key=lambda r: r[1]), opened.skipped)


def _texts(values: Sequence[bytes]) -> pa.Array:
    """The messages as texts of one line each; bytes that are no UTF-8 are escaped as decoding does."""
    data = b"\n".join(values)
    if data.count(b"\n") != len(values) - 1:  # white space between JSON's tokens: in its strings it is escaped
        values = [v.replace(b"\n", b" ") for v in values]
        data = b"\n".join(values)
    data = escape_invalid(data, "\\\\x")
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    texts = np.concatenate([[0], ends + 1, [len(data) + 1]]).astype(np.int64)
    offsets = pa.py_buffer(texts.astype(np.int32))
    with_ends = pa.StringArray.from_buffers(len(values), offsets, pa.py_buffer(data + b"\n"))
    return pc.utf8_trim_whitespace(with_ends)


def _asked(table: pa.Table, pointer: str) -> tuple[pa.Table, pa.Table]:
    """`number`, `sensor`, `row` and `hint` of the messages that are JSON objects, and those that are none."""
    like = pc.starts_with(table["line"], "{")
    lines, broken = table.filter(like), table.filter(pc.invert(like))
    tags = [*sorted(KNOWN), "connection"]
    read, _, valid = json_lines.of_valid(lambda those: json_lines.query(_sql(), those, [tags, pointer]), lines)
    if valid is not None:
        broken = pa.concat_tables([broken, lines.filter(pc.invert(valid))])
    return read, broken


@functools.cache
def _sql() -> str:
    return (files("aegis_enrich.kafka") / "envelope.sql").read_text(encoding="utf-8").rstrip().rstrip(";")


def _pointer(dotted: str) -> str:
    """A field's place for DuckDB: `observer.name`, nested or with the dot in its name, is asked for as nested."""
    return "/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in dotted.split(".")) if dotted else ""


def _logs(hints: pa.ChunkedArray, whole: str | None) -> tuple[pa.Array, pa.Array]:
    """The log of each message, null where it is none of ours, and then the name that was given ("" where none was)."""
    distinct = hints.combine_chunks().dictionary_encode()
    distinct = distinct.chunk(0) if isinstance(distinct, pa.ChunkedArray) else distinct
    told = [_log(text, whole) for text in distinct.dictionary.to_pylist()]
    logs = pa.array([log for log, _ in told], pa.string()).take(distinct.indices)
    return logs, pa.array([name for _, name in told], pa.string()).take(distinct.indices)


def _log(hint: str, whole: str | None) -> tuple[str | None, str | None]:
    """The log that a hint names, else (None, the name that it gives)."""
    eve, tag, path, dataset, inner = hint.split(_SEPARATOR)
    if eve:
        return EVE, None
    for text, of in ((tag, by_name), (path, by_path), (dataset, by_dataset)):
        if text:
            log = of(text)
            return (log, None) if log else (None, text)
    if whole and whole.startswith("open_"):  # zeek's open_conn says "_path": "conn"
        return whole, None
    if inner:
        log = by_name(inner)
        return (log, None) if log else (None, inner)
    return (whole, None) if whole else (None, "")


def _refused(read: pa.Table, logs: pa.Array, reasons: pa.Array) -> list[tuple[str, int, bytes, str]]:
    nothing = read.filter(pc.and_(pc.is_null(logs), pc.equal(pc.fill_null(reasons, "-"), "")))
    rows = zip(nothing["sensor"].to_pylist(), nothing["number"].to_pylist(), nothing["row"].to_pylist(), strict=True)
    return [(sensor, number, row.encode(), _NO_LOG) for sensor, number, row in rows]


def _broken(broken: pa.Table, topic: str) -> list[tuple[str, int, bytes, str]]:
    """What is no JSON, where the topic does not say which log's lines they are."""
    if by_topic(topic) is not None:
        return []
    rows = zip(broken["sensor"].to_pylist(), broken["number"].to_pylist(), broken["line"].to_pylist(), strict=True)
    return [(sensor, number, line.encode(), _NO_JSON) for sensor, number, line in rows]


def _skipped(reasons: pa.Array) -> dict[str, int]:
    counted = pc.value_counts(reasons.filter(pc.not_equal(reasons, "")))
    return {entry["values"]: entry["counts"] for entry in counted.to_pylist()}


def _groups(rows: pa.Table) -> list[Group]:
    """The rows by sensor and log, in their order."""
    groups = []
    for pair in rows.group_by(["sensor", "log"], use_threads=False).aggregate([]).to_pylist():
        mask = pc.and_(pc.equal(rows["sensor"], pair["sensor"]), pc.equal(rows["log"], pair["log"]))
        own = rows.filter(mask)
        ended = pc.binary_join_element_wise(own["line"], "", "\n").combine_chunks()
        ended = ended.chunk(0) if isinstance(ended, pa.ChunkedArray) else ended
        data = pa.concat_arrays([ended]).buffers()[2].to_pybytes()
        groups.append(Group(pair["sensor"], pair["log"], data, own["number"].to_numpy()))
    return sorted(groups, key=lambda g: (g.sensor, g.log))
