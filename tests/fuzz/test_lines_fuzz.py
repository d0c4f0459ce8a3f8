"""Mutated lines of every log through the decoder; a failure says its seed and how to run it again."""

from __future__ import annotations

import pytest
from fuzz.corpus import EVE, JSON, TSV, logs
from fuzz.lines_fuzz import Case, case, check, report
from fuzz.mutate import mutated

from aegis_enrich.follow.follower import LOG_NAMES
from aegis_enrich.tables import TABLES


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mutated_lines_harm_no_others(seed):
    for number in range(seed - 1, len(logs()), 3):
        given = case(seed, number, lines=660)
        try:
            check(given, cuts=number % 5 == 0)
        except Exception as error:  # noqa: BLE001 (whatever it is, the seed is to be told)
            pytest.fail(report(seed, number, given, error), pytrace=False)


def test_every_log_is_among_them_in_every_form():
    there = {(log.name, log.form) for log in logs()}
    assert there == {(name, form) for name in LOG_NAMES for form in (TSV, JSON)} | {("eve", EVE)}


def test_every_table_has_good_rows():
    """Else what is fuzzed would say nothing."""
    met: set[str] = set()
    for log in logs():
        lines = [log.marked(n, f"clean{n:06d}") for n in range(200)]
        met |= check(Case(log, lines, [True] * len(lines))).tables.keys()
    assert met == TABLES.keys()


def test_the_same_seed_gives_the_same_lines():
    assert case(7, 3, 50).bytes() == case(7, 3, 50).bytes() != case(8, 3, 50).bytes()


def test_most_mutations_change_the_line():
    import random

    log = logs()[0]
    line = log.marked(0, "dirty000000")
    changed = [mutated(random.Random(n), log, line) != line for n in range(200)]
    assert sum(changed) > 180


def test_the_checks_can_fail(monkeypatch):
    """A decoder that loses a line, or says a wrong offset, is found out."""
    import dataclasses

    from fuzz import lines_fuzz

    honest = lines_fuzz.decode
    given = case(1, 0, 100)

    def loses(*args, **kwargs):
        found = honest(*args, **kwargs)
        return dataclasses.replace(found, bad=found.bad[1:])

    def shifts(*args, **kwargs):
        found = honest(*args, **kwargs)
        return dataclasses.replace(found, bad=[dataclasses.replace(b, offset=b.offset + 1) for b in found.bad])

    for wrong in (loses, shifts):
        monkeypatch.setattr(lines_fuzz, "decode", wrong)
        with pytest.raises(AssertionError):
            check(given)
