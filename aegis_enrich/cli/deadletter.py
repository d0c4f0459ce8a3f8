"""`aegis-enrich deadletter`: lines that could not be read and documents that a sink refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from ..config import Config
from ..deliver.replay import Replay, replayed
from ..deliver.sections import make, sections
from ..errors import Problems, SinkError, StateError
from ..plugin import MICROS, Sink
from ..registry import load
from ..store import Store
from ..store.letters import Do, Letter, Selection, carry_out, letters, number_to_replay, order, take_orders
from ..store.lock import holder
from ..visible import CHARACTERS, visible
from .options import cell, config_option, configuration, json_option, print_json
from .run import with_elasticsearch

F = TypeVar("F", bound=Callable[..., Any])
Kind = Literal["", "line", "document"]
AGAIN = "lines are read again from their log: aegis-enrich analyze LOG, or a new --state"


@click.group("deadletter")
def command() -> None:
    """List, show, replay, export and drop what could not be read or was refused."""


def _selected(command: F) -> F:
    """Options that say which letters are meant."""
    for option in (
        click.option("--origin", default="", help="Whose origin (a log's path, sink:NAME) holds this text."),
        click.option("--reason", default="", help="Whose reason holds this text."),
        click.option("--kind", type=click.Choice(["line", "document"]), help="Lines of logs, or documents only."),
    ):
        command = option(command)
    return command


@command.command("list")
@_selected
@click.option("--each", is_flag=True, help="The letters one by one, newest last, instead of how many there are.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Rows of the table.")
@config_option
@json_option
def list_(
    origin: str,
    reason: str,
    kind: Kind | None,
    each: bool,
    limit: int,
    config_file: Path | None,
    state: Path | None,
    as_json: bool,
) -> None:
    """List the dead letters of a state by origin and reason; while a `watch` runs, too."""
    selection = Selection(origin=origin, reason=reason, kind=kind or "")
    with _opened(config_file, state) as store:
        rows = [_facts(x) for x in letters(store, selection, limit)] if each else _counts(store, selection, limit)
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("no dead letters")
    else:
        _table(rows)
        click.echo("aegis-enrich deadletter show ID shows one, replay sends documents to their sink again")


@command.command("show")
@click.argument("letter", type=int)
@config_option
@json_option
def show(letter: int, config_file: Path | None, state: Path | None, as_json: bool) -> None:
    """Show one dead letter whole: LETTER is its id."""
    with _opened(config_file, state) as store:
        found = letters(store, Selection(ids=(letter,)))
    if not found:
        raise StateError("there is no such dead letter; `aegis-enrich deadletter list --each` names those there are")
    told = _exported(found[0])
    if as_json:
        print_json(told)
        return
    for name, value in told.items():
        if name != "body":
            click.echo(f"{name}: {visible(str(value), CHARACTERS)}")
    click.echo("")
    for line in _body(found[0]).splitlines():
        click.echo(visible(line))


@command.command("export")
@_selected
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
@config_option
def export(
    origin: str, reason: str, kind: Kind | None, output: Path, config_file: Path | None, state: Path | None
) -> None:
    """Write dead letters to a file, a JSON object a line: where each came from, why, and its body."""
    with _opened(config_file, state) as store:
        found = letters(store, Selection(origin=origin, reason=reason, kind=kind or ""))
    try:
        with output.open("w", encoding="ascii") as file:
            file.writelines(json.dumps(_exported(letter), sort_keys=True) + "\n" for letter in found)
    except OSError as error:
        raise StateError(f"cannot be written: {error.strerror}; name another -o", where=str(output)) from error
    click.echo(f"{_number(len(found))} in {output}")


@command.command("drop")
@click.argument("ids", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="All there are now.")
@_selected
@config_option
def drop(
    ids: tuple[int, ...],
    everything: bool,
    origin: str,
    reason: str,
    kind: Kind | None,
    config_file: Path | None,
    state: Path | None,
) -> None:
    """Drop dead letters for good: IDS, or those that the options name."""
    config = configuration(config_file, state)
    selection = _meant(config, ids, everything, origin, reason, kind)
    concerned = _ordered(config, "drop", selection)
    click.echo(f"{_number(concerned)} dropped" if not holder(config.state_dir) else _handed_on(concerned, "drops"))


@command.command("replay")
@click.argument("ids", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="All that are there now.")
@_selected
@click.option("--es", "url", help="The Elasticsearch of the `watch`, where the configuration does not name it.")
@config_option
def replay(
    ids: tuple[int, ...],
    everything: bool,
    origin: str,
    reason: str,
    kind: Kind | None,
    url: str | None,
    config_file: Path | None,
    state: Path | None,
) -> None:
    """Send refused documents to their sink again, once what it refused is mended: IDS, or those the options name.

    While a `watch` runs, it sends them; else they are sent now. Lines that could not be read go nowhere: after an
    update their log is read again by `aegis-enrich analyze`, or into a new --state.
    """
    config = with_elasticsearch(configuration(config_file, state), url, None)
    selection = _meant(config, ids, everything, origin, reason, kind)
    _say_what_cannot(config, selection)
    concerned = _ordered(config, "replay", selection)
    if holder(config.state_dir):
        click.echo(_handed_on(concerned, "sends"))
    else:
        click.echo(f"{_number(concerned)} to send")
        _send(config)


def _opened(config_file: Path | None, state: Path | None) -> Store:
    return Store(configuration(config_file, state).state_dir, read_only=True)


def _meant(
    config: Config, ids: tuple[int, ...], everything: bool, origin: str, reason: str, kind: Kind | None
) -> Selection:
    """The letters of the command line, none that come later."""
    if not (ids or everything or origin or reason or kind):
        raise click.UsageError("name dead letters: their ids, --origin, --reason, --kind, or --all")
    with Store(config.state_dir, read_only=True) as store:
        upto = int(store.query("SELECT coalesce(max(letter_id), 0) FROM dead_letters")[0][0])
    return Selection(ids, origin, reason, kind or "", upto)


def _ordered(config: Config, do: Do, selection: Selection) -> int:
    """Does it here, or leaves an order for the `watch` that holds the state; how many letters it concerns."""
    if not holder(config.state_dir):
        with Store(config.state_dir) as store:
            take_orders(store)
            with store.transaction() as tx:
                return carry_out(tx, do, selection)
    with Store(config.state_dir, read_only=True) as store:
        found = letters(store, selection)
    order(config.state_dir, do, selection)
    return sum(do == "drop" or letter.whole for letter in found)


def _handed_on(concerned: int, does: str) -> str:
    return f"{_number(concerned)}: the running `watch` {does} them within a minute"


def _say_what_cannot(config: Config, selection: Selection) -> None:
    with Store(config.state_dir, read_only=True) as store:
        found = letters(store, selection)
    lines = sum(not letter.kind for letter in found)
    parts = sum(bool(letter.kind) and not letter.whole for letter in found)
    if lines:
        click.echo(f"{_number(lines)} of them are lines that could not be read: {AGAIN}", err=True)
    if parts:
        click.echo(f"{_number(parts)} of them are not kept whole, so they cannot go again", err=True)


def _send(config: Config) -> None:
    """Sends what is marked to the sinks of the configuration; raises Problems where some could not go."""
    problems = []
    with Store(config.state_dir) as store:
        sinks = make(sections(config, load()))
        keys = {name: f"{name}:{sink.target}" for name, sink in sinks.items()}
        try:
            for name, sink in sinks.items():
                problems += _sent(store, sink, keys[name])
        finally:
            for sink in sinks.values():
                sink.close()
        waiting = _waiting(store)
    if waiting:
        where = ", ".join(sorted(waiting))
        click.echo(f"{_number(sum(waiting.values()))} marked for {where}: they go once it takes them, also in `watch`")
    if problems:
        raise Problems(problems)


def _sent(store: Store, sink: Sink, key: str) -> list[SinkError]:
    marked = number_to_replay(store, key)
    if not marked:
        return []
    why = replayed(Replay(store, sink, key))
    left = number_to_replay(store, key)
    refused = store.query(
        "SELECT count(*) FROM dead_letters WHERE replay = 0 AND attempts > 1 AND origin LIKE ?", [f"sink:{key}%"]
    )[0][0]
    click.echo(f"{key}: {marked - left} sent" + (f"; {refused} in all were refused again" if refused else ""))
    return [SinkError(f"{left} wait: {why}", where=key)] if why else []


def _waiting(store: Store) -> dict[str, int]:
    return dict(store.query("SELECT origin, count(*) FROM dead_letters WHERE replay = 1 GROUP BY origin"))


def _counts(store: Store, selection: Selection, limit: int) -> list[dict[str, Any]]:
    where, parameters = selection.where()
    rows = store.query(
        "SELECT origin, reason, kind, count(*), sum(whole), sum(replay), max(letter_id) FROM dead_letters"
        f" WHERE {where} GROUP BY origin, reason, kind ORDER BY count(*) DESC, origin, reason LIMIT ?",
        [*parameters, limit],
    )
    names = ("origin", "reason", "kind", "count", "replayable", "marked", "newest")
    return [dict(zip(names, row, strict=True)) | {"kind": row[2] or "line"} for row in rows]


def _facts(letter: Letter) -> dict[str, Any]:
    """All but the body."""
    facts: dict[str, Any] = {
        "id": letter.id,
        "origin": letter.origin,
        "offset": letter.offset,
        "reason": letter.reason,
        "kind": letter.kind or "line",
        "at": datetime.fromtimestamp(letter.at_us / MICROS, UTC).isoformat() if letter.at_us else "",
    }
    if letter.kind:
        facts |= {"document": letter.document, "revision": letter.revision, "table": letter.table}
        facts |= {"attempts": letter.attempts, "whole": letter.whole, "marked": letter.replay}
    return facts


def _exported(letter: Letter) -> dict[str, Any]:
    """A line that is no UTF-8 goes as Base64, so that each byte of it is kept."""
    try:
        return _facts(letter) | {"body": letter.body.decode()}
    except UnicodeDecodeError:
        return _facts(letter) | {"body_base64": base64.b64encode(letter.body).decode()}


def _body(letter: Letter) -> str:
    """As people may read it."""
    if letter.kind and letter.whole:
        return json.dumps(json.loads(letter.body), ensure_ascii=False, indent=2, sort_keys=True)
    return letter.body.decode(errors="backslashreplace").replace("\n", "\\n")


def _table(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    shown = [name for name in ("id", "count", "kind", "origin", "offset", "reason", "newest") if name in rows[0]]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in shown:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(cell(row[name]) for name in shown))
    console = Console()
    (console if console.is_terminal else Console(width=200)).print(table)


def _number(letters: int) -> str:
    return f"{letters} dead letter{'s' * (letters != 1)}"
