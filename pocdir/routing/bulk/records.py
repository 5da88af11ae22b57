"""A stream of delimited text as blocks of whole records, and where the cells of a block lie."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from pocdir.core.errors import Invalid
from pocdir.routing.rules.registry_layers import Array
from pocdir.routing.rules.reports.layout import LONGEST_LINE

BLOCK = 4 << 20  # bytes read at once
REACHES = (32, 64)  # bytes of a record before the cell asked for, and of that cell, in most files
ROWS = 1 << 12  # at once, so that all arrays stay in the processor's cache
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

    def opens(self, column: int, rows: Array) -> Array | None:
        """Where the cell of that column begins in these records; where there is none, the line end or before.

        None when that takes looking at every cell: where quotes matter, or the cells before it are long.
        """
        if self.separator is not None:
            return None
        start, end = self.start[rows], self.end[rows]
        if not column:
            return start
        array = np.frombuffer(self.data, np.uint8)
        found = (_near_start(array, self.shape, start, end, column, reach) for reach in REACHES)
        return next((opens for opens in found if opens is not None), None)

    def closes(self, places: Array) -> Array:
        """Whether a cell ends there, in records without quotes."""
        array = np.frombuffer(self.data, np.uint8)
        byte = array.take(places, mode="clip")
        found: Array = (byte == self.shape.delimiter) | (byte == self.shape.newline)
        if b"\r" in self.data:
            found |= (byte == CR) & (array.take(places + 1, mode="clip") == self.shape.newline)
        return found

    def cell(self, column: int, rows: Array, opens: Array | None = None) -> tuple[Array, Array]:
        """Where the cell of that column begins and ends in these records, quotes and line end left out.

        Empty where there is none. `opens`: what opens() says of them.
        """
        array = np.frombuffer(self.data, np.uint8)
        near = None if opens is None else _near_end(array, self.shape, opens, self.end[rows])
        start, end = (
            (opens, near) if opens is not None and near is not None else _far_cell(self, array, column, rows)
        )
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


def all_records(stream: BinaryIO, shape: Shape) -> Iterator[Records]:
    """The records of a stream from its first byte, block by block; raises Invalid `report_line_too_long`."""
    reader, no_room = Reader(stream, shape), np.empty(0, np.uint8)
    while (block := reader.block(no_room)) is not None:
        assert not isinstance(block, int)  # noqa: S101 - there is no room
        found = block if isinstance(block, Records) else records(block, shape)
        if found is not None:
            yield found
        elif isinstance(block, bytes):
            reader.give_back([block])


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


def _near_start(
    array: Array, shape: Shape, start: Array, end: Array, column: int, reach: int
) -> Array | None:
    """The byte after the delimiter before that column, or the line end; None where it lies further than `reach`."""
    if len(array) < reach:
        return None
    windows = np.ndarray((len(array) - reach + 1,), f"V{reach}", array, strides=(1,))
    opens = np.empty_like(start)
    for row in range(0, len(start), ROWS):
        first, last = start[row : row + ROWS], end[row : row + ROWS]
        bits = _delimiters(windows, first, shape, reach)
        for _ in range(column - 1):
            bits &= bits - bits.dtype.type(1)
        place = first + _lowest(bits) + 1
        missed = (bits == 0) | (place > last)
        if missed.any():
            if (missed & (last - first > reach)).any():
                return None
            place = np.where(missed, last - (array[last - 1] == shape.newline), place)
        opens[row : row + ROWS] = place
    return opens


def _near_end(array: Array, shape: Shape, start: Array, end: Array) -> Array | None:
    """Where the cells end that begin there; None where one is longer than the furthest reach."""
    reach = REACHES[-1]
    if len(array) < reach:
        return None
    windows = np.ndarray((len(array) - reach + 1,), f"V{reach}", array, strides=(1,))
    closes = np.empty_like(start)
    for row in range(0, len(start), ROWS):
        first, last = start[row : row + ROWS], end[row : row + ROWS]
        bits = _delimiters(windows, first, shape, reach)
        last = last - (array[last - 1] == shape.newline)
        if ((bits == 0) & (last - first > reach)).any():
            return None
        closes[row : row + ROWS] = np.where(bits == 0, last, np.minimum(first + _lowest(bits), last))
    return closes


def _delimiters(windows: Array, first: Array, shape: Shape, reach: int) -> Array:
    """The places of the delimiters as bits of one word for each window, so that no other cell is looked at."""
    begin = np.minimum(first, len(windows) - 1)
    text = windows[begin].view(np.uint8)
    bits = np.packbits(text == shape.delimiter, bitorder="little").view(f"<u{reach // 8}")
    if first[-1] != begin[-1]:  # a window that would reach over the end begins before
        bits >>= (first - begin).astype(bits.dtype)
    return bits


def _lowest(bits: Array) -> Array:
    """The number of the lowest bit that is set."""
    return np.bitwise_count(bits ^ (bits - bits.dtype.type(1))) - np.int8(1)


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
        self._stream: Any = stream
        self._shape, self._size = shape, size
        self._rest, self._ended, self._exact = b"", False, False
        delimiter, newline = (re.escape(bytes([byte])) for byte in shape)
        plain = b"[^" + delimiter + newline + b"]*"
        self._cell = re.compile(b'"[^"]*+(?:""[^"]*+)*+(?:"' + plain + b"|\\Z)|" + plain)
        self.read = 0  # bytes

    def block(self, room: Array) -> int | bytes | Records | None:
        """The next block, None at the end; raises Invalid `report_line_too_long`.

        It lies in the first bytes of `room`, and their number is told; where it may not fit it comes as bytes.
        """
        while True:
            inside = not self._exact and len(self._rest) + self._size <= len(room)
            data = self._read_into(room) if inside else self._read_on()
            if not len(data):
                return None
            found, used = self._exactly(bytes(data)) if self._exact else (None, self._cut(data))
            self._rest = bytes(data[used:])
            if used:
                return found or (used if inside else bytes(data[:used]))
            if len(data) > LONGEST_LINE:
                what = (
                    f"a row is longer than {LONGEST_LINE} bytes: a quote is not closed, or this is no table"
                )
                raise Invalid("report_line_too_long", what)

    def give_back(self, blocks: list[bytes]) -> None:
        """Read these again, cell by cell."""
        self._rest = b"".join(blocks) + self._rest
        self._exact = True

    def _read_into(self, room: Array) -> Array:
        """What is left and the next bytes, without a copy on the way: most of the work would be copying."""
        left = len(self._rest)
        room[:left] = np.frombuffer(self._rest, np.uint8)
        read = 0 if self._ended else self._stream.readinto(room[left : left + self._size].data)
        self.read += read
        self._ended = self._ended or not read
        return room[: left + read]

    def _read_on(self) -> Array:
        chunk = b"" if self._ended else self._stream.read(self._size)
        self.read += len(chunk)
        self._ended = self._ended or not chunk
        return np.frombuffer(self._rest + chunk, np.uint8)

    def _cut(self, data: Array) -> int:
        """How much of it lies before the last line end outside quotes; all of it where the stream has ended."""
        if self._ended:
            return len(data)
        end, quotes = len(data), _quotes(data)
        for _ in range(1000):  # lines of one cell; where there are more the quotes are not regular
            place = _last(data[:end], self._shape.newline)
            if place < 0:
                return 0
            quotes -= _quotes(data[place:end]) if quotes else 0
            if quotes % 2 == 0:
                return place + 1
            end = place
        return place + 1

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


def _quotes(data: Array) -> int:
    """How many, counted in parts that stay in the processor's cache."""
    return sum(int(np.count_nonzero(data[at : at + NEAR] == QUOTE)) for at in range(0, len(data), NEAR))


def _last(data: Array, byte: int) -> int:
    """The last place of the byte, else -1."""
    for size in (1 << 12, len(data)):
        begin = max(len(data) - size, 0)
        place = data[begin:].tobytes().rfind(byte)
        if place >= 0:
            return begin + place
    return -1
