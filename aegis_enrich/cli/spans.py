"""Lengths of time on the command line."""

from __future__ import annotations

import re

import click

_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Span(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """A length of time: 90, 90s, 15m, 24h, 7d; in seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = _SPAN.fullmatch(str(value))
        if not match:
            self.fail(f"{value!r} is no length of time; write it like 90s, 15m, 24h or 7d", param, ctx)
        return float(match[1]) * _SECONDS[match[2]]
