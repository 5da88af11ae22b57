"""JSON of any shape that reports have: one value, an array, or one object after the other (JSON lines)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn

from pocdir.core.errors import Invalid
from pocdir.routing.rules.reports import stix, xarf
from pocdir.routing.rules.reports.columns import borne_out, by_name, kind_of
from pocdir.routing.rules.reports.layout import Row
from pocdir.routing.rules.reports.rows import Record, compact, joined, rows_of, text

_SPACE = re.compile(r"[ \t\r\n]*,?[ \t\r\n]*")
_DEEPEST = 5
MOST_NAMES = 5000
_IDS = ("id", "uuid", "event_id", "extra.event_id", "report_id")


def rows(record: Any, number: int, where: str | None) -> tuple[str, Iterator[Row] | tuple[Row, ...]]:
    """The kind of one record (stix, xarf, intelmq-json, shadowserver-json, json) and its rows.

    Raises Invalid `report_malformed` for what is no object, or has more than MOST_NAMES names.
    """
    if not isinstance(record, dict):
        raise Invalid("report_malformed", f"record {number} is no JSON object", where=where)
    if stix.is_stix(record):
        return "stix", stix.rows(record)
    if xarf.is_xarf(record):
        return "xarf", xarf.rows(record, number)
    flat = dict(islice(_flat(record, "", 0), MOST_NAMES + 1))
    if len(flat) > MOST_NAMES:
        raise Invalid("report_malformed", f"record {number} has more than {MOST_NAMES} names", where=where)
    return _event(record, flat, number)


def values(content: str, name: str) -> Iterator[tuple[int, Any]]:
    """Each record with its number: the values in turn; those within an array, where it is one.

    Raises Invalid `report_malformed` with line and column where the JSON breaks off.
    """
    decoder = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_once)
    at, number = _SPACE.match(content).end(), 0  # type: ignore[union-attr]
    while at < len(content):
        try:
            value, at = decoder.raw_decode(content, at)
        except json.JSONDecodeError as error:
            where = f"{name or 'report'}:{error.lineno}:{error.colno}"
            raise Invalid("report_malformed", f"no JSON: {error.msg}", where=where) from None
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:100]
            where = f"{name or 'report'}:{content.count(chr(10), 0, at) + 1}"
            raise Invalid("report_malformed", f"no JSON that we read: {reason}", where=where) from None
        for each in value if isinstance(value, list) else (value,):
            number += 1
            yield number, each
        at = _SPACE.match(content, at).end()  # type: ignore[union-attr]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _finite(digits: str) -> float:
    if math.isinf(number := float(digits)):
        raise ValueError("a number is too large")
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    kept = dict(pairs)
    if len(kept) != len(pairs):
        raise ValueError("an object has the same key twice")
    return kept


def _event(record: dict[str, Any], flat: dict[str, Any], number: int) -> tuple[str, tuple[Row, ...]]:
    """An event of IntelMQ, Shadowserver or anybody, by the names (`flat`) that a CSV would have as columns."""
    names, values = list(flat), list(flat.values())
    report, columns = by_name(names)
    cells = {index: text(values[index]) for index, _ in columns}
    if report == "plain":
        columns = borne_out(names, columns, [[cells.get(index, "") for index in range(len(names))]])
    place: dict[str, str] = {}
    for index, kind in columns:
        if cell := cells[index]:
            place.setdefault((kind_of(cell) or "ip") if kind == "indicator" else kind, cell)
    kinds = (text(flat.get(f"classification.{key}")) for key in ("taxonomy", "type"))
    meant = Record(
        id=next(filter(None, (text(flat.get(key)) for key in _IDS)), str(number)),
        timestamp=place.pop("timestamp", ""),
        country=place.pop("country", ""),
        classification="/".join(filter(None, kinds)),
        labels=joined(flat.get("tags", flat.get("tag", ""))),
        whole=compact(record),
    )
    kind = {"intelmq-csv": "intelmq-json", "shadowserver": "shadowserver-json"}.get(report, "json")
    return kind, rows_of(meant, [place])


def _flat(value: dict[str, Any], before: str, depth: int) -> Iterator[tuple[str, Any]]:
    """`{"source": {"ip": ..}}` as source.ip: IntelMQ writes either."""
    for key, inner in value.items():
        if isinstance(inner, dict) and depth < _DEEPEST:
            yield from _flat(inner, f"{before}{key}.", depth + 1)
        else:
            yield f"{before}{key}", inner
