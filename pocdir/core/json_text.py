"""JSON as it is sent and stored."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import orjson

from pocdir.core.times import isoformat


def json_text(value: Any) -> str:
    """One line of JSON; moments, which are aware, as isoformat writes them."""
    try:
        return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()
    except TypeError:  # a whole number of more than 64 bits
        return json.dumps(value, default=_moment)


def _moment(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return isoformat(value)
    raise TypeError(f"{type(value).__name__} is not written as JSON")
