"""Lists as people write them."""

import pytest

from aegis_enrich.correlate.wording import several


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (list("abc"), "a, b and c"),
        (["a"] * 5, "a, a, a and 2 more"),
    ],
)
def test_the_first_are_named_and_the_rest_counted(values, said):
    assert several(values, 3) == said
