"""What setup puts into a real Elasticsearch, and what it says of what is there."""

from __future__ import annotations

import pytest

from aegis_enrich.errors import Problems, SinkError
from aegis_enrich.registry import load
from aegis_plugins.sinks.elasticsearch import Elasticsearch
from aegis_plugins.sinks.elasticsearch.server import NotThere, Unknown
from aegis_plugins.sinks.elasticsearch.setup import requests, setup
from aegis_plugins.sinks.elasticsearch.templates import ILM, templates


class Held:
    """A server that keeps what is put, and has index lifecycle management."""

    target = "http://held:1"

    def __init__(self):
        self.put_there = {}

    def get(self, path):
        name = path.rpartition("/")[2]
        if path not in self.put_there:
            raise NotThere(path)
        body = self.put_there[path]
        if path.startswith("/_ilm/"):
            return {name: {"version": 1, **body}}
        kind = path.split("/")[1].strip("_").removesuffix("_template")
        return {f"{kind}_templates": [{"name": name, f"{kind}_template": body}]}

    def put(self, path, body):
        if path.endswith("/_mapping"):
            raise NotThere(path)
        self.put_there[path] = body


class Refusing(Held):
    """One that refuses each index template."""

    def put(self, path, body):
        if path.startswith("/_index_template/"):
            raise SinkError("no", where=path)
        super().put(path, body)


class Small(Held):
    """One without index lifecycle management."""

    def put(self, path, body):
        if path.startswith("/_ilm/"):
            raise Unknown("no handler found for uri", where=path)
        super().put(path, body)


def wanted(lifecycle="data_stream", retention="30d"):
    return templates(retention, load(), lifecycle=lifecycle)


def test_the_policy_is_made_once_and_renewed_with_its_retention() -> None:
    server = Held()
    assert setup(server, wanted("ilm"))[0] == "lifecycle policy aegis-logs: made"
    assert setup(server, wanted("ilm"))[0] == "lifecycle policy aegis-logs: is there"
    assert setup(server, wanted("ilm", "7d"))[0] == "lifecycle policy aegis-logs: renewed"
    policy = server.put_there["/_ilm/policy/aegis-logs"]["policy"]
    assert policy["phases"] == {
        "hot": {"actions": {"rollover": {"max_primary_shard_size": "50gb", "max_age": "1d"}}},
        "delete": {"min_age": "7d", "actions": {"delete": {}}},
    }


def test_a_server_without_policies_says_so_and_has_the_rest() -> None:
    server = Small()
    with pytest.raises(SinkError, match=r"lifecycle policy aegis-logs: no handler .* choose another lifecycle"):
        setup(server, wanted("ilm"))
    assert "/_index_template/aegis-alerts" in server.put_there


def test_all_that_is_refused_is_told_at_once() -> None:
    with pytest.raises(Problems) as raised:
        setup(Refusing(), wanted())
    assert len(raised.value.problems) == sum(t.path.startswith("/_index_template/") for t in wanted())


def test_what_is_printed_is_what_is_put() -> None:
    server = Held()
    setup(server, wanted("ilm"))
    printed = requests(wanted("ilm"))
    assert {r["path"]: r["body"] for r in printed} == server.put_there
    assert {r["method"] for r in printed} == {"PUT"}
    assert Elasticsearch.requests({"lifecycle": "ilm"}) == printed


@pytest.mark.elasticsearch
def test_a_real_server_takes_what_is_printed(elasticsearch) -> None:
    elasticsearch.forget_alerts()
    for each in Elasticsearch.requests({}):
        assert elasticsearch.call(each["method"], each["path"], each["body"]) == {"acknowledged": True}
    assert all(line.endswith(": is there") for line in Elasticsearch.setup(elasticsearch.settings()))
    assert Elasticsearch.check(elasticsearch.settings(index_logs=["conn"])) == []


@pytest.mark.elasticsearch
def test_this_distribution_has_no_policies(elasticsearch) -> None:
    """Where that changes, the policy is to be tried here."""
    (policy,) = (t for t in wanted("ilm") if t.kind == ILM)
    with pytest.raises(SinkError, match="choose another lifecycle"):
        setup(Elasticsearch.connect(elasticsearch.settings()), [policy])
