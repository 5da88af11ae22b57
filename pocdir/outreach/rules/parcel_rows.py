"""The rows of a parcel as routing divides them: how many, and the addresses by which they were routed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

import numpy as np

from pocdir.core.errors import Invalid
from pocdir.incidents.rules.assets import AssetValue, asset, guessed_asset
from pocdir.routing.bulk.reader import all_records
from pocdir.routing.bulk.records import LF, Records, Shape
from pocdir.routing.rules.reports.columns import kind_of, known_names
from pocdir.routing.rules.reports.layout import HEAD, Layout
from pocdir.routing.rules.reports.recognise import DELIMITERS, recognised

_KINDS = ("ip", "indicator", "domain", "url")  # of what can be seen again
_BEFORE = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:sep=[^\r\n\"](?:\r\n|\n|\r))?", re.IGNORECASE
)  # as routing copies it


def rows_of(data: bytes) -> tuple[set[int], Iterable[AssetValue]]:
    """How many rows a parcel has, and the addresses and names in it, looked for as they are taken.

    Of most there is one number. A parcel does not say how the file was divided: where nobody can tell by what, or
    whether its first line is a header, any number that routing may have counted is among them.
    """
    start = _BEFORE.match(data).end()  # type: ignore[union-attr] # it matches anything
    try:
        layout = recognised(data[:HEAD], size=len(data))
    except Invalid:  # few rows of a file without names over its columns
        layout = None
    if layout is None or not layout.delimiter:
        signs = DELIMITERS if b'"' in data else DELIMITERS[:1]
        lines = {_count(_records(data[start:], sign)) for sign in signs}
        return lines | {number - 1 for number in lines}, ()
    # No parcel has a comment above its first row: what reads as one is a row of a file without a header.
    headed = layout.header is not None and layout.header_from == start
    number = _count(_records(data[start:], layout.delimiter))
    found = {number - header for header in (_headers(layout) if headed else (0,))}
    return found, _assets(_records(data[layout.data_from if headed else start :], layout.delimiter), layout)


def _headers(layout: Layout) -> tuple[int, ...]:
    """How many lines of it are headers, or may be."""
    header = layout.header or ()
    return (
        (1,) if known_names(header) and not any(kind_of(cell) or "@" in cell for cell in header) else (0, 1)
    )


def _count(blocks: Iterable[Records]) -> int:
    return sum(len(block.start) for block in blocks)


def _records(data: bytes, delimiter: bytes) -> Iterator[Records]:
    return all_records(io.BytesIO(data), Shape(delimiter[0], LF))


def _assets(blocks: Iterable[Records], layout: Layout) -> Iterator[AssetValue]:
    """Of each row the cell by which it was routed: the first that is not empty."""
    columns = [(place, kind) for place, kind in layout.columns if kind in _KINDS]
    for block in blocks:
        rows = np.arange(len(block.start))
        cells = [(kind, *(each.tolist() for each in block.cell(place, rows))) for place, kind in columns]
        for number in rows.tolist():
            for kind, start, end in cells:
                text = block.data[start[number] : end[number]].decode(layout.encoding, "replace").strip()
                if text:
                    with suppress(Invalid):  # a network, an AS number: nothing that is seen again
                        yield guessed_asset(text) if kind == "indicator" else asset(kind, text)
                    break
