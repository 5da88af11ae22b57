"""A stranger's file by its first bytes: how it is written, or a refusal that says what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from pocdir.core.errors import Invalid
from pocdir.routing.rules.reports.columns import (
    PLAIN,
    Columns,
    columns_of,
    has_address,
    kind_of,
    known_names,
    without_names,
)
from pocdir.routing.rules.reports.layout import HEAD, LONGEST_LINE, Layout

DELIMITERS = (b",", b";", b"\t", b"|")
SAMPLE = 50  # rows
MOST_COLUMNS = 5000
_BOM = b"\xef\xbb\xbf"
# What people give under another name, by its first bytes.
SIGNATURES = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"%PDF", "a PDF"),
    (b"\xd0\xcf\x11\xe0", "an old office document"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"Rar!", "a RAR archive"),
    (b"SQLite format 3", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"\xd4\xc3\xb2\xa1", "a packet capture"),
    (b"\x0a\x0d\x0d\x0a", "a packet capture"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
)
_WIDE = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_CONTROL = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_TOP = re.compile(
    rb"(?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\n|\r))*"
)  # empty lines and comments before the first row
_SEP = re.compile(rb'sep=([^\r\n"])(?:\r\n|\n|\r)', re.IGNORECASE)  # how Excel says it
_QUOTED = re.compile(rb'[ ]*"([^"]*+(?:""[^"]*+)*+)"')
_MAIL = re.compile(
    rb"(?:From [^\r\n]*\r?\n)?(?:[!-9;-~]+:[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*)*?"
    rb"(?i:content-type|mime-version|x-x?arf):"
)
_MAIL_YAML = re.compile(
    rb"(?:---[ \t]*\r?\n)?(?:[A-Za-z-]+:[^\r\n]*\r?\n)*?(?:Reported-From|Report-Type|Category):"
)
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_OTHER = {
    " ": "spaces",
    ":": "colons",
    "^": "the sign ^",
    "~": "the sign ~",
    "#": "the sign #",
    "/": "slashes",
}


def recognised(head: bytes, *, size: int | None = None, name: str = "") -> Layout:
    """How a report is written, from its first HEAD bytes, or all of them.

    `size` is that of the whole file in bytes, None for len(head) or where nobody knows; `name` is for refusals.
    Raises Invalid `report_empty`, `report_binary`, `report_encoding`, `report_line_too_long`,
    `report_delimiter`, `report_malformed`, `report_unknown`, `report_no_address`; `where` is the line.
    """
    whole = len(head) < HEAD if size is None else size <= len(head)
    at = partial(_place, head, name)
    _text_only(head, at)
    bom = _BOM if head.startswith(_BOM) else b""
    _short_lines(head, at)
    encoding = _encoding(head, whole)
    start = len(bom)
    report = _without_columns(head[start:].lstrip()[:100_000], at)
    line_end = _LINE_END.search(head)
    if report:
        return Layout(b"", encoding, bom, None, (), b"\n", start, start, report)
    delimiters: tuple[bytes, ...] = DELIMITERS
    if said := _SEP.match(head, start):
        start, delimiters = said.end(), (said[1],)
    if top := _TOP.match(head, start):
        start = top.end()
    if not head[start:].strip():
        raise Invalid("report_empty", "the file has no rows", where=at(start))
    delimiter, header, columns, report, data_from = _delimited(head, start, delimiters, encoding, at)
    end = line_end[0] if line_end else b"\n"
    return Layout(delimiter, encoding, bom, header, columns, end, start, data_from, report)


def _place(head: bytes, name: str, offset: int) -> str:
    before = head[:offset]
    line = 1 + before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n")
    return f"{name}:{line}" if name else f"line {line}"


def _text_only(head: bytes, at: Callable[[int], str]) -> None:
    if not head.removeprefix(_BOM).strip():
        raise Invalid("report_empty", "the file is empty", where=at(0))
    for start, found in _WIDE.items():
        if head.startswith(start):
            raise Invalid("report_encoding", f"this is {found} text; save it as UTF-8", where=at(0))
    for start, found in SIGNATURES:
        if head.startswith(start):
            raise Invalid("report_binary", f"this is {found}; save the report as CSV, in UTF-8", where=at(0))
    sample = head[:4096]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if 10 * max(even, odd) > 3 * len(sample) and 10 * min(even, odd) < max(even, odd):
        raise Invalid("report_encoding", "this looks like UTF-16 text; save it as UTF-8", where=at(0))
    if 0 in head:
        where = at(head.index(0))
        raise Invalid(
            "report_binary", "a NUL byte is in it; a report is text: save it anew as CSV", where=where
        )
    if len(_CONTROL.findall(sample)) * 50 > len(sample):
        raise Invalid("report_binary", "this is no text; save the report as CSV, in UTF-8", where=at(0))


def _short_lines(head: bytes, at: Callable[[int], str]) -> None:
    start = 0
    while start + LONGEST_LINE < len(head):
        stop = start + LONGEST_LINE + 1
        end = max(head.rfind(b"\n", start, stop), head.rfind(b"\r", start, stop))
        if end < start:
            if _without_columns(head[:1000].lstrip(), at):
                return  # JSON and XML are often one line
            raise Invalid(
                "report_line_too_long",
                f"the line is longer than {LONGEST_LINE} bytes; a row of a report is one line",
                where=at(start),
            )
        start = end + 1


def _encoding(head: bytes, whole: bool) -> str:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if whole or error.start < len(head) - 3:  # else the head ends within a character
            return "cp1252"
    return "utf-8"


def _without_columns(start: bytes, at: Callable[[int], str]) -> str | None:
    """json, iodef or x-arf for what has no columns; raises Invalid for a web page and other XML."""
    if start[:1] in (b"{", b"["):
        # [2001:db8::1] is an address, [{ and [ [ are JSON
        return "json" if start[:1] == b"{" or start[1:].lstrip()[:1] in (b"{", b"[", b"]", b'"') else None
    if start[:1] == b"<":
        if b"IODEF-Document" in start:
            return "iodef"
        found = "a web page" if _HTML.search(start) else "XML of another kind"
        raise Invalid("report_unknown", f"this is {found}; CSV, JSON and IODEF are read", where=at(0))
    if _MAIL.match(start) or _MAIL_YAML.match(start):
        return "x-arf"
    return None


Found = tuple[bytes, tuple[str, ...] | None, Columns, str, int]


def _delimited(
    head: bytes, start: int, delimiters: tuple[bytes, ...], encoding: str, at: Callable[[int], str]
) -> Found:
    delimiter, (first, data_from) = max(_candidates(head, start, delimiters, encoding, at), key=_likely)
    if any(kind_of(cell) in ("ip", "url") for cell in first) or not known_names(first):
        rows = [first, *_rows(head, data_from, delimiter, encoding)]
        if any(map(kind_of, first)) and (columns := without_names(rows)):
            return delimiter, None, columns, "plain", start
    _other_delimiter(head[start:data_from].decode(encoding, "replace").strip(), first, at(start))
    below = _LINE_END.split(head[data_from : data_from + 10_000], maxsplit=1)[0].decode(encoding, "replace")
    if len(first) == 1 and not kind_of(below):
        _other_delimiter(below.strip(), first, at(start))
    rows = list(_rows(head, data_from, delimiter, encoding))
    if len(first) > 1 and rows and all(len(row) < 2 for row in rows):
        raise Invalid(
            "report_delimiter",
            f"the first line has {len(first)} columns, the rows have one; separate both by comma, semicolon, tab"
            " or |",
            where=at(data_from),
        )
    report, columns = columns_of(first, rows)
    if not has_address(columns):
        seen = ", ".join(_shown(cell) for cell in first[:20])
        raise Invalid(
            "report_no_address",
            f"no column holds an address: the first line has {seen[:400]}; name one of them"
            f" {', '.join((PLAIN[kind][0]) for kind in ('ip', 'domain', 'url', 'asn'))}"
            " (or as Shadowserver and IntelMQ do: src_ip, source.ip, source.fqdn)",
            where=at(start),
        )
    return delimiter, tuple(first), columns, report, data_from


def _candidates(
    head: bytes, start: int, delimiters: tuple[bytes, ...], encoding: str, at: Callable[[int], str]
) -> list[tuple[bytes, tuple[list[str], int]]]:
    """The first record by each delimiter; a wrong one may leave a quote open, all of them only a broken file."""
    found, refused = [], []
    for sign in delimiters:
        try:
            found.append((sign, _record(head, start, sign, encoding, at)))
        except Invalid as refusal:
            refused.append(refusal)
    if refused and not any(_likely(each)[0] for each in found):
        raise refused[0]
    return found


def _likely(candidate: tuple[bytes, tuple[list[str], int]]) -> tuple[int, int]:
    cells = candidate[1][0]
    return max(known_names(cells), sum(1 for cell in cells[:100] if kind_of(cell))), len(cells)


def _shown(cell: str) -> str:
    """Somebody else's word, safe to print: nothing in it controls a terminal."""
    return repr(cell.strip())[:42]


def _other_delimiter(line: str, first: list[str], where: str) -> None:
    """Raises Invalid `report_delimiter` where names or addresses stand side by side, separated by another sign."""
    if known_names(first):
        return
    for sign, called in _OTHER.items():
        parts = [part for part in line[:10_000].split(sign) if part.strip()]
        if len(parts) > 1 and (known_names(parts) > 1 or any(kind_of(part) == "ip" for part in parts)):
            raise Invalid(
                "report_delimiter",
                f"the columns seem to be separated by {called}; comma, semicolon, tab or | is right",
                where=where,
            )


def _rows(head: bytes, start: int, delimiter: bytes, encoding: str) -> Iterator[list[str]]:
    """Some rows; none that the end of the head may have cut."""
    for _ in range(SAMPLE):
        if start >= len(head):
            return
        try:
            row, start = _record(head, start, delimiter, encoding, lambda _: "")
        except Invalid:  # a quote that the head's end leaves open, or a stray one: the engine tells which
            return
        if any(cell.strip() for cell in row):
            yield row


def _record(
    data: bytes, start: int, delimiter: bytes, encoding: str, at: Callable[[int], str]
) -> tuple[list[str], int]:
    """The cells of the record at `start` and where the next one begins; quotes as in RFC 4180."""
    bare = re.compile(rb"[^\r\n" + re.escape(delimiter) + rb"]*")
    cells, offset = [], start
    while True:
        cell = b""
        if quoted := _QUOTED.match(data, offset):
            cell, offset = quoted[1].replace(b'""', b'"'), quoted.end()
        elif data[offset : offset + 1] == b'"':
            raise Invalid("report_malformed", "a quote is opened and never closed", where=at(offset))
        rest = bare.match(data, offset)
        if rest:
            cell, offset = cell + rest[0], rest.end()
        cells.append(cell.decode(encoding, "replace"))
        if len(cells) > MOST_COLUMNS:
            raise Invalid("report_malformed", f"a report has at most {MOST_COLUMNS} columns", where=at(start))
        if data[offset : offset + 1] != delimiter:
            end = _LINE_END.match(data, offset)
            return cells, end.end() if end else offset
        offset += 1
