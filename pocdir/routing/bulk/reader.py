"""A stream of delimited text as blocks of whole records."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, BinaryIO, NoReturn

import numpy as np

from pocdir.core.errors import Invalid
from pocdir.routing.bulk.records import CR, LF, NEAR, QUOTE, Records, Shape, line_ends, records, with_quotes
from pocdir.routing.rules.registry_layers import Array
from pocdir.routing.rules.reports.layout import LONGEST_LINE

BLOCK = 4 << 20  # bytes read at once
_END = re.compile(rb"\r\n|\n|\r")

Place = Callable[[int], str]  # how a refusal names a line


class Reader:
    """Blocks of whole records, one after the other.

    Blocks are cut by counting quotes; whoever finds that one has to be read cell by cell gives it and those
    after it back, and everything from there on is. Without a `place` nothing is refused but an endless row.
    """

    def __init__(
        self,
        stream: BinaryIO,
        shape: Shape,
        place: Place | None,
        size: int = BLOCK,
        *,
        quotes: Callable[[Array], int] | None = None,
    ) -> None:
        """`quotes` counts those in some bytes, perhaps faster."""
        self._stream: Any = stream
        self._quotes = quotes or quotes_in
        self._shape, self._place, self._size = shape, place, size
        self._rest, self._ended, self._exact, self._line = b"", False, False, 1
        plain = b"[^\r\n" + re.escape(bytes([shape.delimiter])) + b"]*"
        self._cell = re.compile(b'"([^"]*+(?:""[^"]*+)*+)(?:"(' + plain + b")|\\Z)|" + plain)
        self.read = 0  # bytes

    def block(self, room: Array) -> int | bytes | Records | None:
        """The next block, None at the end; raises Invalid `report_...` where it reads cell by cell.

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

    def give_back(self, blocks: list[bytes], line: int) -> None:
        """Read these again, cell by cell; `line` is the number of their first one."""
        self._rest = b"".join(blocks) + self._rest
        self._exact, self._line = True, line

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
        """How much of it lies before the last line end outside quotes; where none is to be had, what is no block."""
        if self._ended:
            return len(data)
        end, stop, quotes = len(data), len(data), self._quotes(data)
        for _ in range(1000):  # lines of one cell; where there are more the quotes are not regular
            begin, place = self._last_end(data, end)
            if not place:
                break
            quotes -= self._quotes(data[place:stop]) if quotes else 0
            if quotes % 2 == 0:
                return place
            end, stop = begin, place
        return stop if place or len(data) > LONGEST_LINE else 0

    def _last_end(self, data: Array, before: int) -> tuple[int, int]:
        """Where the last line end before that place begins and ends; (0, 0) where there is none.

        A CR that is the last byte read is none yet: an LF may follow.
        """
        for byte in (LF, CR) if self._shape.newline == LF else (CR, LF):
            place = _last(data[:before], byte)
            if byte == CR and place == len(data) - 1:
                place = _last(data[: max(place, 0)], CR)
            if place >= 0:
                return place, place + 1 + int(byte == CR and data[place + 1] == LF)
        return 0, 0

    def _exactly(self, data: bytes) -> tuple[Records, int]:
        """As Python's csv module divides them: a quote means something at the beginning of a cell only."""
        if self._place and (place := data.find(0)) >= 0:
            self._refuse(
                "report_binary", "a NUL byte is in it; a report is text: save it anew as CSV", data, place
            )
        ends: list[int] = []
        used = whole = place = 0
        while used <= self._size:
            cell = self._cell.match(data, place)
            end = cell.end()  # type: ignore[union-attr] # it matches anything
            self._check(data, cell, used)
            if end == len(data) or (data[end] == CR and end + 1 == len(data) and not self._ended):
                if self._ended:
                    used, whole = end, len(ends)
                break
            end += data[end : end + 2] == b"\r\n"
            ends.append(end)
            place = end + 1
            if data[end] != self._shape.delimiter:
                used, whole = place, len(ends)
        separator = np.zeros(used, dtype=bool)
        separator[np.array(ends[:whole], dtype=np.intp)] = True
        found = with_quotes(
            data[:used],
            self._shape._replace(newline=LF),
            line_ends(np.frombuffer(data[:used], np.uint8)),
            separator,
        )
        found.exact = True
        self._line += found.lines
        return found, used

    def _check(self, data: bytes, cell: Any, row: int) -> None:
        """Refuse what nobody can say the rows of: a quote that is open to the end, or closes where none should."""
        opened = data[cell.start() : cell.start() + 1] == b'"'
        if cell.end() - row > LONGEST_LINE:
            what = f"a row is longer than {LONGEST_LINE} bytes: a quote is not closed, or this is no table"
            self._refuse("report_line_too_long", what, data, cell.start() if opened else row)
        if not self._place or not opened:
            return
        if cell[2] is None and self._ended:
            self._refuse("report_malformed", "a quote is opened and never closed", data, cell.start())
        if cell[2] and _END.search(cell[1]):
            what = (
                "a quote is opened here, and text follows where it is closed on a later line: one is missing"
            )
            self._refuse("report_malformed", what, data, cell.start())

    def _refuse(self, code: str, what: str, data: bytes, place: int) -> NoReturn:
        line = self._line + len(_END.findall(data, 0, place))
        raise Invalid(code, what, where=self._place(line) if self._place else None)


def all_records(stream: BinaryIO, shape: Shape) -> Iterator[Records]:
    """The records of a stream from its first byte, block by block; raises Invalid `report_line_too_long`."""
    reader, no_room = Reader(stream, shape, None), np.empty(0, np.uint8)
    while (block := reader.block(no_room)) is not None:
        if isinstance(block, Records):
            yield block
        elif isinstance(block, bytes) and (found := records(block, shape)):
            yield found
        elif isinstance(block, bytes):
            reader.give_back([block], 1)


def exactly(data: bytes, shape: Shape, place: Place, line: int) -> Records:
    """Some whole records, read cell by cell; raises as Reader.block() does. `line` is the number of their first."""
    reader = Reader(BytesIO(), shape, place, len(data) + 1)
    reader.give_back([data], line)
    found = reader.block(np.empty(0, np.uint8))
    return found if isinstance(found, Records) else with_quotes(b"", shape, *np.empty((2, 0), dtype=bool))


def quotes_in(data: Array) -> int:
    """How many, counted in parts that stay in the processor's cache."""
    parts = (data[at : at + NEAR] for at in range(0, len(data), NEAR))
    return sum(int(np.count_nonzero(part == QUOTE)) for part in parts if b'"' in part.tobytes())


def _last(data: Array, byte: int) -> int:
    """The last place of the byte, else -1."""
    for size in (1 << 12, len(data)):
        begin = max(len(data) - size, 0)
        place = data[begin:].tobytes().rfind(byte)
        if place >= 0:
            return begin + place
    return -1
