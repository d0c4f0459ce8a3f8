"""The numbers of the correlator."""

import dataclasses

from aegis_enrich.correlate.settings import Settings
from aegis_enrich.plugin import HOUR_US


def test_hours_become_microseconds_and_the_reach_is_the_longer():
    settings = Settings(gap_h=6, carry_h=1.5)
    assert (settings.gap_us, settings.carry_us, settings.reach_us) == (6 * HOUR_US, 3 * HOUR_US // 2, 6 * HOUR_US)


def test_each_has_a_line_that_says_what_it_is():
    assert all(f.metadata["doc"] for f in dataclasses.fields(Settings))
