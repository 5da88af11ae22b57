"""The spreadsheet its user kept until today: contact, date, bounced, answered, and whatever else is in it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pocdir.core.errors import Invalid
from pocdir.core.text import Phrase
from pocdir.ledger.rules import payload
from pocdir.outreach.rules.dates import Written, order_shown, read_date
from pocdir.outreach.rules.delimited import (
    MOST_COLUMNS,
    MOST_ROWS,
    decoded,
    delimiter_of,
    invalid,
    lines_of,
    records_of,
    too_large,
)
from pocdir.outreach.rules.letter import one_line
from pocdir.outreach.rules.posting import occurred

LONGEST_CONTACT = 320
LONGEST_TITLE = 300

# Header names by field, in small letters, the more telling first: of two filled cells it counts.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "contact": (
        "email", "e mail", "mail", "email address", "e mail address", "address", "recipient", "to", "contact",
        "e mail adresse", "adresse", "empfänger", "kontakt", "courriel", "destinataire", "correo",
    ),
    "date": (
        "sent at", "date sent", "sent on", "notified at", "notified on", "notified", "date", "sent",
        "gesendet am", "datum", "gesendet", "envoyé le", "fecha",
    ),
    "bounced": ("bounced at", "bounced", "bounce", "unzustellbar", "zurückgekommen"),
    "answered": (
        "answered at", "answered on", "replied at", "acknowledged at", "answered", "replied", "acknowledged",
        "answer", "reply", "ack", "response", "beantwortet am", "beantwortet", "antwort", "réponse", "respuesta",
    ),
    "title": ("subject", "title", "betreff", "objet", "asunto"),
    "note": (
        "note", "notes", "comment", "comments", "remark", "remarks", "bemerkung", "bemerkungen", "anmerkung",
        "anmerkungen", "notiz", "kommentar", "remarques", "commentaire", "observaciones",
    ),
    "country": ("country", "cc", "land", "pays", "país"),
    "team": ("team",),
}  # fmt: skip
_FIELD_OF = {header: field for field, headers in COLUMNS.items() for header in headers}
_YES = frozenset(("yes", "y", "true", "1", "x", "ok", "✓", "✔", "ja", "oui", "si", "sí", "да", "نعم", "是"))
_NO = frozenset(("no", "n", "false", "0", "never", "nein", "non", "нет", "لا", "否"))
_UNKNOWN = frozenset(("", "?", "-", "–", "n/a", "na", "unknown"))
_BETWEEN = re.compile(r"[\s<>,;:\"()]+")
_ADDRESS = re.compile(r"[^\s<>,;:\"()@\[\]\\]+@[^\s<>,;:\"()@\[\]\\.]+(?:\.[^\s<>,;:\"()@\[\]\\.]+)+")
_NUMBER = re.compile(r"(?:tel:)?\+?[\d\s()/.-]+", re.ASCII)


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
    written_at: dt.datetime | None = None  # the day that stands there, where it is not over yet everywhere


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that cannot be logged as it stands, the header of the cell at fault, and what would be right."""

    line: int
    column: str | None
    reason: Phrase
    contact: str = ""  # as far as one is there, so that the line is found again


@dataclass(frozen=True, slots=True)
class Spreadsheet:
    """Every line with anything in it, in its order, as a row or refused; and how the file was read."""

    rows: tuple[Row | Refused, ...]
    columns: Mapping[str, tuple[str, ...]]  # field -> the file's headers that were read for it
    unread: tuple[str, ...]  # headers that mean nothing here
    delimiter: str
    encoding: str
    blank: int  # records without anything in them
    day_first: bool | None = None  # how 03/04/2026 was read: as asked, or as other dates of the file show it


class CellError(Exception):
    """A cell that does not fit: its column and the reason."""

    def __init__(self, column: str | None, reason: Phrase) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


def read_spreadsheet(
    data: bytes, *, now: dt.datetime, day_first: bool | None = None, zone: dt.tzinfo = dt.UTC
) -> Spreadsheet:
    """Rows and refusals of a CSV file; times without a zone are in `zone`.

    03/04/2026 is refused unless `day_first`, or other dates of the file, say how it is meant. Raises Invalid
    `spreadsheet_too_large` (10 MB, 100,000 rows, 1,000 columns) or `spreadsheet_invalid` (no text, or no column
    for the contact or the date).
    """
    text, encoding = decoded(data)
    lines = lines_of(text)
    delimiter, skipped = delimiter_of(lines, lambda header: _field(header) is not None)
    records = records_of(lines, delimiter, skipped)
    headers = _headers(next((cells for _, cells in records if isinstance(cells, list) and any(cells)), []))
    columns = _columns(headers)
    found = []
    blank = 0
    for line, cells in records:
        if isinstance(cells, Phrase) or any(cell.strip() for cell in cells):
            found.append((line, cells))
        else:
            blank += 1
        if len(found) > MOST_ROWS:
            raise too_large()
    if day_first is None:
        day_first = _order_shown(found, columns)
    reader = _Reader(headers, columns, now, day_first, zone)
    rows = tuple(
        Refused(line, None, cells) if isinstance(cells, Phrase) else reader.row(line, cells)
        for line, cells in found
    )
    read = {field: tuple(headers[index] for index in places) for field, places in columns.items() if places}
    unread = tuple(header for header in headers if header.strip() and _field(header) is None)
    return Spreadsheet(rows, read, unread, delimiter, encoding, blank, day_first)


def channel_kind(contact: str) -> str:
    """`email` for a plain address, `phone` for a number, else `other`: a form, a name, a handle."""
    if _ADDRESS.fullmatch(contact):
        return "email"
    digits = sum(sign.isdigit() for sign in contact)
    if 6 <= digits <= 17 and _NUMBER.fullmatch(contact) and not _is_ip(contact):
        return "phone"
    return "other"


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _headers(cells: Sequence[str]) -> list[str]:
    """Without the empty ones behind the last: a spreadsheet may export all columns that it could have."""
    headers = list(cells)
    while headers and not headers[-1].strip():
        headers.pop()
    if len(headers) > MOST_COLUMNS:
        raise Invalid("spreadsheet_too_large", f"at most {MOST_COLUMNS:,} columns are read", where="file")
    return headers


def _order_shown(
    records: Sequence[tuple[int, list[str] | Phrase]], columns: Mapping[str, Sequence[int]]
) -> bool | None:
    """Whether the file's dates have the day first: those that can only be read in one way agree on it."""
    places = [index for field in ("date", "bounced", "answered") for index in columns[field]]
    shown = {
        order_shown(cells[index])
        for _, cells in records
        if not isinstance(cells, Phrase)
        for index in places
        if index < len(cells)
    } - {None}
    return shown.pop() if len(shown) == 1 else None


def _columns(headers: Sequence[str]) -> dict[str, list[int]]:
    """Field -> its columns, the more telling first."""
    found: dict[str, list[int]] = {}
    fields = [_field(header) for header in headers]
    for field, names in COLUMNS.items():
        of_field = [index for index, each in enumerate(fields) if each == field]
        found[field] = sorted(of_field, key=lambda index: names.index(_plain(headers[index])))
    for field in ("contact", "date"):
        if not found[field]:
            known = ", ".join(COLUMNS[field])
            seen = ", ".join(one_line(header)[:30] for header in headers[:12]) or "none"
            raise invalid(f"no column for the {field}: name one of {known}; the headers are {seen}")
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
            written_at, precision = self._written(*self._cell("date", cells))
            sent_at = min(written_at, self.now) if precision == "day" else written_at
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
                written_at=written_at if written_at != sent_at else None,
            )
        except CellError as unfit:
            contact = one_line(self._cell("contact", cells)[1][:100])
            return Refused(line, unfit.column, unfit.reason, contact)

    def _cell(self, field: str, cells: Sequence[str]) -> tuple[str | None, str]:
        """(header, what stands there): the first filled cell of the field."""
        places = self.columns[field]
        for index in places:
            if index < len(cells) and cells[index].strip():
                return self.headers[index], cells[index].strip()
        return (self.headers[places[0]] if places else None), ""

    def _written(self, column: str | None, text: str) -> Written:
        """What stands there, and that it does not lie in the future."""
        if not text:
            raise CellError(column, Phrase("the date is missing"))
        try:
            at, precision = read_date(text, day_first=self.day_first, zone=self.zone)
        except ValueError as unfit:
            raise CellError(column, unfit.args[0]) from None
        # Somewhere on earth the day has begun up to 14 hours before it begins in UTC.
        ahead = dt.timedelta(hours=14) if precision == "day" else dt.timedelta(minutes=5)
        if at > self.now + ahead:
            raise CellError(column, Phrase("this lies in the future"))
        return Written(at, precision)

    def _mark(
        self, field: str, cells: Sequence[str], sent_at: dt.datetime
    ) -> tuple[bool | dt.datetime | None, str]:
        """Yes, no, a moment, or nothing said; not before the sending: a day counts from its part that fits."""
        column, text = self._cell(field, cells)
        word = text.casefold().strip(" .!")
        if word in _UNKNOWN:
            return None, "day"
        if word in _YES or word in _NO:
            return word in _YES, "day"
        first, _, rest = text.partition(" ")
        if first.casefold().strip(".,:;") in _YES and rest.strip():
            text = rest.strip()  # yes, 2026-11-22
        elif not any(sign.isdigit() for sign in text):
            raise CellError(
                column, Phrase("%(text)s: write yes, no or a date such as 2026-11-22", text=text[:40])
            )
        at, precision = self._written(column, text)
        try:
            return occurred(
                min(at, self.now) if precision == "day" else at, precision, sent_at=sent_at
            ), precision
        except Invalid:
            raise CellError(column, Phrase("this lies before the date of sending")) from None


def _contact(column: str | None, text: str) -> str:
    """The address in a cell that has one (`CERT <a@b>`), else its words: a form, a number, a team's name."""
    if not text:
        raise CellError(column, Phrase("the contact is missing"))
    addresses = [] if "://" in text else [word for word in _BETWEEN.split(text) if "@" in word[1:-1]]
    if len(addresses) > 1:
        raise CellError(column, Phrase("more than one address in a cell: write a line for each"))
    contact = addresses[0] if addresses else text
    if len(contact) > LONGEST_CONTACT or one_line(contact) != contact:
        raise CellError(column, Phrase("this is no contact"))
    return contact


def _short(column: str | None, text: str, longest: int) -> str | None:
    if any(unicodedata.category(sign) == "Cc" and not sign.isspace() for sign in text):
        raise CellError(column, Phrase("control characters are not allowed"))
    shown = one_line(text)
    if len(shown) > longest:
        raise CellError(column, Phrase("at most %(longest)s characters", longest=str(longest)))
    return shown or None


def _note(column: str | None, text: str) -> str | None:
    if not text:
        return None
    try:
        return payload.words(text.replace("\r\n", "\n").replace("\r", "\n"), lines=True)
    except ValueError:
        longest = str(payload.LONGEST_TEXT)
        raise CellError(
            column, Phrase("at most %(longest)s characters, no control characters", longest=longest)
        ) from None


def _field(header: str) -> str | None:
    return _FIELD_OF.get(_plain(header))


def _plain(header: str) -> str:
    """A header as it is compared: `Answered? (UTC)` is `answered`."""
    bare = re.sub(r"\([^()]*\)|[_?:*#-]", " ", header[:100].casefold())
    return " ".join(bare.split())
