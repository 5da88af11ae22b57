"""Cells that a spreadsheet would take for a formula, made harmless by a leading apostrophe."""

from __future__ import annotations

import re

import numpy as np

from pocdir.routing.bulk.records import CR, NEAR, QUOTE, Records
from pocdir.routing.rules.registry_layers import Array

APOSTROPHE = 39
FULL_WIDTH = 0xEF  # the first byte of the full-width forms in UTF-8
STARTS = b"=+-@\t\r\0" + bytes([FULL_WIDTH])
_WIDE = tuple(character.encode() for character in "＝＋－＠")
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")


def neutralised(found: Records) -> tuple[Records, int]:
    """The same records with an apostrophe in front of such cells, and how many there were."""
    suspect = _suspects(found)
    if not len(suspect):
        return found, 0
    stops = found.ends[np.searchsorted(found.ends, suspect)]  # the first end behind or at it is its cell's
    spans = zip(suspect.tolist(), stops.tolist(), strict=True)
    where = [start for start, stop in spans if start < stop and _dangerous(found.data[start:stop])]
    if not where:
        return found, 0
    data = np.insert(np.frombuffer(found.data, np.uint8), where, APOSTROPHE).tobytes()
    moved = found.ends + np.searchsorted(where, found.ends, side="left")
    return found._replace(data=data, ends=moved), len(where)


def _suspects(found: Records) -> Array:
    """Where a cell, or what is quoted in it, begins with one of the bytes."""
    array = np.frombuffer(found.data, np.uint8)
    wanted = [byte for byte in STARTS if byte in found.data]
    quoted = QUOTE in found.data
    places = [np.empty(0, dtype=np.int64)]
    for at in range(0, len(array) if wanted else 0, NEAR):
        part = array[at : at + NEAR]
        begins = np.empty(len(part), dtype=bool)
        begins[1:] = found.separator[at : at + len(part) - 1]
        begins[0] = at == 0 or found.separator[at - 1]
        if quoted:
            opened = begins & (part == QUOTE)
            begins[1:] |= opened[:-1]
            begins[0] |= at > 0 and array[at - 1] == QUOTE and (at == 1 or found.separator[at - 2])
        for byte in wanted:
            hits = begins & (part == byte)
            if hits.any():
                places.append(np.flatnonzero(hits) + at)
    return np.sort(np.concatenate(places))


def _dangerous(cell: bytes) -> bool:
    """Whether what begins like a formula is one: no plain number, no empty cell before a line end."""
    if cell[0] == FULL_WIDTH:
        return cell.startswith(_WIDE)
    plain = cell.rstrip(b'\r"')
    if not plain:
        return cell[0] == CR and len(cell) > 1
    return not _NUMBER.fullmatch(plain)
