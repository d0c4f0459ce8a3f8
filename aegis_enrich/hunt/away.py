"""A common lake in an object store: its manifests are read there, its segments are brought here when they are read."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..store import Segment
from ..store.common_lake import MANIFEST, read_lines

AT_ONCE = 16  # requests under way: each waits for its answer most of the time


def is_uri(lake: str | Path) -> bool:
    """Whether it names a lake elsewhere, such as s3://bucket/lake."""
    return "://" in str(lake)


class Away:
    """The lake at `target`, with the segments that were read so far below `folder`; raises ShipError."""

    def __init__(self, target: str, folder: Path, *, endpoint: str = "") -> None:
        from ..ship import Far  # only where a lake is elsewhere: it loads the object stores' libraries

        self.far, self.folder = Far(target, endpoint=endpoint), folder

    def segments(self) -> list[tuple[str, Segment]]:
        """The segments that the manifests name now, each with the state that it comes from; raises StateError."""
        far = self.far
        with ThreadPoolExecutor(AT_ONCE) as pool:
            listed = pool.map(far.files_in, [f"{sensor}/{MANIFEST}" for sensor in far.folders("")])
            paths = sorted(path for files in listed for path in files if path.endswith(".jsonl"))
            texts = list(pool.map(far.read, paths))
        found: list[tuple[str, Segment]] = []
        for path, text in zip(paths, texts, strict=True):
            folder = self.folder / path.partition("/")[0]
            found += read_lines(text or "", folder, where=f"{far.target}/{path}")
        return found

    def bring(self, files: Iterable[Path]) -> bool:
        """Brings these files of the lake here; whether all of them were (still) there."""
        missing = [file for file in files if not file.exists()]
        if not missing:
            return True
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return all(list(pool.map(lambda file: self.far.fetch(str(file.relative_to(self.folder)), file), missing)))
