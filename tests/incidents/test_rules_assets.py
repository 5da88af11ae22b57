"""Assets as a researcher pastes or brings them: every wrong line is named at once."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pocdir.core.errors import Invalid
from pocdir.incidents.rules.assets import MOST_NAMED, asset, assets_from_csv, assets_from_lines


def test_assets_are_read_from_lines_and_from_a_file() -> None:
    read = [asset("ip", "203.0.113.7", 80), asset("domain", "www.example.org")]
    assert assets_from_lines("203[.]0.113.7:80\n\nwww.example.org\n203.0.113.7:80\n") == read
    assert assets_from_csv(b"ip,port,domain\n203.0.113.7,80,\n,,www.example.org\n") == read


def test_every_wrong_line_is_named_at_once_with_what_would_be_right() -> None:
    with pytest.raises(Invalid) as refused:
        assets_from_lines("203.0.113.7\n\n300.1.1.1\nwww.example.org:99999\nnot one\n")
    assert list(refused.value.errors) == ["line 3", "line 4", "line 5"]
    assert "write 203.0.113.7" in refused.value.errors["line 3"][0]
    assert refused.value.errors["line 4"] == ["a port from 1 to 65535 is right"]
    assert all(line in str(refused.value) for line in refused.value.errors)

    with pytest.raises(Invalid) as refused:
        assets_from_csv(b'ip,note\n203.0.113.7,"two\nlines"\n\n300.1.1.1,\n203.0.113.8,\nx,\n')
    assert list(refused.value.errors) == ["line 5", "line 7"]


def test_a_hundred_wrong_lines_are_counted_and_the_first_are_named() -> None:
    with pytest.raises(Invalid) as refused:
        assets_from_lines("300.1.1.1\n" * 100)
    assert len(refused.value.errors) == MOST_NAMED
    assert str(refused.value).endswith("; and 80 more")


@example(";")
@example("\n,,\n")
@given(st.text(st.sampled_from('ip,;\t|"\r\n 203.0.113.7:x'), max_size=60))
def test_any_text_as_a_file_is_assets_or_a_refusal(text: str) -> None:
    for data in (text, f"ip;port\n{text}"):
        try:
            assert assets_from_csv(data.encode())
        except Invalid as refused:
            assert refused.code in ("csv_invalid", "asset_invalid")
