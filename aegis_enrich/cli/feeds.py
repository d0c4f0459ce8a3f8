"""What `watch` reads from where it is no folder: an address of Kafka's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config import Config
from ..follow import KAFKA, LogState
from ..store import LogProgress, Store

if TYPE_CHECKING:  # Kafka's part is imported where it is used
    from ..kafka import Address, KafkaSource

SCHEME = "kafka://"


class Feed(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """A folder, a file, or `kafka://BROKER/TOPIC`."""

    name = "path"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str | Path:
        return value if isinstance(value, str) and value.startswith(SCHEME) else Path(str(value))


def split(feeds: Sequence[str | Path], sensors: Sequence[str]) -> tuple[list[Path], list[str], list[str]]:
    """Folders, `NAME=FOLDER`, and addresses as `NAME=kafka://…` or alone."""
    addresses = [f for f in feeds if isinstance(f, str)] + [
        s for s in sensors if s.partition("=")[2].startswith(SCHEME)
    ]
    return [f for f in feeds if isinstance(f, Path)], [s for s in sensors if s not in addresses], addresses


def address(folders: object, addresses: Sequence[str], config: Config) -> Address | None:
    """The address to read from, None where folders are watched; raises UsageError for several, or for both."""
    chosen = addresses or ([config.kafka.url] if config.kafka.url and not folders else [])
    if not chosen:
        return None
    if folders or len(chosen) > 1:
        raise click.UsageError("one watch reads folders or one kafka://BROKER/TOPIC[,TOPIC]; start one for each")
    from ..kafka import parse

    name, _, url = chosen[0].rpartition(f"={SCHEME}")
    return parse(f"{SCHEME}{url}" if name else chosen[0], config.kafka, sensor=name)


def of_files(known: Iterable[LogProgress]) -> list[LogState]:
    """What a state knows of logs that are files."""
    return [p.state for p in known if not p.state.path.startswith(KAFKA)]


def open_source(address: Address, config: Config, store: Store, *, once: bool) -> KafkaSource:
    """Reads on where the state is; raises ConfigError or Problems for settings that cannot be."""
    from ..kafka import KafkaSource, Member, settings

    known = [p.state for p in store.progress()]
    made = settings(address, config.kafka, instance=store.id, once=once)
    return KafkaSource(Member(address, made, known, state=store.id, once=once))
