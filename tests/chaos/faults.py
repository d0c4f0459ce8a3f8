"""What goes wrong around a `watch`, and is put right again: its disk, its server, its rules, its MMDB file."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

BALLAST = "ballast"
BROKEN_RULE = "id: broken\nname: [a rule that an editor has saved half of\n"


@dataclass(frozen=True)
class Disk:
    """A folder whose room is bounded where the machine lets it be; `why` says why it is not."""

    folder: Path
    why: str = ""

    @property
    def bounded(self) -> bool:
        return not self.why

    def fill(self, left_bytes: int) -> None:
        """Leaves so much room."""
        free = shutil.disk_usage(self.folder).free
        with (self.folder / BALLAST).open("ab") as file, contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), file.tell(), max(1, free - left_bytes))

    def free(self) -> None:
        (self.folder / BALLAST).unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[Disk]:
    """A file system in memory of this size at `folder`; an ordinary folder where none can be mounted."""
    folder.mkdir()
    mounted = _said_by("mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "aegis-chaos", str(folder))
    try:
        yield Disk(folder, mounted and f"the disk is not filled: no file system can be mounted here ({mounted})")
    finally:
        if not mounted:
            _said_by("umount", "--lazy", str(folder))


def _said_by(*command: str) -> str:
    """What a command complains of; "" where it does not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return " ".join((done.stderr or f"exit {done.returncode}").split()) if done.returncode else ""


@dataclass(frozen=True)
class Fault:
    """What can be done and undone at any time. `bars`: while it lasts, a `watch` may refuse to start."""

    name: str
    do: Callable[[], None]
    undo: Callable[[], None]
    bars: bool = False


def broken_rule(rules: Path) -> Fault:
    """A file among the rules that is no rule."""
    path = rules / "detectors" / "zz_broken.yml"

    def undo() -> None:
        path.unlink(missing_ok=True)

    return Fault("broken rule", lambda: void(path.write_text(BROKEN_RULE, encoding="utf-8")), undo, bars=True)


def gone(name: str, path: Path) -> Fault:
    """A file that is removed, and brought back."""
    away = path.with_name(f"{path.name}.away")

    def do() -> None:
        if path.exists():
            path.rename(away)

    def undo() -> None:
        if away.exists():
            away.rename(path)

    return Fault(name, do, undo, bars=True)


def void(result: object) -> None:
    """So that a lambda gives nothing."""
