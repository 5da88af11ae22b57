"""A stream of delimited text as blocks of whole records, and where the cells of a block lie."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

import numpy as np

from pocdir.core.errors import Invalid
from pocdir.routing.rules.registry_layers import Array
from pocdir.routing.rules.reports.layout import LONGEST_LINE

BLOCK = 4 << 20  # bytes read at once
NEAR = 1 << 18  # bytes looked at in one go, so that they stay in the processor's cache
QUOTE, CR = 34, 13


class Shape(NamedTuple):
    """What divides the cells (one byte) and ends the records (one byte, the last of the line end)."""

    delimiter: int
    newline: int


class Records(NamedTuple):
    """Whole records. Cell i lies between ends[i] + 1 and ends[i + 1]; a record has `cells` cells from `first` on.

    `width` is the number of cells where every record has the same, else 0; `separator` marks the bytes that end cells.
    """

    data: bytes
    ends: Array
    first: Array
    cells: Array
    width: int
    separator: Array

    def lines(self) -> tuple[Array, Array]:
        """Where each record begins, and where it ends with its line end."""
        if self.width:
            start, last = self.ends[: -1 : self.width] + 1, self.ends[self.width :: self.width] + 1
        else:
            start, last = self.ends[self.first] + 1, self.ends[self.first + self.cells] + 1
        return start, np.minimum(last, len(self.data))

    def cell(self, column: int) -> tuple[Array, Array]:
        """Where the cell of that column begins and ends, quotes and line end left out; empty where there is none."""
        if column < self.width:
            start, end = self.ends[column : -1 : self.width] + 1, self.ends[column + 1 :: self.width]
        else:
            present = self.cells > column
            place = np.where(present, self.first + column, self.first)
            start = self.ends[place] + 1
            end = np.where(present, self.ends[place + 1], start)
        array = np.frombuffer(self.data, np.uint8)
        if b"\r" in self.data:
            end = end - ((array[np.maximum(end - 1, 0)] == CR) & (end > start))
        if b'"' in self.data:
            quoted = (end - start > 1) & (array[np.minimum(start, len(array) - 1)] == QUOTE)
            quoted &= array[np.maximum(end - 1, 0)] == QUOTE
            start, end = start + quoted, end - quoted
        return start, end


def records(data: bytes, shape: Shape) -> Records | None:
    """The records of a block that ends with one; None where its quotes are not as RFC 4180 has them."""
    array = np.frombuffer(data, np.uint8)
    separator = np.empty(len(array), dtype=bool)
    for part in _parts(len(array)):
        np.equal(array[part], shape.delimiter, out=separator[part])
        separator[part] |= array[part] == shape.newline
    if b'"' in data:
        quote = array == QUOTE
        if not _regular(array, quote, separator, shape.newline):
            return None
        separator &= ~np.bitwise_xor.accumulate(quote)
    ends = [np.flatnonzero(separator[part]) + part.start for part in _parts(len(array))]
    return _records(data, np.concatenate([[-1], *ends]), separator, shape.newline)


def _parts(size: int) -> Iterable[slice]:
    return (slice(at, min(at + NEAR, size)) for at in range(0, size, NEAR))


def _records(data: bytes, ends: Array, separator: Array, newline: int) -> Records:
    array = np.frombuffer(data, np.uint8)
    if len(data) and (len(ends) == 1 or ends[-1] != len(data) - 1 or data[-1] != newline):
        ends = np.append(ends, len(data))
    width = _width(data, ends, newline)
    if width:
        first = np.arange(0, len(ends) - 1, width)
        return Records(data, ends, first, np.full(len(first), width), width, separator)
    closing = array[np.minimum(ends[1:], len(data) - 1)] == newline
    if len(closing):
        closing[-1] = True
    last = np.flatnonzero(closing)
    first = np.append(0, last[:-1] + 1)[: len(last)]
    cells = last - first + 1
    # Empty lines are no records.
    start, end = ends[first] + 1, ends[last + 1]
    returns = (
        (end - start == 1) & (array[np.minimum(start, len(data) - 1)] == CR) if len(data) else end == start
    )
    kept = (cells > 1) | ((end != start) & ~returns)
    return Records(data, ends, first[kept], cells[kept], 0, separator)


def _width(data: bytes, ends: Array, newline: int) -> int:
    """The cells of each record where all have as many as the first, and more than one; else 0."""
    array = np.frombuffer(data, np.uint8)
    few = array[np.minimum(ends[1:1000], len(data) - 1)] == newline if len(data) else array
    width = int(np.argmax(few)) + 1 if few.any() else 0
    if width < 2 or (len(ends) - 1) % width:
        return 0
    last = ends[width::width]
    if last[-1] == len(data) or not (array[last] == newline).all():
        return 0
    inside = array[ends[1:]] == newline if b'"' in data else None
    count = int(np.count_nonzero(inside)) if inside is not None else data.count(bytes([newline]))
    return width if count == len(last) else 0


def _regular(array: Array, quote: Array, separator: Array, newline: int) -> bool:
    """Whether every quote opens or closes a cell or is doubled within one."""
    places = np.flatnonzero(quote)
    if len(places) % 2:
        return False
    opening, closing = places[::2], places[1::2]
    before = opening - 1
    begins = (before < 0) | separator[before] | quote[before]
    after = np.minimum(closing + 1, len(array) - 1)
    ends = (closing == len(array) - 1) | separator[after] | quote[after]
    returns = (array[after] == CR) & (array[np.minimum(after + 1, len(array) - 1)] == newline)
    return bool(begins.all() and (ends | returns).all())


class Reader:
    """Blocks of whole records, one after the other.

    Blocks are cut by counting quotes; whoever finds that the quotes of one are not regular gives it and those
    after it back, and everything from there on is read cell by cell.
    """

    def __init__(self, stream: BinaryIO, shape: Shape, size: int = BLOCK) -> None:
        self._stream, self._shape, self._size = stream, shape, size
        self._rest, self._ended, self._exact = b"", False, False
        delimiter, newline = (re.escape(bytes([byte])) for byte in shape)
        plain = b"[^" + delimiter + newline + b"]*"
        self._cell = re.compile(b'"[^"]*+(?:""[^"]*+)*+(?:"' + plain + b"|\\Z)|" + plain)
        self.read = 0  # bytes

    def block(self) -> bytes | Records | None:
        """The next block, None at the end; raises Invalid `report_line_too_long`."""
        while True:
            chunk = b"" if self._ended else self._stream.read(self._size)
            self.read += len(chunk)
            self._ended = self._ended or not chunk
            data, self._rest = self._rest + chunk, b""
            if not data:
                return None
            found, used = self._exactly(data) if self._exact else self._cut(data)
            self._rest = data[used:]
            if used:
                return found
            if len(data) > LONGEST_LINE:
                what = (
                    f"a row is longer than {LONGEST_LINE} bytes: a quote is not closed, or this is no table"
                )
                raise Invalid("report_line_too_long", what)

    def give_back(self, blocks: list[bytes]) -> None:
        """Read these again, cell by cell."""
        self._rest = b"".join(blocks) + self._rest
        self._exact = True

    def _cut(self, data: bytes) -> tuple[bytes, int]:
        """Up to the last line end outside quotes; all of it where the stream has ended."""
        if self._ended:
            return data, len(data)
        newline = bytes([self._shape.newline])
        end = len(data)
        quotes = data.count(b'"')
        for _ in range(1000):  # lines of one cell; where there are more the quotes are not regular
            place = data.rfind(newline, 0, end)
            if place < 0:
                return b"", 0
            quotes -= data.count(b'"', place, end)
            if quotes % 2 == 0:
                return data[: place + 1], place + 1
            end = place
        return data[: place + 1], place + 1

    def _exactly(self, data: bytes) -> tuple[Records, int]:
        """As Python's csv module divides them: a quote means something at the beginning of a cell only."""
        ends: list[int] = []
        used = whole = place = 0
        while used <= self._size and place - used <= LONGEST_LINE:
            end = self._cell.match(data, place).end()  # type: ignore[union-attr] # it matches anything
            if end == len(data):
                if self._ended:
                    used, whole = end, len(ends)
                break
            ends.append(end)
            place = end + 1
            if data[end] == self._shape.newline:
                used, whole = place, len(ends)
        separator = np.zeros(used, dtype=bool)
        separator[ends[:whole]] = True
        places = np.array([-1, *ends[:whole]], dtype=np.int64)
        return _records(data[:used], places, separator, self._shape.newline), used
