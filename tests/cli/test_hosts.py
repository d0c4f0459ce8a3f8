"""`aegis-enrich hosts`."""

import json

import pytest

from aegis_enrich.cli import main


@pytest.fixture(scope="module")
def state(tmp_path_factory, lab):
    folder = tmp_path_factory.mktemp("state")
    with pytest.raises(SystemExit) as ended:
        main(["analyze", str(lab / "multistage" / "tsv"), "--state", str(folder)])
    assert not ended.value.code
    return folder


def test_attacker_and_victims_lead(state, aegis):
    ranked = json.loads(aegis("hosts", "--json", "--state", state).out)
    assert {r["ip"] for r in ranked[:3]} == {"10.10.0.14", "10.10.0.15", "203.0.113.66"}
    assert all(r["risk"] > 60 for r in ranked[:3])
    table = aegis("hosts", "--limit", "1", "--state", state).out
    assert "10.10.0.14" in table


def test_where_nobody_acts_that_is_said(lab, aegis, tmp_path):
    aegis("analyze", lab / "benign" / "tsv", "--state", tmp_path)
    assert aegis("hosts", "--state", tmp_path).out == "no host acts in an alert\n"
