"""The model of names: boosted decision trees over whole numbers, kept as plain JSON and run by numpy alone.

Trees of a pickle run code of whoever wrote it and break with the library's version; lists of numbers do neither.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aegis_enrich.errors import ConfigError

from .names import FEATURES, vector

SHIPPED = Path(__file__).parent / "trees.json"
FORMAT = 1
BLOCK = 1_024  # names at a time, so that memory stays small
_ARRAYS = ("roots", "feature", "threshold", "left", "right", "value")

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Trees:
    """A node goes left where its feature is at most its threshold; a leaf leads to itself and holds a value."""

    base: int  # all values are thousandths of log odds
    roots: Whole
    feature: Whole
    threshold: Whole
    left: Whole
    right: Whole
    value: Whole
    about: Mapping[str, Any]  # how it was trained, how it did, and the log odds of one real name in 1,000

    @property
    def sure(self) -> float:
        """The probability that one real name in 1,000 exceeds."""
        return float(1 / (1 + np.exp(-self.about["one_in_1000"] / 1000)))

    def probabilities(self, labels: Sequence[str]) -> npt.NDArray[np.float64]:
        """That each label is a generator's, had it been as likely one's as not before it was looked at; 0.0-1.0."""
        return 1 / (1 + np.exp(-self.log_odds(labels) / 1000))

    def log_odds(self, labels: Sequence[str]) -> Whole:
        """In thousandths; sums of whole numbers, the same on each machine."""
        blocks = [labels[start : start + BLOCK] for start in range(0, len(labels), BLOCK)]
        return np.concatenate([np.zeros(0, dtype=np.int64), *map(self._of_block, blocks)])

    def _of_block(self, labels: Sequence[str]) -> Whole:
        rows = np.array([vector(label) for label in labels], dtype=np.int64)
        nodes = np.broadcast_to(self.roots, (len(rows), len(self.roots)))
        across = np.arange(len(rows))[:, None]
        while True:
            at_most = rows[across, self.feature[nodes]] <= self.threshold[nodes]
            further = np.where(at_most, self.left[nodes], self.right[nodes])
            if np.array_equal(further, nodes):
                return np.asarray(self.base + self.value[nodes].sum(axis=1))
            nodes = further

    def text(self) -> str:
        """As it is kept: one array a line."""
        arrays = {name: getattr(self, name).tolist() for name in _ARRAYS}
        parts = {"format": FORMAT, "about": self.about, "features": FEATURES, "base": self.base, **arrays}
        return "{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in parts.items()) + "\n}\n"

    def digest(self) -> str:
        """Tells one model from another: eight hex digits."""
        return sha256(self.text().encode()).hexdigest()[:8]


def read(text: str, where: str) -> Trees:
    """A model from its text; raises ConfigError where it is none, or one for other features."""
    try:
        parts = json.loads(text)
        arrays = {name: np.array(parts[name], dtype=np.int64) for name in _ARRAYS}
        if parts["format"] != FORMAT or tuple(parts["features"]) != FEATURES:
            raise ValueError("made for another version")
        trees = Trees(base=int(parts["base"]), about=parts["about"], **arrays)
        if not isinstance(trees.about["one_in_1000"], int):
            raise ValueError("one_in_1000 is no whole number")
        _check(trees)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        what = f"no model of names for this version ({error}); make one by `aegis-enrich train dga`"
        raise ConfigError(what, where=where) from error
    return trees


def _check(trees: Trees) -> None:
    """Each node leads to itself or further on, so that no file can keep it going round."""
    many = len(trees.feature)
    here = np.arange(many)
    if {len(getattr(trees, name)) for name in _ARRAYS[1:]} != {many} or not len(trees.roots):
        raise ValueError("its arrays are not equally long")
    if trees.roots.min() < 0 or trees.roots.max() >= many:
        raise ValueError("a root is no node")
    if trees.feature.min() < 0 or trees.feature.max() >= len(FEATURES):
        raise ValueError("a node's feature is none")
    for side in (trees.left, trees.right):
        if not np.all((side >= here) & (side < many)) or np.any((side == here) != (trees.left == here)):
            raise ValueError("a node leads nowhere")


def load(path: str = "") -> Trees:
    """The model in a file, read again where that was replaced; the one that ships where `path` is empty."""
    file = Path(path) if path else SHIPPED
    try:
        about = file.stat()
        return _load(file, (about.st_ino, about.st_size, about.st_mtime_ns))
    except (OSError, UnicodeDecodeError) as error:
        what = f"cannot be read: {error}; name a file that `aegis-enrich train dga` made, or none"
        raise ConfigError(what, where=str(file)) from error


@lru_cache(maxsize=4)
def _load(file: Path, _version: tuple[int, int, int]) -> Trees:
    return read(file.read_text(encoding="utf-8"), str(file))
