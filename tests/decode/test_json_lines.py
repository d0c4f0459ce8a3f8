import pyarrow as pa

from aegis_enrich.decode import json_lines
from aegis_enrich.decode.lines import Lines


def rows(*lines: str) -> pa.Table:
    return json_lines.as_table(Lines("".join(line + "\n" for line in lines).encode()))


def test_lines_are_handed_on_as_they_are():
    assert rows('{"a":1}', "{}")["line"].to_pylist() == ['{"a":1}\n', "{}\n"]


def test_what_is_asked_of_lines_that_are_json():
    keys, kept, valid = json_lines.of_valid(json_lines.keys, rows('{"b":1}', "{", '{"a":2}'))
    assert (keys, kept.num_rows) == (["a", "b"], 2)
    assert valid is not None
    assert valid.to_pylist() == [True, False, True]
    assert json_lines.of_valid(json_lines.keys, rows("{}"))[2] is None


def test_lists():
    containers = pa.chunked_array([["[1,null]", '"x"', None, "5"]])
    assert json_lines.lists(containers)["items"].to_pylist() == [["1", None], ["x"], None, ["5"]]


def test_what_is_left_of_an_object():
    assert json_lines.without(rows('{"a":1,"b":{"c":2}}'), ["a"]).to_pylist() == ['{"b":{"c":2}}']


def test_rows_stay_in_order_over_many_batches():
    many = rows(*[f'{{"a":{i}}}' for i in range(30_000)])
    assert json_lines.transformed(many, {"a": "VARCHAR"})["a"].to_pylist() == [str(i) for i in range(30_000)]


def test_distinguished_names():
    sql = "SELECT zeek_name(line) AS dn FROM lines"
    names = json_lines.query(sql, pa.table({"line": ["C=US, O=App, Inc., CN=x", "CN=localhost", None]}))
    assert names["dn"].to_pylist() == ["CN=x,O=App\\, Inc.,C=US", "CN=localhost", None]
