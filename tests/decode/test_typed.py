from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.decode.typed import canonical_address, microseconds, typed, typed_lists


def values(kind, *texts, **more):
    found = typed(kind, pa.array(texts, pa.string()), **more)
    bad = [False] * len(texts) if found.bad is None else found.bad.tolist()
    return list(zip(found.values.to_pylist(), bad, strict=True))


def test_counts():
    assert values("count", "5", None, "5.0", "-1", "five", "", "9223372036854775808", "1e3", " 5") == [
        (5, False),
        (None, False),
        (5, False),
        (-1, False),
        (None, True),
        (None, True),
        (None, False),
        (None, True),
        (None, True),
    ]


def test_a_count_that_nothing_can_reckon_with_is_null_and_its_row_stays():
    """A peer may send such, as a Content-Length; sums of them would end a query."""
    texts = [str(2**53), str(2**53 + 1), str(-(2**53) - 1), str(2**64), "9" * 400, f"{2**64}.0"]
    assert values("count", *texts) == [(2**53, False), *[(None, False)] * 5]


def test_bools():
    assert values("bool", "T", "F", "true", "false", None, "yes") == [
        (True, False),
        (False, False),
        (True, False),
        (False, False),
        (None, False),
        (None, True),
    ]


def test_times_are_rounded_to_microseconds():
    moment = datetime(2026, 11, 22, 0, 25, 50, 653747, tzinfo=UTC)
    texts = [
        "1795307150.653747",
        "1795307150.6537469",
        "2026-11-22T00:25:50.653747Z",
        "2026-11-22T01:25:50.653747+0100",
    ]
    assert values("time", *texts) == [(moment, False)] * 4


def test_times_that_are_none():
    assert values("time", "nan", "1e30", "-1e30", "yesterday", "2026-13-01T00:00:00Z", None) == [
        *[(None, False)] * 3,
        *[(None, True)] * 2,
        (None, False),
    ]


def test_milliseconds():
    found = values("time", "1700000000500", "1700000000.5", millis=np.array([True, False]))
    assert [v for v, _ in found] == [datetime(2023, 11, 14, 22, 13, 20, 500000, tzinfo=UTC)] * 2


def test_intervals_are_rounded_to_microseconds():
    assert values("interval", "0.18698692321777344", "inf", "1e300", "1e-07", "x") == [
        (0.186987, False),
        (None, False),
        (None, False),
        (0.0, False),
        (None, True),
    ]


@given(st.integers(0, 4_000_000_000_000_000))
def test_a_time_with_six_digits_is_exact(us):
    text = f"{us // 1_000_000}.{us % 1_000_000:06d}"
    assert typed("time", pa.array([text])).values.cast(pa.int64()).to_pylist() == [us]
    assert microseconds(pa.array([us / 1e6])).to_pylist() == [us]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("FE80:0000:0000:0000:0000:0000:0000:0001", "fe80::1"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
        ("256.0.0.1", None),
        ("10.0.0", None),
        ("10.0.0.1 ", None),
        ("fe80::1%eth0", None),
        ("é", None),
    ],
)
def test_addresses(text, canonical):
    assert canonical_address(text) == canonical
    assert values("addr", "10.0.0.9", text, "", None)[1] == (canonical, canonical is None)


def test_lists():
    lists = pa.array([["b", "a"], [], None, ["c"]])
    assert typed_lists("strings", lists).values.to_pylist() == [["b", "a"], [], None, ["c"]]
    assert typed_lists("strings", lists, ordered=False).values.to_pylist() == [["a", "b"], [], None, ["c"]]


def test_a_bad_element_makes_its_row_bad():
    found = typed_lists("intervals", pa.array([["1.5", None], ["x"], None]))
    assert found.values.to_pylist() == [[1.5, None], [None], None]
    assert found.bad is not None
    assert found.bad.tolist() == [False, True, False]


@given(st.lists(st.text("0123456789.-+eExXinfaNT:Z ", max_size=8), min_size=1, max_size=9), st.sampled_from("pid"))
def test_a_value_reads_the_same_alone_and_among_others(texts, which):
    kind = {"p": "count", "i": "interval", "d": "time"}[which]
    assert values(kind, *texts) == [values(kind, t)[0] for t in texts]
