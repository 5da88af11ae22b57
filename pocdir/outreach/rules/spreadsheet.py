"""The spreadsheet its user kept until today: contact, date, bounced, answered, and whatever else is in it."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pocdir.core.errors import Invalid
from pocdir.core.text import Phrase
from pocdir.ledger.rules import payload
from pocdir.outreach.rules.dates import Written, read_date
from pocdir.outreach.rules.letter import one_line
from pocdir.outreach.rules.posting import occurred

LARGEST = 10_000_000  # bytes
MOST_ROWS = 100_000
LONGEST_CONTACT = 320
LONGEST_TITLE = 300

# Header names by field, in small letters, the more telling first: of two filled cells it counts.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "contact": ("email", "e mail", "mail", "address", "recipient", "to", "contact"),
    "date": ("sent at", "date sent", "sent on", "notified at", "notified on", "notified", "date", "sent"),
    "bounced": ("bounced at", "bounced", "bounce"),
    "answered": (
        "answered at", "replied at", "acknowledged at", "answered", "replied", "acknowledged", "answer",
        "reply", "ack", "response",
    ),
    "title": ("subject", "title"),
    "note": ("note", "notes", "comment"),
    "country": ("country", "cc"),
    "team": ("team",),
}  # fmt: skip
_FIELD_OF = {header: field for field, headers in COLUMNS.items() for header in headers}
_YES = frozenset(("yes", "y", "true", "1", "x", "ok", "✓", "✔", "ja", "oui", "si", "sí", "да", "نعم", "是"))
_NO = frozenset(("no", "n", "false", "0", "never", "nein", "non", "нет", "لا", "否"))
_UNKNOWN = frozenset(("", "?", "-", "–", "n/a", "na", "unknown"))
_ADDRESS = re.compile(r"[^\s<>,;:\"()]+@[^\s<>,;:\"()]+")
_NO_TEXT = (
    (b"PK\x03\x04", "an Excel or LibreOffice workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a compressed file"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line as it was kept: True and False where only yes or no was written, None where nothing was."""

    line: int
    contact: str
    sent_at: dt.datetime
    precision: str  # of sent_at: exact, minute, day
    bounced: bool | dt.datetime | None = None
    answered: bool | dt.datetime | None = None
    title: str | None = None
    note: str | None = None
    country: str | None = None
    team: str | None = None
    bounced_precision: str = "day"
    answered_precision: str = "day"


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that cannot be logged as it stands, the header of the cell at fault, and what would be right."""

    line: int
    column: str | None
    reason: Phrase


@dataclass(frozen=True, slots=True)
class Spreadsheet:
    """Every line with anything in it, in its order, as a row or refused; and how the file was read."""

    rows: tuple[Row | Refused, ...]
    columns: Mapping[str, tuple[str, ...]]  # field -> the file's headers that were read for it
    unread: tuple[str, ...]  # headers that mean nothing here
    delimiter: str
    encoding: str
    blank: int  # records without anything in them


class CellError(Exception):
    """A cell that does not fit: its column and the reason."""

    def __init__(self, column: str | None, reason: Phrase) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


def read_spreadsheet(
    data: bytes, *, now: dt.datetime, day_first: bool | None = None, zone: dt.tzinfo = dt.UTC
) -> Spreadsheet:
    """Rows and refusals of a CSV file; times without a zone are in `zone`.

    03/04/2026 is refused unless `day_first` says how it is meant. Raises Invalid `spreadsheet_too_large`
    (10 MB, 100,000 rows) or `spreadsheet_invalid` (no text, or no column for the contact or the date).
    """
    text, encoding = _decoded(data)
    lines = list(io.StringIO(text, newline=""))
    delimiter, skipped = _delimiter(lines)
    records = _records(lines, delimiter, skipped)
    headers = next((cells for _, cells in records if isinstance(cells, list) and any(cells)), [])
    columns = _columns(headers)
    reader = _Reader(headers, columns, now, day_first, zone)
    rows: list[Row | Refused] = []
    blank = 0
    for line, cells in records:
        if isinstance(cells, Phrase):
            rows.append(Refused(line, None, cells))
        elif not any(cell.strip() for cell in cells):
            blank += 1
        else:
            rows.append(reader.row(line, cells))
        if len(rows) > MOST_ROWS:
            raise _too_large()
    read = {field: tuple(headers[index] for index in found) for field, found in columns.items() if found}
    unread = tuple(header for header in headers if header.strip() and _field(header) is None)
    return Spreadsheet(tuple(rows), read, unread, delimiter, encoding, blank)


def _decoded(data: bytes) -> tuple[str, str]:
    if len(data) > LARGEST:
        raise _too_large()
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, name in _NO_TEXT:
        if start.startswith(magic):
            raise _invalid(f"this is {name}; save it as CSV (UTF-8)")
    if start[:1] == b"<":
        raise _invalid("this is a web page or XML; save the table as CSV (UTF-8)")
    if b"\0" in data:
        raise _invalid("this is no text; save the table as CSV (UTF-8)")
    for encoding in ("utf-8-sig", "cp1252"):  # the second is what Excel writes in Europe
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise _invalid("this is text in an unknown encoding; save it as CSV (UTF-8)")


def _delimiter(lines: Sequence[str]) -> tuple[str, int]:
    """The delimiter under which the header is understood best, and how many lines stand before the header."""
    position = next((index for index, line in enumerate(lines) if line.strip()), None)
    if position is None:
        raise _invalid("the file is empty")
    header = lines[position]
    if declared := re.fullmatch(r"sep=(.)\s*", header, re.IGNORECASE):
        return declared[1], position + 1

    def understood(delimiter: str) -> tuple[int, int]:
        cells = header.split(delimiter)
        return sum(_field(cell.strip(' "\r\n')) is not None for cell in cells), len(cells)

    return max((",", ";", "\t", "|"), key=understood), position


def _records(lines: Sequence[str], delimiter: str, position: int) -> Iterator[tuple[int, list[str] | Phrase]]:
    """(line, cells) or (line, reason); after a wrong quotation mark the next line is read by itself."""

    def feed() -> Iterator[str]:
        nonlocal position
        while position < len(lines):
            position += 1
            yield lines[position - 1]

    reader = csv.reader(feed(), delimiter=delimiter, strict=True)
    while position < len(lines):
        start = position
        try:
            yield start + 1, next(reader)
        except csv.Error:
            position = start + 1
            reader = csv.reader(feed(), delimiter=delimiter, strict=True)
            yield start + 1, Phrase("the quotation marks of this line do not match, or a cell is too long")


def _columns(headers: Sequence[str]) -> dict[str, list[int]]:
    """Field -> its columns, the more telling first."""
    found: dict[str, list[int]] = {}
    for field, names in COLUMNS.items():
        of_field = [index for index, header in enumerate(headers) if _field(header) == field]
        found[field] = sorted(of_field, key=lambda index: names.index(_plain(headers[index])))
    for field in ("contact", "date"):
        if not found[field]:
            known = ", ".join(COLUMNS[field])
            seen = ", ".join(one_line(header)[:30] for header in headers[:12]) or "none"
            raise _invalid(f"no column for the {field}: name one of {known}; the headers are {seen}")
    return found


@dataclass(frozen=True, slots=True)
class _Reader:
    """How the lines of one file are read."""

    headers: Sequence[str]
    columns: Mapping[str, Sequence[int]]
    now: dt.datetime
    day_first: bool | None
    zone: dt.tzinfo

    def row(self, line: int, cells: Sequence[str]) -> Row | Refused:
        try:
            if any(extra.strip() for extra in cells[len(self.headers) :]):
                raise CellError(None, Phrase("this line has more cells than there are headers"))
            sent_at, precision = self._date(*self._cell("date", cells), None)
            bounced, bounced_precision = self._mark("bounced", cells, sent_at)
            answered, answered_precision = self._mark("answered", cells, sent_at)
            return Row(
                line=line,
                contact=_contact(*self._cell("contact", cells)),
                sent_at=sent_at,
                precision=precision,
                bounced=bounced,
                answered=answered,
                title=_short(*self._cell("title", cells), LONGEST_TITLE),
                note=_note(*self._cell("note", cells)),
                country=_short(*self._cell("country", cells), 60),
                team=_short(*self._cell("team", cells), 200),
                bounced_precision=bounced_precision,
                answered_precision=answered_precision,
            )
        except CellError as unfit:
            return Refused(line, unfit.column, unfit.reason)

    def _cell(self, field: str, cells: Sequence[str]) -> tuple[str | None, str]:
        """(header, what stands there): the first filled cell of the field."""
        places = self.columns[field]
        for index in places:
            if index < len(cells) and cells[index].strip():
                return self.headers[index], cells[index].strip()
        return (self.headers[places[0]] if places else None), ""

    def _date(self, column: str | None, text: str, sent_at: dt.datetime | None) -> Written:
        if not text:
            raise CellError(column, Phrase("the date is missing"))
        try:
            return _in_time(read_date(text, day_first=self.day_first, zone=self.zone), self.now, sent_at)
        except ValueError as unfit:
            raise CellError(column, unfit.args[0]) from None

    def _mark(
        self, field: str, cells: Sequence[str], sent_at: dt.datetime
    ) -> tuple[bool | dt.datetime | None, str]:
        """Yes, no, a moment, or nothing said."""
        column, text = self._cell(field, cells)
        word = text.casefold().strip(" .!")
        if word in _UNKNOWN:
            return None, "day"
        if word in _YES or word in _NO:
            return word in _YES, "day"
        return self._date(column, text, sent_at)


def _in_time(written: Written, now: dt.datetime, sent_at: dt.datetime | None) -> Written:
    """Not in the future, not before the sending; a day counts from its part that fits. Raises ValueError."""
    at, precision = written
    # Somewhere on earth the day has begun up to 14 hours before it begins in UTC.
    ahead = dt.timedelta(hours=14) if precision == "day" else dt.timedelta(minutes=5)
    if at > now + ahead:
        raise ValueError(Phrase("this lies in the future"))
    if precision == "day":
        at = min(at, now)
    if sent_at is None:
        return Written(at, precision)
    try:
        return Written(occurred(at, precision, sent_at=sent_at), precision)
    except Invalid:
        raise ValueError(Phrase("this lies before the date of sending")) from None


def _contact(column: str | None, text: str) -> str:
    """The address in a cell that has one (`CERT <a@b>`), else its words: a form, a number, a team's name."""
    if not text:
        raise CellError(column, Phrase("the contact is missing"))
    addresses = [] if "://" in text else _ADDRESS.findall(text)
    if len(addresses) > 1:
        raise CellError(column, Phrase("more than one address in a cell: write a line for each"))
    contact = addresses[0] if addresses else text
    if one_line(contact) != contact or len(contact) > LONGEST_CONTACT:
        raise CellError(column, Phrase("this is no contact"))
    return contact


def _short(column: str | None, text: str, longest: int) -> str | None:
    shown = one_line(text)
    if len(shown) > longest:
        raise CellError(column, Phrase("at most %(longest)s characters", longest=str(longest)))
    return shown or None


def _note(column: str | None, text: str) -> str | None:
    if not text:
        return None
    try:
        return payload.words(text, lines=True)
    except ValueError:
        longest = str(payload.LONGEST_TEXT)
        raise CellError(
            column, Phrase("at most %(longest)s characters, no control characters", longest=longest)
        ) from None


def _field(header: str) -> str | None:
    return _FIELD_OF.get(_plain(header))


def _plain(header: str) -> str:
    return " ".join(re.sub(r"[_-]", " ", header.casefold()).split())


def _invalid(message: str) -> Invalid:
    return Invalid("spreadsheet_invalid", message, where="file")


def _too_large() -> Invalid:
    limit = f"at most {LARGEST // 1_000_000} MB and {MOST_ROWS:,} rows are read at once; cut the file in two"
    return Invalid("spreadsheet_too_large", limit, where="file")
