"""`aegis-enrich incidents`: what alerts amount to, told as a story; while a `watch` runs, too."""

from __future__ import annotations

import dataclasses
import getpass
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ..config import Config
from ..correlate.advice import adviser
from ..correlate.read import incident_documents, resolve
from ..correlate.story import Advice, Story, as_markdown, as_text, tell
from ..decide import load_rules
from ..decide.rules import RuleSet
from ..errors import AegisError, StateError
from ..registry import load
from ..store import Store
from ..store.triage import Mark, Triage
from ..visible import CHARACTERS, visible
from .options import COLOURS, LEAST_ID, SEVERITIES, cell, config_option, configuration, field, json_option

FORMATS = ("text", "markdown", "json")
SHOWN = 4  # hosts of a stage

Document = dict[str, Any]
incident_argument = click.argument("incident")


@click.group("incidents")
def command() -> None:
    """List, explain, export and close incidents: alerts that belong together."""


@command.command("list")
@click.option("--least-risk", type=click.FloatRange(0, 100), default=0, help="This risk and more.")
@click.option("--host", help="Incidents with this address or name in them.")
@click.option(
    "--triage",
    type=click.Choice(["open", "closed"]),
    help="What analysts have not closed (or closed when it was of lower severity), or have.",
)
@config_option
@json_option
def list_(
    least_risk: float, host: str | None, triage: str | None, config_file: Path | None, state: Path | None, as_json: bool
) -> None:
    """List the incidents of a state, the worst first."""
    with _opened(config_file, state) as store:
        found = [d for d in incident_documents(store) if d["event"]["risk_score"] >= least_risk]
    if host:
        found = [d for d in found if host in {*field(d, "related.ip", []), *field(d, "related.hosts", [])}]
    if triage:
        found = [d for d in found if _is_closed(d) is (triage == "closed")]
    if as_json:
        _print_json([{"id": d["event"]["id"], **d} for d in found])
    elif found:
        _table(found)
        click.echo("aegis-enrich incidents explain ID tells the story of one")
    else:
        click.echo("no incidents")


@command.command("show")
@incident_argument
@config_option
@json_option
def show(incident: str, config_file: Path | None, state: Path | None, as_json: bool) -> None:
    """Show one incident's stages, hosts and alerts: INCIDENT is its id, or the beginning of it."""
    with _opened(config_file, state) as store:
        doc = _one(store, incident)
    if as_json:
        _print_json({"id": doc["event"]["id"], **doc})
    else:
        _facts(doc)


@command.command("explain")
@incident_argument
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@config_option
@json_option
def explain(incident: str, form: str, config_file: Path | None, state: Path | None, as_json: bool) -> None:
    """Tell an incident's story: what happened when, how sure it is, what would show more, what to do next."""
    config = configuration(config_file, state)
    with Store(config.state_dir, read_only=True) as store:
        story = tell(_one(store, incident), _advice(config, store))
    click.echo(_told(story, "json" if as_json else form), nl=form != "markdown")


@command.command("export")
@click.argument("incident", required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
@click.option("--format", "form", type=click.Choice(["ndjson", *FORMATS]), default="ndjson", show_default=True)
@config_option
def export(incident: str | None, output: Path, form: str, config_file: Path | None, state: Path | None) -> None:
    """Write incidents (one, or all of them) to a file: documents a line, or their stories."""
    config = configuration(config_file, state)
    with Store(config.state_dir, read_only=True) as store:
        found = [_one(store, incident)] if incident else incident_documents(store)
        if form == "ndjson":
            lines = [json.dumps(d, ensure_ascii=False, sort_keys=True) for d in found]
        else:
            advice = _advice(config, store)
            lines = [_told(tell(d, advice), form) for d in found]
    try:
        output.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise StateError(f"cannot be written: {error.strerror}; name another -o", where=str(output)) from error
    click.echo(f"{len(found)} incident{'s' * (len(found) != 1)} in {output}")


def _triage_command(name: str, status: str, doc: str) -> None:
    """Adds a command that says something of an incident."""

    @command.command(name, help=doc)
    @incident_argument
    @click.option("--note", default="", help="Why; shown with the incident from then on.")
    @click.option("--author", default="", help="Who says so (default: the user's name).")
    @config_option
    def say(incident: str, note: str, author: str, config_file: Path | None, state: Path | None) -> None:
        if not status and not note:
            raise click.UsageError("--note is missing; write what is to be remembered")
        with _opened(config_file, state) as store:
            found = _one(store, incident)
            mark = Mark(
                incident=found["event"]["id"],
                at=datetime.now(UTC).isoformat(timespec="seconds"),
                status=status or field(found, "aegis.triage.status", "open"),
                note=note,
                author=author or _user(),
                alerts=found["aegis"]["alert_count"],
                severity=found["event"]["severity"],
            )
            Triage(store.root).say(mark)
        click.echo(visible(f"{mark.incident[:8]} is {mark.status}: {found['message']}", CHARACTERS))


_triage_command("close", "closed", "Close an incident; evidence that comes later changes neither this nor the note.")
_triage_command("reopen", "open", "Open a closed incident again.")
_triage_command("note", "", "Add a note to an incident.")


def _opened(config_file: Path | None, state: Path | None) -> Store:
    return Store(configuration(config_file, state).state_dir, read_only=True)


def _one(store: Store, written: str) -> Document:
    """The incident whose id begins so, or the one that it has become part of."""
    if len(written) < LEAST_ID:
        raise click.UsageError(f"write at least {LEAST_ID} characters of the id")
    rows = store.query("SELECT incident_id FROM incidents WHERE substr(incident_id, 1, ?) = ?", [len(written), written])
    ids = sorted({resolve(store, i) for (i,) in rows})
    if len(ids) > 1:
        raise StateError(f"{len(ids)} incidents begin so; write more of it", where=written)
    found = incident_documents(store, "incident_id = ?", (ids[0],)) if ids else []
    if not found:
        raise StateError("no such incident; see incidents list", where=written)
    return found[0]


def _advice(config: Config, store: Store) -> Advice:
    """That of the rules in force; none where they do not check, for an incident is to be told all the same."""
    try:
        rules = load_rules(config.rules_dir, load().detectors)
    except AegisError:
        rules = RuleSet({}, {})
    return adviser(store, rules)


def _told(story: Story, form: str) -> str:
    if form == "json":
        return json.dumps(dataclasses.asdict(story), ensure_ascii=False, indent=2)
    return as_markdown(story) if form == "markdown" else as_text(story)


def _print_json(data: Any) -> None:
    click.echo(json.dumps(data, ensure_ascii=False, indent=2))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _table(found: list[Document]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("id", "risk", "sure", "first seen", "last seen", "alerts", "stages", "what", "triage"):
        table.add_column(column, overflow="fold", no_wrap=column in ("id", "risk", "sure"))
    for doc in found:
        severity, aegis = doc["event"]["severity"], doc["aegis"]
        table.add_row(
            doc["event"]["id"][:8],
            Text(f"{doc['event']['risk_score']:.0f}", COLOURS.get(severity, "white")),
            f"{aegis['confidence'] * 100:.0f} %",
            aegis["first_seen"][:19].replace("T", " "),
            aegis["last_seen"][:19].replace("T", " "),
            str(aegis["alert_count"]),
            str(len(aegis["incident"]["stages"])),
            cell(doc["message"]),
            cell(_triage(doc)),
        )
    console = Console()
    (console if console.is_terminal else Console(width=200)).print(table)


def _triage(doc: Document) -> str:
    said = field(doc, "aegis.triage")
    if not said:
        return ""
    new = doc["aegis"]["alert_count"] - said["alerts"]
    worse = _worse(doc)
    more = [f"{new} new"] * (new > 0) + [f"worse since: it was {worse}"] * bool(worse)
    return ", ".join([said["status"], *(more if said["status"] == "closed" else ())])


def _is_closed(doc: Document) -> bool:
    """Whether analysts closed what it is now: what has become worse since is to be looked at again."""
    return field(doc, "aegis.triage.status", "open") == "closed" and not _worse(doc)


def _worse(doc: Document) -> str:
    """The severity that it had when analysts spoke last, where it is of a higher one now."""
    then = field(doc, "aegis.triage.severity", 0)
    return SEVERITIES.get(then, "") if then < doc["event"]["severity"] else ""


def _facts(doc: Document) -> None:
    """All that is known of it, from the top."""
    aegis, incident = doc["aegis"], doc["aegis"]["incident"]
    click.secho(visible(doc["message"], CHARACTERS), bold=True)
    word = SEVERITIES.get(doc["event"]["severity"], "")
    click.echo(f"{word}, risk {doc['event']['risk_score']:.0f} of 100, {aegis['confidence'] * 100:.0f} % sure")
    _say(f"{aegis['first_seen']} to {aegis['last_seen']}, {aegis['status']}")
    _say(f"{doc['event']['reason']}")
    click.echo()
    for stage in incident["stages"]:
        who = f"{_few(stage['actors'], stage['actor_count'])} → {_few(stage['targets'], stage['target_count'])}"
        _say(f"{stage['first_seen'][:19].replace('T', ' ')}  {stage['name']:<24} {who}")
    click.echo()
    for host in incident["hosts"]:
        _say(f"{host['role']:<16} {host['ip']:<24} {host['alerts']} alerts {_about(host)}".rstrip())
    click.echo()
    for alert in incident["alerts"]:
        under = "  " if alert["lead"] else ""
        _say(f"{alert['id'][:8]}  {under}{SEVERITIES[alert['severity']]:<9} {alert['name']}: {alert['reason']}")
    for sequence in incident["sequences"]:
        click.echo()
        _say(f"sequence {sequence['name']}: {', '.join(sequence['stages'])}")
    click.echo(f"\nid {doc['event']['id']}")


def _few(hosts: Sequence[str], count: int) -> str:
    """The first of `count` hosts, and how many more there are."""
    shown = hosts[:SHOWN]
    more = count - len(shown)
    return ", ".join([*shown, *([f"{more} {'more' if shown else 'hosts'}"] if more > 0 else [])])


def _say(line: str) -> None:
    click.echo(visible(line, CHARACTERS))


def _about(host: Mapping[str, Any]) -> str:
    return ", ".join(v for v in (host["name"], host["criticality"], "inside" if host["internal"] else "outside") if v)
