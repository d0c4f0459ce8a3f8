"""A described board as a dashboard: panels on the grid, controls, and where clicks lead."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from .description import Board, Control, Panel, Rows, Text
from .lens import attributes
from .views import Fields

Json = dict[str, Any]
PANEL_VERSION = "8.9.0"
_NO_QUERY = {"query": {"language": "kuery", "query": ""}, "filter": []}
_OPTIONS = {
    "hidePanelTitles": False,
    "syncColors": False,
    "syncCursor": True,
    "syncTooltips": False,
    "useMargins": True,
}
_HEED = {"ignoreFilters": False, "ignoreQuery": False, "ignoreTimerange": False, "ignoreValidations": False}
_DRILLDOWN = "DASHBOARD_TO_DASHBOARD_DRILLDOWN"
RECENT = "now-7d"


def text(value: Any) -> str:
    """JSON as saved objects keep it within texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def board_id(key: str) -> str:
    return f"aegis-board-{key}"


def search_id(key: str) -> str:
    return f"aegis-search-{key}"


def dashboard(board: Board, fields: Fields, titles: dict[str, str]) -> tuple[Json, list[Json]]:
    """Its attributes and references; `titles`: those of the boards that panels lead to, by key."""
    panels, references = _panels(board, fields, titles)
    return {
        "controlGroupInput": {
            "chainingSystem": "HIERARCHICAL",
            "controlStyle": "oneLine",
            "ignoreParentSettingsJSON": text(_HEED),
            "panelsJSON": text({c.key: _control(n, c) for n, c in enumerate(board.controls)}),
        },
        "description": board.about,
        "kibanaSavedObjectMeta": {"searchSourceJSON": text(_NO_QUERY)},
        "optionsJSON": text(_OPTIONS),
        "panelsJSON": text(panels),
        "timeFrom": RECENT,
        "timeRestore": True,
        "timeTo": "now",
        "title": f"Aegis {board.title}",
        "version": 1,
    }, [*references, *(_control_reference(c) for c in board.controls)]


def _panels(board: Board, fields: Fields, titles: dict[str, str]) -> tuple[list[Json], list[Json]]:
    panels: list[Json] = []
    references: list[Json] = []
    y = 0
    for height, row in board.rows:
        x = 0
        for shown in row:
            index = f"{board.key}-{slug(shown.title)}"
            body, referred = _panel(shown, index, fields, titles)
            grid = {"h": height, "i": index, "w": shown.width, "x": x, "y": y}
            panels.append({"gridData": grid, "panelIndex": index, "version": PANEL_VERSION, **body})
            references += [{**r, "name": f"{index}:{r['name']}"} for r in referred]
            x += shown.width
        y += height
    return panels, references


def slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _panel(
    shown: Panel | Text | Rows, index: str, fields: Fields, titles: dict[str, str]
) -> tuple[Json, Sequence[Json]]:
    if isinstance(shown, Panel):
        return _lens(shown, index, fields, titles)
    if isinstance(shown, Rows):
        name = f"panel_{index}"
        body = {"embeddableConfig": {"enhancements": {}}, "panelRefName": name, "title": shown.title, "type": "search"}
        return body, [{"id": search_id(shown.search), "name": name, "type": "search"}]
    return {"embeddableConfig": _markdown(shown), "title": shown.title, "type": "visualization"}, []


def _lens(panel: Panel, index: str, fields: Fields, titles: dict[str, str]) -> tuple[Json, list[Json]]:
    made = attributes(panel, fields[panel.view.key])
    events = [_event(f"{index}-to-{key}", titles[key]) for key in panel.to]
    enhancements = {"dynamicActions": {"events": events}} if events else {}
    body = {"embeddableConfig": {"attributes": made, "enhancements": enhancements}}
    led = [
        {"id": board_id(key), "name": f"drilldown:{_DRILLDOWN}:{event['eventId']}:dashboardId", "type": "dashboard"}
        for key, event in zip(panel.to, events, strict=True)
    ]
    return {**body, "title": panel.title, "type": "lens"}, [*made["references"], *led]


def _event(event: str, title: str) -> Json:
    config = {"openInNewTab": False, "useCurrentDateRange": True, "useCurrentFilters": True}
    action = {"config": config, "factoryId": _DRILLDOWN, "name": f"Go to {title}"}
    return {"action": action, "eventId": event, "triggers": ["FILTER_TRIGGER"]}


def _markdown(shown: Text) -> Json:
    saved = {
        "data": {"aggs": [], "searchSource": _NO_QUERY},
        "description": "",
        "id": "",
        "params": {"fontSize": 12, "markdown": shown.text, "openLinksInNewTab": False},
        "title": "",
        "type": "markdown",
        "uiState": {},
    }
    return {"enhancements": {}, "hidePanelTitles": True, "savedVis": saved}


def _control(order: int, control: Control) -> Json:
    given = {"enhancements": {}, "fieldName": control.field, "id": control.key, "title": control.title}
    kind = "rangeSliderControl" if control.range else "optionsListControl"
    return {"explicitInput": given, "grow": True, "order": order, "type": kind, "width": "medium"}


def _control_reference(control: Control) -> Json:
    kind = "rangeSliderDataView" if control.range else "optionsListDataView"
    return {"id": control.view.key, "name": f"controlGroup_{control.key}:{kind}", "type": "index-pattern"}
