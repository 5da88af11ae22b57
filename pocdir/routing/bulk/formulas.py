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
    start, end = (places + np.searchsorted(where, places) for places in (found.start, found.end))
    return Records(b"'".join(parts), found.shape, start, end, None), len(where)


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
    for at in range(0, len(array), NEAR):
        stop = min(at + NEAR, len(array))
        wanted = [byte for byte in STARTS if found.data.find(byte, at, stop) >= 0]
        if not wanted:
            continue
        before = max(at - 2, 0)  # a quote, and what ended the cell in front of it
        part = array[before:stop]
        ends = _ends(found, before, stop)
        begins = np.append(before == 0, ends[:-1])
        if found.separator is not None:
            begins[1:] |= begins[:-1] & (part[:-1] == QUOTE)
        begins &= ~ends
        begins[: at - before] = False
        hits = np.zeros(len(part), dtype=bool)
        for byte in wanted:
            hits |= part == byte
        hits &= begins
        if hits.any():
            places.append(np.flatnonzero(hits) + before)
    suspects = np.concatenate(places)
    after = array[np.minimum(suspects + 1, len(array) - 1)] if len(array) else suspects
    return suspects[(array[suspects] != CR) | (after != found.shape.newline)]


def _ends(found: Records, start: int, stop: int) -> Array:
    if found.separator is not None:
        return found.separator[start:stop]
    part = np.frombuffer(found.data, np.uint8)[start:stop]
    ends: Array = (part == found.shape.delimiter) | (part == found.shape.newline)
    return ends


def _dangerous(cell: bytes) -> bool:
    """Whether what begins like a formula is one: no plain number."""
    if cell[0] == FULL_WIDTH:
        return cell.startswith(_WIDE)
    return not _NUMBER.fullmatch(cell.rstrip(b'\r"'))
