"""Where sensors write the logs of captures: a temporary folder, or the state, which knows what it has read."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

CAPTURES = "captures"  # within a state
RAN, DONE = "ran", "done"
BEGIN_BYTES, END_BYTES = 2**20, 2**16


@dataclass(frozen=True)
class Folder:
    """The logs of one capture. `ran`: they are whole; `done`: their rows and alerts are in the state, they are gone."""

    path: Path
    ran: bool = False
    done: bool = False

    def logs(self) -> list[Path]:
        """What is to be analyzed: Suricata's events, else Zeek's logs."""
        return sorted(self.path.glob("eve*.json")) or [self.path]

    def note_ran(self) -> None:
        (self.path / RAN).touch()

    def note_done(self) -> None:
        """Lets the logs go; that they were analyzed stays known."""
        (self.path / DONE).touch()
        for entry in self.path.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name != DONE:
                entry.unlink()


class Folders:
    """One folder a capture, below a temporary one that is removed at the end, or in the folder of a state.

    Suricata's flow ids are other ones in each run, and Zeek's logs bear the time of the run: the same capture twice
    would be two logs. So the state keeps what was analyzed, and what was interrupted is taken up with the same logs.
    """

    def __init__(self, state: Path | None) -> None:
        self._temporary = None if state else tempfile.TemporaryDirectory(prefix="aegis-capture-")
        self.root = state / CAPTURES if state else Path(self._temporary.name if self._temporary else "")
        self._begun: list[Path] = []

    def __enter__(self) -> Folders:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for path in self._begun:
            if not (path / RAN).exists() and not (path / DONE).exists():
                shutil.rmtree(path, ignore_errors=True)  # the sensor did not end, or failed
        if self._temporary is not None:
            self._temporary.cleanup()

    def folder(self, capture: Path, sensor: str, reader: str) -> Folder:
        """The folder of a capture of this sensor as it is read by Zeek or Suricata; empty unless `ran` or `done`."""
        name = str(len(self._begun) + 1) if self._temporary else f"{identity(capture, sensor)}-{reader}"
        path = self.root / name
        if (path / DONE).exists():
            return Folder(path, ran=True, done=True)
        if (path / RAN).exists():
            return Folder(path, ran=True)
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        self._begun.append(path)
        return Folder(path)


def identity(capture: Path, sensor: str) -> str:
    """What tells captures apart without reading them whole: sensor, size, beginning and end."""
    size = capture.stat().st_size
    found = hashlib.sha256(f"{sensor}\n{size}\n".encode())
    with capture.open("rb") as file:
        found.update(file.read(BEGIN_BYTES))
        file.seek(max(0, size - END_BYTES))
        found.update(file.read())
    return found.hexdigest()[:32]
