"""What a detector or derived table must hold to, as far as its text tells: the same numbers every time, documented.

For the authors of plugins, too: `declared(MyDetector)` in a test gives all that is wrong, `trial` what running shows.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any

import duckdb

from ..evidence import KINDS
from ..plugin import CONTEXT, DerivedTable, Detector
from ..tables import TABLES, TYPES

Json = Mapping[str, Any]

WINDOW_PARAMETERS = ("window_start", "window_end")
HOUR_PARAMETERS = ("hour_start", "hour_end")

# Functions that a query may not call, by what is wrong with them. "approx_*" stands for all names that begin so.
REFUSED: Mapping[str, tuple[str, ...]] = {
    "takes whichever row comes first; use min, max or row_number() OVER (… ORDER BY …)": (
        *("any_value", "first", "last", "arbitrary", "mode"),
        *("arg_min", "arg_max", "argmin", "argmax", "min_by", "max_by", "arg_min_null", "arg_max_null"),
    ),
    "is an estimate; count or sort": ("approx_*", "reservoir_quantile"),
    "differs from run to run": ("random", "setseed", "uuid", "uuidv4", "uuidv7", "gen_random_uuid", "nextval"),
    "reads the clock; use $window_end": (
        *("now", "today", "current_*", "get_current_*", "localtime", "localtimestamp", "transaction_timestamp"),
        "txid_current",
    ),
    "reads what is no view of the window": (
        *("read_*", "parquet_*", "scan_*", "*_scan", "glob", "sniff_csv", "query", "query_table", "getenv"),
        *("getvariable", "current_setting", "duckdb_*", "pragma_*"),
    ),
}
LISTS = ("list", "array_agg")
TEXTS = ("string_agg", "group_concat", "listagg")
SORTS = ("list_sort", "array_sort", "list_reverse_sort", "array_reverse_sort")
ORDERED_WINDOWS = ("row_number", "first_value", "last_value", "nth_value", "lag", "lead", "ntile")
TABLE_FUNCTIONS = ("unnest", "range", "generate_series")


def refused(sql: str, *, tables: Collection[str] | None = None, parameters: Collection[str] | None = None) -> list[str]:
    """What in a query lets its result depend on more than the rows of the window, each as `line N: …`.

    `tables`, `parameters`: the names that it may use (None: any). Sums of floats are not seen; running shows those.
    """
    with duckdb.connect(":memory:") as connection:
        tree = json.loads(connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()[0][0])
    if tree["error"]:
        return [f"is no SELECT that DuckDB reads: {tree.get('error_message', '')}"]
    if len(tree["statements"]) != 1:
        return ["is more than one statement; write one SELECT"]
    root = tree["statements"][0]["node"]
    known = None if tables is None else {*tables, *_common_tables(root)}
    found = sorted(set(_walk(root, sql, known, parameters, "")))
    return [f"line {line}: {what}" for line, what in found]


def parameters_of(sql: str) -> set[str]:
    """The names of a query's parameters."""
    with duckdb.connect(":memory:") as connection:
        tree = json.loads(connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()[0][0])
    return {str(n["identifier"]) for n in _nodes(tree) if n.get("type") == "VALUE_PARAMETER"}


def columns_of(sql: str) -> set[str]:
    """Every name that a query uses as a column."""
    with duckdb.connect(":memory:") as connection:
        tree = json.loads(connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()[0][0])
    return {str(n["column_names"][-1]) for n in _nodes(tree) if n.get("type") == "COLUMN_REF"}


def declared(plugin: type[Detector] | type[DerivedTable], derived: Mapping[str, type[DerivedTable]]) -> list[str]:
    """What is wrong with what a plugin declares and with its query; `derived`: the derived tables that there are."""
    return list(_declared(plugin, derived))


def _declared(plugin: type[Detector] | type[DerivedTable], derived: Mapping[str, type[DerivedTable]]) -> Iterator[str]:
    readme = Path(inspect.getfile(plugin)).parent / "README.md"
    yield from () if readme.is_file() else ("has no README.md beside its module",)
    yield from () if plugin.__doc__ else ("has no docstring",)
    reads = (*plugin.reads, *(plugin.derived if issubclass(plugin, Detector) else ()))
    for name in plugin.reads:
        yield from () if name in TABLES else (f"reads {name}, which is no canonical table",)
    if issubclass(plugin, Detector):
        yield from (f"reads {n}, which is no derived table" for n in plugin.derived if n not in derived)
        yield from _timing(plugin)
        yield from _tuning(plugin, readme.read_text(encoding="utf-8") if readme.is_file() else "")
        yield from (f"evidence {n} is of the kind {k!r}; {KINDS} are known" for n, k in _strange(plugin.evidence))
        yield from (f"entity column {c} is not in plugin.CONTEXT" for c in plugin.entity if c not in CONTEXT)
        allowed = {*WINDOW_PARAMETERS, *(f.name for f in fields(plugin.tuning))}
    else:
        yield from _columns(plugin)
        allowed = set(HOUR_PARAMETERS)
    yield from (f"needs {n}, which it does not read" for n in plugin.needs if n not in reads)
    for name in plugin.reads if plugin.shard_key else ():  # a derived table without it is whole in every shard
        held = TABLES[name].schema.names
        yield from () if plugin.shard_key in held else (f"shard key {plugin.shard_key} is no column of {name}",)
    yield from (f"its SQL: {p}" for p in refused(plugin.sql(), tables=reads, parameters=allowed))


def _strange(evidence: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, kind) for name, kind in evidence.items() if kind not in KINDS]


def _timing(plugin: type[Detector]) -> Iterator[str]:
    window, every = plugin.window_s, plugin.every_s
    if window % every:
        yield f"every_s {every} does not divide window_s {window}"
    if 2 * every > window and not plugin.rowwise:
        yield f"every_s {every} is over half of window_s {window}: what lies on an edge would be split"
    if window > 3_600 and (every < 3_600 or plugin.reads):
        yield "a window over an hour has every_s from 3600 on and reads derived tables only"
    if set(plugin.counts) - set(plugin.reads):
        yield f"counts rows of {sorted(set(plugin.counts) - set(plugin.reads))}, which it does not read"
    for table, ways in plugin.counts.items():
        names = {c for way in ways for c in way} - set(TABLES[table].schema.names)
        yield from (f"counts by {table}.{c}, which is no column" for c in sorted(names))
    least = 30 if set(plugin.counts) == set(plugin.reads) else 330
    if plugin.lateness_s < least or plugin.lateness_suricata_s < 660:
        yield f"lateness_s is at least {least} for the rows that it counts, lateness_suricata_s at least 660"


def _tuning(plugin: type[Detector], readme: str) -> Iterator[str]:
    if not is_dataclass(plugin.tuning) or not plugin.tuning.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        yield "its tuning is no frozen dataclass"
        return
    used = parameters_of(plugin.sql()) | _attributes(plugin)
    for setting in fields(plugin.tuning):
        where = f"tunable {setting.name}"
        yield from (f"{where} {problem}" for problem in _tunable(setting))
        if setting.name not in used:
            yield f"{where} is used neither in the SQL nor in the score"
        if f"`{setting.name}`" not in readme:
            yield f"{where} is not in README.md"


def _tunable(setting: Field[Any]) -> Iterator[str]:
    value, least, most = setting.default, setting.metadata.get("least"), setting.metadata.get("most")
    if not setting.metadata.get("doc"):
        yield "has no doc"
    if not isinstance(value, (bool, int, float, str, tuple)):
        yield f"has a default that no rule can write: {value!r}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if least is None:
            yield "has no range"
        elif value < least or (most is not None and value > most):
            yield f"has a default outside its range: {value}"


def _columns(plugin: type[DerivedTable]) -> Iterator[str]:
    yield from (f"column {c.name} has no doc" for c in plugin.columns if not c.doc)
    yield from (
        f"column {c.name}: {c.kind!r} is no word of tables.TYPES" for c in plugin.columns if c.kind not in TYPES
    )
    if plugin.lateness_s < 330 or plugin.lateness_suricata_s < 660:
        yield "lateness_s is at least 330, lateness_suricata_s at least 660"


def _attributes(plugin: type[Detector]) -> set[str]:
    """Every attribute that the plugin's module reads of anything."""
    tree = ast.parse(Path(inspect.getfile(plugin)).read_text(encoding="utf-8"))
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def _nodes(tree: Any) -> Iterator[Json]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)


def _common_tables(tree: Json) -> set[str]:
    return {str(e["key"]) for n in _nodes(tree) if "cte_map" in n for e in n["cte_map"]["map"]}


def _walk(
    tree: Any, sql: str, tables: Collection[str] | None, parameters: Collection[str] | None, within: str
) -> Iterator[tuple[int, str]]:
    """Each problem with its line; `within`: the function whose argument this is."""
    if isinstance(tree, list):
        for value in tree:
            yield from _walk(value, sql, tables, parameters, within)
    if not isinstance(tree, dict):
        return
    line = _line(tree, sql)
    yield from ((line, what) for what in _problems(tree, within))
    if tree.get("type") == "BASE_TABLE" and tables is not None and tree["table_name"] not in tables:
        yield line, f"reads {tree['table_name']}, which the plugin does not declare"
    if tree.get("type") == "VALUE_PARAMETER" and parameters is not None and tree["identifier"] not in parameters:
        yield line, f"${tree['identifier']} is no parameter; there are {', '.join(sorted(parameters))}"
    name = str(tree.get("function_name", "")).lower() if tree.get("class") == "FUNCTION" else ""
    for key, value in tree.items():
        inside = within if not name and key in ("expression", "arguments") else name if key == "arguments" else ""
        yield from _walk(value, sql, tables, parameters, inside)


def _problems(node: Json, within: str) -> Iterator[str]:
    kind, called = node.get("class"), str(node.get("function_name", "")).lower()
    if kind in ("FUNCTION", "WINDOW"):
        yield from _call(node, called, within)
    if kind == "COLUMN_REF" and len(node["column_names"]) == 1:
        name = node["column_names"][0].lower()
        yield from (f"{name} {why}" for why in _why(name, ("current_*", "localtime", "localtimestamp")))
    if node.get("type") == "TABLE_FUNCTION":
        name = str(node["function"]["function_name"]).lower()
        yield from () if name in TABLE_FUNCTIONS or _why(name) else (f"{name} reads what is no view of the window",)
    if node.get("sample"):
        yield "a sample differs from run to run"
    kinds = {str(m.get("type")): m for m in node.get("modifiers", ())}
    first = "LIMIT_MODIFIER" in kinds or (kinds.get("DISTINCT_MODIFIER") or {}).get("distinct_on_targets")
    if first and "ORDER_MODIFIER" not in kinds:
        yield "LIMIT and DISTINCT ON take whichever rows come first; add ORDER BY"


def _call(node: Json, called: str, within: str) -> Iterator[str]:
    yield from (f"{called} {why}" for why in _why(called))
    if called == "age" and len(node["arguments"]) == 1:
        yield "age reads the clock; use $window_end"
    window = node["class"] == "WINDOW"
    ordered = node.get("arg_orders") if window else (node.get("order_bys") or {}).get("orders")
    if called in LISTS and not ordered and within not in SORTS:
        yield f"{called} is in no fixed order; write list_sort({called}(…)) or ORDER BY inside"
    if called in TEXTS and not ordered:
        yield f"{called} is in no fixed order; write ORDER BY inside"
    if window and called in ORDERED_WINDOWS and not node.get("orders"):
        yield f"{called} without ORDER BY takes rows as they come"


def _why(name: str, only: tuple[str, ...] = ()) -> list[str]:
    """Why a function (or a word that is one) is refused."""
    return [w for w, names in REFUSED.items() if any(_is(name, n) for n in names if not only or n in only)]


def _is(name: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name.endswith(pattern[1:]) if pattern.startswith("*") else name == pattern


def _line(node: Json, sql: str) -> int:
    at = node.get("query_location", 0)
    return sql.encode()[: at if at < 2**63 else 0].count(b"\n") + 1
