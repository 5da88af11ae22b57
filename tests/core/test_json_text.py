"""JSON as it is sent and stored: what orjson writes, and what it leaves to json, are one form."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from pocdir.core.json_text import json_text

MOMENT = dt.datetime(2026, 11, 24, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
LARGE = 2**70


@pytest.mark.parametrize("more", [{}, {"large": LARGE}], ids=["orjson", "json"])
def test_a_moment_is_written_in_utc_whoever_writes(more: dict[str, Any]) -> None:
    text = json_text({"at": MOMENT, "name": "Zürich", "none": None} | more)
    assert json.loads(text) == {"at": "2026-11-24T10:00:00Z", "name": "Zürich", "none": None} | more
    assert ": " not in text


@pytest.mark.parametrize("value", [{1}, b"", {"large": LARGE, "set": {1}}])
def test_what_json_has_no_word_for_is_a_mistake_in_the_code(value: object) -> None:
    with pytest.raises(TypeError):
        json_text(value)
