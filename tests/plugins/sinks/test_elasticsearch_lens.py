"""Panels as Lens keeps them."""

from __future__ import annotations

from aegis_plugins.sinks.elasticsearch.kibana.description import (
    ANY,
    NONE,
    Not,
    Panel,
    Split,
    View,
    count,
    highest,
    latest,
    over_time,
    percentile,
)
from aegis_plugins.sinks.elasticsearch.kibana.filters import filters
from aegis_plugins.sinks.elasticsearch.kibana.lens import FILTERED, LAYER, REFERENCE, attributes

TYPES = {"@timestamp": "date", "a.ip": "ip", "a.long": "long", "a.word": "keyword"}
SEEN = View("view", "a-*", "A", {"a.word": "seen"})


def made(kind, metrics, by=(), **others):
    return attributes(Panel("Title", kind, SEEN, 24, metrics, by, **others), TYPES)


def columns(found):
    return found["state"]["datasourceStates"]["formBased"]["layers"][LAYER]["columns"]


def test_a_number_has_one_figure_and_no_bucket() -> None:
    found = made("number", (count("Rows"),))
    assert (found["visualizationType"], found["type"]) == ("lnsMetric", "lens")
    assert found["state"]["visualization"] == {"layerId": LAYER, "layerType": "data", "metricAccessor": "figure0"}
    (column,) = columns(found).values()
    assert (column["operationType"], column["sourceField"], column["label"]) == ("count", "___records___", "Rows")


def test_values_are_ordered_by_the_first_figure_that_orders() -> None:
    split = Split("Host", "a.ip", 7, ("192.0.2.1",))
    found = columns(made("table", (latest("Why", "a.word"), percentile("p95", "a.long", 95), count()), (split,)))
    assert found["by0"]["dataType"] == "ip"
    params = found["by0"]["params"]
    assert (params["orderBy"], params["size"]) == ({"type": "column", "columnId": "figure2"}, 7)
    assert params["include"] == ["192.0.2.1"] and params["includeIsRegex"] is False
    assert found["figure1"]["params"] == {"emptyAsNull": True, "percentile": 95}
    assert found["figure0"]["params"] == {"showArrayValues": True, "sortField": "@timestamp"}
    assert found["figure0"]["filter"]["query"] == '"a.word": *'
    alone = columns(made("table", (latest("Why", "a.word"),), (split,)))
    assert alone["by0"]["params"]["orderBy"]["type"] == "alphabetical"


def test_time_and_conditions() -> None:
    named = Split("Severity", named={"high": "a.long: 73", "low": "a.long: 21"})
    found = made("bars", (highest("Most", "a.long"),), (over_time(), named))
    assert columns(found)["by0"]["operationType"] == "date_histogram"
    assert [f["label"] for f in columns(found)["by1"]["params"]["filters"]] == ["high", "low"]
    (layer,) = found["state"]["visualization"]["layers"]
    assert (layer["xAccessor"], layer["splitAccessor"], layer["accessors"]) == ("by0", "by1", ["figure0"])
    assert (layer["seriesType"], found["visualizationType"]) == ("bar_stacked", "lnsXY")


def test_a_heatmap_and_coloured_cells_have_the_same_colours() -> None:
    by = (Split("X", "a.word"), Split("Y", "a.ip"))
    drawn = made("heatmap", (count(),), by)["state"]["visualization"]
    assert (drawn["xAccessor"], drawn["yAccessor"], drawn["valueAccessor"]) == ("by0", "by1", "figure0")
    (*_, cell) = made("cells", (count(),), by[:1])["state"]["visualization"]["columns"]
    assert cell["colorMode"] == "cell" and cell["palette"]["params"] == drawn["palette"]["params"]
    stops = [s["stop"] for s in cell["palette"]["params"]["stops"]]
    assert stops == sorted(stops) and cell["palette"]["params"]["rangeType"] == "number"


def test_a_panel_sees_what_its_view_and_itself_hold() -> None:
    found = made("number", (count(),), where={"a.long": [1, 2]})
    assert [f["meta"]["key"] for f in found["state"]["filters"]] == ["a.word", "a.long"]
    assert {f["meta"]["index"] for f in found["state"]["filters"]} == {FILTERED}
    assert {r["name"]: r["id"] for r in found["references"]} == {REFERENCE: "view", FILTERED: "view"}


def test_conditions_as_kibana_writes_them() -> None:
    where = {"a": "x", "b": ["x", "y"], "c": ANY, "d": NONE, "e": Not(("x", "y")), "f": Not(("x",))}
    found = {f["meta"]["key"]: f for f in filters(where, "ref")}
    kinds = {name: (f["meta"]["type"], f["meta"]["negate"]) for name, f in found.items()}
    assert kinds == {
        "a": ("phrase", False),
        "b": ("phrases", False),
        "c": ("exists", False),
        "d": ("exists", True),
        "e": ("phrases", True),
        "f": ("phrase", True),
    }
    assert found["a"]["query"] == {"match_phrase": {"a": "x"}}
    assert found["b"]["meta"]["params"] == ["x", "y"]
    assert found["b"]["query"]["bool"]["minimum_should_match"] == 1
    assert found["d"]["query"] == {"exists": {"field": "d"}}
