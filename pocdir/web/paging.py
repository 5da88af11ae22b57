"""Lists by cursor: the public id of the last item seen, never a row number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Row = TypeVar("Row")


def page(rows: Sequence[Row], limit: int, cursor_of: Callable[[Row], str]) -> dict[str, Any]:
    """One page from `limit + 1` fetched rows: the extra row only tells that there is a next page."""
    shown = rows[:limit]
    return {"items": shown, "next": cursor_of(shown[-1]) if len(rows) > limit else None}


def numbered(rows: Sequence[Row], number: int, size: int) -> dict[str, Any]:
    """A page of what is at hand whole, counted from 0, as the macro `pager` shows it; a number beyond is the last."""
    number = min(max(0, number), max(0, len(rows) - 1) // size)
    shown = rows[number * size : (number + 1) * size]
    first = number * size
    return {
        "rows": shown,
        "first": first + 1,
        "last": first + len(shown),
        "total": len(rows),
        "previous": number - 1 if number else None,
        "next": number + 1 if first + len(shown) < len(rows) else None,
    }
