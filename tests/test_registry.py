"""Which plugins are found, and what is said of one that cannot be used."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from aegis_enrich.errors import ConfigError
from aegis_enrich.plugin import DerivedTable, Detector, Enricher, Sink
from aegis_enrich.registry import GROUP, load


class Own(Detector):
    name = "own"


class Stray:
    name = "stray"


@pytest.fixture
def point(monkeypatch: pytest.MonkeyPatch):
    """An entry point of a third party's package."""
    module = ModuleType("third_party")
    module.Own, module.Stray = Own, Stray  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "third_party", module)
    return lambda name, value: EntryPoint(name, value, GROUP)


def test_installed_plugins_by_kind_in_the_order_of_their_names() -> None:
    found = load()
    assert set(found.detectors) >= {"beaconing", "dns_tunnel", "long_connection", "port_scan"}
    assert set(found.enrichers) >= {"assets", "community_id", "domain", "geo", "intel", "networks"}
    assert set(found.tables) >= {"name_hour", "pair_hour", "server_name_hour"}
    assert set(found.sinks) >= {"elasticsearch", "ndjson"}
    kinds = {"enrichers": Enricher, "tables": DerivedTable, "detectors": Detector, "sinks": Sink}
    for name, kind in kinds.items():
        plugins = getattr(found, name)
        assert list(plugins) == sorted(plugins)
        assert all(issubclass(p, kind) and p.name == n for n, p in plugins.items())


def test_a_third_party_s_plugin_is_one_like_any_other(point) -> None:
    assert load([point("own", "third_party:Own")]).detectors == {"own": Own}
    assert load([]).detectors == {}


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("own", "no_such_package:Own", "no_such_package:Own: plugin 'own' does not load: No module named"),
        ("other", "third_party:Own", "third_party:Own: the class is 'own'; name it 'other' like its entry point"),
        ("stray", "third_party:Stray", "'stray' is no enricher, derived table, detector or sink"),
    ],
)
def test_what_cannot_be_used_is_told(name, value, problem, point) -> None:
    with pytest.raises(ConfigError) as found:
        load([point(name, value)])
    assert problem in str(found.value)
