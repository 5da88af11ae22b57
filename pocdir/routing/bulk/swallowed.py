"""Rows whose quotes join what were several: a quote opened in one and closed in another is well-formed CSV."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from pocdir.routing.bulk.records import Records
from pocdir.routing.rules.registry_layers import Array
from pocdir.routing.rules.result import invalid

ROWS_WITHIN = invalid("a quoted cell of this row holds what reads as rows of their own: is a quote missing?")
CELLS_MISSING = invalid(
    "a quoted cell of this row holds line ends, and cells are missing: is a quote missing?"
)
_LINE_END = re.compile(rb"\r\n|\n|\r")


def swallowed(
    found: Records, *, header: int, columns: tuple[tuple[int, str], ...], leads: Callable[[list[bytes]], bool]
) -> tuple[Array, Array]:
    """The numbers of the records with ROWS_WITHIN, and of those with CELLS_MISSING.

    Looked at are records with a line end within quotes. `header` is its number of cells, or 0; `leads` says of the
    cells of a line whether the row that they may be leads to somebody.
    """
    nobody = np.empty(0, dtype=np.intp)
    if found.within is None or found.separator is None:
        return nobody, nobody
    rows = np.unique(np.searchsorted(found.end, found.within, side="right"))
    start, end = found.start[rows], found.end[rows]
    array = np.frombuffer(found.data, np.uint8)
    few = _within(np.flatnonzero(found.separator & (array == found.shape.delimiter)), start, end) + 1 < header
    wanted = header or 1 + max((column for column, _ in columns), default=0)
    many = _within(np.flatnonzero(array == found.shape.delimiter), start, end) >= 2 * (wanted - 1)
    cells = _cells(found.shape.delimiter)
    joined = [
        bool(maybe) and _rows_in(found.data[a:b], cells, wanted, leads) > 1
        for maybe, a, b in zip(many.tolist(), start.tolist(), end.tolist(), strict=True)
    ]
    within = np.array(joined, dtype=bool)
    return rows[within], rows[few & ~within]


def _within(places: Array, start: Array, end: Array) -> Array:
    found: Array = np.searchsorted(places, end) - np.searchsorted(places, start)
    return found


def _cells(delimiter: int) -> re.Pattern[bytes]:
    """A cell of a line by itself, where a quote may be open to its end, with what ends it."""
    sign = re.escape(bytes([delimiter]))
    return re.compile(
        b'("[^"]*+(?:""[^"]*+)*+(?:"[^' + sign + b"]*|\\Z)|[^" + sign + b"]*)(" + sign + b"|\\Z)"
    )


def _rows_in(
    record: bytes, cells: re.Pattern[bytes], wanted: int, leads: Callable[[list[bytes]], bool]
) -> int:
    """How many lines of the record read as rows; two are enough to know."""
    count = 0
    for line in _LINE_END.split(record):
        row = _row(line, cells)
        count += len(row) >= wanted and leads(row)
        if count > 1:
            break
    return count


def _row(line: bytes, cells: re.Pattern[bytes]) -> list[bytes]:
    row, place = [], 0
    while found := cells.match(line, place):
        text = found[1]
        row.append(text[1:-1] if len(text) > 1 and text[:1] == text[-1:] == b'"' else text)
        place = found.end()
        if not found[2]:
            break
    return row
