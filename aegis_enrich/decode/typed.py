"""Columns of text to the types of the canonical tables, with the rows whose value does not parse."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..tables import TIMESTAMP, TYPES

MICROS = 1_000_000
FIRST_S, END_S = -62_135_596_800.0, 253_402_300_800.0  # the years 1 and 10000: what lies outside is no time
LONGEST_S = 3.2e9  # a hundred years: what is longer is no interval
MOST = 2**53  # a count, a port: sums and products of such stay within 64 bits, and doubles hold them exactly
LEAST_MILLIS = 1e11  # a `ts` from here on counts milliseconds (1973); in seconds it would be the year 5138

# All that a number may be written with: what is not, needs no try.
_NUMERIC = r"^[-+0-9.a-fA-FinIxXtyN]{1,400}$"
_BEYOND = r"^-?[0-9]{16,400}(\.0+)?$"  # where it does not fit into 64 bits
_WHOLE = r"^-?[0-9]+\.0+$"
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{8,15}(Z|[+-][0-9]{2}:?[0-9]{2})$"
_IPV4 = r"^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.|$)){4}$"
_BOOLS = pa.array(["F", "T", "false", "true"])

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Typed:
    """`bad` marks values that do not parse (they are null in `values`); None where all do."""

    values: pa.Array
    bad: Mask | None = None


def typed(kind: str, texts: pa.Array, *, millis: Mask | None = None) -> Typed:
    """`texts` as `kind` (a word of TYPES, no list); `millis` marks rows whose times count milliseconds."""
    if kind == "string":
        return Typed(texts)
    if kind == "addr":
        return _addresses(texts)
    if kind == "bool":
        return _bools(texts)
    if kind in ("count", "int", "port"):
        return _counts(texts)
    if kind == "time":
        return _times(texts, millis)
    number = _cast(texts, pa.float64())
    if kind == "interval":
        return Typed(_interval(number.values), number.bad)
    return Typed(_finite(number.values), number.bad)


def typed_lists(kind: str, lists: pa.Array, *, ordered: bool = True) -> Typed:
    """Lists of texts as lists of the element of `kind` (strings, addrs, …); a bad element makes its row bad."""
    element = typed(kind.removesuffix("s"), lists.flatten())
    offsets = _offsets(lists)
    values = element.values if ordered else _sorted(element.values, offsets)
    bad = None
    if element.bad is not None:
        parents = np.repeat(np.arange(len(lists)), np.diff(offsets))
        bad = np.zeros(len(lists), np.bool_)
        bad[parents[element.bad]] = True
    rebuilt = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, mask=lists.is_null())
    return Typed(rebuilt.cast(TYPES[kind]), bad)


def microseconds(values: pa.Array) -> pa.Array:
    """Seconds as whole microseconds (int64)."""
    return pc.cast(pc.round(pc.multiply(values, float(MICROS)), round_mode="half_to_even"), pa.int64())


def _cast(texts: pa.Array, kind: pa.DataType) -> Typed:
    """What Arrow parses; the rest is tried one by one, so that one bad value costs its chunk little."""
    try:
        return Typed(pc.cast(texts, kind))
    except pa.ArrowInvalid:
        pass
    likely = pc.if_else(pc.match_substring_regex(texts, _NUMERIC), texts, None)
    values = _halved(likely, kind)
    return Typed(values, _lost(texts, values))


def _halved(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return pc.cast(texts, kind)
    except pa.ArrowInvalid:
        if len(texts) == 1:
            return pa.nulls(1, kind)
    half = len(texts) // 2
    return pa.concat_arrays([_halved(texts.slice(0, half), kind), _halved(texts.slice(half), kind)])


def _lost(texts: pa.Array, values: pa.Array) -> Mask | None:
    bad = pc.and_(texts.is_valid(), values.is_null()).to_numpy(zero_copy_only=False)
    return bad if bad.any() else None


def _counts(texts: pa.Array) -> Typed:
    """Whole numbers; "5.0" is one (programs that rewrite JSON make such). Beyond MOST they are null."""
    found = _cast(texts, pa.int64())
    if found.bad is None:
        return Typed(countable(found.values))
    values = found.values
    whole = pc.fill_null(pc.match_substring_regex(texts, _WHOLE), False)
    if pc.any(whole).as_py():
        stripped = pc.replace_substring_regex(texts.filter(whole), r"\.0+$", "")
        values = pc.replace_with_mask(values, whole, _halved(stripped, pa.int64()))
    small = pc.if_else(pc.match_substring_regex(texts, _BEYOND), None, texts)
    return Typed(countable(values), _lost(small, values))


def countable(numbers: pa.Array) -> pa.Array:
    """Numbers that can be reckoned with; null in place of those beyond MOST, which a peer may have sent."""
    bounds = pc.min_max(numbers)
    if (bounds["min"].as_py() or 0) >= -MOST and (bounds["max"].as_py() or 0) <= MOST:
        return numbers
    return pc.if_else(pc.and_(pc.greater_equal(numbers, -MOST), pc.less_equal(numbers, MOST)), numbers, None)


def _bools(texts: pa.Array) -> Typed:
    which = pc.index_in(texts, _BOOLS)
    return Typed(pc.equal(pc.bit_wise_and(which, 1), 1), _lost(texts, which))


def _addresses(texts: pa.Array) -> Typed:
    """Addresses in canonical form; an empty text is none."""
    coded = texts.dictionary_encode()
    names = coded.dictionary
    plain = pc.match_substring_regex(names, _IPV4)
    if pc.all(plain).as_py() is not False:
        return Typed(texts)
    canonical = [n if p else canonical_address(n) for n, p in zip(names.to_pylist(), plain.to_pylist(), strict=True)]
    values = pa.array(canonical, pa.string()).take(coded.indices)
    return Typed(values, _lost(pc.if_else(pc.equal(texts, ""), None, texts), values))


def canonical_address(text: str) -> str | None:
    """As inet_ntop writes it; None where it is no address."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, text))
    except (OSError, ValueError):
        return None


def _times(texts: pa.Array, millis: Mask | None) -> Typed:
    """Epoch seconds, or ISO 8601 with a zone; not finite or after the year 9999 is null."""
    seconds = _cast(texts, pa.float64())
    numbers = seconds.values
    if millis is not None:
        numbers = pc.if_else(pa.array(millis), pc.divide(numbers, 1000.0), numbers)
    sane = pc.and_(pc.greater_equal(numbers, FIRST_S), pc.less(numbers, END_S))
    times = microseconds(pc.if_else(sane, numbers, None)).cast(TIMESTAMP)
    if seconds.bad is None:
        return Typed(times)
    iso = pc.and_(pa.array(seconds.bad), pc.match_substring_regex(texts, _ISO))
    if pc.any(iso).as_py():
        iso = pc.fill_null(iso, False)
        times = pc.replace_with_mask(times, iso, _halved(texts.filter(iso), TIMESTAMP))
    bad = seconds.bad & times.is_null().to_numpy(zero_copy_only=False)
    return Typed(times, bad if bad.any() else None)


def _finite(numbers: pa.Array) -> pa.Array:
    finite = pc.is_finite(numbers)
    return numbers if pc.all(finite).as_py() is not False else pc.if_else(finite, numbers, None)


def _interval(seconds: pa.Array) -> pa.Array:
    """Rounded to microseconds; not finite or longer than LONGEST_S is null."""
    rounded = pc.round(pc.multiply(seconds, float(MICROS)), round_mode="half_to_even")
    sane = pc.less_equal(pc.abs(seconds), LONGEST_S)
    whole = pc.divide(rounded, float(MICROS))
    return whole if pc.all(sane).as_py() is not False else pc.if_else(sane, whole, None)


def _offsets(lists: pa.Array) -> npt.NDArray[np.int64]:
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def _sorted(values: pa.Array, offsets: npt.NDArray[np.int64]) -> pa.Array:
    lengths = np.diff(offsets)
    if not len(lengths) or lengths.max() < 2:
        return values
    parents = pa.array(np.repeat(np.arange(len(lengths)), lengths))
    table = pa.table({"parent": parents, "value": values})
    return values.take(pc.sort_indices(table, sort_keys=[("parent", "ascending"), ("value", "ascending")]))
