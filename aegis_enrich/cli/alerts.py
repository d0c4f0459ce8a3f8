"""`aegis-enrich alerts`: what was found, while a `watch` runs, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..config import Config
from ..decide import in_force, load_rules
from ..decide.decider import STORED, alert_documents
from ..decide.standing import suppressed_document, with_reason
from ..decide.suppression import Suppression
from ..errors import AegisError, StateError
from ..registry import load as plugins
from ..store import Store
from ..visible import CHARACTERS, visible
from .options import LEAST_ID, SEVERITIES, alert_table, config_option, configuration, field, json_option, print_json


@click.group("alerts")
def command() -> None:
    """List and show alerts."""


@command.command("list")
@click.option("--severity", type=click.Choice(list(SEVERITIES.values())), help="This severity and worse.")
@click.option("--rule", "rules", multiple=True, help="Alerts of this rule; may be repeated.")
@click.option("--host", help="Alerts about this address or name.")
@click.option("--status", type=click.Choice(["open", "closed"]), help="Open or closed ones only.")
@click.option("--suppressed", is_flag=True, help="Those that a suppression in force covers, with its reason, instead.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Rows of the table, worst first.")
@config_option
@json_option
def list_(
    severity: str | None,
    rules: tuple[str, ...],
    host: str | None,
    status: str | None,
    suppressed: bool,
    limit: int,
    config_file: Path | None,
    state: Path | None,
    as_json: bool,
) -> None:
    """List the alerts of a state, the worst first (--json: all, in the order of their first row).

    Those that a suppression in force covers are left out, however old they are.
    """
    least = next((n for n, word in SEVERITIES.items() if word == severity), 0)
    conditions = ["severity >= ?"] if suppressed else ["status != 'withdrawn'", "severity >= ?"]
    values: list[Any] = [least]
    if status:
        conditions.append("status = ?")
        values.append(status)
    if rules:
        conditions.append(f"rule_id IN ({', '.join('?' * len(rules))})")
        values += rules
    documents = _documents(config_file, state, " AND ".join(conditions), values)
    if host:
        documents = [d for d in documents if host in _hosts(d)]
    found = _covered(configuration(config_file, state), documents) if documents else []
    documents = [with_reason(doc, by) if by else doc for doc, by in found if (by is not None) is suppressed]
    if as_json:
        print_json(documents)
    elif documents:
        alert_table([_told(d) for d in documents], limit=limit, ids=True)
        click.echo("aegis-enrich alerts show ID tells all about one")
    else:
        click.echo("no alerts")


@command.command("show")
@click.argument("alert")
@config_option
@json_option
def show(alert: str, config_file: Path | None, state: Path | None, as_json: bool) -> None:
    """Show one alert: ALERT is its id, or the beginning of it."""
    if len(alert) < LEAST_ID:
        raise click.UsageError(f"write at least {LEAST_ID} characters of the id")
    found = _documents(config_file, state, "substr(alert_id, 1, ?) = ?", [len(alert), alert])
    if len(found) != 1:
        many = f"{len(found)} alerts begin so; write more of it" if found else "no such alert; see alerts list"
        raise StateError(many, where=alert)
    ((document, by),) = _covered(configuration(config_file, state), found)
    document = with_reason(document, by) if by else document
    if as_json:
        print_json(document)
    else:
        _explain(document, str(by or ""))


def _documents(config_file: Path | None, state: Path | None, where: str, values: list[Any]) -> list[dict[str, Any]]:
    config = configuration(config_file, state)
    with Store(config.state_dir, read_only=True) as store:
        return alert_documents(
            store.query(f"SELECT {STORED} FROM alerts WHERE {where} ORDER BY first_us, alert_id", values)
        )


def _covered(config: Config, documents: list[dict[str, Any]]) -> list[tuple[dict[str, Any], Suppression | None]]:
    """Each with the suppression in force that covers it; none where the rules do not check, which is said."""
    with Store(config.state_dir, read_only=True) as store:
        folder = in_force.folder(config, store)
    try:
        rules = load_rules(folder, plugins().detectors)
    except AegisError as error:
        click.echo(f"aegis-enrich: suppressions are not looked at: {in_force.in_a_line(error, folder)}", err=True)
        return [(doc, None) for doc in documents]
    return [(doc, suppressed_document(rules, doc)) for doc in documents]


def _told(document: dict[str, Any]) -> dict[str, Any]:
    """As the table shows it: with the reason of what suppresses it, where something does."""
    by, reason = field(document, "aegis.suppressed.reason"), field(document, "event.reason")
    return {**document, "event": {**document["event"], "reason": f"suppressed ({by}): {reason}"}} if by else document


def _hosts(document: dict[str, Any]) -> set[str]:
    found = {*field(document, "related.ip", []), *field(document, "related.hosts", [])}
    return {str(v) for v in (*found, *field(document, "aegis.entity", {}).values())}


def _explain(document: dict[str, Any], suppressed: str) -> None:
    """All that an analyst asks of an alert, from the top."""
    word = SEVERITIES.get(field(document, "event.severity"), "")
    click.secho(visible(document["message"], CHARACTERS), bold=True)
    click.echo(f"{word}, risk {field(document, 'event.risk_score'):.0f} of 100, {field(document, 'aegis.status')}")
    click.echo(f"\n{visible(field(document, 'event.reason'))}\n")
    for title, path in (
        ("rule", "rule.name"),
        ("what it is", "rule.description"),
        ("first seen", "aegis.first_seen"),
        ("last seen", "aegis.last_seen"),
        ("windows or rows", "aegis.count"),
        ("sensors", "aegis.sensors"),
    ):
        _line(title, field(document, path))
    _line("suppressed", suppressed or None)
    for side in ("source", "destination"):
        _line(side, _flat(field(document, side, {})))
    for pair in field(document, "aegis.attack", []):
        tactic, technique = pair.get("tactic", {}), pair.get("technique", {})
        _line("ATT&CK", f"{technique.get('id')} {technique.get('name')} ({tactic.get('name')})")
    _line("evidence", None if not field(document, "aegis.evidence") else "")
    for name, value in sorted(field(document, "aegis.evidence", {}).items()):
        _line(f"  {name}", value)
    for text in field(document, "aegis.false_positives", []):
        _line("may be", text)
    for text in field(document, "rule.reference", []):
        _line("see", text)
    _line("uids", field(document, "aegis.uids"))
    _line("id", field(document, "event.id"))


def _line(title: str, value: Any) -> None:
    if value is None:
        return
    shown = ", ".join(map(str, value)) if isinstance(value, list) else value
    if isinstance(shown, dict):
        shown = json.dumps(shown, ensure_ascii=False, sort_keys=True)
    click.echo(visible(f"{title:<24} {shown}".rstrip(), CHARACTERS))


def _flat(data: Any, prefix: str = "") -> str | None:
    parts = []
    for key, value in data.items():
        parts += [_flat(value, f"{prefix}{key}.") or ""] if isinstance(value, dict) else [f"{prefix}{key} {value}"]
    return ", ".join(p for p in parts if p) or None
