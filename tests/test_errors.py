from aegis_enrich.errors import AegisError, ConfigError, Problems


def test_an_error_says_where_and_what() -> None:
    assert str(AegisError("'ten' is not a number; write 50 to 100000", where="rules/x.yml:4")) == (
        "rules/x.yml:4: 'ten' is not a number; write 50 to 100000"
    )


def test_problems_are_shown_all_at_once_one_a_line() -> None:
    found = Problems([ConfigError("one", where="a.yml:1"), ConfigError("two", where="a.yml:2")])
    assert str(found).splitlines() == ["a.yml:1: one", "a.yml:2: two"]
