"""The records of a block of delimited text, and where their cells lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pocdir.routing.rules.registry_layers import Array
from pocdir.routing.rules.reports.layout import LONGEST_LINE

REACHES = (32, 64)  # bytes of a record before the cell asked for, and of that cell, in most files
ROWS = 1 << 12  # at once, so that all arrays stay in the processor's cache
NEAR = 1 << 17  # bytes looked at in one go, so that they stay in the processor's cache
QUOTE, LF, CR = 34, 10, 13


Places = Callable[[Array, int], Array]  # where a byte stands in an array


class Shape(NamedTuple):
    """What divides the cells (one byte) and ends the records (one byte, the last of the line end).

    In a file every kind of line end counts; `newline` is then the usual one.
    """

    delimiter: int
    newline: int


class Cells(NamedTuple):
    """Cell i of a block lies between ends[i] + 1 and ends[i + 1]; a record has `cells` cells from `first` on."""

    ends: Array
    first: Array
    cells: Array


class Addresses(NamedTuple):
    """The addresses that fill the cells of a column: where each cell begins, which rows have IPv4, and the number of
    each row; which rows have IPv6, and the halves of these."""

    opens: Array
    four: Array
    numbers: Array
    six: Array
    halves: Array


@dataclass(slots=True, eq=False)
class Records:
    """Whole records: where each begins, and where it ends with its line end. Empty lines are none.

    `separator` marks the bytes that end cells where quotes matter, or line ends of several kinds; None: every
    delimiter and every newline of the shape does. `lines` are those that editors count; `within` says where the
    line ends within quotes stand. `exact`: the quotes are not as RFC 4180 has them. `returns`: a CR may stand in it
    that is part of a line end.
    """

    data: bytes
    shape: Shape
    start: Array
    end: Array
    separator: Array | None
    lines: int = 0
    within: Array | None = None
    exact: bool = False
    returns: bool = True
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
        if self.returns:
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
        if self.returns:
            end = end - ((array[np.maximum(end - 1, 0)] == CR) & (end > start))
        if self.separator is not None:
            quoted = (end - start > 1) & (array[np.minimum(start, len(array) - 1)] == QUOTE)
            quoted &= array[np.maximum(end - 1, 0)] == QUOTE
            start, end = start + quoted, end - quoted
        return start, end


def records(data: bytes, shape: Shape, places: Places | None = None) -> Records | None:
    """The records of a block that ends with one; None where it has to be read cell by cell.

    That is where quotes are not as RFC 4180 has them, and where a row is too long. `places` finds a byte faster.
    """
    array = np.frombuffer(data, np.uint8)
    returns = b"\r" in data
    newline = _newline(data, array) if returns else LF
    shape = shape._replace(newline=newline or LF)
    if newline and b'"' not in data:
        found = _records(data, shape, (places or _places)(array, newline), None)
        found.returns = returns and newline == LF
        return _short(found)
    lines = line_ends(array)
    separator = lines | (array == shape.delimiter)
    if b'"' in data:
        quote = array == QUOTE
        if not _regular(array, quote, separator):
            return None
        separator &= ~np.bitwise_xor.accumulate(quote)
    return _short(with_quotes(data, shape, lines, separator))


def _newline(data: bytes, array: Array) -> int | None:
    """The byte that ends every line where a CR is in the data; None where they end in several ways."""
    if b"\n" not in data:
        return CR
    before = array[np.maximum(_places(array, LF) - 1, 0)]
    returns = sum(int(np.count_nonzero(array[at : at + NEAR] == CR)) for at in range(0, len(array), NEAR))
    return LF if np.count_nonzero(before == CR) == returns else None


def line_ends(array: Array) -> Array:
    """The last byte of each line end: LF, and CR that none follows."""
    found: Array = array == CR
    if found.any():
        found[:-1] &= array[1:] != LF
    found |= array == LF
    return found


def _short(found: Records) -> Records | None:
    """None where a row is longer than one may be."""
    longest = int((found.end - found.start).max()) if len(found.end) else 0
    return found if longest <= LONGEST_LINE + 2 else None


def _places(array: Array, byte: int) -> Array:
    """Where the byte stands, found in parts that stay in the processor's cache."""
    parts = [np.flatnonzero(array[at : at + NEAR] == byte) + at for at in range(0, len(array), NEAR)]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.intp)


def with_quotes(data: bytes, shape: Shape, lines: Array, separator: Array) -> Records:
    """The records where `lines` marks all line ends, and `separator` what ends cells."""
    found = _records(data, shape, np.flatnonzero(lines & separator), separator)
    count = int(np.count_nonzero(lines))
    if count > found.lines:
        found.lines, found.within = count, np.flatnonzero(lines & ~separator)
    return found


def _records(data: bytes, shape: Shape, newlines: Array, separator: Array | None) -> Records:
    end = newlines + 1
    if len(data) and (not len(end) or end[-1] != len(data)):
        end = np.append(end, len(data))
    start = np.append(0, end[:-1])[: len(end)]
    if len(end) and int((end - start).min()) < 3:  # perhaps without anything but the line end
        array = np.frombuffer(data, np.uint8)
        short = end - start
        second = (array[start] == CR) & (array[end - 1] == LF) & (short == 2)
        kept = ~(second | (((array[start] == LF) | (array[start] == CR)) & (short == 1)))
        start, end = start[kept], end[kept]
    return Records(data, shape, start, end, separator, len(newlines))


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


def _regular(array: Array, quote: Array, separator: Array) -> bool:
    """Whether every quote opens or closes a cell or is doubled within one."""
    places = np.flatnonzero(quote)
    if len(places) % 2:
        return False
    opening, closing = places[::2], places[1::2]
    before = opening - 1
    begins = (before < 0) | separator[before] | quote[before]
    after = np.minimum(closing + 1, len(array) - 1)
    ends = (closing == len(array) - 1) | separator[after] | quote[after]
    returns = (array[after] == CR) & (array[np.minimum(after + 1, len(array) - 1)] == LF)
    return bool(begins.all() and (ends | returns).all())
