"""JSON as it is sent and stored."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import orjson

from pocdir.core.times import isoformat


def json_text(value: Any) -> str:
    """JSON without blanks; moments, which are aware, as isoformat writes them.

    Raises TypeError for what JSON has no word for.
    """
    try:
        return orjson.dumps(value, _moment, orjson.OPT_PASSTHROUGH_DATETIME).decode()
    except TypeError:  # a number of more than 64 bits, half a surrogate pair, a key that is no text
        return json.dumps(value, default=_moment, separators=(",", ":"))


def _moment(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return isoformat(value)
    raise TypeError(f"{type(value).__name__} is not written as JSON")
