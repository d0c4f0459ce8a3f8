"""Our reader beside zat's `LogToDataFrame`, value by value, on every TSV log of the lab (and the public ones if there).

Where zat is wrong, and what is compared then:
- it undoes no escapes and leaves `(empty)` and sets as text: ours is compared with what they stand for;
- pandas takes `NA`, `null`, `None`, `nan` … in a text for missing: such values are compared as missing;
- it ends a line at a `#` anywhere in it and reads quotes as CSV does: lines with `#` or `"` are left out;
- a line of fewer fields is filled up: lines that we call bad are left out of its frame;
- it never returns from a log without `#fields`: those are not given to it.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from zat.log_to_dataframe import LogToDataFrame

from aegis_enrich.decode import decode
from aegis_enrich.decode.columns import assigned, is_set
from aegis_enrich.follow.names import parse
from aegis_enrich.tables import TABLES

ROOT = Path(__file__).parents[2]
LAB = ROOT / "tests" / "data" / "lab"
PUBLIC = Path(os.environ.get("AEGIS_PUBLIC_DATA", ROOT.parent / "shared" / "data" / "public"))
LIMIT_S = 20
MISSING = {"", "NA", "N/A", "n/a", "NULL", "null", "None", "NaN", "nan", "-NaN", "-nan", "<NA>", "#N/A", "-"}


def logs() -> list[Path]:
    public = sorted(p for p in PUBLIC.rglob("*") if p.is_file()) if PUBLIC.is_dir() else []
    return [path for path in (*sorted(LAB.glob("*/tsv/*")), *public) if is_tsv(path)]


def is_tsv(path: Path) -> bool:
    """Whether it is a TSV log of ours with a header."""
    named = parse(path.name, TABLES)
    return named is not None and named.name in TABLES and b"#fields\t" in content(path)[:4096]


def content(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"zat took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def unescaped(text: str) -> str:
    raw = re.sub(
        rb"\\(x[0-9a-f]{2}|\\)",
        lambda m: b"\\" if m[1] == b"\\" else bytes([int(m[1][1:], 16)]),
        text.encode(),
    )
    controls = rb"\x00-\x07\x0b\x0e-\x1f\x7f"
    with contextlib.suppress(UnicodeDecodeError):
        if not re.search(rb"[" + controls + rb"]", raw):
            return raw.decode()
    return re.sub(rb"[" + controls + rb"\x80-\xff]", lambda m: f"\\x{m[0][0]:02x}".encode(), raw).decode()


def expected(kind: str, value: object, *, ordered: bool) -> object:
    """What zat's value stands for, in our terms."""
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return None
    match kind:
        case "time":
            return round(pd.Timestamp(str(value)).value / 1000)
        case "interval":
            return round(pd.Timedelta(value).value / 1000)  # type: ignore[arg-type]
        case "double":
            return float(str(value))
        case "count" | "port":
            return int(str(value))
        case "bool":
            return value == "T"
    text = str(value)
    if not kind.endswith("s"):
        return "" if text == "(empty)" else unescaped(text)
    parts = [] if text == "(empty)" else [unescaped(p) for p in text.split(",")]
    elements = [float(p) for p in parts] if kind == "intervals" else parts
    return elements if ordered else sorted(elements)


def ours(kind: str, column: pa.ChunkedArray) -> list[object]:
    if kind == "time":
        return column.cast(pa.int64()).to_pylist()
    values = column.to_pylist()
    if kind == "interval":
        return [None if v is None else round(v * 1e6) for v in values]
    if kind == "string":
        return [None if v in MISSING else v for v in values]
    return values


@pytest.mark.parametrize("path", logs(), ids=lambda p: "/".join(p.parts[-3:]))
def test_zat_reads_the_same(path: Path, tmp_path: Path) -> None:
    named = parse(path.name, TABLES)
    assert named is not None
    data = content(path)
    lines = data.split(b"\n")
    plain = [n for n, line in enumerate(lines) if line.lstrip()[:1] == b"#" or not (b"#" in line or b'"' in line)]
    data = b"\n".join(lines[n].lstrip(b"\t") for n in plain)
    found = decode(named.name, data, offset=0, context="", sensor="zat")
    bad = {b.offset for b in found.bad}
    offsets, at = [], 0
    for line in data.split(b"\n"):
        offsets.append(at)
        at += len(line) + 1
    kept = [line for line, offset in zip(data.split(b"\n"), offsets, strict=True) if offset not in bad]
    copy = tmp_path / f"{named.name}.log"
    copy.write_bytes(b"\n".join(kept))
    with at_most(LIMIT_S), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = LogToDataFrame().create_dataframe(str(copy), ts_index=False, aggressive_category=False)
    table = found.tables[named.name]
    assert len(frame) == table.num_rows
    kinds = TABLES[named.name].kinds
    for column, name in assigned(named.name, frame.columns).items():
        kind = kinds[column]
        theirs = [expected(kind, v, ordered=not is_set(named.name, column)) for v in frame[name].tolist()]
        assert ours(kind, table[column]) == theirs, column
