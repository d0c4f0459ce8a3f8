"""Many literals in many texts: what is found is what Python finds, text by text."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.sigma.asked import session
from aegis_enrich.sigma.atoms import Text
from aegis_enrich.sigma.taxonomy import Column
from aegis_enrich.sigma.words import Words, lowered

QUERY = Column('"query"', "string", "query")
MEETS = {
    "is": lambda text, literal: text == literal,
    "begins": str.startswith,
    "ends": str.endswith,
    "has": str.__contains__,
}
SHORT = st.text("ab", min_size=1, max_size=3)


@given(
    st.lists(st.tuples(st.sampled_from(sorted(MEETS)), SHORT), min_size=1, max_size=6),
    st.lists(st.one_of(st.none(), st.text("abé", max_size=6)), min_size=1, max_size=8),
    st.integers(0, 3),
)
def test_as_python_finds_it(wanted, texts, begin) -> None:
    atoms = [Text(QUERY, side, literal) for side, literal in wanted]
    values = pa.array(texts, pa.string()).slice(begin)
    found = {(a.side, a.literal): n.tolist() for a, n in Words(atoms).find(values)}
    held = texts[begin:]
    expected = {
        (side, literal): at
        for side, literal in wanted
        if (at := [n for n, t in enumerate(held) if t is not None and MEETS[side](t, literal)])
    }
    assert found == expected


def test_lower_case_is_duckdb_s() -> None:
    texts = pa.array(["ABC", "É", "İ", None, "straße"])
    assert lowered(texts, session()).to_pylist() == ["abc", "é", "i", None, "straße"]
    assert lowered(pa.array(["ABC", None]), session()).to_pylist() == ["abc", None]
