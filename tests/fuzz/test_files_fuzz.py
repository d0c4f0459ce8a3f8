"""Rules, configuration and the site's files gone wrong: each loads or tells what is wrong."""

from __future__ import annotations

import pytest
from fuzz.files_fuzz import check, seeds


@pytest.mark.parametrize("seed", [1, 2])
def test_mutated_files(seed, caplog):
    caplog.set_level("CRITICAL")
    loaded = 0
    for number in range(2 * len(seeds())):
        try:
            loaded += check(seed, number)
        except Exception as error:  # noqa: BLE001 (whatever it is, the seed is to be told)
            pytest.fail(f"seed {seed}, file {number} ({seeds()[number % len(seeds())][0]}): {error!r}", pytrace=False)
    assert 0 < loaded < 2 * len(seeds())


@pytest.mark.parametrize("number", [4_194, 3_856])  # of seed 2: rows whose columns are numbers, settings without end
def test_what_was_found(number):
    check(2, number)
