"""The saved objects pass every check that needs no Kibana, and each check sees what it is for."""

from __future__ import annotations

import copy
import json
from collections import Counter

import pytest

from aegis_enrich.config import shipped_rules
from aegis_enrich.decide import load_rules
from aegis_enrich.decide.attack import attack
from aegis_enrich.registry import load
from aegis_enrich.tables import TABLES
from aegis_plugins.sinks.elasticsearch import Elasticsearch
from aegis_plugins.sinks.elasticsearch.kibana.boards import BOARDS
from aegis_plugins.sinks.elasticsearch.kibana.boards.common import ORDER
from aegis_plugins.sinks.elasticsearch.kibana.checks import check, check_file
from aegis_plugins.sinks.elasticsearch.kibana.description import COLUMNS
from aegis_plugins.sinks.elasticsearch.kibana.lens import LAYER, REFERENCE
from aegis_plugins.sinks.elasticsearch.kibana.objects import ndjson, saved_objects
from aegis_plugins.sinks.elasticsearch.kibana.views import CONFLICT, fields

FIELDS = fields(load())
GOOD = saved_objects(FIELDS)


def panels(board):
    return json.loads(board["attributes"]["panelsJSON"])


def test_all_holds() -> None:
    assert check_file(ndjson(GOOD), FIELDS) == []


def test_the_file_is_always_the_same() -> None:
    assert Elasticsearch.boards() == ndjson(saved_objects(fields(load()))) == ndjson(GOOD)
    assert Elasticsearch.boards().endswith("}\n")


def test_what_there_is() -> None:
    assert Counter(o["type"] for o in GOOD) == {"index-pattern": 4, "search": 7, "dashboard": 10}
    assert {o["attributes"]["title"] for o in GOOD if o["type"] == "index-pattern"} == {
        "aegis-alerts",
        "aegis-incidents",
        "logs-aegis.*",
        "logs-aegis.health-*",
    }
    boards = [o for o in GOOD if o["type"] == "dashboard"]
    assert [b["id"] for b in boards] == [f"aegis-board-{key}" for key in ORDER]
    assert [b["attributes"]["title"] for b in boards] == [f"Aegis {title}" for title in ORDER.values()]
    for board in boards:
        kinds = Counter(p["type"] for p in panels(board))
        assert kinds["visualization"] == 1 and kinds["lens"] >= 5
        assert json.loads(board["attributes"]["controlGroupInput"]["panelsJSON"])


def test_clicks_lead_to_boards_whose_views_have_the_field() -> None:
    """A filter on a field that a view does not have would empty its panels."""
    boards = {o["id"]: o for o in GOOD if o["type"] == "dashboard"}
    led = 0
    for board in boards.values():
        targets = {r["name"]: r["id"] for r in board["references"] if ":drilldown:" in r["name"]}
        for panel in panels(board):
            if not (mine := {i for n, i in targets.items() if n.startswith(f"{panel['panelIndex']}:")}):
                continue
            (layer,) = panel["embeddableConfig"]["attributes"]["state"]["datasourceStates"]["formBased"][
                "layers"
            ].values()
            clicked = {c["sourceField"] for c in layer["columns"].values() if c["operationType"] == "terms"}
            for target in mine:
                seen = {r["id"] for r in boards[target]["references"] if r["type"] == "index-pattern"}
                lacking = {(f, view) for f in clicked for view in seen if FIELDS[view].get(f, CONFLICT) == CONFLICT}
                assert lacking <= {(f, "aegis-logs") for f in clicked}, (panel["panelIndex"], target, lacking)
                led += 1
    assert led > 30


def test_fields_of_one_name_and_several_types_are_in_conflict() -> None:
    assert CONFLICT not in FIELDS["aegis-logs"].values()
    assert {"@timestamp", "observer.name"} <= set.intersection(*(set(f) for f in FIELDS.values()))
    assert all("related.ip" in known for view, known in FIELDS.items() if view != "aegis-health")


def dashboard(objects, key="overview"):
    return next(o for o in objects if o["id"] == f"aegis-board-{key}")


def changed(board, change):
    """The board with its first panel of Lens with two columns or more changed."""
    found = panels(board)
    change(next(p for p in found if p["type"] == "lens" and len(layer(p)["columns"]) > 1))
    board["attributes"]["panelsJSON"] = json.dumps(found)


def layer(panel):
    return state(panel)["datasourceStates"]["formBased"]["layers"][LAYER]


def state(panel):
    return panel["embeddableConfig"]["attributes"]["state"]


def on_objects(change):
    return lambda objects: change(objects)


def on_board(change):
    return lambda objects: change(dashboard(objects))


def on_panel(change):
    return lambda objects: changed(dashboard(objects), change)


def on_panels(change):
    def broken(objects):
        board = dashboard(objects)
        found = panels(board)
        change(found)
        board["attributes"]["panelsJSON"] = json.dumps(found)

    return broken


def on_controls(change):
    def broken(objects):
        group = dashboard(objects)["attributes"]["controlGroupInput"]
        found = json.loads(group["panelsJSON"])
        change(found)
        group["panelsJSON"] = json.dumps(found)

    return broken


def first_column(operation):
    return lambda panel: next(c for c in layer(panel)["columns"].values() if c["operationType"] == operation)


def drop_reference(part):
    def broken(board):
        found = next(r for r in board["references"] if part in r["name"])
        board["references"].remove(found)

    return broken


BROKEN = {
    "no data view": (on_objects(lambda o: o.pop(0)), "there is no index-pattern aegis-alerts"),
    "two of one id": (on_objects(lambda o: o.insert(1, o[0])), "2 objects of this id"),
    "order": (on_objects(lambda o: o.insert(0, o.pop())), "views come first"),
    "envelope": (on_board(lambda b: b.update(version="WzEs")), "keys of the envelope: ['version']"),
    "stamp": (on_board(lambda b: b.update(typeMigrationVersion="10.2.0")), "stamped with other versions"),
    "id": (on_board(lambda b: b.update(id="a b")), "an id that no URL can hold"),
    "type": (on_board(lambda b: b.update(type="map")), "a type that is not among"),
    "attribute": (on_board(lambda b: b["attributes"].update(tags=[])), "unknown attribute tags"),
    "title": (on_board(lambda b: b["attributes"].pop("title")), "no attribute title"),
    "inner JSON": (on_board(lambda b: b["attributes"].update(optionsJSON="{")), "optionsJSON holds no JSON"),
    "panels": (on_board(lambda b: b["attributes"].update(panelsJSON="[{}]")), "its form is wrong (KeyError"),
    "layer's reference": (
        on_board(drop_reference(REFERENCE)),
        f"no reference overview-incidents-to-look-at:{REFERENCE}",
    ),
    "drilldown's reference": (
        on_board(drop_reference(":drilldown:")),
        "no reference overview-alerts-over-time:drilldown",
    ),
    "control's reference": (on_board(drop_reference("controlGroup_")), "no reference controlGroup_host:optionsList"),
    "stale reference": (
        on_board(lambda b: b["references"].append({"id": "aegis-alerts", "name": "gone:x", "type": "index-pattern"})),
        "reference gone:x belongs to nothing",
    ),
    "overlap": (on_panels(lambda p: p[1]["gridData"].update(w=p[1]["gridData"]["w"] + 1)), "overlaps overview-grave"),
    "out of the grid": (on_panels(lambda p: p[0]["gridData"].update(w=49)), "out of the grid of 48 columns"),
    "another's place": (on_panels(lambda p: p[0]["gridData"].update(i="x")), "its place on the grid is of another"),
    "legacy": (
        on_panels(lambda p: p[0]["embeddableConfig"]["savedVis"].update(type="histogram")),
        "a visualization that is no Markdown",
    ),
    "no filter": (on_panel(lambda p: state(p).update(filters=[])), "no filter"),
    "filter's reference": (
        on_panel(lambda p: state(p)["filters"][0]["meta"].update(index="x")),
        "no reference x inside",
    ),
    "filter's query": (
        on_panel(lambda p: state(p)["filters"][0].update(query={"exists": {"field": "tags"}})),
        "asks for something else",
    ),
    "column order": (on_panel(lambda p: layer(p)["columnOrder"].pop()), "columnOrder names other columns"),
    "figure first": (on_panel(lambda p: layer(p)["columnOrder"].reverse()), "a figure comes before"),
    "accessor": (
        on_panel(lambda p: state(p)["visualization"]["layers"][0].update(xAccessor="nothing")),
        "draws nothing, which is no bucket",
    ),
    "figure as bucket": (
        on_panel(lambda p: state(p)["visualization"]["layers"][0].update(xAccessor="figure0")),
        "draws figure0, which is no bucket",
    ),
    "layer": (
        on_panel(lambda p: state(p)["visualization"]["layers"][0].update(layerId="other")),
        "draws the layers ['other'], has ['layer']",
    ),
    "column that is not drawn": (
        on_panel(lambda p: state(p)["visualization"]["layers"][0].pop("splitAccessor")),
        "column by1 is not shown",
    ),
    "no such field": (
        on_panel(lambda p: first_column("date_histogram")(p).update(sourceField="event.time")),
        "date_histogram does not take event.time (no such field)",
    ),
    "a field of another type": (
        on_panel(lambda p: first_column("date_histogram")(p).update(sourceField="source.ip")),
        "date_histogram does not take source.ip (ip)",
    ),
    "flattened": (
        on_panel(lambda p: first_column("count")(p).update(operationType="unique_count", sourceField="aegis.entity")),
        "unique_count does not take aegis.entity (flattened)",
    ),
    "operation": (on_panel(lambda p: first_column("count")(p).update(operationType="avg")), "unknown operation avg"),
    "KQL": (
        on_panel(lambda p: first_column("filters")(p)["params"]["filters"][0]["input"].update(query="event.level: 1")),
        "the view has no field event.level",
    ),
    "visualization": (
        on_panel(lambda p: p["embeddableConfig"]["attributes"].update(visualizationType="lnsChoropleth")),
        "visualization lnsChoropleth, not one of",
    ),
    "state": (on_panel(lambda p: state(p).pop("internalReferences")), "keys of the state: ['internalReferences']"),
    "another view inside": (
        on_panel(lambda p: p["embeddableConfig"]["attributes"]["references"][0].update(id="aegis-logs")),
        f"reference {REFERENCE} is another one outside",
    ),
    "no reference inside": (
        on_panel(lambda p: p["embeddableConfig"]["attributes"]["references"].pop(0)),
        f"no reference {REFERENCE} inside",
    ),
    "type of a panel": (on_panel(lambda p: p.update(type="image")), "a type that is not among lens, search"),
    "bucket that is none": (
        on_panel(lambda p: first_column("date_histogram")(p).update(isBucketed=False)),
        "date_histogram is a bucket",
    ),
    "two panels of one name": (on_panels(lambda p: p.append(p[0])), "2 panels of this name"),
    "reference twice": (on_board(lambda b: b["references"].append(b["references"][0])), "2 references overview-"),
    "control group": (
        on_board(lambda b: b["attributes"]["controlGroupInput"].update(showApplySelections=True)),
        "controlGroupInput has other keys",
    ),
    "control's field": (
        on_controls(lambda c: c["host"]["explicitInput"].update(fieldName="event.severity")),
        "optionsListControl does not take event.severity (long)",
    ),
    "control's id": (on_controls(lambda c: c["host"]["explicitInput"].update(id="x")), "control host: has the id x"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_reported(what) -> None:
    breaking, said = BROKEN[what]
    objects = copy.deepcopy(GOOD)
    breaking(objects)
    found = check(objects, FIELDS)
    assert any(said in problem for problem in found), found


def test_an_order_by_no_figure_is_reported() -> None:
    objects = copy.deepcopy(GOOD)
    board = dashboard(objects)
    found = panels(board)
    table = next(p for p in found if p["panelIndex"] == "overview-incidents-by-risk")
    layer(table)["columns"]["by0"]["params"]["orderBy"]["columnId"] = "figure1"
    board["attributes"]["panelsJSON"] = json.dumps(found)
    assert any("ordered by figure1" in problem for problem in check(objects, FIELDS))


def test_a_value_of_no_time_is_reported() -> None:
    objects = copy.deepcopy(GOOD)
    board = dashboard(objects)
    found = panels(board)
    table = next(p for p in found if p["panelIndex"] == "overview-incidents-by-risk")
    layer(table)["columns"]["figure1"]["params"]["sortField"] = "message"
    board["attributes"]["panelsJSON"] = json.dumps(found)
    assert any("last_value is sorted by no time" in problem for problem in check(objects, FIELDS))


def test_a_panel_of_another_search_is_reported() -> None:
    objects = copy.deepcopy(GOOD)
    board = dashboard(objects, "alerts")
    found = panels(board)
    next(p for p in found if p["type"] == "search")["panelRefName"] = "panel_0"
    board["attributes"]["panelsJSON"] = json.dumps(found)
    problems = check(objects, FIELDS)
    assert any("its panelRefName is not panel_<panelIndex>" in problem for problem in problems)
    assert any("belongs to nothing" in problem for problem in problems)


def test_a_search_is_checked_too() -> None:
    objects = copy.deepcopy(GOOD)
    search = next(o for o in objects if o["type"] == "search")
    search["attributes"]["columns"].append("event.words")
    search["references"].pop()
    found = check(objects, FIELDS)
    assert any("the view has no field event.words" in p for p in found)
    assert any("no reference kibanaSavedObjectMeta.searchSourceJSON.filter[0].meta.index" in p for p in found)


@pytest.mark.parametrize(
    ("text", "said"),
    [("{}\nnothing\n", "no line of JSON each"), ('{"exportedCount": 3}\n', "the summary counts other")],
)
def test_a_file_that_is_none(text, said) -> None:
    (problem, *_) = check_file(text, FIELDS)
    assert said in problem


def test_fields_that_a_template_no_longer_has_are_reported() -> None:
    less = {view: {n: k for n, k in names.items() if n != "dns.question.name"} for view, names in FIELDS.items()}
    found = check(GOOD, less)
    assert any(
        "panel dns-different-names: column figure0: unique_count does not take dns.question.name" in p for p in found
    )


def conditions():
    """Every filter of panels and searches: its field and its values."""
    for each in GOOD:
        attributes = each["attributes"]
        if each["type"] == "search":
            yield from json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])["filter"]
        elif each["type"] == "dashboard":
            yield from (f for p in panels(each) if p["type"] == "lens" for f in state(p)["filters"])


def test_rules_and_logs_that_boards_name_are_there() -> None:
    rules = {rule.id for rule in load_rules(shipped_rules(), load().detectors)}
    named: dict[str, set[str]] = {}
    for found in conditions():
        params = found["meta"].get("params")
        values = params if isinstance(params, list) else [params["query"]] if params else []
        named.setdefault(found["meta"]["key"], set()).update(values)
    assert len(named["rule.id"]) > 10 and named["rule.id"] <= rules
    assert {name.removeprefix("aegis.") for name in named["event.dataset"]} <= set(TABLES)
    assert named["threat.tactic.id"] == set(attack().tactics)


def test_rows_fill_the_grid() -> None:
    for board in BOARDS:
        assert {sum(panel.width for panel in row) for _, row in board.rows} == {COLUMNS}, board.key


def test_a_tactic_counts_its_own_techniques_only() -> None:
    table = attack()
    columns = {
        p["panelIndex"]: layer(p)["columns"]["by0"] for p in panels(dashboard(GOOD, "attack")) if p["type"] == "lens"
    }
    counted = columns["attack-credential-access"]["params"]["include"]
    assert "Brute Force" in counted and "Valid Accounts" not in counted
    assert "Valid Accounts" in columns["attack-initial-access"]["params"]["include"]
    assert {f"attack-{table.shortname(t)}" for t in table.tactics} <= set(columns)
