"""The two orders in which alerts stand, and the runs that time makes of them."""

from __future__ import annotations

from collections.abc import Iterable

from .alert import Alert


def by_time(alert: Alert) -> tuple[int, str]:
    """Key: the first comes first."""
    return alert.first_us, alert.id


def by_risk(alert: Alert) -> tuple[float, int, str]:
    """Key: the worst comes first, of equal ones the earliest."""
    return -alert.risk, *by_time(alert)


def runs(alerts: Iterable[Alert], gap_us: int) -> list[list[Alert]]:
    """Alerts without a silence longer than the gap between them, each run in the order of time."""
    found: list[list[Alert]] = []
    last_us = 0
    for alert in sorted(alerts, key=by_time):
        if found and alert.first_us - last_us <= gap_us:
            found[-1].append(alert)
            last_us = max(last_us, alert.last_us)
        else:
            found.append([alert])
            last_us = alert.last_us
    return found
