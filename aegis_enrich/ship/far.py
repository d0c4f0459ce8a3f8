"""The far side: a folder or an object store, through pyarrow's file systems; what is put there is whole, or is not."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from ..errors import ShipError
from ..store.lake import sync_file, sync_folder

BLOCK_BYTES = 8 * 2**20
TEMPORARY = ".tmp"


class Far:
    """Files below a folder or a URI such as `s3://bucket/lake`, named by paths with slashes."""

    def __init__(self, target: str, *, endpoint: str = "") -> None:
        """`endpoint`: of an object store other than AWS's, `http://host:port`. Raises ShipError."""
        from pyarrow import fs  # only where something is shipped: it loads the object stores' libraries

        self._fs, self.target = fs, target
        with self._said(""):
            if "://" in target:
                self._files, root = fs.FileSystem.from_uri(_with_endpoint(target, endpoint))
                self._local = target.startswith("file://")
            else:
                self._files, root, self._local = fs.LocalFileSystem(), str(Path(target).absolute()), True
        self._root = PurePosixPath(root)

    def read(self, path: str) -> str | None:
        """A file's text; None where there is no such file."""
        with self._said(path):
            try:
                with self._files.open_input_stream(self._at(path)) as file:
                    return bytes(file.read()).decode("utf-8")
            except FileNotFoundError:
                return None

    def put(self, path: str, text: str) -> None:
        """Puts a file whole in the place of what was there."""
        with self._said(path), self._writing(path) as file:
            file.write(text.encode("utf-8"))

    def copy(self, source: Path, path: str) -> bool:
        """Copies a local file, where it is not there already; whether it had to. Raises FileNotFoundError."""
        with source.open("rb") as local:
            size = os.fstat(local.fileno()).st_size
            if self.size(path) == size:
                return False
            with self._said(path), self._writing(path) as file:
                while block := local.read(BLOCK_BYTES):
                    file.write(block)
        return True

    def fetch(self, path: str, target: Path) -> bool:
        """Copies a file from there to a local one, which is whole or is not; whether there is such a file."""
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}{TEMPORARY}")
        with self._said(path):
            try:
                with self._files.open_input_stream(self._at(path)) as file, temporary.open("wb") as local:
                    shutil.copyfileobj(file, local, BLOCK_BYTES)
                temporary.replace(target)
            except FileNotFoundError:
                return False
            finally:
                temporary.unlink(missing_ok=True)
        return True

    def size(self, path: str) -> int | None:
        """In bytes; None where there is no such file."""
        with self._said(path):
            found = self._files.get_file_info(self._at(path))
            return int(found.size) if found.type == self._fs.FileType.File else None

    def files_in(self, folder: str) -> dict[str, datetime | None]:
        """The files in a folder and when they were written; none where it is not there."""
        with self._said(folder):
            selector = self._fs.FileSelector(self._at(folder), allow_not_found=True, recursive=False)
            infos = self._files.get_file_info(selector)
        return {f"{folder}/{i.base_name}": i.mtime for i in infos if i.type == self._fs.FileType.File}

    def folders(self, folder: str) -> list[str]:
        """The folders in a folder."""
        with self._said(folder):
            selector = self._fs.FileSelector(self._at(folder), allow_not_found=True, recursive=False)
            infos = self._files.get_file_info(selector)
        kind = self._fs.FileType.Directory
        return sorted(f"{folder}/{i.base_name}" if folder else i.base_name for i in infos if i.type == kind)

    def written(self, path: str) -> datetime | None:
        """When a file was written, UTC; None where there is no such file."""
        with self._said(path):
            found = self._files.get_file_info(self._at(path))
        return found.mtime.astimezone(UTC) if found.mtime is not None else None

    def delete(self, path: str) -> None:
        with self._said(path), contextlib.suppress(FileNotFoundError):
            self._files.delete_file(self._at(path))

    @contextlib.contextmanager
    def _writing(self, path: str) -> Iterator[Any]:
        """A stream to a file that is there once it is closed: an object store puts whole objects."""
        target = self._at(path)
        if not self._local:
            with self._files.open_output_stream(target) as file:
                yield file
            return
        made = _made(Path(target).parent)
        temporary = f"{target}.{uuid.uuid4().hex[:8]}{TEMPORARY}"
        try:
            with self._files.open_output_stream(temporary) as file:
                yield file
            sync_file(Path(temporary))
            self._files.move(temporary, target)
            for folder in (*made, Path(target).parent):
                sync_folder(folder)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _at(self, path: str) -> str:
        return str(self._root / path) if path else str(self._root)

    @contextlib.contextmanager
    def _said(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except (OSError, ValueError, self._fs_errors()) as error:
            text = " ".join(str(error).split())[:300]
            raise ShipError(f"cannot be used: {text}", where=f"{self.target}/{path}".rstrip("/")) from error

    @staticmethod
    def _fs_errors() -> type[Exception]:
        import pyarrow as pa

        kind: type[Exception] = pa.ArrowException
        return kind


def _with_endpoint(target: str, endpoint: str) -> str:
    if not endpoint:
        return target
    url = urlsplit(endpoint)
    if url.scheme not in ("http", "https") or not url.netloc:
        raise ShipError("write the endpoint as http://host:port or https://host", where=endpoint)
    mark = "&" if "?" in target else "?"
    return f"{target}{mark}endpoint_override={quote(url.netloc)}&scheme={url.scheme}"


def _made(folder: Path) -> list[Path]:
    """Makes a folder and its parents; those whose entries changed."""
    missing = [p for p in (folder, *folder.parents) if not p.is_dir()]
    folder.mkdir(parents=True, exist_ok=True)
    return [p.parent for p in reversed(missing)]
