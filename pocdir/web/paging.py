"""Lists in pages: by cursor, the public id of the last item seen; for people by the page's number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import g, request

Row = TypeVar("Row")
MOST_PAGES = 10_000


def page(rows: Sequence[Row], limit: int, cursor_of: Callable[[Row], str]) -> dict[str, Any]:
    """One page from `limit + 1` fetched rows: the extra row only tells that there is a next page."""
    shown = rows[:limit]
    return {"items": shown, "next": cursor_of(shown[-1]) if len(rows) > limit else None}


def numbered(rows: Sequence[Row], number: int, size: int) -> dict[str, Any]:
    """A page of what is at hand whole, counted from 0, as the macro `pager` shows it; a number beyond is the last."""
    number = min(max(0, number), max(0, len(rows) - 1) // size)
    return _shown(rows[number * size : (number + 1) * size], len(rows), number, size, lowest=0)


def page_number() -> int:
    """Counted from 1, as the page's address says; what is no number is the first."""
    text = request.args.get("page", "1")
    return min(max(int(text), 1), MOST_PAGES) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def belongs_at(address: str) -> None:
    """The list that answers a form sent to another address: links for its pages, order and filters lead to this one."""
    g.list_address = address


def fetched(rows: Sequence[Row], total: int, number: int, size: int) -> dict[str, Any]:
    """A page of a list of `total`, counted from 1, of which the database gave these rows, as `pager` shows it."""
    return _shown(rows, total, number, size, lowest=1)


def _shown(rows: Sequence[Row], total: int, number: int, size: int, *, lowest: int) -> dict[str, Any]:
    first = (number - lowest) * size
    return {
        "rows": rows,
        "first": first + 1,
        "last": first + len(rows),
        "total": total,
        "previous": number - 1 if number > lowest else None,
        "next": number + 1 if first + len(rows) < total else None,
    }
