"""A stream of delimited text as blocks of whole records, and where the cells of a block lie."""

from __future__ import annotations

import re
from typing import BinaryIO, NamedTuple

import numpy as np

from pocdir.core.errors import Invalid
from pocdir.routing.rules.registry_layers import Array
from pocdir.routing.rules.reports.layout import LONGEST_LINE

BLOCK = 8 << 20  # bytes read at once
QUOTE, CR = 34, 13


class Shape(NamedTuple):
    """What divides the cells (one byte) and ends the records (one byte, the last of the line end)."""

    delimiter: int
    newline: int


class Records(NamedTuple):
    """Whole records. Cell i lies between ends[i] + 1 and ends[i + 1]; a record has `cells` cells from `first` on."""

    data: bytes
    ends: Array
    first: Array
    cells: Array

    def lines(self) -> tuple[Array, Array]:
        """Where each record begins, and where it ends with its line end."""
        last = self.ends[self.first + self.cells] + 1
        return self.ends[self.first] + 1, np.minimum(last, len(self.data))

    def cell(self, column: int) -> tuple[Array, Array]:
        """Where the cell of that column begins and ends, quotes and line end left out; empty where there is none."""
        present = self.cells > column
        place = np.where(present, self.first + column, self.first)
        start, end = self.ends[place] + 1, self.ends[place + 1].copy()
        end[~present] = start[~present]
        array = np.frombuffer(self.data, np.uint8)
        if len(array):
            last = array[np.maximum(end - 1, 0)]
            end -= (last == CR) & (end > start)
            quoted = (end - start > 1) & (array[np.minimum(start, len(array) - 1)] == QUOTE)
            quoted &= array[np.maximum(end - 1, 0)] == QUOTE
            start, end = start + quoted, end - quoted
        return start, end


def records(data: bytes, shape: Shape) -> Records | None:
    """The records of a block that ends with one; None where its quotes are not as RFC 4180 has them."""
    array = np.frombuffer(data, np.uint8)
    newline = array == shape.newline
    separator = newline | (array == shape.delimiter)
    if QUOTE in data:
        quote = array == QUOTE
        if not _regular(array, quote, separator, newline):
            return None
        separator &= ~np.bitwise_xor.accumulate(quote)
    ends = np.flatnonzero(separator)
    return _records(data, ends, newline[ends])


def _records(data: bytes, ends: Array, closing: Array) -> Records:
    if len(data) and not (len(ends) and closing[-1] and ends[-1] == len(data) - 1):
        ends, closing = np.append(ends, len(data)), np.append(closing, True)
    last = np.flatnonzero(closing)
    first = np.concatenate([[0], last[:-1] + 1]) if len(last) else last
    count = last - first + 1
    ends = np.concatenate([[-1], ends])
    # Empty lines are no records.
    alone = np.flatnonzero(count == 1)
    start, end = ends[first[alone]] + 1, ends[first[alone] + 1]
    array = np.frombuffer(data, np.uint8)
    empty = alone[(end == start) | ((end - start == 1) & (array[np.minimum(start, len(data) - 1)] == CR))]
    if len(empty):
        first, count = np.delete(first, empty), np.delete(count, empty)
    return Records(data, ends, first, count)


def _regular(array: Array, quote: Array, separator: Array, newline: Array) -> bool:
    """Whether every quote opens or closes a cell or is doubled within one."""
    places = np.flatnonzero(quote)
    if len(places) % 2:
        return False
    opening, closing = places[::2], places[1::2]
    before = opening - 1
    begins = (before < 0) | separator[before] | quote[before]
    after = np.minimum(closing + 1, len(array) - 1)
    ends = (closing == len(array) - 1) | separator[after] | quote[after]
    returns = (array[after] == CR) & newline[np.minimum(after + 1, len(array) - 1)]
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
        closing: list[bool] = []
        used = whole = place = 0
        while used <= self._size and place - used <= LONGEST_LINE:
            end = self._cell.match(data, place).end()  # type: ignore[union-attr] # it matches anything
            if end == len(data):
                if self._ended:
                    used, whole = end, len(ends)
                break
            ends.append(end)
            closing.append(data[end] == self._shape.newline)
            place = end + 1
            if closing[-1]:
                used, whole = place, len(ends)
        found = np.array(ends[:whole], dtype=np.int64), np.array(closing[:whole], dtype=bool)
        return _records(data[:used], *found), used
