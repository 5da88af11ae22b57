"""The rows of a parcel as routing divides them: how many, and the addresses by which they were routed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import numpy as np

from pocdir.core.errors import Invalid
from pocdir.incidents.rules.assets import AssetValue, asset, guessed_asset
from pocdir.routing.bulk.reader import all_records
from pocdir.routing.bulk.records import Records, Shape
from pocdir.routing.rules.reports.columns import kind_of, known_names
from pocdir.routing.rules.reports.layout import HEAD, Layout
from pocdir.routing.rules.reports.recognise import DELIMITERS, recognised

_KINDS = ("ip", "indicator", "domain", "url")  # of what can be seen again
_LONE = re.compile(rb"\r(?!\n)")


def rows_of(data: bytes, *, with_assets: bool) -> tuple[set[int], Sequence[AssetValue]]:
    """How many rows a parcel has, and, if they are asked for, the addresses and names in it, each once.

    Of most there is one number. A parcel does not say how the file was divided: where its line ends are mixed, or
    nobody can tell whether its first line is a header, any number that routing may have counted is among them.
    """
    try:
        layout = recognised(data[:HEAD], size=len(data))
    except Invalid:  # few rows of a file without names over its columns
        layout = None
    if layout is None or not layout.delimiter:
        every = (_counts(data, sign, (b"\n", b"\r"), headers=(0, 1)) for sign in DELIMITERS)
        return set().union(*every), ()
    ends = {layout.line_end[-1:]}
    if _LONE.search(data) and b"\n" in data:
        ends = {b"\n", b"\r"}
    found = _counts(data[layout.header_from :], layout.delimiter, ends, headers=_headers(layout))
    if not with_assets:
        return found, ()
    blocks = _records(data[layout.data_from :], layout.delimiter, layout.line_end[-1:])
    return found, tuple(dict.fromkeys(_assets(blocks, layout)))


def _headers(layout: Layout) -> tuple[int, ...]:
    """How many lines of it are headers, or may be."""
    if layout.header is None:
        return (0,)
    return (1,) if known_names(layout.header) and not any(map(kind_of, layout.header)) else (0, 1)


def _counts(data: bytes, delimiter: bytes, ends: Iterable[bytes], *, headers: Sequence[int]) -> set[int]:
    lines = [sum(len(block.start) for block in _records(data, delimiter, end)) for end in ends]
    return {number - header for number in lines for header in headers}


def _records(data: bytes, delimiter: bytes, end: bytes) -> list[Records]:
    return list(all_records(io.BytesIO(data), Shape(delimiter[0], end[0])))


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
