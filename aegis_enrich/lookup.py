"""Applies a function of one value to a column: once per unique value, remembered across batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

SIZE = 1 << 18  # values remembered; when there are more, all are forgotten and looked up again


def encode(column: pa.ChunkedArray | pa.Array) -> pa.DictionaryArray:
    """The column dictionary-encoded, in one piece; at once where it is so already."""
    if isinstance(column, pa.DictionaryArray):
        return column
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        if encoded.num_chunks == 0:
            return pa.array([], pa.string()).dictionary_encode()
        encoded = encoded.chunk(0) if encoded.num_chunks == 1 else encoded.unify_dictionaries().combine_chunks()
    return encoded


class Codes(dict[str | None, int]):
    """Values to the place of what `find` gives for them among the distinct `results`; place 0 is None, nothing."""

    def __init__(self, find: Callable[[str], Any], *, size: int = SIZE) -> None:
        """`find` gives something hashable, or None where nothing is known."""
        super().__init__()
        self._find = find
        self._size = size
        self._places: dict[Any, int] = {None: 0}

    @property
    def results(self) -> list[Any]:
        return list(self._places)

    def of(self, column: pa.ChunkedArray | pa.Array) -> pa.Array | None:
        """The place of each row (of strings, dictionary-encoded or not; null for null), or None where all are 0."""
        if len(self) > self._size:
            self.clear()
        encoded = encode(column)
        places = list(map(self.__getitem__, encoded.dictionary.to_pylist()))
        return pa.array(places, pa.int32()).take(encoded.indices) if any(places) else None

    def clear(self) -> None:
        """Forgets what was found: the facts behind `find` have changed, or it has become too much."""
        super().clear()
        self._places = {None: 0}

    def __missing__(self, value: str | None) -> int:
        result = None if value is None else self._find(value)
        place = self[value] = self._places.setdefault(result, len(self._places))
        return place


class Lookup:
    """Columns by a function of the values of one column: `find` gives one value of each type, or None."""

    def __init__(
        self, find: Callable[[str], tuple[Any, ...] | None], types: Sequence[pa.DataType], *, size: int = SIZE
    ) -> None:
        self.types = tuple(types)
        self._codes = Codes(find, size=size)

    def __call__(self, column: pa.ChunkedArray | pa.Array) -> list[pa.Array]:
        """An array of each type, as long as the column."""
        places = self._codes.of(column)
        if places is None:
            return [pa.nulls(len(column), kind) for kind in self.types]
        nothing = (None,) * len(self.types)
        columns = zip(*(result or nothing for result in self._codes.results), strict=True)
        return [pa.array(values, kind).take(places) for values, kind in zip(columns, self.types, strict=True)]

    def clear(self) -> None:
        """Forgets what was found: the facts behind `find` have changed."""
        self._codes.clear()
