from aegis_enrich.decode.header import Header


def after(*lines: bytes) -> Header:
    header = Header()
    for line in lines:
        header = header.after(line)
    return header


def test_the_header_that_zeek_writes():
    header = after(
        b"#separator \\x09\n",
        b"#set_separator\t,\n",
        b"#empty_field\t(empty)\n",
        b"#unset_field\t-\n",
        b"#path\tconn\n",
        b"#open\t2026-11-22-00-25-50\n",
        b"#fields\tts\tid.orig_h\n",
        b"#types\ttime\taddr\n",
    )
    assert header == Header(fields=("ts", "id.orig_h"), types=("time", "addr"))
    assert header.type_of(1) == "addr"
    assert header.type_of(2) == ""


def test_other_separators():
    header = after(b"#separator \\x2c\r\n", b"#set_separator,|\n", b"#unset_field,NULL\n", b"#fields,ts,uid\r\n")
    assert header == Header(",", "|", unset_field="NULL", fields=("ts", "uid"))


def test_a_separator_that_cannot_be_one_is_a_tab():
    assert [after(b"#separator " + s).separator for s in (b"\\x0a\n", b"\n", b"\\x00\n")] == ["\t"] * 3


def test_a_separator_line_begins_a_new_header():
    assert after(b"#fields\tts\n", b"#separator \\x09\n") == Header()


def test_new_fields_forget_the_old_types():
    assert after(b"#fields\tts\n", b"#types\ttime\n", b"#fields\tts\tuid\n").types == ()


def test_what_follows_white_space_counts():
    assert after(b"\t#separator \\x3b\n", b"\t#fields;ts\n").fields == ("ts",)


def test_comments_change_nothing():
    assert after(b"#close\t2026-11-22-00-25-50\n", b"#\n", b"#\xff\n") == Header()


def test_bare_names():
    assert Header(separator=",").bare(b"ts\tuid\r\n") == Header(fields=("ts", "uid"))


def test_context():
    header = Header(",", "|", "E", "U", ("ts", "é"), ("time", "string"))
    assert Header.from_context(header.to_context()) == header
    assert (Header().to_context(), Header.from_context("")) == ("", Header())
