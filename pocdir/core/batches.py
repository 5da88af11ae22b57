"""A long list in parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
NAMED = 500  # values that a statement may name: SQLite takes no more than a thousand in some builds


def batches(items: Sequence[Item], size: int = NAMED) -> Iterator[Sequence[Item]]:
    """The items in their order, `size` at a time; nothing of an empty list."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
