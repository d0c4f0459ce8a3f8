"""A literal that every text holds in which a regular expression is found; "" rather than a wrong one."""

from __future__ import annotations

import re
from collections.abc import Iterator

_PUNCTUATION = re.compile(r"[^A-Za-z0-9\s]")
_OPTIONAL = ("*", "?", "{0")


def required_literal(pattern: str) -> str:
    """The longest, in lower case; "" where none is sure. Groups, classes and alternatives are passed over."""
    try:
        runs = list(_runs(pattern))
    except (_Unsure, IndexError, RecursionError):
        return ""
    return max((run.lower() for run in runs if run.isascii()), key=len, default="")


class _Unsure(Exception):
    pass


def _runs(pattern: str) -> Iterator[str]:
    """Runs of literal characters outside of all brackets."""
    run, at = "", 0
    while at < len(pattern):
        token, literal = _token(pattern, at)
        at += len(token)
        if token == "|":
            raise _Unsure
        if literal is None or pattern.startswith(_OPTIONAL, at):
            yield run
            run = ""
        elif pattern.startswith(("+", "{"), at):
            yield run + literal
            run = ""
        else:
            run += literal
    yield run


def _token(pattern: str, at: int) -> tuple[str, str | None]:
    """The part of the pattern that begins here, and the character that it means, None where it is no single one."""
    character = pattern[at]
    if character == "\\":
        escaped = pattern[at + 1]
        if escaped in "dDwWsSbBAz":
            return pattern[at : at + 2], None
        if not _PUNCTUATION.fullmatch(escaped):
            raise _Unsure
        return pattern[at : at + 2], escaped
    if character in "([":
        return pattern[at : _closing(pattern, at) + 1], None
    if character == "{":
        end = pattern.find("}", at)
        return pattern[at : end + 1] if end >= 0 else _unsure(), None
    return character, None if character in ".^$*+?)]}|" else character


def _closing(pattern: str, at: int) -> int:
    """Where a group or class ends."""
    if pattern[at] == "[":
        if "[:" in pattern:  # a class by its name, in brackets of its own
            raise _Unsure
        end = at + 2 if pattern[at + 1] != "^" else at + 3  # a bracket that comes first is itself a member
        while pattern[end] != "]":
            end += 2 if pattern[end] == "\\" else 1
        return end
    end = at + 1
    while pattern[end] != ")":
        if pattern[end] == "\\":
            end += 2
        elif pattern[end] in "([":
            end = _closing(pattern, end) + 1
        else:
            end += 1
    return end


def _unsure() -> str:
    raise _Unsure
