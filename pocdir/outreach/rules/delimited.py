"""A delimited text file as it comes from anywhere: its text, its delimiter, and its records, each with its line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence

from pocdir.core.errors import Invalid
from pocdir.core.text import Phrase

LARGEST = 10_000_000  # bytes
MOST_ROWS = 100_000
MOST_COLUMNS = 1_000
MOST_LINES_IN_ALL = 1_000_000
DELIMITERS = (",", ";", "\t", "|")
# How far a quotation mark may reach, and how much may be read twice because marks did not match: else a file
# in which every line opens one would be read from each of its lines to the end.
MOST_LINES = 200
MOST_CHARACTERS = 65_536
MOST_READ_TWICE = LARGEST
_NO_TEXT = (
    (b"PK\x03\x04", "an Excel or LibreOffice workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a compressed file"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
)


def decoded(data: bytes) -> tuple[str, str]:
    """(text, encoding); raises Invalid `spreadsheet_too_large` or `spreadsheet_invalid`."""
    if len(data) > LARGEST:
        raise too_large()
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, name in _NO_TEXT:
        if start.startswith(magic):
            raise invalid(f"this is {name}; save it as CSV (UTF-8)")
    if start[:1] == b"<":
        raise invalid("this is a web page or XML; save the table as CSV (UTF-8)")
    if (zero := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, zero) + 1
        raise invalid(f"line {line} has a NUL: this is no text; save the table as CSV (UTF-8)")
    for encoding in ("utf-8-sig", "cp1252"):  # the second is what Excel writes in Europe
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise invalid("this is text in an unknown encoding; save it as CSV (UTF-8)")


def lines_of(text: str) -> list[str]:
    """The lines with their ends, whichever of the three kinds, also mixed; raises Invalid `spreadsheet_too_large`."""
    lines = list(io.StringIO(text, newline=""))
    if len(lines) > MOST_LINES_IN_ALL:
        raise too_large()
    return lines


def delimiter_of(lines: Sequence[str], is_known: Callable[[str], bool]) -> tuple[str, int]:
    """The delimiter under which most headers are known, and how many lines stand before the header.

    Excel's own first line `sep=;` decides. Raises Invalid `spreadsheet_invalid`.
    """
    position = next((index for index, line in enumerate(lines) if line.strip()), None)
    if position is None:
        raise invalid("the file is empty")
    header = lines[position]
    if declared := re.fullmatch(r'"?sep=([^\r\n]?)"?[,;\s]*', header, re.IGNORECASE):
        if declared[1] not in DELIMITERS:
            raise invalid(f"line {position + 1} names a delimiter that is none: write sep=, or sep=;")
        return declared[1], position + 1

    def understood(delimiter: str) -> tuple[int, int]:
        cells = header.split(delimiter, MOST_COLUMNS)
        return sum(is_known(cell.strip(' "\r\n')) for cell in cells), len(cells)

    return max(DELIMITERS, key=understood), position


def records_of(
    lines: Sequence[str], delimiter: str, position: int = 0
) -> Iterator[tuple[int, list[str] | Phrase]]:
    """(line, cells) or (line, reason) from `position` on; after a wrong quotation mark the next line is read by
    itself, so that no line is swallowed."""
    source = _Reach(lines, position)
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    while source.position < len(lines):
        start = source.begin()
        if lines[start].isspace():
            source.position += 1
            yield start + 1, []
            continue
        try:
            cells = next(reader)
        except (csv.Error, StopIteration):
            source.give_back()
            reader = csv.reader(source, delimiter=delimiter, strict=True)
            yield start + 1, Phrase("the quotation marks of this line do not match, or a cell is too long")
        else:
            yield start + 1, cells


class _Reach:
    """The lines of one record, no further than a quotation mark may reach; the first is always given."""

    def __init__(self, lines: Sequence[str], position: int) -> None:
        self.lines, self.start, self.position = lines, position, position
        self.further = self.read_twice = 0

    def begin(self) -> int:
        self.start, self.further = self.position, 0
        return self.start

    def give_back(self) -> None:
        """All but the first line: each is read again as the beginning of a record."""
        self.position = self.start + 1
        self.read_twice += self.further

    def __iter__(self) -> _Reach:
        return self

    def __next__(self) -> str:
        if self.position >= len(self.lines) or self.position - self.start >= MOST_LINES:
            raise StopIteration
        line = self.lines[self.position]
        if self.position > self.start:
            if self.further + len(line) > MOST_CHARACTERS or self.read_twice > MOST_READ_TWICE:
                raise StopIteration
            self.further += len(line)
        self.position += 1
        return line


def invalid(message: str) -> Invalid:
    """A file that cannot be read at all."""
    return Invalid("spreadsheet_invalid", message, where="file")


def too_large() -> Invalid:
    """A file beyond the limits."""
    limit = f"at most {LARGEST // 1_000_000} MB and {MOST_ROWS:,} rows are read at once; cut the file in two"
    return Invalid("spreadsheet_too_large", limit, where="file")
