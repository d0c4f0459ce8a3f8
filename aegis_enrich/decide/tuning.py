"""A detector's tunables as a rule sets them, checked against the types and ranges that the detector declares."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, get_args, get_type_hints

from ..plugin import Detector
from .source import Source


def parse_tuning(source: Source, detector: type[Detector], *key: str | int, base: Any = None) -> Any:
    """The detector's tuning with what is said at `key`; what is left out is as in `base`, or has its default."""
    known = {f.name: f for f in dataclasses.fields(detector.tuning)}
    hints = get_type_hints(detector.tuning)
    values = {}
    for name, value in source.mapping("tuning", *key).items():
        if name not in known:
            has = ", ".join(known) or "none"
            source.wrong(f"tuning: {detector.name} has no {name!r}; it has {has}", *key, "tuning", name)
            continue
        setting = known[name]
        problem, value = _checked(value, setting, hints[name])
        if problem:
            unit = f" ({setting.metadata['unit']})" if setting.metadata.get("unit") else ""
            source.wrong(
                f"{name}: {value!r} {problem}; it is: {setting.metadata.get('doc', '')}{unit}", *key, "tuning", name
            )
        else:
            values[name] = value
    return detector.tuning(**values) if base is None else dataclasses.replace(base, **values)


def _checked(value: Any, setting: dataclasses.Field[Any], hint: Any) -> tuple[str, Any]:
    """What is wrong with a tunable's value ("" where nothing is), and the value in the setting's type."""
    default: Any = setting.default
    if isinstance(default, tuple):
        return _list(value, get_args(hint)[0])
    if isinstance(default, bool):
        return ("" if isinstance(value, bool) else "is not true or false"), value
    if isinstance(default, (int, float)):
        return _number(value, default, setting.metadata.get("least"), setting.metadata.get("most"))
    return ("" if isinstance(value, type(default)) else "is not a text"), value


def _list(value: Any, kind: type) -> tuple[str, Any]:
    word = {int: "numbers", float: "numbers", str: "texts"}.get(kind, "such values")
    allowed = (int, float) if kind is float else (kind,)
    if not isinstance(value, list) or not all(type(v) in allowed for v in value):
        return f"is not a list of {word}", value
    return "", tuple(kind(v) for v in value)


def _number(value: Any, default: float, least: float | None, most: float | None) -> tuple[str, Any]:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return "is not a number", value
    if isinstance(default, int) and value != int(value):
        return "is not a whole number", value
    if (least is not None and value < least) or (most is not None and value > most):
        return f"is not in the range {'…' if least is None else least} to {'…' if most is None else most}", value
    return "", type(default)(value)
