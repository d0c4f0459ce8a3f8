"""Settings of sinks: strict, all problems at once, secrets from the environment and never in a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from aegis_enrich.deliver.settings import read, setting
from aegis_enrich.errors import Problems


@dataclass(frozen=True)
class Own:
    url: str = setting("", "where to")
    tries: int = setting(3, "how often", least=1, most=9)
    shape: str = setting("round", "how it looks", words=("round", "square"))
    names: list[str] = setting(["a"], "names")
    anything: Any = setting(None, "what YAML can hold")


def test_defaults_and_what_is_given():
    assert read(Own, {}, "own") == Own()
    assert read(Own, {"tries": 5, "names": "b", "anything": {"x": [1]}}, "own") == Own(
        tries=5, names=["b"], anything={"x": [1]}
    )


def test_all_problems_at_once_and_no_secret_among_them():
    with pytest.raises(Problems) as raised:
        read(Own, {"tries": 99, "shape": "odd", "url": ["https://x/secret"], "what": 1}, "own")
    said = [str(p) for p in raised.value.problems]
    assert [s.split(":")[0] for s in said] == ["own.tries", "own.shape", "own.url", "own.what"]
    assert "99 is not in the range 1 to 9; it is: how often" in said[0] and "round, square" in said[1]
    assert "known are url, tries" in said[3] and "secret" not in "".join(said)


def test_the_environment_holds_secrets_at_any_depth(monkeypatch):
    monkeypatch.setenv("OWN_KEY", "k3y")
    found = read(Own, {"url": "env:OWN_KEY", "anything": {"deep": ["env:OWN_KEY", "no env:OWN_KEY"]}}, "own")
    assert found.url == "k3y" and found.anything == {"deep": ["k3y", "no env:OWN_KEY"]}


def test_a_variable_that_is_not_set_is_a_problem(monkeypatch):
    monkeypatch.delenv("OWN_KEY", raising=False)
    with pytest.raises(Problems, match=r"own\.url: names a variable of the environment that is not set: OWN_KEY"):
        read(Own, {"url": "env:OWN_KEY"}, "own")
