"""Files of Sigma rules to pySigma's objects, every problem noted at the line of the document that it is in."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Protocol

from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import (
    SigmaConditionError,
    SigmaError,
    SigmaIdentifierError,
    SigmaLevelError,
    SigmaLogsourceError,
    SigmaStatusError,
    SigmaTagError,
)
from sigma.filters import SigmaFilter
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RE2RegexEngine
from sigma.rule import SigmaRule

SETTINGS = "settings.yml"
_KEYS: tuple[tuple[type[SigmaError], tuple[str, ...]], ...] = (
    (SigmaConditionError, ("detection", "condition")),
    (SigmaIdentifierError, ("id",)),
    (SigmaLevelError, ("level",)),
    (SigmaLogsourceError, ("logsource",)),
    (SigmaStatusError, ("status",)),
    (SigmaTagError, ("tags",)),
)


class _Quiet(RE2RegexEngine):
    """RE2 without a line of its own on standard error for each expression that it does not take."""

    def __deepcopy__(self, memo: Any) -> _Quiet:  # filters copy rules
        return self

    def compile(self, pattern: str, flags: int = 0) -> Any:
        options = self._re2.Options()
        options.log_errors = False
        letters = "".join(letter for flag, letter in _FLAGS if flags & flag)
        try:
            return self._re2.compile(f"(?{letters}){pattern}" if letters else pattern, options=options)
        except self._re2.error as error:
            raise self._re2.error(error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)) from None


_FLAGS = ((re.IGNORECASE, "i"), (re.MULTILINE, "m"), (re.DOTALL, "s"))
_POLICY = SigmaPolicy(regex_engine=_Quiet())


class Document(Protocol):
    """One YAML document that remembers its lines and notes problems."""

    path: Path
    data: Any
    lines: dict[Any, int]

    def wrong(self, what: str, *key: str | int) -> None: ...


@dataclass(frozen=True)
class Read:
    """A rule and the document that it is from."""

    document: Document
    rule: SigmaRule | SigmaCorrelationRule

    @property
    def id(self) -> str:
        return str(self.rule.id or self.rule.name or "")


def is_sigma(path: Path, folder: Path) -> bool:
    """Whether a file lies below a folder named `sigma` of the rules."""
    return "sigma" in path.relative_to(folder).parts[:-1]


def read(documents: Sequence[Document]) -> list[Read]:
    """The rules of these documents; filters are applied, references are resolved, and what fails is left out."""
    found: list[Read] = []
    filters: list[SigmaFilter] = []
    for held in _by_file(documents):
        for document, rule in _parsed(held):
            if isinstance(rule, SigmaFilter):
                filters.append(rule)
            else:
                found.append(Read(document, rule))
    found = [Read(r.document, reduce(_filtered, filters, r.rule)) for r in found]
    collection = SigmaCollection([r.rule for r in found], resolve_references=False)
    return _resolved(found, collection)


def noted(document: Document, error: Exception) -> None:
    """Puts an error at the line that it is about, as far as that can be told."""
    what = str(error.args[0]) if error.args else type(error).__name__
    document.wrong(" ".join(what.split()), *_key(document, error, what))


def _by_file(documents: Sequence[Document]) -> Iterator[list[Document]]:
    by_path: dict[Path, list[Document]] = {}
    for document in documents:
        by_path.setdefault(document.path, []).append(document)
    yield from by_path.values()


def _parsed(documents: Sequence[Document]) -> Iterator[tuple[Document, Any]]:
    """The rules and filters of a file, whose documents may build on each other (`action: global`, `repeat`)."""
    mappings = [d for d in documents if _is_mapping(d)]
    giving = [d for d in mappings if d.data.get("action") not in ("global", "reset")]
    try:
        collection = SigmaCollection.from_dicts(
            [copy.deepcopy(d.data) for d in mappings],
            collect_errors=True,
            collect_filters=True,
            policy=_POLICY,
            resolve_references=False,
        )
        rules = _in_order(collection, giving)
    except (SigmaError, AttributeError, KeyError, TypeError, ValueError) as error:
        noted(mappings[0], error)
        return
    for document, rule in zip(giving, rules, strict=False):
        for wrong in rule.errors:
            noted(document, wrong)
        if not rule.errors:
            yield document, rule


def _in_order(collection: SigmaCollection, giving: Sequence[Document]) -> list[Any]:
    """Rules and filters as the documents have them."""
    rules, filters = iter(collection.rules), iter(collection.filters)
    return [next(filters if "filter" in d.data and "correlation" not in d.data else rules) for d in giving]


def _is_mapping(document: Document) -> bool:
    if isinstance(document.data, Mapping):
        return True
    if document.data is not None:
        document.wrong("a Sigma rule is expected; docs/rules.md shows one")
    return False


def _filtered(rule: Any, by: SigmaFilter) -> Any:
    return by.apply_on_rule(rule) if isinstance(rule, SigmaRule) else rule


def _resolved(found: Sequence[Read], collection: SigmaCollection) -> list[Read]:
    """Without the correlations that name rules which there are not."""
    good = []
    for held in found:
        try:
            if isinstance(held.rule, SigmaCorrelationRule):
                held.rule.resolve_rule_references(collection)
            good.append(held)
        except SigmaError as error:
            noted(held.document, error)
    return good


def _key(document: Document, error: Exception, what: str) -> tuple[str | int, ...]:
    """The most telling place: a key or value that the message quotes, else the part of a rule that it is about."""
    quoted = {word for word in what.split("'")[1::2] if word}
    for key in document.lines:
        if key and isinstance(key[-1], str) and ({key[-1], *key[-1].split("|")} & quoted):
            return tuple(key)
    said = next((key for key, value in _values(document.data) if value in quoted), ())
    at = said or next((key for kind, key in _KEYS if isinstance(error, kind)), ())
    return at or (("correlation",) if "correlation" in document.data else ("detection",))


def _values(data: Any, key: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text in a document with its place."""
    if isinstance(data, str):
        yield key, data
    elif isinstance(data, (Mapping, list)):
        for name, value in data.items() if isinstance(data, Mapping) else enumerate(data):
            yield from _values(value, (*key, name))
