"""A model's file: the rows that it was trained on, as Parquet, and what is said of them; it is fitted when loaded.

No pickle: a file can be read, compared and checked, and running nothing of it cannot harm (docs/decisions/models.md).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from aegis_enrich.errors import AegisError
from aegis_enrich.plugin import DAY_US, MICROS

T = TypeVar("T")
_KEY = b"aegis_model"


class ModelError(AegisError):
    """A model that cannot be used, and what to do."""


@dataclass(frozen=True)
class About:
    """What a model was made of; times are event time, so that training again on the same rows gives the same file."""

    kind: str
    schema: str  # measures.schema_of
    library: str  # scikit-learn's version, without the last part
    from_us: int
    until_us: int
    rows: int
    of_rows: int  # of how many these are a sample
    hosts: int
    more: Mapping[str, Any] = field(default_factory=dict)  # what a kind of model has beside

    def age_days(self, time_us: int) -> float:
        """How long before this time the training rows end; below 0 where they end later."""
        return (time_us - self.until_us) / DAY_US

    @property
    def date(self) -> str:
        return datetime.fromtimestamp(self.until_us / MICROS, UTC).strftime("%Y-%m-%d")


@dataclass(frozen=True)
class Stored:
    """A model's rows and what is said of them; `hash` is of the file."""

    about: About
    rows: pd.DataFrame
    hash: str


def library() -> str:
    """The version of scikit-learn that is installed, without its last part."""
    from importlib.metadata import version

    return ".".join(version("scikit-learn").split(".")[:2])


def write(path: Path, about: About, rows: pd.DataFrame) -> str:
    """The file, in the place of an older one at once; its hash."""
    table = pa.Table.from_pandas(rows, preserve_index=False)
    said = {_KEY: json.dumps(asdict(about), sort_keys=True).encode()}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        pq.write_table(table.replace_schema_metadata(said), temporary, compression="zstd")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ModelError(f"cannot be written: {error.strerror}", where=str(path)) from error
    return _hash(path)


def idle(kind: str) -> str:
    """What a detector says that has no model of this kind."""
    return f"has no model, so it is not run; make one: aegis-enrich train {kind}, and name it as `model` in its rule"


def named(path: str, kind: str, schema: str) -> Stored:
    """The file that a rule names; raises ModelError as `read` does, and where the rule does not say its whole path."""
    if not Path(path).is_absolute():
        raise ModelError("write the whole path of the model, from / on, in the rule", where=path)
    return read(Path(path), kind, schema)


def read(path: Path, kind: str, schema: str) -> Stored:
    """The file; raises ModelError where it is none, of another kind, of other features or of another library."""
    again = f"train it again: aegis-enrich train {kind}"
    try:
        table = pq.read_table(path)
        about = About(**json.loads((table.schema.metadata or {})[_KEY]))
    except FileNotFoundError as error:
        raise ModelError(
            f"there is no such model; make it: aegis-enrich train {kind} -o {path}", where=str(path)
        ) from error
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"is no model that can be read; {again}", where=str(path)) from error
    if about.kind != kind:
        raise ModelError(f"is a model for {about.kind}, not for {kind}; name another, or {again}", where=str(path))
    if about.schema != schema:
        raise ModelError(
            f"was trained on features that meant something else (schema {about.schema}, now {schema}); {again}",
            where=str(path),
        )
    if about.library != library():
        raise ModelError(
            f"was trained with scikit-learn {about.library}, {library()} is installed; {again}", where=str(path)
        )
    return Stored(about, table.to_pandas(), _hash(path))


def fresh(about: About, path: str, time_us: int, most_days: float) -> None:
    """Raises ModelError where the model is older than that at a time of event time, or begins so long after it."""
    age_days = about.age_days(time_us)
    if age_days > most_days:
        what = f"ends {about.date}, {age_days:.0f} days before the window; max_age_days is {most_days:g}"
        raise ModelError(f"{what}; train it again: aegis-enrich train {about.kind}", where=path)
    if (about.from_us - time_us) / DAY_US > most_days:
        what = f"begins {(about.from_us - time_us) / DAY_US:.0f} days after the window; max_age_days is {most_days:g}"
        raise ModelError(f"{what}; train one on rows of that time", where=path)


def fresh_at(about: About | None, path: str, times_us: Iterable[int], most_days: float) -> None:
    """`fresh` at each of these times; an example, which has no `about`, always is."""
    if about is None:
        return
    for time_us in sorted({int(t) for t in times_us}):
        fresh(about, path, time_us, most_days)


def cached(make: Callable[[str], T]) -> Callable[[str], T]:
    """`make(path)`, once per process for each state of the file at that path."""

    @lru_cache(maxsize=4)
    def made(path: str, stamp: tuple[int, ...]) -> T:
        return make(path)

    def get(path: str) -> T:
        try:
            status = Path(path).stat()
            stamp: tuple[int, ...] = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            stamp = ()
        return made(path, stamp)

    return get


def sample(frame: pd.DataFrame, key: Callable[[Mapping[Any, Any]], str], most: int) -> pd.DataFrame:
    """At most so many rows, the same of the same rows: those with the least hashes of their keys, in their order."""
    if len(frame) <= most:
        return frame
    hashes = [hashlib.sha256(key(row).encode()).hexdigest() for row in frame.to_dict("records")]
    chosen = sorted(sorted(range(len(frame)), key=hashes.__getitem__)[:most])
    return frame.iloc[chosen]


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
