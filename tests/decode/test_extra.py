import json

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.decode.extra import fragments, from_fragments, list_fragments, normalised


def test_objects_of_fragments():
    columns = {"b": pa.array(["1", None, None]), "a": pa.array(['"x"', '"y"', None])}
    assert from_fragments(columns, 3).to_pylist() == ['{"a":"x","b":1}', '{"a":"y"}', None]
    assert from_fragments({}, 2).to_pylist() == [None, None]


def test_fragments_by_type():
    assert fragments("bool", pa.array(["T", "F", "x", None])).to_pylist() == ["true", "false", '"x"', None]
    assert fragments("count", pa.array(["7", "x", "007"])).to_pylist() == ["7", '"x"', "7.0"]
    assert fragments("interval", pa.array(["0.500000", "nan", "3"])).to_pylist() == ["0.5", None, "3"]
    assert fragments("string", pa.array(['a"b', "\t", "é"])).to_pylist() == ['"a\\"b"', '"\\t"', '"é"']
    assert fragments("int64", pa.array(["7"])).to_pylist() == ['"7"']


def test_lists():
    lists = pa.array([["1", "2"], [], None, [None]])
    assert list_fragments("count", lists).to_pylist() == ["[1,2]", "[]", None, "[null]"]
    assert list_fragments("string", pa.array([['"']])).to_pylist() == ['["\\""]']


def test_objects_as_they_came():
    deep = '{"a":' * 2000 + "1" + "}" * 2000
    assert normalised(pa.array([deep, '{"a":' + "1" * 5000 + "}"])).to_pylist()[0] == deep
    objects = pa.array(['{ "b": 0.12345678, "a": {"d":1,"c":[2.0]} }', '{"a":null}', "{}", None])
    assert normalised(objects).to_pylist() == ['{"a":{"c":[2.0],"d":1},"b":0.123457}', None, None, None]


@given(st.lists(st.none() | st.text(st.characters(blacklist_categories=["Cs"]), max_size=8), min_size=1, max_size=5))
def test_any_text_is_json_then(texts):
    objects = from_fragments({"k": fragments("string", pa.array(texts, pa.string()))}, len(texts)).to_pylist()
    assert [json.loads(o)["k"] if o else None for o in objects] == texts
