"""Cells that a spreadsheet would take for a formula, made harmless by a leading apostrophe."""

from __future__ import annotations

import re

import numpy as np

from pocdir.routing.bulk.records import CR, QUOTE, Records

APOSTROPHE = 39
FULL_WIDTH = 0xEF  # the first byte of the full-width forms in UTF-8
_WIDE = tuple(character.encode() for character in "＝＋－＠")
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")

_STARTS = np.zeros(256, dtype=bool)
_STARTS[list(b"=+-@\t\r\0")] = True
_STARTS[FULL_WIDTH] = True


def neutralised(found: Records) -> tuple[Records, int]:
    """The same records with an apostrophe in front of such cells, and how many there were."""
    array = np.frombuffer(found.data, np.uint8)
    if not len(array):
        return found, 0
    starts = found.ends[:-1] + 1
    stops = found.ends[1:]
    inner = np.minimum(starts, len(array) - 1)
    if QUOTE in found.data:
        inner = np.minimum(inner + (array[inner] == QUOTE), len(array) - 1)
    suspect = np.flatnonzero(_STARTS[array[inner]] & (inner < stops))
    if not len(suspect):
        return found, 0
    spans = zip(suspect.tolist(), inner[suspect].tolist(), stops[suspect].tolist(), strict=True)
    cells = [cell for cell, start, stop in spans if _dangerous(found.data[start:stop])]
    if not cells:
        return found, 0
    where = inner[cells]
    data = np.insert(array, where, APOSTROPHE).tobytes()
    return found._replace(data=data, ends=found.ends + np.searchsorted(where, found.ends, side="left")), len(
        cells
    )


def _dangerous(cell: bytes) -> bool:
    """Whether what begins like a formula is one: no plain number, no empty cell before a line end."""
    if cell[0] == FULL_WIDTH:
        return cell.startswith(_WIDE)
    plain = cell.rstrip(b'\r"')
    if not plain:
        return cell[0] == CR and len(cell) > 1
    return not _NUMBER.fullmatch(plain)
