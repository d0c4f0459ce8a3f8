"""Reads a page of HTML for tests: its elements, its text, and whether its tags match."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from aegis_enrich.report.markup import VOID


@dataclass
class Element:
    name: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """A page's elements in their order; `text`: what a reader sees. Raises where tags do not match."""

    elements: list[Element] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.open: list[Element] = []

    @classmethod
    def of(cls, html: str) -> Page:
        made = cls()
        made.feed(html)
        made.close()
        assert made.open == []
        return made

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({n for n, _ in attrs}) == len(attrs), (tag, attrs)
        self.elements.append(Element(tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(self.elements[-1])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().name == tag

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data
        if not self.open or self.open[-1].name not in ("style", "script"):
            self.text += data

    def all(self, name: str, **attributes: str) -> list[Element]:
        wanted = {n.rstrip("_"): v for n, v in attributes.items()}
        return [e for e in self.elements if e.name == name and wanted.items() <= e.attributes.items()]

    def section(self, ident: str) -> str:
        """The text of a section; "" where there is none."""
        return "".join(e.text for e in self.all("section", id=ident))
