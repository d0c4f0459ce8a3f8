"""YAML that remembers its lines, so that every problem of a rule is told with file and line, all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError
from ..yaml_text import ODD, compose, text_of

Key = tuple[str | int, ...]
MOST = 1e15  # a number in a rule: bytes, seconds, counts
TEXT = "tag:yaml.org,2002:str"


@dataclass
class Source:
    """One YAML file: its data, the line of each value by its path, and the problems found so far."""

    path: Path
    data: Any = None
    lines: dict[Key, int] = field(default_factory=dict)
    problems: list[ConfigError] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Source:
        """The file; what is no YAML is a problem, not an exception."""
        source = cls(path)
        try:
            node = compose(text_of(path))
        except OSError as error:
            source.problems.append(ConfigError(f"cannot be read: {error.strerror}", where=str(path)))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{path}:{mark.line + 1}" if mark else str(path)
            what = " ".join(str(getattr(error, "problem", None) or error).split())
            source.problems.append(ConfigError(f"not YAML: {what}", where=where))
        else:
            return cls.of(path, node)
        return source

    @classmethod
    def of(cls, path: Path, node: yaml.Node | None) -> Source:
        """One document of a file."""
        source = cls(path)
        source.data = source._build(node, (), ()) if node is not None else None
        return source

    def where(self, *key: str | int) -> str:
        """`file:line` of a value, or of the nearest one around it."""
        at = key
        while at and at not in self.lines:
            at = at[:-1]
        return f"{self.path}:{self.lines.get(at, 1)}"

    def wrong(self, what: str, *key: str | int) -> None:
        """Notes a problem at a value."""
        self.problems.append(ConfigError(what, where=self.where(*key)))

    def unknown_keys(self, allowed: Sequence[str], *key: str | int, of: str = "") -> None:
        """Notes every key of a mapping that is not allowed."""
        for name in self.at(key):
            if name not in allowed:
                self.wrong(f"unknown key {name!r}{of}; known are {', '.join(allowed)}", *key, name)

    def text(self, name: str, *key: str | int, required: bool = False, default: str = "") -> str:
        """A text, its runs of blanks as one."""
        value = self.at(key).get(name)
        if value is None:
            if required:
                self.wrong(f"{name} is missing; write a text", *key)
            return default
        if not isinstance(value, str) or (required and not value.strip()):
            self.wrong(f"{name}: {value!r} is not a text", *key, name)
            return default
        return " ".join(value.split())

    def texts(self, name: str, *key: str | int) -> tuple[str, ...]:
        value = self.at(key).get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            self.wrong(f"{name}: a list of texts is expected, like [a, b]", *key, name)
            return ()
        return tuple(value)

    def flag(self, name: str, *key: str | int, default: bool) -> bool:
        value = self.at(key).get(name, default)
        if not isinstance(value, bool):
            self.wrong(f"{name}: {value!r} is not true or false", *key, name)
            return default
        return value

    def number(self, name: str, *key: str | int, default: Any, least: float | None = None) -> Any:
        value = self.at(key).get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float)) or (least is not None and not value >= least):
            self.wrong(f"{name}: {value!r} is not a number{f' from {least}' if least is not None else ''}", *key, name)
            return default
        if not abs(value) <= MOST:
            self.wrong(f"{name}: {value!r} is no number that anything has; write one up to {MOST:.0e}", *key, name)
            return default
        return value

    def choice(self, name: str, allowed: Sequence[str], *key: str | int, default: str) -> str:
        value = self.at(key).get(name, default)
        if value not in allowed:
            self.wrong(f"{name}: {value!r} is not one of {', '.join(allowed)}", *key, name)
            return default
        return str(value)

    def day(self, name: str, *key: str | int) -> date | None:
        value = self.at(key).get(name)
        if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.wrong(f"{name}: {value!r} is not a date; write it like 2027-01-31", *key, name)
            return None

    def mapping(self, name: str, *key: str | int) -> Mapping[str, Any]:
        value = self.at(key).get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.wrong(f"{name}: a mapping is expected", *key, name)
            return {}
        return value

    def items(self, name: str, *key: str | int) -> list[Any]:
        value = self.at(key).get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.wrong(f"{name}: a list is expected", *key, name)
            return []
        return value

    def at(self, key: Key = ()) -> dict[str, Any]:
        """The mapping at a place; an empty one where something else stands there."""
        here = self.data
        for part in key:
            inside = isinstance(here, dict) or (isinstance(here, list) and isinstance(part, int) and part < len(here))
            here = (here.get(part) if isinstance(here, dict) else here[part]) if inside else None
        return here if isinstance(here, dict) else {}

    def _build(self, node: yaml.Node, key: Key, within: tuple[int, ...]) -> Any:
        self.lines.setdefault(key, node.start_mark.line + 1)
        if id(node) in within:
            self.wrong("a value that holds itself", *key)
            return None
        within = (*within, id(node))
        if isinstance(node, yaml.MappingNode):
            built: dict[Any, Any] = {}
            for key_node, value_node in node.value:
                name = self._scalar(key_node)
                self.lines[(*key, name)] = key_node.start_mark.line + 1
                if name in built:
                    self.wrong(f"{name!r} stands here twice; keep one", *key, name)
                built[name] = self._build(value_node, (*key, name), within)
            return built
        if isinstance(node, yaml.SequenceNode):
            return [self._build(item, (*key, number), within) for number, item in enumerate(node.value)]
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> Any:
        """A single value in its type; what looks like a date and is none is the text that it is."""
        if node.tag == TEXT:
            return node.value
        where = f"{self.path}:{node.start_mark.line + 1}"
        if not isinstance(node, yaml.ScalarNode):
            self.problems.append(ConfigError("a key is a single word", where=where))
            return "?"
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(node, deep=True)
        except ValueError:
            return node.value
        except ODD:
            self.problems.append(ConfigError(f"{node.value!r} is no {node.tag.rpartition(':')[2]}", where=where))
            return node.value
        except yaml.YAMLError as error:
            self.problems.append(ConfigError(f"{node.value!r}: {getattr(error, 'problem', error)}", where=where))
            return node.value
        finally:
            loader.dispose()
