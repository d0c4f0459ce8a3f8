"""Orders of alerts, and runs."""

from correlate.conftest import made, seen

from aegis_enrich.correlate.order import by_risk, by_time, runs

MINUTE_US = 60_000_000


def test_the_first_and_the_worst_come_first():
    early, late, worse = seen(made(at_s=0), made(at_s=5), made(at_s=9, severity=73))
    assert sorted([worse, late, early], key=by_time) == [early, late, worse]
    assert sorted([late, early, worse], key=by_risk) == [worse, early, late]


def test_a_silence_ends_a_run_and_what_lasts_does_not():
    lasting, during, after, anew = seen(
        made(at_s=0, for_s=600), made(at_s=100, for_s=10), made(at_s=660), made(at_s=800)
    )
    assert runs([anew, after, lasting, during], MINUTE_US) == [[lasting, during, after], [anew]]
    assert runs([], MINUTE_US) == []
