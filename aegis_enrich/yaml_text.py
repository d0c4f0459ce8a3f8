"""YAML of files that people write or fetch: by libyaml, and bounded in length, depth and what aliases make of it."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C, where it is there: ten times as fast
LENGTH = 16 * 2**20  # bytes of a file
DEPTH = 50  # mappings and lists in each other
VALUES = 200_000  # single values, those of aliases counted each time that they are used

# What PyYAML raises where a tag does not fit its value, such as `!!bool maybe` or `!!timestamp 0`.
ODD = (AttributeError, IndexError, KeyError, OverflowError, TypeError)

# What a bomb needs: aliases, many brackets, deep indentation, or many indicators on a line.
_ALIAS = re.compile(r"[&*][^\s&*]")
_DEEP = re.compile(r"(?m)^ {100}|(?:[-?:] +){10}")


class TooMuch(yaml.MarkedYAMLError):
    """A document that would take memory or time without bound."""


def text_of(path: Path, *, pipe: bool = False) -> str:
    """A file's text; raises OSError where it is no file (a pipe waits, unless it is wanted), and UnicodeDecodeError."""
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or pipe):
        raise OSError(errno.EINVAL, "it is no file but a pipe, a socket or a device")
    with path.open(encoding="utf-8") as file:
        text = file.read(LENGTH + 1)
    if len(text) > LENGTH:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return text


def compose(text: str) -> yaml.Node | None:
    """The nodes of one document; what is wrong is said in PyYAML's words."""
    check(text)
    try:
        return yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError:
        return yaml.compose(text, Loader=yaml.SafeLoader)


def compose_all(text: str) -> list[yaml.Node]:
    """The nodes of every document."""
    check(text)
    return list(yaml.compose_all(text, Loader=LOADER))


def load(text: str) -> Any:
    """The data of one document."""
    check(text)
    try:
        return yaml.load(text, Loader=LOADER)
    except (ValueError, *ODD) as error:  # what looks like a date and is none
        raise yaml.YAMLError(str(error)) from error


def check(text: str) -> None:
    """Raises TooMuch, or another YAMLError that it meets on its way."""
    if not (_ALIAS.search(text) or _DEEP.search(text) or text.count("[") + text.count("{") > DEPTH):
        return
    values = 0
    sizes: dict[str, int] = {}  # of what is anchored, aliases in it counted
    open_: list[tuple[str | None, int]] = []  # anchor of what we are in, and how many values came before it
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.AliasEvent):
            values += sizes.get(str(event.anchor), 0)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            open_.append((event.anchor, values))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            anchor, before = open_.pop()
            if anchor is not None:
                sizes[anchor] = values - before + 1
        elif isinstance(event, yaml.ScalarEvent) and event.anchor is not None:
            sizes[event.anchor] = 1
        values += isinstance(event, yaml.NodeEvent)
        if len(open_) > DEPTH:
            raise _too_much(event, f"more than {DEPTH} levels of values in values")
        if values > VALUES:
            raise _too_much(event, f"more than {VALUES:,} values, aliases counted")


def _too_much(event: Any, what: str) -> TooMuch:
    return TooMuch(problem=what, problem_mark=event.start_mark)
