"""`aegis-enrich ask`: questions in plain English about what was seen and found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .. import ask
from ..config import Config
from ..errors import AegisError
from ..store import Store
from .options import config_option, configuration, json_option, print_json

WIDTH = 200  # of a table where no person looks
NOT_UNDERSTOOD = 2


@click.command("ask")
@click.argument("question", nargs=-1)
@click.option("--plan", "only_plan", is_flag=True, help="Print the queries, in words and SQL, and run none.")
@config_option
@json_option
def command(
    question: tuple[str, ...], only_plan: bool, config_file: Path | None, state: Path | None, as_json: bool
) -> int:
    """Ask about alerts, incidents, hosts, names and traffic in plain English: no model, no network.

    \b
    aegis-enrich ask "which hosts beaconed to Russia since yesterday?"
    aegis-enrich ask explain the worst incident
    aegis-enrich ask "who talked to 203.0.113.50 between 02:00 and 03:00?" --plan

    Times are UTC and go back from the newest event in the state. Without a question it prints what can be asked. Ends
    with 2 where the question is not understood.
    """
    text = " ".join(question).strip()
    if not text:
        return _examples(as_json)
    config = configuration(config_file, state)
    with Store(config.state_dir, read_only=True) as store:
        asked = ask.understand(text, store, config)
        if isinstance(asked, ask.NotUnderstood):
            return _refuse(asked, as_json)
        if only_plan:
            print_json(_planned(asked)) if as_json else _say_plan(asked, sql=True)
            return 0
        told = ask.answer(asked, lambda: rules_in_force(config))
    if as_json:
        print_json({**_planned(asked), **_answered(told)})
    else:
        _say_plan(asked, sql=False)
        _say(told)
    return 0


def rules_in_force(config: Config) -> list[dict[str, Any]]:
    """The rules in force, as questions need them; where they do not check, none, aloud."""
    from ..decide import load_rules
    from ..decide.coverage import coverage
    from ..registry import load

    try:
        rules = load_rules(config.rules_dir, load().detectors)
    except AegisError as error:
        click.echo(f"the rules cannot be read: {error.problems[0]}; see `aegis-enrich rules check`", err=True)
        return []
    idle = {sight.rule.id for covered in coverage(rules) for sight in covered.sights if sight.idle}
    return [
        {
            "id": rule.id,
            "name": rule.name,
            "description": " ".join(rule.description.split()),
            "enabled": rule.enabled and rule.id not in idle,
            "health": rule.id in rules.health,
            "attack": list(rule.attack),
            "techniques": [text.rpartition("/")[2] for text in rule.attack],
        }
        for rule in rules
    ]


def _examples(as_json: bool) -> int:
    listed = ask.examples()
    if as_json:
        print_json([{"asks": says, "examples": list(examples)} for says, examples in listed])
        return 0
    for says, examples in listed:
        click.secho(says, bold=True)
        for example in examples:
            click.echo(f'  aegis-enrich ask "{example}"')
    return 0


def _refuse(asked: ask.NotUnderstood, as_json: bool) -> int:
    if as_json:
        print_json({"question": asked.question, "understood": False, "why": asked.why, "nearest": list(asked.nearest)})
        return NOT_UNDERSTOOD
    click.echo(f"not understood: {asked.why}", err=True)
    click.echo("nearest questions that are understood:", err=True)
    for example in asked.nearest:
        click.echo(f'  aegis-enrich ask "{example}"', err=True)
    return NOT_UNDERSTOOD


def _planned(asked: ask.Asked) -> dict[str, Any]:
    reading = asked.reading
    return {
        "question": reading.question,
        "understood": True,
        "intent": reading.intent.name,
        "read_as": str(reading),
        "entities": [
            {"kind": e.kind, "label": e.label, "role": e.role, "value": None if e.kind == "time" else e.value}
            for e in reading.entities
        ],
        "notes": [*reading.notes, *asked.plan.notes],
        "now": asked.now,
        "plan": [ask.shown(step) for step in asked.plan.steps],
    }


def _answered(told: ask.Answer) -> dict[str, Any]:
    return {
        "summary": told.summary,
        "found": told.found,
        "lines": list(told.lines),
        "tables": [{"title": t.title, "rows": t.records()} for t in told.tables],
        "see": list(told.see),
    }


def _say_plan(asked: ask.Asked, *, sql: bool) -> None:
    click.secho(f"read as  {asked.reading}", dim=True)
    if asked.reading.spans or sql:
        click.secho(f"now is   {asked.now} UTC, the newest event in this state", dim=True)
    for note in (*asked.reading.notes, *asked.plan.notes):
        click.secho(f"note     {note}", fg="yellow")
    for number, step in enumerate(asked.plan.steps, 1):
        told = ask.shown(step)
        click.secho(f"query {number}  {told['what']} ({told['where']}{told['reads']})", dim=True)
        if sql and told["sql"]:
            for line in str(told["sql"]).splitlines():
                click.echo(f"    {line}")
            if told["values"]:
                click.echo(f"    -- values: {told['values']}")
    click.echo()


def _say(told: ask.Answer) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(width=WIDTH, highlight=False)
    console.print(_plain(told.summary), style="bold", markup=False, soft_wrap=not console.is_terminal)
    for line in told.lines:
        console.print(f"  {_plain(line)}", markup=False)
    for table in told.tables:
        _print(table, console)
    for command_line in told.see:
        click.secho(command_line, dim=True)


def _print(table: ask.Table, console: Any) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=table.title, title_justify="left", title_style="")
    for number, column in enumerate(table.columns):
        right = all(isinstance(row[number], (int, float, type(None))) for row in table.rows)
        shown.add_column(column, overflow="fold", justify="right" if right else "left")
    for row in table.rows:
        shown.add_row(*(Text(_cell(value)) for value in row))
    console.print(shown)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return _plain(str(value))


def _plain(text: str) -> str:
    """What came from the wire, without control characters that a terminal would obey."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
