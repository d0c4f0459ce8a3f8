"""The files below the sources' folders, listed anew only where a folder changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RACY_NS = 2 * 10**9  # a folder that changed this short before it was listed may change again within its mtime's grain


@dataclass(frozen=True, slots=True)
class Listing:
    """A folder's files; `fresh`: listed anew. `given`: a file that was named by itself."""

    sensor: str
    folder: str
    names: frozenset[str]
    fresh: bool
    given: bool = False


@dataclass(slots=True)
class _Folder:
    sensor: str
    mtime_ns: int
    listed_ns: int
    names: frozenset[str]
    folders: tuple[str, ...]


class Tree:
    """Walks folders (symbolic links to folders too, each folder once) and leaves hidden files and folders out."""

    def __init__(self, sources: Mapping[str, Sequence[Path]]) -> None:
        self._roots = [(sensor, os.path.abspath(p)) for sensor, paths in sources.items() for p in paths]  # noqa: PTH100
        self._known: dict[str, _Folder] = {}
        self.unreadable: dict[str, str] = {}
        self.linked: set[str] = set()  # real paths of folders that a link leads to

    def walk(self, *, full: bool = False) -> Iterator[Listing]:
        """Every folder once; `full` lists them all anew. A folder that is gone comes with no names."""
        self.unreadable = {}
        seen: set[tuple[int, int]] = set()
        paths: set[str] = set()
        stack = list(reversed(self._roots))
        while stack:
            sensor, path = stack.pop()
            try:
                info = os.stat(path)  # noqa: PTH116
            except OSError:
                if (sensor, path) in self._roots:
                    yield Listing(sensor, os.path.dirname(path), frozenset([os.path.basename(path)]), True, True)  # noqa: PTH119, PTH120
                continue
            if not os.path.isdir(path):  # noqa: PTH112
                yield Listing(sensor, os.path.dirname(path), frozenset([os.path.basename(path)]), True, True)  # noqa: PTH119, PTH120
                continue
            if (info.st_dev, info.st_ino) in seen:
                continue
            seen.add((info.st_dev, info.st_ino))
            paths.add(path)
            folder, fresh = self._list(sensor, path, info.st_mtime_ns, full)
            yield Listing(sensor, path, folder.names, fresh)
            stack.extend((sensor, p) for p in reversed(folder.folders))
        for path in self._known.keys() - paths:
            yield Listing(self._known.pop(path).sensor, path, frozenset(), True)

    def _list(self, sensor: str, path: str, mtime_ns: int, full: bool) -> tuple[_Folder, bool]:
        known = self._known.get(path)
        if known and not full and known.mtime_ns == mtime_ns and known.listed_ns - mtime_ns > RACY_NS:
            return known, False
        names, folders, listed_ns = [], [], time.time_ns()
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if _is_folder(entry):
                        folders.append(entry.path)
                        if entry.is_symlink():
                            self.linked.add(os.path.realpath(entry.path))
                    else:
                        names.append(entry.name)
        except OSError as error:
            self.unreadable[path] = error.strerror or str(error)
        self._known[path] = _Folder(sensor, mtime_ns, listed_ns, frozenset(names), tuple(sorted(folders)))
        return self._known[path], True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
