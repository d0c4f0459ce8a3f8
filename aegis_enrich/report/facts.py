"""The section on the run itself: what was read, what could not be, and by what rules it was judged."""

from __future__ import annotations

from .. import __version__
from .clock import many, stamp
from .contents import Contents
from .markup import NOTHING, Markup, join, tag
from .parts import at, section


def facts(contents: Contents) -> Markup:
    """Rows by log, what was bad, late or failed, the version and the configuration."""
    return section(
        "facts", "What this page rests on", tag("dl", *_facts(contents)), _logs(contents), _problems(contents)
    )


def _facts(contents: Contents) -> list[Markup]:
    rules = contents.reading.rules
    known = [
        ("Time of the rows", _span(contents)),
        ("Times", "UTC, event time: when the sensor saw it"),
        ("Sensors", ", ".join(contents.sensors) or "none"),
        ("Rows", f"{contents.rows:,} in {many(len(contents.logs), 'log')}"),
        ("Version", f"AegisEnrich {__version__}"),
        ("Configuration of the alerts", ", ".join(hashes(contents)) or "no alerts"),
    ]
    if rules is not None:
        known.append(("Rules in force", f"{len(rules.detectors)} detectors, {len(rules.rows)} row rules"))
    return [join([tag("dt", name), tag("dd", value)]) for name, value in known]


def _span(contents: Contents) -> str:
    if contents.first_us is None or contents.last_us is None:
        return "there are no rows"
    return f"{stamp(contents.first_us)} to {stamp(contents.last_us)}"


def hashes(contents: Contents) -> list[str]:
    """Hashes of the configurations by which the alerts were made: rules, tuning, networks, lists."""
    return sorted({str(at(a, "aegis.config_hash")) for a in contents.alerts} - {""})


def _logs(contents: Contents) -> Markup:
    if not contents.logs:
        return NOTHING
    head = tag("tr", *(tag("th", h, scope="col") for h in ("sensor", "log", "files", "rows", "lines not read")))
    rows = [
        tag(
            "tr",
            tag("td", log.sensor),
            tag("td", log.name),
            *(tag("td", f"{n:,}", class_="number") for n in (log.files, log.rows, log.bad)),
        )
        for log in contents.logs
    ]
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows), class_="small"), class_="scroll")


def _problems(contents: Contents) -> Markup:
    """What was not judged as it should have been."""
    said = [f"{number:,} lines could not be read: {reason}" for reason, number in contents.reasons]
    said += [f"{number:,} rows came too late for {detector}" for detector, number in contents.late]
    if contents.failed:
        said.append(f"{many(contents.failed, 'window')} could not be evaluated; `aegis-enrich doctor` says why")
    if contents.reading.rules is None:
        said.append("the rules do not check now, so advice and what is watched are not shown; see `rules check`")
    if not said:
        return tag("p", "Every line was read, no row came late, every window was evaluated.", class_="quiet")
    return join([tag("h3", "What is not whole"), tag("ul", *(tag("li", s) for s in said))])
