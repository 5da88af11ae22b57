"""One record of a report becomes rows of the table: which address stands where, and the record beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pocdir.routing.rules.reports.columns import kind_of
from pocdir.routing.rules.reports.layout import Row

_COMPACT = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
LONGEST_CELL = 4096  # characters; an address has fewer
LONGEST_RECORD = 400_000  # characters: quoted, it is still shorter than the longest line


@dataclass(frozen=True, slots=True)
class Record:
    """What a record says beside its addresses; `whole` is the record itself, as text."""

    id: str
    timestamp: str = ""
    classification: str = ""
    labels: str = ""
    country: str = ""
    asn: str = ""
    whole: str = ""


def rows_of(record: Record, addresses: Iterable[dict[str, str]]) -> tuple[Row, ...]:
    """A row for each place (see `placed`), or one without an address.

    The whole record stands only in a row that is alone: rows of one record may go to several contacts, and none
    of them is to read what concerns the others. One longer than LONGEST_RECORD (pictures as evidence) is left
    out too. The id leads back.
    """
    places = list(addresses) or [{}]
    if len(places) > 1 or len(record.whole) > LONGEST_RECORD:
        record = replace(record, whole="")
    return tuple(
        (
            place.get("ip", ""),
            place.get("domain", ""),
            place.get("url", ""),
            place.get("asn", record.asn),
            record.country,
            record.timestamp,
            record.classification,
            record.labels,
            record.id,
            record.whole,
        )
        for place in places
    )


def text(value: object) -> str:
    """A value of somebody's JSON as one cell: text and numbers, without what controls or breaks the line."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    plain = str(value)[:LONGEST_CELL].strip() if not isinstance(value, int) or abs(value) < 10**18 else ""
    return plain if plain.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in plain)


def placed(*values: object) -> dict[str, str]:
    """Each value in the column of its kind, the first of a kind; what is no address only where none is one.

    Such a value stands as ip: the row is then counted as invalid, with the value in sight.
    """
    found: dict[str, str] = {}
    cells = [cell for value in values if (cell := text(value))]
    for cell in cells:
        if kind := kind_of(cell):
            found.setdefault(kind, cell)
    return found or ({"ip": cells[0]} if cells else {})


def joined(value: object) -> str:
    """A list of words as one cell."""
    words = map(text, value[:50]) if isinstance(value, list) else (text(value),)
    return ", ".join(filter(None, words))[:LONGEST_CELL]


def compact(value: object) -> str:
    """JSON in ASCII on one line: nothing in it turns, controls or gets lost."""
    return _COMPACT.encode(value)
