"""The section of a sink in the configuration, as a frozen dataclass: strict, all problems at once."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from ..config import typed_value
from ..errors import ConfigError, Problems

ENVIRONMENT = "env:"
SECRETS = ("secret", "url", "headers")  # settings that are never repeated in a message
T = TypeVar("T")


def setting(
    default: Any, doc: str, *, least: float | None = None, most: float | None = None, words: tuple[str, ...] = ()
) -> Any:
    """A field of a sink's settings: its default, a line of doc, its range or the words that it may be."""
    meta = {"doc": doc, "least": least, "most": most, "path": False, "words": words}
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=meta)
    return dataclasses.field(default=default, metadata=meta)


def read(kind: Callable[..., T], section: Mapping[str, Any], where: str) -> T:
    """`section` as settings of this dataclass; a text `env:NAME` is what the environment says.

    Raises Problems: unknown settings, wrong types and values, variables that are not set.
    """
    known = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    problems = []
    for name, given in section.items():
        if name not in known:
            problems.append(
                ConfigError(f"unknown setting {name!r}; known are {', '.join(known)}", where=f"{where}.{name}")
            )
            continue
        try:
            meaning = _from_environment(given)
            values[name] = (
                meaning if hints[name] is Any else typed_value(meaning, hints[name], known[name].metadata, Path())
            )
        except ValueError as error:
            doc = known[name].metadata["doc"]
            shown = "" if name in SECRETS else f"{given!r} "
            problems.append(ConfigError(f"{shown}{error}; it is: {doc}", where=f"{where}.{name}"))
    if problems:
        raise Problems(problems)
    return kind(**values)


def _from_environment(given: Any) -> Any:
    """What the environment says where a text, at any depth, is `env:NAME`."""
    if isinstance(given, Mapping):
        return {key: _from_environment(below) for key, below in given.items()}
    if isinstance(given, list):
        return [_from_environment(below) for below in given]
    if not isinstance(given, str) or not given.startswith(ENVIRONMENT):
        return given
    name = given.removeprefix(ENVIRONMENT)
    if not os.environ.get(name):
        raise ValueError(f"names a variable of the environment that is not set: {name}")
    return os.environ[name]
