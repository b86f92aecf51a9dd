from hypothesis import given
from hypothesis import strategies as st

from reelpack.core.results import canonical, digest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON))
def test_canonical_does_not_depend_on_the_order_of_keys(value):
    assert canonical(value) == canonical(dict(reversed(value.items())))


def test_canonical_keeps_text_as_it_is():
    assert canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'


def test_digest_tells_its_parts_apart():
    assert digest("ab", "c") != digest("a", "bc")
    assert digest(None) != digest("None")
    assert len(digest()) == 32
