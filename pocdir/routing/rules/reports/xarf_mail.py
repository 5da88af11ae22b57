"""X-ARF and ARF: an abuse report as a mail, its facts in a part of `Name: value` lines or of JSON."""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from email.message import Message
from typing import Any

from pocdir.core.errors import Invalid
from pocdir.routing.rules.reports import json_records, xarf
from pocdir.routing.rules.reports.layout import Row
from pocdir.routing.rules.reports.rows import Record, compact, placed, rows_of, text

MOST_BYTES = 5 * 1024 * 1024
_MOST_PARTS = 100
_MOST_NESTED = 10  # every line is compared with the end of each part around it
_MOST_REPORT = 256 * 1024
# X-ARF calls it YAML, and its schemas have flat names with one value each: no more is read.
_LINE = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,60}):(?:[ \t]+(.*))?")
_X_ARF = frozenset({"reported-from", "report-type", "source", "source-type", "category"})


def rows(data: bytes, name: str) -> Iterator[Row]:
    """The row of each report within the mail, or of a report that was taken out of one.

    Raises Invalid `report_too_large`, `report_malformed`, and `report_unknown` for a mail without a report.
    """
    if len(data) > MOST_BYTES:
        raise Invalid("report_too_large", f"a mail of at most {MOST_BYTES} bytes is read", where=name or None)
    if data.lower().count(b"boundary") > _MOST_NESTED:
        raise Invalid("report_malformed", "too many mails are packed into one another", where=name or None)
    found = [row for report in _reports(data, name) for row in report]
    if not found:
        raise Invalid("report_unknown", "the mail holds no X-ARF, ARF or XARF report", where=name or None)
    yield from found


def _reports(data: bytes, name: str) -> Iterator[tuple[Row, ...]]:
    alone = _fields(data.decode("utf-8-sig", "replace")[:_MOST_REPORT])
    if len(_X_ARF.intersection(alone)) >= 3:
        yield _x_arf(alone)
        return
    try:
        parts = list(zip(range(_MOST_PARTS), email.message_from_bytes(data).walk(), strict=False))
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError, IndexError) as error:
        raise Invalid(
            "report_malformed", f"no mail that we read: {str(error)[:100]}", where=name or None
        ) from None
    for _, part in parts:
        if part.get_content_type() == "message/feedback-report":
            yield from _arf(part)
        elif not part.is_multipart():
            yield from _part(part, name)


def _part(part: Message, name: str) -> Iterator[tuple[Row, ...]]:
    kind = part.get_content_type()
    if not (kind.startswith("text/") or kind.endswith("json") or kind.endswith("yaml")):
        return
    try:
        raw = part.get_payload(decode=True)
    except (ValueError, LookupError, TypeError, AttributeError):
        return
    content = (raw if isinstance(raw, bytes) else b"")[:_MOST_REPORT].decode("utf-8-sig", "replace")
    if content.lstrip().startswith("{"):
        for number, record in json_records.values(content, name):
            if isinstance(record, dict) and xarf.is_xarf(record):
                yield xarf.rows(record, number)
        return
    fields = _fields(content)
    if len(_X_ARF.intersection(fields)) >= 3:
        yield _x_arf(fields)


def _fields(content: str) -> dict[str, str]:
    """The lines as name (small letters) and value; the first of a name counts, what is no such line is text."""
    found: dict[str, str] = {}
    for line in content.splitlines():
        if match := _LINE.fullmatch(line.rstrip()):
            value = (match[2] or "").strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            found.setdefault(match[1].lower(), value)
    return found


def _x_arf(fields: dict[str, str]) -> tuple[Row, ...]:
    meant = Record(
        id=text(fields.get("report-id")) or "1",
        timestamp=text(fields.get("date")),
        classification="/".join(filter(None, (text(fields.get(key)) for key in ("category", "report-type")))),
        labels=text(fields.get("service")),
        whole=compact(fields),
    )
    return rows_of(meant, [placed(fields.get("source"))])


def _arf(part: Message) -> Iterator[tuple[Row, ...]]:
    """RFC 5965; the parser takes the report's lines for the head of a mail."""
    within: Any = part.get_payload()
    head = within[0] if isinstance(within, list) and within else None
    if not isinstance(head, Message):
        return
    fields = {str(key).lower(): str(value) for key, value in reversed(head.items())}
    if "feedback-type" not in fields:
        return
    meant = Record(
        id=text(fields.get("original-envelope-id")) or "1",
        timestamp=text(fields.get("arrival-date") or fields.get("received-date")),
        classification=text(fields["feedback-type"]),
        whole=compact(fields),
    )
    yield rows_of(
        meant, [placed(*(fields.get(key) for key in ("source-ip", "reported-uri", "reported-domain")))]
    )
