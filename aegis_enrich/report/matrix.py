"""The section on ATT&CK: every tactic in the matrix's order, techniques seen with their counts, others only named."""

from __future__ import annotations

from ..decide.attack import Attack, attack
from ..decide.coverage import coverage
from .clock import many
from .contents import Contents
from .markup import NOTHING, Markup, join, tag
from .parts import section

LONG = 7  # letters before the hyphen of a word of more than 10, for which a column has no room
HYPHEN = Markup("&shy;")


def matrix(contents: Contents) -> Markup:
    """A column a tactic. Beside what was seen stands what the rules in force could have seen."""
    table = attack()
    watched = _watched(contents)
    columns = [_column(table, tactic, contents, watched) for tactic in table.tactics]
    said = f"MITRE ATT&CK for Enterprise {table.version}: {_summary(contents)}"
    return section("attack", "ATT&CK", tag("p", said, class_="quiet"), tag("div", *columns, class_="matrix"))


def _watched(contents: Contents) -> set[tuple[str, str]]:
    rules = contents.reading.rules
    return {(c.tactic, c.technique) for c in coverage(rules) if c.seeing} if rules is not None else set()


def _summary(contents: Contents) -> str:
    tactics, techniques = {t for t, _ in contents.seen}, {i for _, i in contents.seen}
    idle = "outlined is what the rules in force watch for and did not see"
    if not techniques:
        return f"no technique in the alerts; {idle}."
    seen = f"{many(len(techniques), 'technique')} of {many(len(tactics), 'tactic')} in the alerts"
    return f"{seen}, filled, with the number of alerts; {idle}."


def _column(table: Attack, tactic: str, contents: Contents, watched: set[tuple[str, str]]) -> Markup:
    seen = sorted(((n, i) for (t, i), n in contents.seen.items() if t == tactic), key=lambda p: (-p[0], p[1]))
    idle = sorted(i for t, i in watched if t == tactic and (t, i) not in contents.seen)
    cells = [_cell(table, i, n, most=max(contents.seen.values())) for n, i in seen] + [_cell(table, i, 0) for i in idle]
    none = tag("p", "no rule", class_="quiet") if not cells else NOTHING
    head = tag("h3", _broken(table.tactics[tactic]), tag("small", tactic))
    return tag("div", head, *cells, none, class_="tactic seen" if seen else "tactic")


def _broken(text: str) -> Markup:
    """A name that may be hyphened in its long words, for a narrow column."""
    return join((join((w[:LONG], w[LONG:]), HYPHEN) if len(w) > LONG + 3 else w for w in text.split(" ")), " ")


def _cell(table: Attack, technique: str, number: int, most: int = 1) -> Markup:
    """`number`: of alerts, the shade rises with it. What was not seen is its id alone, its name a tip."""
    name = table.name(technique) if technique in table.techniques else technique
    if not number:
        return tag("div", tag("code", technique), class_="technique", title=name)
    shade = f"technique seen shade{1 + (number * 10 >= most) + (number * 2 >= most)}"
    counted = tag("b", f"{number:,}", title=many(number, "alert"))
    own = _broken(name.rpartition(": ")[2])
    return tag("div", tag("code", technique), counted, tag("span", own), class_=shade, title=name)
