"""One value has one byte string, whichever encoder writes it."""

from __future__ import annotations

import math

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from pocdir.core.canonical import canonical_json

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)


@given(values)
def test_the_short_way_writes_what_the_standard_writes(value: object) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


def test_names_are_sorted_and_nothing_is_escaped_that_need_not_be() -> None:
    assert (
        canonical_json({"b": "é\x7f\x1f\n", "a": [1, None, True]})
        == b'{"a":[1,null,true],"b":"\xc3\xa9\x7f\\u001f\\n"}'
    )


def test_names_beyond_ascii_sort_by_their_utf_16_units() -> None:
    assert canonical_json({"\ufb33": 1, "\U0001f600": 2}).startswith(b'{"\xf0\x9f\x98\x80":2')


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, -(2**53), "\ud800", {1: 2}, b"bytes"])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        canonical_json(value)
