"""A document as the JSON that a receiver wants: our own, Slack's, Teams', or a template of the site.

Names and texts in a document come from the wire. Slack and Teams get them in elements that know no markup, so that
`<!channel>`, a link or a heading in a host's name is shown and not obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from aegis_enrich.deliver.texts import derived, plain, text, value
from aegis_enrich.plugin import Document

Body = Mapping[str, Any]
_FIELD = re.compile(r"\{\{|\}\}|\{([A-Za-z_@][A-Za-z0-9_@.-]*)\}")
_ICONS = {"critical": "🔴", "high": "🟠", "medium": "🟡", "low": "🔵"}
_COLOURS = {"critical": "attention", "high": "attention", "medium": "warning", "low": "accent"}
_CHANGES = {"open": "", "severity": "now ", "update": "still ", "close": "over, was "}
_FACTS = (
    ("Source", ("source.ip", "source.domain")),
    ("Destination", ("destination.domain", "destination.ip")),
    ("Hosts", ("host.ip",)),
    ("Rule", ("rule.name",)),
)
SLACK_HEADER, SLACK_TEXT, SLACK_FIELD = 150, 3_000, 2_000  # characters that Slack takes
TEAMS_TEXT = 4_000  # far below the 28 KB that Teams takes


def generic(document: Document, event: str) -> Body:
    """The document as it is, with what it is in this delivery."""
    return {
        "delivery": f"{document.kind}-{document.id}-{document.revision}",
        "kind": document.kind,
        "id": document.id,
        "revision": document.revision,
        "event": event,
        "document": document.body,
    }


def slack(document: Document, event: str) -> Body:
    """Blocks of plain text for an incoming webhook, and the line that a notification shows."""
    known = derived(document, event)
    title = f"{_ICONS.get(known['severity'], '')} {_standing(known)}: {known['title']}".strip()
    facts = [_slack_text(f"{name}\n{said}", SLACK_FIELD) for name, said in _facts(document, known)]
    blocks: list[Body] = [{"type": "header", "text": _slack_text(title, SLACK_HEADER)}]
    if known["reason"]:
        blocks.append({"type": "section", "text": _slack_text(known["reason"], SLACK_TEXT)})
    blocks.append({"type": "section", "fields": facts[:10]})
    blocks.append({"type": "context", "elements": [_slack_text(_identity(known), SLACK_TEXT)]})
    line = escaped_for_slack(_cut(title, SLACK_HEADER))
    return {"text": line, "mrkdwn": False, "unfurl_links": False, "unfurl_media": False, "blocks": blocks}


def _slack_text(shown: str, most: int) -> Body:
    return {"type": "plain_text", "emoji": False, "text": _cut(shown, most)}


def escaped_for_slack(shown: str) -> str:
    """Text for Slack's mrkdwn: with these three escaped, no mention, link or date can be written."""
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def teams(document: Document, event: str) -> Body:
    """An Adaptive Card for a webhook of Teams' Workflows, in runs of text, which know no Markdown."""
    known = derived(document, event)
    colour = _COLOURS.get(known["severity"], "default")
    title = f"{_standing(known)}: {known['title']}"
    card: list[Body] = [_teams_text(title, size="large", weight="bolder", color=colour)]
    if known["reason"]:
        card.append(_teams_text(known["reason"]))
    card += [
        {
            "type": "RichTextBlock",
            "spacing": "small",
            "inlines": [_run(f"{name}: ", weight="bolder"), _run(said)],
        }
        for name, said in _facts(document, known)
    ]
    card.append(_teams_text(_identity(known), size="small", isSubtle=True))
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": card,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


def _teams_text(shown: str, **look: Any) -> Body:
    return {"type": "RichTextBlock", "inlines": [_run(shown, **look)]}


def _run(shown: str, **look: Any) -> Body:
    # `{{DATE(…)}}` is the one thing that a card would replace: the braces are kept apart by a character of no width.
    return {"type": "TextRun", "text": _cut(shown, TEAMS_TEXT).replace("{{", "{\u200b{"), **look}


def _standing(known: Mapping[str, str]) -> str:
    """`CRITICAL`, `now HIGH`, `over, was MEDIUM`."""
    return f"{_CHANGES.get(known['change'], '')}{known['severity'].upper() or 'ALERT'}"


def _facts(document: Document, known: Mapping[str, str]) -> list[tuple[str, str]]:
    """What a message lists: name and text, where there is any."""
    found = []
    for name, fields in _FACTS:
        shown = [said for field in fields if (said := text(document.body, field))]
        found.append((name, " ".join(shown)))
    found += [("Risk", known["risk"]), ("ATT&CK", known["techniques"]), ("Sensor", known["sensors"])]
    return [(name, said) for name, said in found if said]


def _identity(known: Mapping[str, str]) -> str:
    return f"{known['kind']} {known['id']} revision {known['revision']}"


def _cut(shown: str, most: int) -> str:
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def filled(template: Any, document: Document, event: str, escape: Callable[[str], str] = str) -> Any:
    """A template (what YAML can hold) with `{field}` in its texts replaced; `{{` and `}}` are braces.

    A field is one of `texts.derived` or a dotted one of the document. A text that is one field and nothing else becomes
    its value, as JSON has it (a number, a list); what is not there is empty or null. Nothing is evaluated, and keys
    stay as they are; what comes out is written as JSON afterwards, so that no value can leave its text.
    """
    known = derived(document, event)

    def fill(node: Any) -> Any:
        if isinstance(node, Mapping):
            return {str(key): fill(below) for key, below in node.items()}
        if isinstance(node, list):
            return [fill(below) for below in node]
        return _filled_text(node, known, document.body, escape) if isinstance(node, str) else node

    return fill(template)


def _filled_text(template: str, known: Mapping[str, str], body: Body, escape: Callable[[str], str]) -> Any:
    whole = _FIELD.fullmatch(template)
    if whole and whole[1]:
        found = known.get(whole[1], value(body, whole[1]))
        return escape(plain(found)) if isinstance(found, str) else found

    def one(match: re.Match[str]) -> str:
        if not match[1]:
            return match[0][0]
        return escape(known[match[1]] if match[1] in known else text(body, match[1]))

    return _FIELD.sub(one, template)


FORMATS: Mapping[str, Callable[[Document, str], Body]] = {"generic": generic, "slack": slack, "teams": teams}
