"""Reports that have no columns as a table that has: the engine routes it like any other file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO

from pocdir.core.errors import Invalid
from pocdir.routing.rules.reports import iodef, json_records, xarf_mail
from pocdir.routing.rules.reports.flow import again
from pocdir.routing.rules.reports.layout import HEADER, LONGEST_LINE, Row, Table, written

MOST_BYTES = 48 * 1024 * 1024  # of a report that has to be held whole; JSON lines have no limit
MOST_ROWS = 500_000
_BATCH = 1000


def tabulated(data: bytes, report: str, *, name: str = "") -> Table:
    """The rows of a whole report of a kind that recognised() has named (json, iodef, x-arf).

    The table's own `report` says what it was found to be: stix, xarf, intelmq-json, shadowserver-json, json,
    iodef or x-arf. Raises Invalid `report_malformed`, `report_unknown`, `report_too_large`, and
    `report_no_address` where no record names anything that leads to somebody.
    """
    if len(data) > MOST_BYTES:
        raise Invalid("report_too_large", f"at most {MOST_BYTES} bytes of it are read", where=name or None)
    found = _Found(report, name)
    rows = tuple(islice(_shallow(found.rows(data), name), MOST_ROWS + 1))
    if len(rows) > MOST_ROWS:
        raise Invalid("report_too_large", f"at most {MOST_ROWS} rows are made of it", where=name or None)
    found.check(any(map(_has_address, rows)))
    return Table(found.report, rows)


def as_csv(file: BinaryIO, report: str, *, name: str = "") -> Iterator[bytes]:
    """The table as CSV in pieces, its header first; memory is bounded by MOST_BYTES. It need not be seekable.

    JSON lines may be of any size: above MOST_BYTES they are read line by line. Raises as tabulated() does, also
    after the first pieces: what came before is no whole table then.
    """
    data = file.read(MOST_BYTES + 1)
    if len(data) <= MOST_BYTES or report != "json":
        table = tabulated(data, report, name=name)
        yield written([table.header])
        for start in range(0, len(table.rows), _BATCH):
            yield written(table.rows[start : start + _BATCH])
        return
    yield written([HEADER])
    yield from _lines(again(data, file), name)


def _lines(file: BinaryIO, name: str) -> Iterator[bytes]:
    rows: list[Row] = []
    number, addressed = 0, False
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        where = f"{name or 'report'}:{number}"
        if len(line) > LONGEST_LINE:
            what = f"{MOST_BYTES} bytes, or lines of {LONGEST_LINE} with one object each, are right"
            raise Invalid("report_too_large", what, where=where)
        for _, record in json_records.values(_decoded(line, where), where):
            _, made = json_records.rows(record, number, where)
            rows.extend(_shallow(made, where))
        addressed = addressed or any(map(_has_address, rows))
        if len(rows) >= _BATCH:
            yield written(rows)
            rows = []
    yield written(rows)
    _Found("json", name).check(addressed)


class _Found:
    """What a report turns out to be while its rows are read."""

    def __init__(self, report: str, name: str) -> None:
        self.report, self._name = report, name

    def rows(self, data: bytes) -> Iterator[Row]:
        if self.report == "iodef":
            return iodef.rows(data, self._name)
        if self.report == "x-arf":
            return xarf_mail.rows(data, self._name)
        return self._json(data)

    def _json(self, data: bytes) -> Iterator[Row]:
        for number, record in json_records.values(_decoded(data, self._name), self._name):
            kind, rows = json_records.rows(record, number, self._name or None)
            self.report = kind if number == 1 or kind == self.report else "json"
            yield from rows

    def check(self, addressed: bool) -> None:
        if not addressed:
            what = {
                "stix": "no indicator in it names an address, a domain or a URL",
                "iodef": "no system or indicator in it has an address",
            }.get(self.report, "no record in it names an address, a domain, a URL or an AS number")
            raise Invalid("report_no_address", what, where=self._name or None)


def _shallow(rows: Iterable[Row], where: str) -> Iterator[Row]:
    try:
        yield from rows
    except RecursionError:
        raise Invalid("report_malformed", "it is nested too deeply", where=where or None) from None


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Invalid("report_encoding", f"line {line} is not UTF-8; JSON is", where=where or None) from None


def _has_address(row: Row) -> bool:
    return any(row[:4])
