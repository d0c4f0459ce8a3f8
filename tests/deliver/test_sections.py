"""Which sinks a configuration names: one or several of a kind, each under its own name."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_enrich.config import Config, Elasticsearch
from aegis_enrich.deliver.sections import make, sections
from aegis_enrich.errors import ConfigError, Problems, SinkError
from aegis_enrich.plugin import Sink
from aegis_enrich.registry import Registry


class Hook(Sink):
    name = "hook"
    closed = 0

    def __init__(self, settings):
        if "url" not in settings:
            raise ConfigError("is missing", where="hook.url")
        self.settings, self.target = settings, settings["url"]

    def deliver(self, documents):
        return [("stored", "")] * len(documents)

    def close(self):
        Hook.closed += 1

    @classmethod
    def check(cls, settings):
        cls(settings)
        return ["does not answer"] if settings["url"] == "down" else []


class Index(Hook):
    name = "elasticsearch"


REGISTRY = Registry({"other": object}, {}, {}, {"hook": Hook, "elasticsearch": Index, "ndjson": Hook})  # type: ignore[dict-item]


def config(**plugins):
    return Config(plugins=plugins)


def test_an_entry_bears_the_sink_s_name_or_says_its_kind():
    chosen = sections(config(hook={"url": "a"}, second={"sink": "hook", "url": "b"}), REGISTRY)
    made = make(chosen)
    assert {name: sink.target for name, sink in made.items()} == {"hook": "a", "second": "b"}
    assert made["second"].settings == {"url": "b"}


def test_sections_of_their_own_and_the_file():
    chosen = sections(Config(elasticsearch=Elasticsearch(url="https://es:9200")), REGISTRY, Path("out"))
    assert [(s.name, s.sink.name) for s in chosen] == [("ndjson", "hook"), ("elasticsearch", "elasticsearch")]
    assert chosen[0].settings == {"path": Path("out"), "size": "", "every": "", "keep": 14}


def test_settings_of_other_plugins_are_no_sinks():
    assert sections(config(other={"x": 1}), REGISTRY) == []


def test_a_kind_that_is_not_installed_is_said_with_its_entry():
    with pytest.raises(Problems) as raised:
        sections(config(hok={"url": "a"}, chat={"sink": "slak"}), REGISTRY)
    assert [p.where for p in raised.value.problems] == ["plugins.hok", "plugins.chat"]


def test_names_are_fit_for_keys_and_each_there_once():
    configured = Config(elasticsearch=Elasticsearch(url="x"), plugins={"a#b": {"sink": "hook"}, "elasticsearch": {}})
    with pytest.raises(Problems) as raised:
        sections(configured, REGISTRY)
    said = [str(p) for p in raised.value.problems]
    assert said[0].startswith("plugins.a#b: is no name") and said[1].startswith(
        "plugins.elasticsearch: there is a sink"
    )


def test_problems_of_all_entries_name_them_and_what_was_made_is_closed():
    Hook.closed = 0
    with pytest.raises(Problems) as raised:
        make(sections(config(good={"sink": "hook", "url": "a"}, one={"sink": "hook"}, hook={}), REGISTRY))
    assert [p.where for p in raised.value.problems] == ["plugins.one.url", "plugins.hook.url"]
    assert Hook.closed == 1


def test_what_doctor_is_told():
    one, two, three = sections(
        config(a={"sink": "hook"}, b={"sink": "hook", "url": "down"}, c={"sink": "hook", "url": "up"}), REGISTRY
    )
    assert one.check() == ["plugins.a.url: is missing"]
    assert (two.check(), three.check()) == (["does not answer"], [])
    assert issubclass(SinkError, Exception)
