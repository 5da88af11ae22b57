"""Lists by cursor: the public id of the last item seen, never a row number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Row = TypeVar("Row")


def page(rows: Sequence[Row], limit: int, cursor_of: Callable[[Row], str]) -> dict[str, Any]:
    """One page from `limit + 1` fetched rows: the extra row only tells that there is a next page."""
    shown = rows[:limit]
    return {"items": shown, "next": cursor_of(shown[-1]) if len(rows) > limit else None}
