import pytest

from aegis_enrich.evaluate import Hosts


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("10.0.0.1", ["10.0.0.1"], ["10.0.0.10", "::a00:1", "10.0.0.1.example.com"]),
        ("10.0.0.0/30", ["10.0.0.0", "10.0.0.3"], ["10.0.0.4"]),
        ("10.0.0.1-3,9", ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.9"], ["10.0.0.0", "10.0.0.4", "10.0.0.8"]),
        ("10.0.0.1 10.1.0.7", ["10.0.0.1", "10.1.0.7"], ["10.0.0.2"]),
        ("fd00::/64", ["fd00::9"], ["fd00:0:0:1::9", "10.0.0.1"]),
        (
            "t.tunnel.test",
            ["t.tunnel.test", "x.T.tunnel.test.", "tunnel.test"],
            ["test", "tt.tunnel.test", "other.test"],
        ),
        ("", [], ["10.0.0.1", "a.test"]),
    ],
)
def test_who_is_in(text, inside, outside):
    hosts = Hosts(text)
    assert all(host in hosts for host in inside)
    assert not any(host in hosts for host in outside)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.9-1", "10.0.0.1-300"])
def test_what_is_none_is_said(text):
    with pytest.raises(ValueError, match=r"10\.0\.0|range"):
        Hosts(text)
