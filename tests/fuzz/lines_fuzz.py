"""One chunk of mutated lines through the decoder, and what must hold of what comes out.

- No exception, and no hang: CPU time within a bound relative to that of the same good lines alone.
- Every line is a row, a dead letter with its own byte offset and its own bytes, or one of the lines that are none.
- Good lines among bad ones give the very rows that they give alone.
- What comes out is valid Arrow (UTF-8, offsets), every row has its `ts`, and no row depends on where the log is cut.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from aegis_enrich.decode import Decoded, decode
from aegis_enrich.decode.eve.shapes import TABLES_OF
from aegis_enrich.decode.result import LINE_KEPT
from aegis_enrich.decode.typed import END_S, FIRST_S

from .corpus import EVE, Log, logs
from .mutate import mutated

LINES = 1_000  # of one chunk, half of them good
SLOWER, GRACE_S = 25.0, 3.0  # a chunk may take this many times its good lines' CPU time, and this much
OFFSET = 7_000_000_000  # where a chunk begins: offsets are larger than 32 bits
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Case:
    """`lines` are without their last line feed, a mutated one may hold several; `good`: which are as they were."""

    log: Log
    lines: Sequence[bytes]
    good: Sequence[bool]

    def bytes(self) -> bytes:
        return self.log.header + b"\n".join(self.lines) + b"\n"

    def clean(self) -> bytes:
        return self.log.header + b"".join(
            line + b"\n" for line, good in zip(self.lines, self.good, strict=True) if good
        )

    def without(self, dropped: set[int]) -> Case:
        kept = [i for i in range(len(self.lines)) if i not in dropped]
        return Case(self.log, [self.lines[i] for i in kept], [self.good[i] for i in kept])


def case(seed: int, number: int, lines: int = LINES) -> Case:
    """The chunk `number` of a seed; the logs come by turns."""
    rng = random.Random(f"{seed}:{number}")
    log = logs()[number % len(logs())]
    good = [rng.random() < 0.5 for _ in range(lines)]
    made: list[bytes] = []
    for i, is_good in enumerate(good):
        line = log.marked(rng.randrange(len(log.lines)), f"{'clean' if is_good else 'dirty'}{i:06d}")
        made.append(line if is_good else mutated(rng, log, line))
    return Case(log, made, good)


def check(given: Case, *, cuts: bool = False) -> Decoded:
    """Raises AssertionError where something that must hold does not, and whatever the decoder raises."""
    begun_s = time.process_time()
    alone = _decoded(given, given.clean())
    clean_s = time.process_time() - begun_s
    data = given.bytes()
    begun_s = time.process_time()
    mixed = _decoded(given, data)
    mixed_s = time.process_time() - begun_s
    assert mixed_s <= clean_s * SLOWER + GRACE_S, f"took {mixed_s:.1f} s of CPU, its good lines alone {clean_s:.2f} s"
    _every_line(given, data, mixed)
    _good_lines(alone, mixed)
    for name, table in mixed.tables.items():
        table.validate(full=True)
        assert table["ts"].null_count == 0, f"{name} has rows without ts"
        _sane(name, table)
    if cuts:
        _cut_anywhere(given, data, mixed)
    return mixed


def _sane(name: str, table: pa.Table) -> None:
    """Times lie in the years 1 to 9999, a row ends no sooner than it begins, numbers are finite."""
    for field in table.schema:
        values = table[field.name]
        if pa.types.is_timestamp(field.type) and values.null_count < len(values):
            least, most = pc.min(values.cast(pa.int64())).as_py(), pc.max(values.cast(pa.int64())).as_py()
            assert FIRST_S * 1e6 <= least <= most < END_S * 1e6, f"{name}.{field.name}: {least} to {most} µs"
        if pa.types.is_floating(field.type):
            assert pc.all(pc.is_finite(values)).as_py() is not False, f"{name}.{field.name} is not finite"
    assert pc.all(pc.greater_equal(table["end_ts"], table["ts"])).as_py() is not False, f"{name}: end_ts before ts"


def _decoded(given: Case, data: bytes, *, offset: int = OFFSET, context: str = "") -> Decoded:
    return decode(given.log.name, data, offset=offset, context=context, sensor="s")


def _every_line(given: Case, data: bytes, mixed: Decoded) -> None:
    starts, upto, kinds = {}, 0, []
    for line in data.split(b"\n")[:-1]:
        starts[upto] = line
        kinds.append(_is_data(line))
        upto += len(line) + 1
    rows = sum(t.num_rows for t in mixed.tables.values())
    assert mixed.lines + mixed.ignored == len(kinds), "lines are neither counted nor ignored"
    offsets = [bad.offset - OFFSET for bad in mixed.bad]
    assert offsets == sorted(set(offsets)), "dead letters are not in order, or one line is two"
    for bad, offset in zip(mixed.bad, offsets, strict=True):
        line = starts.get(offset)
        assert line is not None, f"no line begins at the offset of a dead letter: {bad}"
        assert bad.line == (line + b"\n")[:LINE_KEPT].rstrip(b"\r\n"), (
            f"a dead letter's bytes are not its line's: {bad}"
        )
        assert bad.reason
    if given.log.form == EVE:
        assert mixed.ignored <= sum(not k for k in kinds) + _unread_events(starts.values())
        assert mixed.lines - len(mixed.bad) <= rows <= 2 * (mixed.lines - len(mixed.bad))
    else:
        assert mixed.ignored == sum(not k for k in kinds), "lines are ignored that are no comments"
        assert rows + len(mixed.bad) == mixed.lines, "rows and dead letters are not all lines"


def _is_data(line: bytes) -> bool:
    """Whether a line must be a row or a dead letter: not blank, no comment, no bare header."""
    text = line.removeprefix(BOM).lstrip(b" \t\r")
    return bool(text) and not (text.startswith(b"#") or line.removeprefix(BOM).split(b"\t", 1)[0].rstrip() == b"ts")


def _unread_events(lines: Sequence[bytes]) -> int:
    """How many may be events of a type that no table takes (or of smb, whose tables do not take each)."""
    known = [b'"%s"' % name.encode() for name in TABLES_OF if name != "smb"]
    return sum(not any(name in line for name in known) for line in lines) + sum(
        line.count(b"event_type") > 1 or b"\\" in line for line in lines
    )


def _good_lines(alone: Decoded, mixed: Decoded) -> None:
    for bad in alone.bad:
        raise AssertionError(f"a good line is a dead letter: {bad}")
    for bad in mixed.bad:
        assert not bad.line.startswith(b'{"mark":"clean') or b"dirty" in bad.line or bad.line.count(b"{") > 50, bad
    for name, table in alone.tables.items():
        assert name in mixed.tables, f"no row of {name} among bad lines"
        found = mixed.tables[name]
        if table["extra"].null_count == table.num_rows:  # of EVE's, where no mark comes out
            continue
        kept = found.filter(pc.fill_null(pc.match_substring_regex(found["extra"], '"mark":"clean[0-9]{6}"'), False))
        if not kept.equals(table):
            raise AssertionError(f"{name}: good lines' rows differ among bad ones: {_difference(table, kept)}")


def _difference(table: pa.Table, kept: pa.Table) -> str:
    if table.num_rows != kept.num_rows:
        marks = [
            set(pc.unique(pc.extract_regex(t["extra"], "(?P<m>clean[0-9]{6})").combine_chunks().field("m")).to_pylist())
            for t in (table, kept)
        ]
        return f"{table.num_rows} rows are {kept.num_rows}: {sorted(map(str, marks[0] ^ marks[1]))[:5]}"
    for name in table.column_names:
        if not table[name].equals(kept[name]):
            rows = zip(table[name].to_pylist(), kept[name].to_pylist(), strict=True)
            return f"{name}: {next(((a, b) for a, b in rows if a != b), 'nulls')}"
    return "schemas"


def _cut_anywhere(given: Case, data: bytes, mixed: Decoded) -> None:
    """The same lines in three chunks, each with the context of the one before."""
    starts = [0, *(i + 1 for i, b in enumerate(data) if b == 10)]
    first, second = starts[len(starts) // 3], starts[2 * len(starts) // 3]
    tables: dict[str, list[pa.Table]] = {}
    bad, context = [], ""
    for start, end in ((0, first), (first, second), (second, len(data))):
        part = _decoded(given, data[start:end], offset=OFFSET + start, context=context)
        context = part.context
        bad += part.bad
        for name, table in part.tables.items():
            tables.setdefault(name, []).append(table)
    assert [(b.offset, b.line) for b in bad] == [(b.offset, b.line) for b in mixed.bad], "dead letters depend on cuts"
    assert tables.keys() == mixed.tables.keys()
    for name, parts in tables.items():
        whole = pa.concat_tables(parts)
        if not whole.combine_chunks().equals(mixed.tables[name].combine_chunks()):
            raise AssertionError(
                f"{name}: rows depend on where the log is cut: {_difference(mixed.tables[name], whole)}"
            )
    assert context == mixed.context


def shrunk(given: Case, fails: str, *, most_s: float = 8.0) -> Case:
    """Fewer lines that fail with the same kind of error, by leaving out ever smaller runs of them."""
    until_s = time.monotonic() + most_s
    size = len(given.lines) // 2
    while size and time.monotonic() < until_s:
        start = 0
        while start < len(given.lines) and time.monotonic() < until_s:
            fewer = given.without(set(range(start, start + size)))
            if fewer.lines and failure(fewer) == fails:
                given = fewer
            else:
                start += size
        size //= 2
    return given


def failure(given: Case, *, cuts: bool = True) -> str:
    """The kind of error that a chunk ends in ("" for none)."""
    try:
        check(given, cuts=cuts)
    except AssertionError as error:
        return f"AssertionError {str(error)[:25]}"
    except Exception as error:  # noqa: BLE001 (a fuzzer wants them all)
        return type(error).__name__
    return ""


def report(seed: int, number: int, given: Case, error: BaseException) -> str:
    """What to run to see a failure again, and the few lines that are enough for it."""
    few = shrunk(given, failure(given))
    shown = json.dumps([line[:300].decode("latin-1") for line in few.lines[:6]])
    return (
        f"seed {seed}, chunk {number} ({given.log.form} {given.log.name}): {type(error).__name__}: {str(error)[:500]}\n"
        f"  again: python tests/fuzz/run.py --seed {seed} --only {number}\n"
        f"  {len(few.lines)} lines are enough: {shown}"
    )
