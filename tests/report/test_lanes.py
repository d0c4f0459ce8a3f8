from html_page import Page

from aegis_enrich.report.lanes import CROWD, DEEP, Lane, Mark, lanes

MINUTE = 60_000_000


def mark(first, last, name="Port scan", severity=47, many=1):
    return Mark(first * MINUTE, last * MINUTE, severity, name, f"tip of {name}", many)


def drawn(*rows):
    return Page.of(lanes("Title", "in words", rows))


def bars(page):
    return list(page.all("rect"))


def test_each_mark_is_a_bar_with_its_name_and_its_tip():
    page = drawn(Lane("10.0.0.1", "inside", (mark(0, 5), mark(20, 21, "Beaconing", 99))))
    assert [b.attributes["class"] for b in bars(page)] == ["sev47", "sev99"]
    assert [b.text for b in bars(page)] == ["tip of Port scan", "tip of Beaconing"]
    for text in ("10.0.0.1", "inside", "Port scan", "Beaconing"):
        assert any(e.text.startswith(text) for e in page.all("text")), text


def test_bars_and_names_do_not_lie_on_one_another():
    page = drawn(Lane("a", "", tuple(mark(n, n + 3, f"name {n}") for n in range(4))))
    boxes = [tuple(float(b.attributes[k]) for k in ("x", "y", "width")) for b in bars(page)]
    for n, (x, y, width) in enumerate(boxes):
        assert all(y != v or x + width <= u or u + w <= x for u, v, w in boxes[:n])
    assert sum(e.text.startswith("name") for e in page.all("text")) == 4


def test_a_name_that_fits_neither_side_stands_in_its_bar():
    page = drawn(Lane("a", "", (mark(0, 1000, "Beaconing"),)))
    (name,) = [e for e in page.all("text") if e.text == "Beaconing"]
    assert name.attributes["text-anchor"] == "middle"


def test_of_many_at_one_time_the_worst_are_drawn_and_the_rest_counted():
    marks = [mark(0, 100, f"low {n}", 21) for n in range(9)] + [mark(1, 100, "worst", 99)]
    page = drawn(Lane("a", "inside", tuple(marks)))
    assert len(bars(page)) == DEEP
    assert "sev99" in {b.attributes["class"] for b in bars(page)}
    assert any(e.text.startswith(f"inside, {10 - DEEP} more") for e in page.all("text"))


def test_a_crowd_is_drawn_by_places():
    marks = tuple(mark(n / 10, n / 10, "Port scan", 21 + 52 * (n == 777)) for n in range(2000))
    page = drawn(Lane("a", "", marks))
    assert CROWD < len(bars(page)) < 200
    assert "sev73" in {b.attributes["class"] for b in bars(page)}
    assert any("alerts" in b.text for b in bars(page))


def test_one_moment_is_a_plot_too():
    assert len(bars(drawn(Lane("a", "", (mark(5, 5),))))) == 1
