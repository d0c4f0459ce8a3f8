"""The files of indicators: plain (one a line) or CSV, read anew when they change; a bad line is named and skipped."""

from __future__ import annotations

import csv
import hashlib
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aegis_enrich.errors import ConfigError
from aegis_enrich.replaced import Replaced

from .indicators import KINDS, Index, Indicator, kinds_of, normal, refang

log = logging.getLogger(__name__)

SUFFIXES = (".txt", ".csv", ".list", ".intel")
FIELDS = ("indicator", "kind", "source", "severity", "description")
SEVERITIES = {"low": 21, "medium": 47, "high": 73, "critical": 99}
_COMMENT = re.compile(r"(?:^|\s)[#;].*$")
_NAMED = 10  # bad lines of a file that the log names


@dataclass(frozen=True)
class IndicatorList:
    """What one file holds."""

    indicators: tuple[Indicator, ...]
    bad: tuple[str, ...]  # file:line: what is wrong
    digest: str


class Lists:
    """All files of the paths; `index` holds what is in them."""

    def __init__(self, paths: Iterable[str], *, severity: int = 73) -> None:
        if isinstance(severity, bool) or not isinstance(severity, int) or not 0 <= severity <= 100:
            raise ConfigError(f"the severity is {severity!r}; write a number from 0 to 100", where="intel")
        self._load = partial(load, severity=severity)
        self._named: set[Path] = set()
        self._folders: set[Path] = set()
        for path in map(Path, [paths] if isinstance(paths, str) else paths):
            if path.is_file():
                self._named.add(path)
            elif path.suffix in SUFFIXES:
                raise ConfigError("there is no such list; write it or leave it out of intel", where=str(path))
            else:
                self._folders.add(path)
                if not path.is_dir():
                    log.warning("%s is not there; it brings no indicators", path)
        self._files = {path: Replaced(path, self._load, _NOTHING) for path in self._present()}
        self._arrange()

    @property
    def problems(self) -> tuple[str, ...]:
        """The lines that are no indicators, as `file:line: what`."""
        return tuple(line for f in self._files.values() for line in f.value.bad)

    @property
    def bad_lines(self) -> int:
        return len(self.problems)

    def refresh(self) -> bool:
        """Takes up files that changed or are new in a folder, and drops those gone from one.

        Of a file that cannot be read the old content stays, and of one that was named by itself and is gone.
        """
        present = self._present()
        gone = self._files.keys() - present
        for path in gone:
            del self._files[path]
        changed = bool(gone)
        for path in present:
            if path not in self._files:
                self._files[path] = Replaced.late(path, self._load, _NOTHING)
            changed |= self._files[path].refresh()
        if changed:
            self._arrange()
        return changed

    def digest(self) -> str:
        """By what the lists hold and are called, not by where they lie."""
        parts = sorted(f"{path.name} {f.value.digest}" for path, f in self._files.items() if f.value.indicators)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _present(self) -> list[Path]:
        files = set(self._named)
        for folder in self._folders:
            if folder.is_dir():
                files.update(p for p in folder.iterdir() if p.suffix in SUFFIXES and p.name[0] != "." and p.is_file())
        return sorted(files)

    def _arrange(self) -> None:
        self.index = Index(i for f in self._files.values() for i in f.value.indicators)


_NOTHING = IndicatorList((), (), "")


def load(path: Path, *, severity: int) -> IndicatorList:
    """The indicators of a file; raises ConfigError where it cannot be read at all or its header does not check."""
    try:
        data = path.read_bytes()
        lines = data.decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{error}; write a list that can be read", where=str(path)) from error
    told = [(n, line.strip()) for n, line in enumerate(lines, 1) if not _COMMENT.fullmatch(line.strip() or "#")]
    header = _cells(told[0][1].lower()) if told else []
    rows = _csv_rows(path, told, header) if "indicator" in map(str.strip, header) else _plain_rows(told)
    indicators: list[Indicator] = []
    bad: list[str] = []
    for number, row in rows:
        try:
            indicators.extend(_indicators(row, path.stem, severity))
        except ValueError as error:
            bad.append(f"{path}:{number}: {error}")
    for line in bad[:_NAMED]:
        log.warning("%s; the line is skipped", line)
    if len(bad) > _NAMED:
        log.warning("%s: %d more lines are no indicators and skipped", path, len(bad) - _NAMED)
    return IndicatorList(tuple(indicators), tuple(bad), hashlib.sha256(data).hexdigest())


def _plain_rows(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in lines:
        yield number, {"indicator": _COMMENT.sub("", line).strip()}


def _csv_rows(path: Path, lines: list[tuple[int, str]], header: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    names = [h.strip() for h in header]
    unknown = [n for n in names if n not in FIELDS]
    if unknown or len(set(names)) < len(names):
        what = f"the header is {','.join(names)!r}; write of {','.join(FIELDS)} those that there are, each once"
        raise ConfigError(what, where=f"{path}:{lines[0][0]}")
    for number, line in lines[1:]:
        row = [cell.strip() for cell in _cells(line)]
        yield (
            number,
            dict(zip(names, row, strict=False)) | ({"excess": row[len(names)]} if len(row) > len(names) else {}),
        )


def _cells(line: str) -> list[str]:
    """The cells of a line; one that no CSV reader takes (a field of 128 KiB) is one cell, and no indicator."""
    try:
        return next(csv.reader([line]))
    except csv.Error:
        return [line]


def _indicators(row: dict[str, str], source: str, severity: int) -> Iterator[Indicator]:
    text = refang(row["indicator"])
    if "excess" in row:
        raise ValueError(f"{row['excess']!r} is a field too many; quote fields with commas")
    kinds: tuple[str, ...] = (row["kind"].lower(),) if row.get("kind") else kinds_of(text)
    if not kinds:
        raise ValueError(f"{text!r} is no indicator; write an address, CIDR, domain, URL, hash, JA3 or JA4")
    if kinds[0] not in KINDS:
        raise ValueError(f"{kinds[0]!r} is no kind; write one of {', '.join(KINDS)}")
    level = _severity(row["severity"]) if row.get("severity") else severity
    for kind in kinds:
        indicator = normal(text, kind)
        yield Indicator(indicator, kind, row.get("source") or source, level, row.get("description") or None)


def _severity(text: str) -> int:
    level = SEVERITIES.get(text.lower())
    if level is None and text.isdecimal() and int(text) <= 100:
        level = int(text)
    if level is None:
        raise ValueError(f"{text!r} is no severity; write 0 to 100 or one of {', '.join(SEVERITIES)}")
    return level
