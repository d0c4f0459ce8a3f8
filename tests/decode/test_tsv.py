def log(fields: str, types: str, *rows: str, path: str = "conn") -> bytes:
    names, kinds = fields.replace(" ", "\t"), types.replace(" ", "\t")
    head = f"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t{path}\n"
    lines = "".join(row.replace(" ", "\t") + "\n" for row in rows)
    return (head + f"#fields\t{names}\n#types\t{kinds}\n" + lines).encode()


def test_unset_and_empty(table):
    data = log("ts uid service tunnel_parents", "time string string set[string]", "1.0 - (empty) (empty)", "2.0 C - -")
    rows = table("conn", data).select(["uid", "service", "tunnel_parents"]).to_pylist()
    assert rows == [
        {"uid": None, "service": "", "tunnel_parents": []},
        {"uid": "C", "service": None, "tunnel_parents": None},
    ]


def test_unset_and_empty_as_declared(table):
    data = b"#separator ,\n#set_separator,|\n#empty_field,NONE\n#unset_field,?\n#fields,ts,uid,tunnel_parents\n"
    rows = table("conn", data + b"1.0,?,b|a\n2.0,NONE,NONE\n3.0,-,?\n").select(["uid", "tunnel_parents"]).to_pylist()
    assert rows == [
        {"uid": None, "tunnel_parents": ["a", "b"]},
        {"uid": "", "tunnel_parents": []},
        {"uid": "-", "tunnel_parents": None},
    ]


def test_a_separator_of_several_characters(table):
    data = b"#separator \\x7c\\x7c\n#fields||ts||uid\n#types||time||string\n1.0||a|b\n"
    assert table("conn", data)["uid"].to_pylist() == ["a|b"]


def test_values_that_look_unset_are_escaped(table):
    data = log("ts uid", "time string", "1.0 \\x2d", "2.0 \\x28empty)", "3.0 \\x23")
    assert table("conn", data)["uid"].to_pylist() == ["-", "(empty)", "#"]


def test_sets_are_sorted_and_vectors_are_not(table):
    fields, types = "ts analyzers tx_hosts conn_uids source", "time set[string] set[addr] set[string] string"
    row = table("files", log(fields, types, "1.0 b,a 10.0.0.9,10.0.0.10 C\\x2c1,-,(empty) HTTP")).to_pylist()[0]
    assert (row["analyzers"], row["tx_hosts"]) == (["a", "b"], ["10.0.0.10", "10.0.0.9"])
    assert row["conn_uids"] == ["", "C,1", None]
    assert (row["source"], row["source_protocol"]) == ("zeek", "HTTP")
    answers = table("dns", log("ts answers TTLs", "time vector[string] vector[interval]", "1.0 b,a 2.5,1"))
    assert answers.select(["answers", "TTLs"]).to_pylist() == [{"answers": ["b", "a"], "TTLs": [2.5, 1.0]}]


def test_vectors_of_signed_numbers(table):
    fields, types = "ts sizes gaps", "time vector[int] vector[interval]"
    rows = table("aegis_packets", log(fields, types, "1.0 60,-60,-1500 0.000023,-1", "2.0 60 (empty)"))
    assert rows.select(["sizes", "gaps"]).to_pylist() == [
        {"sizes": [60, -60, -1500], "gaps": [0.000023, -1.0]},
        {"sizes": [60], "gaps": []},
    ]


def test_quotes_are_text(table):
    data = log("ts user_agent uri", "time string string", '1.0 "a \'b"')
    assert table("http", data).select(["user_agent", "uri"]).to_pylist() == [{"user_agent": '"a', "uri": "'b\""}]


def test_unknown_columns_go_to_extra(table):
    fields = "ts i_dont_exist names ports latency seen"
    data = log(
        fields, "time int64 set[string] vector[port] interval bool", "1.0 7 b,a 80,- 0.250000 T", "2.0 - - - - -"
    )
    assert table("conn", data)["extra"].to_pylist() == [
        '{"i_dont_exist":"7","latency":0.25,"names":["a","b"],"ports":[80,null],"seen":true}',
        None,
    ]


def test_a_column_of_another_type_goes_to_extra(table):
    row = table("conn", log("ts orig_bytes", "time set[string]", "1.0 a,b")).to_pylist()[0]
    assert (row["orig_bytes"], row["extra"]) == (None, '{"orig_bytes":["a","b"]}')


def test_no_types(table):
    assert table("conn", b"ts\tuid\tid.resp_p\n1.0\tC\t80\n").select(["uid", "resp_p"]).to_pylist() == [
        {"uid": "C", "resp_p": 80}
    ]


def test_twice_the_same_name(table):
    row = table("conn", b"#fields\tts\tuid\tuid\tx\tx\n1.0\tA\tB\tC\tD\n").to_pylist()[0]
    assert (row["uid"], row["extra"]) == ("A", '{"uid":"B","x":"C"}')


def test_line_ends_and_stray_returns(table):
    data = b"#fields\tts\tuid\r\n1.0\tA\r\n2.0\tB\rC\r\n3.0\tD\r"
    assert table("conn", data)["uid"].to_pylist() == ["A", "B\rC", "D"]
