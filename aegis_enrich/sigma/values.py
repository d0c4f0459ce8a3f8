"""A column of a batch by its distinct values, and which rows hold a value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MANY = 1_000  # values above which one look at every element finds the rows faster


@dataclass(frozen=True)
class Values:
    """`distinct`: each value once (null too); `codes`: the number of each element's value; `rows`: its row."""

    distinct: pa.Array
    codes: np.ndarray
    rows: np.ndarray | None = None  # of lists, the row of each element; None: element n is row n's

    @classmethod
    def of(cls, column: pa.ChunkedArray | pa.Array) -> Values:
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if pa.types.is_list(whole.type):
            inner = cls.of(whole.flatten())
            return cls(inner.distinct, inner.codes, pc.list_parent_indices(whole).to_numpy())
        encoded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode(null_encoding="encode")
        if encoded.indices.null_count:
            encoded = encoded.dictionary.take(encoded.indices).dictionary_encode(null_encoding="encode")
        return cls(encoded.dictionary, encoded.indices.to_numpy())

    @cached_property
    def _counts(self) -> np.ndarray:
        return np.bincount(self.codes, minlength=len(self.distinct))

    @cached_property
    def _order(self) -> tuple[np.ndarray, np.ndarray]:
        """The elements by value, and where each value's begin."""
        starts = np.concatenate(([0], np.cumsum(self._counts)))
        return np.argsort(self.codes, kind="stable"), starts

    def count(self, numbers: np.ndarray) -> int:
        """How many elements hold one of these values."""
        return int(self._counts[numbers].sum())

    def rows_of(self, numbers: np.ndarray) -> np.ndarray:
        """The rows that hold one of these values; of lists, a row maybe twice."""
        order, starts = self._order
        if len(numbers) > MANY:
            mask = np.zeros(len(self.distinct), bool)
            mask[numbers] = True
            at = np.flatnonzero(mask[self.codes])
        else:
            at = np.concatenate([order[:0], *(order[starts[n] : starts[n + 1]] for n in numbers)])
        return at if self.rows is None else self.rows[at]
