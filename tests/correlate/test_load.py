"""The folder of correlation rules: what checks, and what is said of what does not."""

import pytest

from aegis_enrich.correlate.load import load_correlation
from aegis_enrich.correlate.settings import Settings
from aegis_enrich.errors import Problems

GOOD = """
id: chain
name: Chain
stages: [{name: scan, rules: [port_scan]}, {name: theft, tactics: [TA0010]}]
"""


@pytest.fixture
def load(tmp_path):
    def of(known=None, **files):
        folder = tmp_path / "correlation"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / f"{name}.yml").write_text(text)
        return load_correlation(tmp_path, known)

    return of


def problems(load, known=None, **files):
    with pytest.raises(Problems) as error:
        load(known, **files)
    return [str(p).split("correlation/", 1)[1] for p in error.value.problems]


def test_what_ships_checks_and_stands_in_for_the_defaults(shipped):
    assert shipped.settings == Settings()
    assert {s.id for s in shipped.sequences} >= {"break_in", "dga_then_control", "tunnel_then_theft"}
    assert {g.id for g in shipped.grounds} >= {"scanner", "content_network", "backup"}


def test_without_the_folder_there_are_defaults(tmp_path):
    assert load_correlation(tmp_path).settings == Settings()
    assert load_correlation(tmp_path).sequences == ()


def test_settings_are_taken_and_checked(load):
    assert load(settings="tuning: {gap_h: 6, carries: [TA0008]}").settings == Settings(gap_h=6, carries=("TA0008",))
    (said,) = problems(load, settings="tuning: {gap_h: 0.1}")
    assert said.startswith("settings.yml:1: gap_h: 0.1 is not in the range 1 to …")


def test_all_problems_are_told_with_their_lines(load):
    bad = """
id: chain
name: Chain
same: [colour]
risk: 2
stages:
  - {name: scan, rules: [port_scam]}
  - {tactics: [TA9999]}
  - {name: nothing}
  - {name: x, techniques: [T0], where: {actor: {at: 1}}}
"""
    said = problems(load, ["port_scan"], chain=bad)
    assert [line.partition(" ")[0] for line in said] == [f"chain.yml:{n}:" for n in (7, 8, 8, 9, 10, 10, 4, 5)]
    assert "there is no rule 'port_scam'" in said[0]


def test_two_of_one_id_are_told(load):
    (said,) = problems(load, one=GOOD, two=GOOD)
    assert said.startswith("two.yml:2: id 'chain' is that of")


def test_the_hash_changes_with_the_meaning_and_a_disabled_one_does_not_count(load):
    before = load(one=GOOD)
    assert load(one=GOOD + "\n# a comment\n").hash == before.hash
    off = load(one=GOOD + "\nenabled: false\n")
    assert off.hash != before.hash and off.sequences == ()
