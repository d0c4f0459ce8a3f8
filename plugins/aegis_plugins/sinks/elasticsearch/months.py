"""Drops monthly indices of alerts and incidents that ended long ago: by their names, one at a time, nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta

from aegis_enrich.errors import SinkError
from aegis_enrich.plugin import Month

from .bulk import Later
from .server import NotThere, Server
from .templates import ALERTS, INCIDENTS

_NAME = re.compile(rf"(?:{ALERTS}|{INCIDENTS})-([12]\d{{3}})\.(0[1-9]|1[0-2])")


def old(server: Server, before: date) -> list[Month]:
    """Those whose months ended before that day or on it, the oldest first; raises SinkError."""
    try:
        answer = server.get(f"/_resolve/index/{ALERTS}-*,{INCIDENTS}-*")
    except NotThere:
        return []
    except Later as error:
        raise SinkError(f"{error}; try again when it does") from error
    months = (month(each["name"]) for each in answer["indices"])
    return sorted((m for m in months if m and m.end <= before), key=lambda m: (m.end, m.index))


def month(index: str) -> Month | None:
    """The month that an index's name says; None for other names."""
    match = _NAME.fullmatch(index)
    return Month(index, _after(int(match[1]), int(match[2]))) if match else None


def _after(year: int, number: int) -> date:
    return (date(year, number, 1) + timedelta(days=31)).replace(day=1)


def drop(server: Server, months: Sequence[Month]) -> list[str]:
    """Deletes them; a line each. Raises SinkError at the first that the server does not delete."""
    lines = []
    for each in months:
        try:
            server.delete(f"/{each.index}")
        except NotThere:  # somebody else was faster
            continue
        except Later as error:
            raise SinkError(f"{error}; try again when it does") from error
        lines.append(f"{each.index}: dropped")
    return lines
