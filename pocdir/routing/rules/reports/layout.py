"""What a report is once it is recognised: how its columns stand, or the table made of its records."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

# What a column may say of a row's address, in the order in which they are tried; `indicator` is anything
# that a lookup takes, from row to row. A timestamp is never an address.
KINDS = ("ip", "indicator", "domain", "url", "asn", "country", "timestamp")
DELIMITED = ("shadowserver", "intelmq-csv", "plain")
TABULATED = ("json", "iodef", "x-arf")  # recognised by their head; tabulate.tabulated() reads them

HEAD = 2 * 1024 * 1024  # bytes that recognised() is given, or the whole file where it is shorter
LONGEST_LINE = 1_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Layout:
    """How a report is written.

    `columns` are (index, kind) in order of preference: a row's address is that of the first of them, other than
    `timestamp`, that is not empty in it. An `ip` column may also hold prefixes and ranges. `header` is None where
    the first row is data already; its bytes are those from `header_from` to `data_from`, the offset of the first
    data row (what stands before it are a BOM, empty lines, comments, Excel's `sep=`). `encoding` is utf-8
    or cp1252 (what it is in fact does not matter: rows are copied as bytes). `delimiter` is empty, and `columns`
    too, for a report that has no columns (`report` in TABULATED): tabulate() it first.
    """

    delimiter: bytes
    encoding: str
    bom: bytes
    header: tuple[str, ...] | None
    columns: tuple[tuple[int, str], ...]
    line_end: bytes
    header_from: int
    data_from: int
    report: str

    @property
    def delimited(self) -> bool:
        return self.report in DELIMITED


HEADER = ("ip", "domain", "url", "asn", "country", "timestamp", "classification", "labels", "id", "record")
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A report without columns as rows under HEADER; a record that names several addresses has several rows.

    `id` is the record's own, or its number in the file. `record` is the record itself: compact JSON, an XML
    element, or the text of a mail's report. A record without any address keeps a row whose addresses are empty.
    """

    report: str
    rows: tuple[Row, ...]
    header: tuple[str, ...] = HEADER


def written(rows: Iterable[Row]) -> bytes:
    """Rows as CSV in UTF-8 with CRLF (RFC 4180); put HEADER first."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")  # half a surrogate pair, from JSON, has no UTF-8
