from aegis_enrich.follow.state import HEAD_BYTES, head_of


def test_a_header_alone_identifies_nothing() -> None:
    assert head_of(b"#separator \\x09\n#path\tconn\n\n") == b""
    assert head_of(b"") == b""


def test_a_head_is_of_whole_lines_with_data() -> None:
    assert head_of(b"#path\tconn\n1\ta\n2\tb") == b"#path\tconn\n1\ta\n"
    assert head_of(b"1\ta") == b""
    assert head_of(b"1\ta", whole=True) == b"1\ta"


def test_a_head_ends_at_4_kib_even_within_a_line() -> None:
    assert head_of(b"x" * 5000) == b"x" * HEAD_BYTES
