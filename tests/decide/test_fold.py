"""Folds: in whatever order findings come, one alert."""

from __future__ import annotations

from functools import reduce
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.decide.fold import UIDS, Fold, canonical, of_windows, rank


@st.composite
def folds(draw: st.DrawFn, sensor: str | None = None) -> Fold:
    first, last = sorted(draw(st.tuples(*[st.integers(0, 20)] * 2)))
    severity, score = draw(st.sampled_from([21, 47])), draw(st.sampled_from([0.2, 0.5]))
    best = {
        "severity": severity,
        "score": score,
        "time_us": draw(st.integers(0, 2)),
        "evidence": {"n": draw(st.integers(0, 2))},
    }
    uids = sorted(set(draw(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abcdef"))))))[:UIDS]
    named = (sensor or draw(st.sampled_from("xyz")),)
    return Fold(draw(st.integers(1, 3)), first, last, first, last, severity, score, named, best, tuple(uids))


@given(st.lists(folds(), min_size=1, max_size=6), st.randoms())
def test_order_and_grouping_do_not_matter(parts, random):
    whole = reduce(Fold.__add__, parts)
    shuffled = random.sample(parts, len(parts))
    cut = random.randint(1, len(parts))
    left = reduce(Fold.__add__, shuffled[:cut])
    assert whole == (left + reduce(Fold.__add__, shuffled[cut:]) if cut < len(parts) else left)


@given(st.lists(folds(), min_size=1, max_size=5))
def test_counts_add_up_and_the_rest_are_extremes(parts):
    whole = reduce(Fold.__add__, parts)
    assert whole.count == sum(p.count for p in parts)
    assert (whole.first_us, whole.last_us) == (min(p.first_us for p in parts), max(p.last_us for p in parts))
    assert (whole.start_us, whole.end_us) == (min(p.start_us for p in parts), max(p.end_us for p in parts))
    assert (whole.severity, whole.score) == (max(p.severity for p in parts), max(p.score for p in parts))
    assert whole.best == min((p.best for p in parts), key=rank)
    assert whole.sensors == tuple(sorted({s for p in parts for s in p.sensors}))
    assert whole.uids == tuple(sorted({u for p in parts for u in p.uids}))[:UIDS]


@given(folds())
def test_text_and_back(fold):
    assert Fold.of(fold.text()) == fold
    assert Fold.of(fold.text()).text() == fold.text()


@given(st.tuples(folds("a"), folds("b"), folds("c")))
def test_what_several_sensors_found_in_one_window_is_one_finding(found):
    results = [of_windows((5, f) for f in order) for order in permutations(found)]
    assert all(r == results[0] for r in results)
    whole = results[0]
    assert whole.count == max(f.count for f in found)
    assert whole.sensors == ("a", "b", "c")
    assert whole.uids == min(found, key=lambda f: (rank(f.best), f.uids)).uids


@given(st.lists(st.tuples(st.integers(1, 3), folds()), min_size=1, max_size=6), st.randoms())
def test_windows_add_up(found, random):
    whole = of_windows(found)
    assert whole == of_windows(random.sample(found, len(found)))
    ends = {end for end, _ in found}
    assert whole.count == sum(max(f.count for end, f in found if end == e) for e in ends)


def test_canonical_json_is_the_same_for_the_same_value():
    assert canonical({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"é"]}'
