"""Cells that a spreadsheet would take for a formula, made harmless by a leading apostrophe."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np

from pocdir.routing.bulk.records import CR, NEAR, QUOTE, Records
from pocdir.routing.rules.registry_layers import Array

LONGEST = 64  # bytes of a cell that are looked at: a plain number has fewer
FULL_WIDTH = 0xEF  # the first byte of the full-width forms in UTF-8
STARTS = b"=+-@\t\r\0" + bytes([FULL_WIDTH])
_WIDE = tuple(character.encode() for character in "＝＋－＠")
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")


def neutralised(found: Records) -> tuple[Records, int]:
    """The same records with an apostrophe in front of such cells, and how many there were."""
    data = found.data
    where = [at for at in _suspects(found).tolist() if _dangerous(data[at : _cell_end(found, at)])]
    if not where:
        return found, 0
    parts = [data[a:b] for a, b in pairwise([0, *where, len(data)])]
    start, end = (places + _before(where, places) for places in (found.start, found.end))
    return Records(b"'".join(parts), found.shape, start, end, None), len(where)


def _before(where: list[int], places: Array) -> Array:
    """How many of a few lie before each of many places, both in order."""
    counts = np.bincount(np.searchsorted(places, where, side="right"), minlength=len(places) + 1)
    found: Array = np.cumsum(counts[:-1])
    return found


def _cell_end(found: Records, at: int) -> int:
    """Where the cell ends that begins there, or something behind its first bytes."""
    shape, data = found.shape, found.data
    if found.separator is not None:
        part = found.separator[at : at + LONGEST]
        return at + (int(part.argmax()) if part.any() else len(part))
    stops = (data.find(byte, at, at + LONGEST) for byte in shape)
    return min((stop for stop in stops if stop >= 0), default=min(at + LONGEST, len(data)))


def _suspects(found: Records) -> Array:
    """Where a cell, or what is quoted in it, begins with one of the bytes and is not empty."""
    array = np.frombuffer(found.data, np.uint8)
    places = [np.empty(0, dtype=np.intp)]
    wanted = [byte for byte in STARTS if byte in found.data]
    room = np.zeros(NEAR + 8, dtype=bool)
    for at in range(0, len(array) if wanted else 0, NEAR):
        before, stop = (
            max(at - 2, 0),
            min(at + NEAR, len(array)),
        )  # a quote, and what ended the cell before it
        part, hits = array[before:stop], room[: stop - before]
        np.equal(part, wanted[0], out=hits)
        for byte in wanted[1:]:
            hits |= part == byte
        ends = _ends(found, before, stop)
        np.greater(hits, ends, out=hits)  # and not
        begins = ends[:-1]
        if found.separator is not None:
            begins = begins.copy()
            begins[1:] |= ends[:-2] & (part[1:-1] == QUOTE)
            begins[0] |= before == 0 and part[0] == QUOTE
        hits[1:] &= begins
        hits[0] &= before == 0
        hits[: at - before] = room[stop - before :] = False
        places.append(_few(room) + before)
    suspects = np.concatenate(places)
    after = array[np.minimum(suspects + 1, len(array) - 1)] if len(array) else suspects
    return suspects[(array[suspects] != CR) | (after != found.shape.newline)]


def _few(room: Array) -> Array:
    """Where a few are true: eight are looked at together."""
    eights = np.flatnonzero(room.view(np.uint64))
    row, place = np.nonzero(room.reshape(-1, 8)[eights])
    found: Array = eights[row] * 8 + place
    return found


def _ends(found: Records, start: int, stop: int) -> Array:
    if found.separator is not None:
        return found.separator[start:stop]
    part = np.frombuffer(found.data, np.uint8)[start:stop]
    ends: Array = part == found.shape.delimiter
    ends |= part == found.shape.newline
    return ends


def _dangerous(cell: bytes) -> bool:
    """Whether what begins like a formula is one: no plain number."""
    if cell[0] == FULL_WIDTH:
        return cell.startswith(_WIDE)
    return not _NUMBER.fullmatch(cell.rstrip(b'\r"'))
