"""`aegis-enrich train dga`: the same model each time, and what it prints."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from aegis_plugins.detectors.dga import benign, train
from aegis_plugins.detectors.dga.generators import FAMILIES, generate
from aegis_plugins.detectors.dga.model import load


@pytest.fixture
def small(monkeypatch):
    """Few names, so that a model takes a second or two."""
    monkeypatch.setattr(train, "BENIGN", 1_000)
    monkeypatch.setattr(train, "TESTED", 1_000)
    monkeypatch.setattr(train, "A_FAMILY", 60)


def run(*arguments: object):
    return CliRunner().invoke(train.command, [str(a) for a in arguments], standalone_mode=False)


def test_the_same_names_make_the_same_model(small, tmp_path):
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    told = [run("-o", path, "--no-measure", "--json").return_value for path in paths]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert json.loads(told[0])["digest"] == load(str(paths[0])).digest()
    trees = load(str(paths[0]))
    assert trees.log_odds(["xkqzjwvhtrpfm"])[0] > 0 > trees.log_odds(["weathermarket"])[0]


def test_it_learns_and_measures_names_of_the_site(small, tmp_path):
    own, bad = tmp_path / "own.txt", tmp_path / "bad.txt"
    own.write_text("# ours\nXQZ-Vault.example\nxn--bcher-kva.example\n\nqzxvault.example\n", encoding="utf-8")
    bad.write_text("\n".join(f"{name}.com" for name in generate("base32", 5, "x")), encoding="utf-8")
    result = run("-o", tmp_path / "m.json", "--benign", own, "--generated", bad)
    assert result.exception is None
    lines = result.return_value.splitlines()
    assert len(lines) == len(FAMILIES) + 2 + 4
    assert lines[0].split()[:3] == ["held", "out", "AUROC"]
    assert lines[-2].startswith("of your own names ")
    assert (
        lines[-1] == f"200 trees with 3,000 nodes over 22 features from 1,002 names and {60 * 17 + 5:,} generated ones"
    )


def test_trees_are_what_was_fitted():
    """The arrays tell what the library's own trees tell, but for what whole numbers leave out."""
    good, bad = benign.names(300, "x"), generate("letters_long", 300, "x")
    trees = train.fit(good, bad, 1, {})
    odds = trees.log_odds([*good, *bad])
    assert (odds[:300] < 0).mean() > 0.95 and (odds[300:] > 0).mean() > 0.95
