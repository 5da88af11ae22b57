"""A stream of delimited text as blocks of whole records, and where the cells of a block lie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import numpy as np

from pocdir.core.errors import Invalid
from pocdir.routing.rules.registry_layers import Array
from pocdir.routing.rules.reports.layout import LONGEST_LINE

BLOCK = 4 << 20  # bytes read at once
REACH = 64  # bytes of a record in which the cell asked for mostly lies
NEAR = 1 << 17  # bytes looked at in one go, so that they stay in the processor's cache
QUOTE, CR = 34, 13


class Shape(NamedTuple):
    """What divides the cells (one byte) and ends the records (one byte, the last of the line end)."""

    delimiter: int
    newline: int


class Cells(NamedTuple):
    """Cell i of a block lies between ends[i] + 1 and ends[i + 1]; a record has `cells` cells from `first` on."""

    ends: Array
    first: Array
    cells: Array


@dataclass(slots=True, eq=False)
class Records:
    """Whole records: where each begins, and where it ends with its line end. Empty lines are none.

    `separator` marks the bytes that end cells where quotes matter; None: every delimiter and line end does.
    """

    data: bytes
    shape: Shape
    start: Array
    end: Array
    separator: Array | None
    every: Cells | None = None  # made when somebody needs it

    def cell(self, column: int, rows: Array) -> tuple[Array, Array]:
        """Where the cell of that column begins and ends in these records, quotes and line end left out.

        Empty where there is none.
        """
        array = np.frombuffer(self.data, np.uint8)
        near = None
        if self.separator is None:
            near = _near_cell(array, self.shape, self.start[rows], self.end[rows], column)
        start, end = near or _far_cell(self, array, column, rows)
        if b"\r" in self.data:
            end = end - ((array[np.maximum(end - 1, 0)] == CR) & (end > start))
        if self.separator is not None:
            quoted = (end - start > 1) & (array[np.minimum(start, len(array) - 1)] == QUOTE)
            quoted &= array[np.maximum(end - 1, 0)] == QUOTE
            start, end = start + quoted, end - quoted
        return start, end


def records(data: bytes, shape: Shape) -> Records | None:
    """The records of a block that ends with one; None where its quotes are not as RFC 4180 has them."""
    array = np.frombuffer(data, np.uint8)
    if b'"' not in data:
        return _records(data, shape, _places(array, shape.newline), None)
    separator = (array == shape.newline) | (array == shape.delimiter)
    quote = array == QUOTE
    if not _regular(array, quote, separator, shape.newline):
        return None
    separator &= ~np.bitwise_xor.accumulate(quote)
    ends = np.flatnonzero(separator)
    return _records(data, shape, ends[array[ends] == shape.newline], separator)


def _places(array: Array, byte: int) -> Array:
    """Where the byte stands, found in parts that stay in the processor's cache."""
    parts = [np.flatnonzero(array[at : at + NEAR] == byte) + at for at in range(0, len(array), NEAR)]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.intp)


def _records(data: bytes, shape: Shape, newlines: Array, separator: Array | None) -> Records:
    end = newlines + 1
    if len(data) and (not len(end) or end[-1] != len(data)):
        end = np.append(end, len(data))
    start = np.append(0, end[:-1])[: len(end)]
    if len(end) and int((end - start).min()) < 3:  # perhaps without anything but the line end
        array = np.frombuffer(data, np.uint8)
        short = end - start
        second = (array[start] == CR) & (array[end - 1] == shape.newline) & (short == 2)
        kept = ~(second | ((array[start] == shape.newline) & (short == 1)))
        start, end = start[kept], end[kept]
    return Records(data, shape, start, end, separator)


def _near_cell(
    array: Array, shape: Shape, start: Array, end: Array, column: int
) -> tuple[Array, Array] | None:
    """The cell where it lies in the first bytes of every record without quotes; None where one is longer.

    The places of the delimiters are bits of one word for each record, so that no other cell is looked at.
    """
    if len(array) < REACH:
        return None
    windows = np.ndarray((len(array) - REACH + 1,), f"V{REACH}", array, strides=(1,))
    starts, ends = np.empty_like(start), np.empty_like(end)
    for row in range(0, len(starts), NEAR // REACH):
        part = slice(row, row + NEAR // REACH)
        first, last = start[part], end[part]
        begin = np.minimum(first, len(windows) - 1)
        text = windows[begin].view(np.uint8)
        bits = np.packbits(text == shape.delimiter, bitorder="little").view("<u8")
        bits >>= (first - begin).astype(np.uint64)
        length = last - first
        bits &= ~np.uint64(0) >> (REACH - np.minimum(length, REACH)).astype(np.uint64)
        opens = np.zeros(len(bits), dtype=np.intp)
        for _ in range(column):
            opens = np.where(bits != 0, np.bitwise_count(bits ^ (bits - np.uint64(1))), length)
            bits &= bits - np.uint64(1)
        if ((bits == 0) & (length > REACH)).any():
            return None
        line_end = length - (array[last - 1] == shape.newline)
        closes = np.where(bits != 0, np.bitwise_count(bits ^ (bits - np.uint64(1))) - np.intp(1), line_end)
        starts[part], ends[part] = first + np.minimum(opens, closes), first + closes
    return starts, ends


def _far_cell(found: Records, array: Array, column: int, rows: Array) -> tuple[Array, Array]:
    """The same by way of every cell of the block."""
    found.every = every = found.every or _every(found, array)
    first, present = every.first[rows], every.cells[rows] > column
    place = np.where(present, first + column, first)
    start = every.ends[place] + 1
    return start, np.where(present, every.ends[place + 1], start)


def _every(found: Records, array: Array) -> Cells:
    separator = found.separator
    if separator is None:
        separator = (array == found.shape.newline) | (array == found.shape.delimiter)
    ends = np.flatnonzero(separator)
    if len(found.end) and not (len(ends) and ends[-1] == found.end[-1] - 1):
        ends = np.append(ends, found.end[-1])
    first = np.searchsorted(ends, found.start)
    last = np.searchsorted(ends, found.end - 1)
    return Cells(np.append(-1, ends), first, last - first + 1)


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
        quotes = data.count(b'"') if b'"' in data else 0
        if not quotes:
            place = data.rfind(newline) + 1
            return data[:place], place
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
        places = np.array(ends[:whole], dtype=np.intp)
        separator[places] = True
        newlines = places[np.frombuffer(data, np.uint8)[places] == self._shape.newline]
        return _records(data[:used], self._shape, newlines, separator), used
