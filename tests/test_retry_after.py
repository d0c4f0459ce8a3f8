"""Retry-After in both of its forms."""

import pytest

from aegis_enrich.retry_after import retry_after_s

NOW_S = 1_790_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, 0), ("", 0), ("7", 7), (" 7 ", 7), ("-7", 0), ("later", 0), ("Mon, 21 Sep 2026 14:14:20 GMT", 60)],
)
def test_retry_after(value, seconds):
    assert retry_after_s(value, NOW_S) == seconds
