"""The page as a whole: what it may load, what it escapes, how large it grows, and how a browser takes it."""

from __future__ import annotations

import dataclasses
import re

import pytest
from html_page import Page

from aegis_enrich.report.page import page

# Attributes by which an element loads something, and those by which a page may run what it holds.
LOADS = {
    "src",
    "srcset",
    "data",
    "poster",
    "background",
    "action",
    "formaction",
    "cite",
    "ping",
    "manifest",
    "xlink:href",
}
FILTER = """
  const find = document.getElementById("find"), root = document.documentElement.dataset;
  const shown = () => document.getElementById("found").textContent;
  const told = new Event("input", {bubbles: true});
  const set = (element, value) => { element.value = value; element.dispatchEvent(told); };
  root.first = shown();
  set(find, "tunnel.test"); root.words = shown();
  set(find, ""); set(document.getElementById("rule"), "brute_force"); root.rule = shown();
  document.querySelector("input[value='99']").click(); root.level = shown();
  root.hidden = Array.from(document.querySelectorAll("#alert-table tbody tr")).filter((r) => r.hidden).length;
  window.dispatchEvent(new Event("beforeprint")); root.folded = document.querySelectorAll("details:not([open])").length;
"""
WIDTH = "const root = document.documentElement; root.dataset.over = root.scrollWidth - root.clientWidth;"


def loads(read: Page) -> list[tuple[str, str, str | None]]:
    """Whatever would be fetched, or run by an attribute."""
    found = []
    for element in read.elements:
        for name, value in element.attributes.items():
            inside = name == "href" and (value or "").startswith("#")
            if name in LOADS or name == "style" or name.startswith("on") or (name.endswith("href") and not inside):
                found.append((element.name, name, value))
            if "url(" in (value or "") and not re.fullmatch(r"url\(#head\d+\)", value or ""):
                found.append((element.name, name, value))
    return found


def test_it_loads_nothing(html):
    read = Page.of(html)
    assert loads(read) == []
    assert not [
        e
        for e in read.elements
        if e.name in ("img", "link", "iframe", "object", "embed", "base", "form", "image", "use")
        and e.attributes.get("id") != "filter"
    ]
    (style,) = read.all("style")
    assert "@import" not in style.text and "url(" not in style.text


def test_its_policy_allows_its_own_style_and_script_alone(html):
    (policy,) = Page.of(html).all("meta", http_equiv="Content-Security-Policy")[:1] or [
        e for e in Page.of(html).all("meta") if e.attributes.get("http-equiv")
    ]
    said = policy.attributes["content"]
    assert said.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in said and "data:" not in said and "*" not in said


def test_every_link_has_its_place_and_every_id_is_one(html):
    read = Page.of(html)
    ids = [e.attributes["id"] for e in read.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    assert {e.attributes["href"][1:] for e in read.all("a")} <= set(ids)


def test_every_plot_has_a_title_and_words(html):
    read = Page.of(html)
    plots = [e for e in read.all("svg") if e.attributes.get("aria-hidden") != "true"]
    assert len(plots) >= 7
    assert all(len(e.attributes["aria-label"] or "") > 10 for e in plots)
    assert len(read.all("figcaption")) == len(plots)


def test_the_same_state_gives_the_same_bytes(state, reading, html):
    from aegis_enrich.report.contents import read
    from aegis_enrich.store import Store

    with Store(state, read_only=True) as store:
        assert page(read(store, reading)) == html


def test_a_hostile_wire_puts_nothing_into_the_page(hostile, html):
    made = page(hostile)
    read, usual = Page.of(made), Page.of(html)
    assert loads(read) == []
    assert {e.name for e in read.elements} <= {e.name for e in usual.elements} | {"li", "ul"}
    assert len(read.all("script")) == len(read.all("style")) == 1
    assert read.text.count("<script>document.documentElement.dataset.pwned=1</script>") > 20
    assert "\u202e" not in made and "\x00" not in made
    assert read.all("style")[0].text == usual.all("style")[0].text


@pytest.mark.parametrize("number", [3_000, 20_000])
def test_thousands_of_alerts_stay_a_page_that_can_be_sent(contents, number):
    reason = "10.0.0.1 did this to 192.0.2.1 " * 8
    alerts = tuple(
        {
            **doc,
            "event": {**doc["event"], "id": f"{n:032x}", "severity": 47, "reason": reason},
            "source": {"ip": f"10.{n // 65536}.{n // 256 % 256}.{n % 256}"},
        }
        for n in range(min(number, 3_000))
        for doc in [contents.alerts[n % len(contents.alerts)]]
    )
    many = dataclasses.replace(
        contents,
        alerts=alerts,
        severities={47: number},
        incidents=contents.incidents * 200,
        incident_count=5_000,
        beacons=contents.beacons * 12,
        health={f"sensor {n}": contents.health["sensor"] for n in range(4)},
    )
    made = page(many)
    assert len(made.encode()) < 2_100_000
    assert f"{number:,} alerts" in made
    assert "left out to keep the page small" in made
    assert "incidents of less risk are left out" in made


def test_a_browser_takes_it_without_a_word(browser, html):
    dom, console = browser.dom(html)
    assert console == []
    assert ">7 of 7 shown</output>" in dom  # its script ran


def test_a_browser_tells_of_what_the_policy_forbids(browser, html):
    """What makes the test above mean something."""
    _, console = browser.dom(html.replace('"use strict";', '"use strict"; document.title = "other";'))
    assert any("Content Security Policy" in line for line in console)


def test_a_browser_runs_nothing_of_a_hostile_wire(browser, hostile):
    dom, console = browser.dom(page(hostile))
    assert console == []
    assert "data-pwned" not in dom[:200]
    assert "<img" not in dom
    lifted, _ = browser.dom(page(hostile), script="0")
    assert "data-pwned" not in lifted[:200]


def test_the_filter_filters(browser, html):
    dom, console = browser.dom(html, FILTER)
    assert console == []
    said = dict(re.findall(r'data-(\w+)="([^"]*)"', dom[: dom.index("<head>")]))
    assert said == {
        "first": "7 of 7 shown",
        "words": "1 of 7 shown",
        "rule": "2 of 7 shown",
        "level": "1 of 7 shown",
        "hidden": "6",
        "folded": "0",
    }


@pytest.mark.parametrize("width", [500, 800, 1400])
@pytest.mark.parametrize("which", ["contents", "quiet", "hostile"])
def test_nothing_sticks_out_of_a_window(browser, request, which, width):
    dom, _ = browser.dom(page(request.getfixturevalue(which)), WIDTH, f"--window-size={width},900")
    assert 'data-over="0"' in dom[: dom.index("<head>")]


def test_it_prints(browser, html):
    file = browser.folder / "print.html"
    file.write_text(html, encoding="utf-8")
    browser.run(file, f"--print-to-pdf={browser.folder / 'print.pdf'}", "--no-pdf-header-footer")
    pdf = (browser.folder / "print.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 14
