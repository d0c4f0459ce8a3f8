from html_page import Page

from aegis_enrich.report.bars import talkers

ROWS = [
    {"host": "10.0.0.1", "inside": True, "sent": 3_000_000, "got": 1_000_000, "connections": 9, "peers": 4},
    {
        "host": "fd77:48a1:c0bb:0:b96c:506d:6c7f:e8be",
        "inside": False,
        "sent": 0,
        "got": 10,
        "connections": 1,
        "peers": 1,
    },
]


def test_a_bar_for_what_was_sent_and_one_for_what_was_got():
    page = Page.of(talkers(ROWS, {"10.0.0.1": 99}, {"10.0.0.1": "files"}))
    widths = [float(e.attributes["width"]) for e in page.all("rect")]
    assert abs(widths[0] - 3 * widths[1]) < 0.3
    assert "10.0.0.1 (files)" in page.text
    assert "4 MB, 4 peers" in page.text
    assert [e.attributes["class"] for e in page.all("circle")] == ["sev99"]
    assert "worst severity" in page.text


def test_marks_are_told_of_only_where_there_are_some():
    page = Page.of(talkers(ROWS, {}, {}))
    assert not page.all("circle")
    assert "worst severity" not in page.text
