"""Lists as people write them."""

from __future__ import annotations

from collections.abc import Sequence


def several(values: Sequence[str], most: int = 6) -> str:
    """`a, b and c`; of more than `most` the first, and how many more there are."""
    shown = [*values[:most], *([f"{len(values) - most} more"] if len(values) > most else [])]
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
