import pytest

from aegis_enrich.errors import ConfigError
from aegis_enrich.evaluate import load_truth


def write(tmp_path, text):
    path = tmp_path / "truth.yml"
    path.write_text(text)
    return path


def test_acts_with_their_parties_times_and_rules(tmp_path):
    path = write(
        tmp_path,
        """
found_by: {scan: [port_scan]}
one:
  when: [1, 2.5]
  attacks:
    - {what: scan, who: 10.0.0.1-2, whom: 10.0.1.0/24, name: a.test}
    - {what: noise, who: [10.0.0.3, "fd00::3"], when: [2, 3], short: true}
two: {from: one, attacks: [{what: scan, who: 10.0.0.9, found_by: [syn_flood]}]}
three: {from: one}
""",
    )
    truths = load_truth(path)
    scan, noise = truths["one"].acts
    assert "10.0.0.2" in scan.who
    assert "10.0.1.7" in scan.whom
    assert "a.test" in scan.whom
    assert (scan.start_us, scan.end_us, scan.rules, scan.expected) == (1_000_000, 2_500_000, {"port_scan"}, True)
    assert "fd00::3" in noise.who
    assert (noise.whom, noise.start_us, noise.rules, noise.expected) == (None, 2_000_000, frozenset(), False)
    (other,) = truths["two"].acts
    assert (other.rules, other.start_us) == ({"syn_flood"}, 1_000_000)
    assert len(truths["three"].acts) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a", "not a mapping"),
        ("a: 3", "not a mapping"),
        ("a: {attacks: [{what: x}]}", "a: 'who' is missing"),
        ("a: {attacks: [{what: x, who: 10.0.0.9-1}]}", "a: .*range"),
        ("a: {from: b}", "a: 'b' is missing"),
        ("a: {when: 5, attacks: [{what: x, who: y}]}", "a: "),
        ("a: [", "cannot be read"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        load_truth(write(tmp_path, text))


def test_no_such_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_truth(tmp_path / "none.yml")
