from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.follow.logfile import LogFile
from aegis_enrich.follow.state import LogState, digest, head_of

LINES = st.lists(st.binary(min_size=1, max_size=900).map(lambda b: b.replace(b"\n", b"").replace(b"#", b"") + b"x\n"))


@given(first=st.binary(max_size=300), chunks=st.lists(LINES.filter(bool), min_size=1, max_size=8))
def test_head_and_tail_are_of_the_log_however_it_is_cut(first, chunks) -> None:
    texts = [b"".join(lines) for lines in chunks]
    data = b"".join(texts)
    log = LogFile(LogState("id", "s", "conn"))
    log.grow_head(head_of(chunks[0][0]))
    for text in texts:
        before = log.state
        chunk = log.advance(text)
        assert chunk.log.position == before.position
        assert chunk.data == text
        state = chunk.end
        read = data[: state.position]
        assert state.head_len == min(4096, len(read))
        assert state.head_hash == digest(data[: state.head_len])
        assert state.tail_hash == digest(read[-4096:])
        assert state.tail_len == min(4096, len(read))
    assert log.state.position == len(data)


def test_the_context_is_kept_from_chunk_to_chunk() -> None:
    log = LogFile(LogState("id", "s", "conn"))
    assert log.advance(b"1\n").end.context == ""
    log.context = "header"
    chunk = log.advance(b"2\n")
    assert (chunk.log.context, chunk.end.context) == ("header", "header")
