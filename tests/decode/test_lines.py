import numpy as np
import pytest

from aegis_enrich.decode.lines import BLANK, COMMENT, DATA, HEADER, JSON, Lines, escape_invalid, without_bom


def test_lines_and_their_places():
    lines = Lines(b"one\n\nthree\nlast")
    assert [lines[i] for i in range(len(lines))] == [b"one\n", b"\n", b"three\n", b"last"]
    assert lines.starts.tolist() == [0, 4, 5, 11]


def test_no_lines():
    assert len(Lines(b"")) == 0
    assert Lines(b"").kinds().tolist() == []


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"\n", BLANK),
        (b"\r\n", BLANK),
        (b"  \n", BLANK),
        (b"#close\n", COMMENT),
        (b"\t#separator \\x09\n", COMMENT),
        (b"{}\n", JSON),
        (b"  {}\n", JSON),
        (b"ts\tuid\n", HEADER),
        (b"ts\n", HEADER),
        (b"tso\tuid\n", DATA),
        (b"1.5\tC1\n", DATA),
        (b"\t1.5\n", DATA),
    ],
)
def test_the_kind_of_a_line(line, kind):
    assert Lines(line).kinds().tolist() == [kind]


def test_selected_lines():
    lines = Lines(b"a\nbb\nccc\ndddd")
    assert lines.select(np.arange(4)).data is lines.data
    assert lines.select(np.array([1, 2])).data == b"bb\nccc\n"
    assert lines.select(np.array([0, 3])).data == b"a\ndddd"
    assert lines.select(np.array([], np.int64)).data == b""


def test_byte_order_marks_go_at_the_start_of_lines_only():
    assert without_bom(b"\xef\xbb\xbfa\xef\xbb\xbf\n\xef\xbb\xbfb") == b"a\xef\xbb\xbf\nb"


def test_bytes_that_are_no_utf8_become_text():
    assert escape_invalid("é\n".encode() + b"\xff\xc3\n", "\\x") == "é\n".encode() + b"\\xff\\xc3\n"
    assert escape_invalid("é".encode(), "\\x") == "é".encode()


def test_a_carriage_return_before_a_line_does_not_hide_it():
    lines = Lines(b"\r1\t2\n\r\n \r\n\r{}\n\r#x\n")
    assert lines.kinds().tolist() == [DATA, BLANK, BLANK, JSON, COMMENT]
