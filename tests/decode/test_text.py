import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.decode.text import clean, clean_all, holding, replace, unescape, unescape_all


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        ("plain", "plain"),
        ("a\\x09b", "a\tb"),
        ("\\x2d", "-"),
        ("\\x28empty)", "(empty)"),
        ("a\\\\b", "a\\b"),
        ("a\\\\x09", "a\\x09"),
        ("\\x", "\\x"),
        ("\\q\\", "\\q\\"),
        ("\\xc3\\xa9", "é"),
        ("\\xbe", "\\xbe"),
        ("\\x00", "\\x00"),
        ("é\\x09\\xff", "\\xc3\\xa9\t\\xff"),  # one bad byte, and no byte of the value passes as UTF-8
    ],
)
def test_escapes_are_undone(escaped, text):
    assert unescape(escaped) == text


def zeek_escaped(raw: bytes) -> str:
    """As Zeek's TSV writer has it where a value is no clean UTF-8: every byte that is not printable ASCII escaped."""
    return "".join("\\\\" if b == 92 else chr(b) if 32 <= b < 127 else f"\\x{b:02x}" for b in raw)


@given(st.binary(max_size=20))
def test_what_zeek_escapes_reads_as_the_same_text(raw):
    assert unescape(zeek_escaped(raw)) == clean(raw)


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc", "Co"], max_codepoint=0xFFEF), max_size=20))
def test_clean_text_stays(text):
    assert clean(text.encode()) == text


def test_columns():
    values = pa.array(["a\\x2cb", None, "c", "a\\x2cb"])
    assert unescape_all(values).to_pylist() == ["a,b", None, "c", "a,b"]
    assert clean_all(pa.array(["a\x00", "b\n", None])).to_pylist() == ["a\\x00", "b\n", None]


def test_holding_looks_at_a_slice_as_at_a_whole():
    values = pa.array(["\\", "a", None, "b\\", ""])
    assert holding(values, "\\").to_pylist() == [True, False, False, True, False]
    assert holding(values[2:], "\\").to_pylist() == [False, True, False]
    assert holding(values[:0], "\\").to_pylist() == []


def test_each_distinct_value_is_changed_once():
    seen = []
    values = replace(pa.array(["a", "b", "a"]), pa.array([True, None, True]), lambda v: seen.append(v) or v.upper())
    assert (values.to_pylist(), seen) == (["A", "b", "A"], ["a"])
