"""From bytes to text, JSON and lines: the first look at a file that somebody gives us."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from pocdir.core.errors import Invalid

MOST_BYTES = 100 * 1024 * 1024
# What people give us under another name, by its first bytes.
_SIGNATURES = (
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)
_HTML = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)


def refuse(message: str, where: str | None = None) -> NoReturn:
    """Raises Invalid `format_invalid`: the bytes are not what they are said to be."""
    raise Invalid("format_invalid", message, where=where)


def check_size(size: int) -> None:
    """Raises Invalid `file_too_large` before anybody reads so many bytes."""
    if size > MOST_BYTES:
        raise Invalid("file_too_large", f"the file has {size} bytes; at most {MOST_BYTES} are read")


def decoded(data: bytes, wanted: str = "text") -> str:
    """UTF-8 text, a byte order mark dropped; raises Invalid for other bytes and for web pages.

    `wanted` is what the file should be, for the refusal. The content decides, never the file's name.
    """
    check_size(len(data))
    for start, found in _SIGNATURES:
        if data.startswith(start):
            refuse(f"this is {found}, not {wanted} in UTF-8", "line 1")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        refuse("the file is not UTF-8 text", f"line {line}")
    if text.lstrip()[:1] == "<":
        found = "an HTML page" if _HTML.search(text, 0, 4000) else "XML"
        refuse(f"this is {found}, not {wanted}, whatever its name says", "line 1")
    if not text.strip():
        refuse("the file is empty")
    return text


def json_value(data: bytes, wanted: str = "JSON") -> Any:
    """What a JSON file holds; raises Invalid with line and column."""
    try:
        return json.loads(decoded(data, wanted), parse_constant=_no_constant, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        refuse(f"no JSON: {error.msg}", f"line {error.lineno}, column {error.colno}")
    except RecursionError:
        refuse("no JSON that we read: nested too deeply")
    except ValueError as error:
        refuse(f"no JSON that we read: {str(error)[:100]}")


def json_object(data: bytes, wanted: str = "JSON") -> dict[str, Any]:
    """The object that a JSON file holds; raises Invalid with line and column."""
    value = json_value(data, wanted)
    if not isinstance(value, dict):
        refuse("an object is right at the top")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    kept = dict(pairs)
    if len(kept) != len(pairs):
        raise ValueError("an object has the same key twice")
    return kept


def csv_rows(
    data: bytes, needed: tuple[str, ...], known: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Each line as (`line N`, values by column); raises Invalid for a wrong head, a ragged line, no CSV."""
    reader = csv.reader(io.StringIO(decoded(data, "CSV"), newline=""), strict=True)
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        if missing := [name for name in needed if name not in head]:
            refuse(f"the head lacks {', '.join(missing)}; {','.join(known)} is right", "line 1")
        if strange := [name for name in head if name not in known]:
            refuse(f"the head has a column that we do not know: {strange[0][:40]!r}", "line 1")
        if len(set(head)) != len(head):
            refuse("the head names a column twice", "line 1")
        start = reader.line_num + 1
        for cells in reader:
            where, start = f"line {start}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(head):
                refuse(f"{len(cells)} columns; the head has {len(head)}", where)
            yield where, dict(zip(head, cells, strict=True))
    except csv.Error as error:
        refuse(f"no CSV: {error}", f"line {reader.line_num}")


def shown(name: object) -> str:
    """A key or a word of somebody else's, safe to print: nothing in it controls a terminal."""
    return repr(name)[1:41].rstrip("'")
