"""Lengths of time as people write them."""

from __future__ import annotations

import click
import pytest

from aegis_enrich.cli.spans import Span


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("1.5h", 5400), ("7d", 604_800), ("0", 0)]
)
def test_a_length_of_time(text, seconds):
    assert Span().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "5 s", "5w", "s"])
def test_what_is_none(text):
    with pytest.raises(click.BadParameter, match="write it like 90s, 15m, 24h or 7d"):
        Span().convert(text, None, None)
