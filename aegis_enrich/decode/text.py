"""Text as Zeek's JSON writer has it: escapes undone, bytes that are no clean UTF-8 as `\\xNN`.

One bad byte makes every byte of its value that is not printable ASCII (or one of \\b \\t \\n \\f \\r) an `\\xNN`. So
TSV, whose escapes can be undone, and JSON, whose cannot, give the same text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_UNCLEAN = re.compile("[\x00-\x07\x0b\x0e-\x1f\x7f-\x9f\ue000-\uf8ff\ufff0-\uffff]")
_UNCLEAN_BYTE = re.compile(rb"[\x00-\x07\x0b\x0e-\x1f\x7f-\xff]")
_CONTROL = "[\x00-\x07\x0b\x0e-\x1f\x7f]"


def clean(raw: bytes) -> str:
    """The text of a value's bytes."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        pass
    else:
        if not _UNCLEAN.search(text):
            return text
    return _UNCLEAN_BYTE.sub(lambda m: b"\\x%02x" % m[0][0], raw).decode("ascii")


def unescape(value: str) -> str:
    """A TSV value with `\\xNN` and `\\\\` undone; a backslash before anything else stays."""
    return clean(_ESCAPE.sub(_unescaped, value.encode()))


def _unescaped(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes([int(match[1], 16)])
    return b"\\" if match[2] == b"\\" else match[0]


def unescape_all(values: pa.Array) -> pa.Array:
    """`unescape` on the values that hold a backslash."""
    return replace(values, holding(values, "\\"), unescape)


def clean_all(values: pa.Array) -> pa.Array:
    """`clean` on the values that hold control characters."""
    return replace(values, pc.match_substring_regex(values, _CONTROL), lambda v: clean(v.encode()))


def holding(values: pa.Array, character: str) -> pa.Array:
    """Which values hold an ASCII character: ten times as fast as a search value by value; no null."""
    _, offsets, data = values.buffers()
    if not len(values) or data is None:
        return pa.repeat(pa.scalar(False), len(values))
    found = np.flatnonzero(np.frombuffer(data, np.uint8) == ord(character))
    bounds = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1]
    return pa.array(np.diff(np.searchsorted(found, bounds)) > 0)


def replace(values: pa.Array, where: pa.Array, change: Callable[[str], str | None]) -> pa.Array:
    """The values at `where` (null: no) given through `change`, each distinct one once."""
    where = pc.fill_null(where, False) if where.null_count else where
    if not pc.any(where).as_py():
        return values
    chosen = values.filter(where).dictionary_encode()
    changed = pa.array([change(v) for v in chosen.dictionary.to_pylist()], values.type)
    return pc.replace_with_mask(values, where, changed.take(chosen.indices))
