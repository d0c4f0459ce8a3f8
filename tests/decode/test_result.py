import pyarrow as pa

from aegis_enrich.decode.result import BadLine, Part


def test_parts_and_bad_lines_are_values():
    assert BadLine(1, b"x", "not JSON") == BadLine(1, b"x", "not JSON")
    assert Part("conn", "zeek", pa.array([1]), {}).table == "conn"
