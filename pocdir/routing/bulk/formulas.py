"""Cells that a spreadsheet would take for a formula, made harmless by a leading apostrophe.

A spreadsheet may divide the cells at another sign than the file does, as its country has it: what would begin a cell
then is looked at too.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise

import numpy as np

from pocdir.routing.bulk.records import CR, LF, NEAR, QUOTE, Records, Shape
from pocdir.routing.rules.registry_layers import Array

LONGEST = 64  # bytes of a cell that are looked at: a plain number has fewer
FULL_WIDTH = 0xEF  # the first byte of the full-width forms in UTF-8, and of a byte order mark
STARTS = b"=+-@\t\r\0" + bytes([FULL_WIDTH])
BETWEEN = b",;\t"  # what some program divides cells at without being told
_OTHER_CELL = {sign: re.compile(b"[^\r\n" + bytes([sign]) + b"]*") for sign in BETWEEN}
_LINE = re.compile(rb"[^\r\n]*")
_MARKS = re.compile(rb"\A(?:\xef\xbb\xbf)+")
_WIDE = tuple(character.encode() for character in "＝＋－＠")
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")
_ACTS = re.compile(rb"[(|!]")  # a call, a link to a program, another sheet: without one a formula only counts
_SUM = re.compile(rb".[0-9.,]+[-+*/^&=<>]")


def neutralised(found: Records) -> tuple[Records, int]:
    """The same records with an apostrophe in front of such cells, and how many there were."""
    data, suspects = found.data, _suspects(found).tolist()
    ended = found.separator.tobytes() if suspects and found.separator is not None else None
    where = [at for at in suspects if _dangerous(found, ended, at)]
    if not where:
        return found, 0
    parts = [data[a:b] for a, b in pairwise([0, *where, len(data)])]
    start, end = (places + _before(where, places) for places in (found.start, found.end))
    return Records(b"'".join(parts), found.shape, start, end, None, found.lines), len(where)


def _before(where: list[int], places: Array) -> Array:
    """How many of a few lie before each of many places, both in order."""
    counts = np.bincount(np.searchsorted(places, where, side="right"), minlength=len(places) + 1)
    found: Array = np.cumsum(counts[:-1])
    return found


def _suspects(found: Records) -> Array:
    """Where one of the bytes, which ends no cell, follows what may begin a cell or a quote in front of it."""
    array = np.frombuffer(found.data, np.uint8)
    places = [np.empty(0, dtype=np.intp)]
    wanted = [byte for byte in STARTS if byte in found.data]
    if found.separator is not None:
        wanted.append(LF)
    others = [sign for sign in _others(found) if sign in (wanted if sign in STARTS else found.data)]
    room = np.zeros(NEAR + 8, dtype=bool)
    for at in range(0, len(array) if wanted else 0, NEAR):
        before, stop = max(at - 1, 0), min(at + NEAR, len(array))  # and what stands before
        part, hits = array[before:stop], room[: stop - before]
        np.equal(part, wanted[0], out=hits)
        for byte in wanted[1:]:
            hits |= part == byte
        ends = _ends(found, before, stop)
        np.greater(hits, ends, out=hits)  # and not
        begins = ends[:-1]
        for sign in others:
            begins = begins | (part[:-1] == sign)
        hits[1:] &= begins
        hits[0] &= before == 0
        hits[: at - before] = room[stop - before :] = False
        places.append(_few(room) + before)
    suspects = np.concatenate(places)
    returns = suspects[array[suspects] == CR] if CR in wanted else suspects[:0]
    after = np.minimum(returns + 1, len(array) - 1)
    ended = returns[(array[after] == LF) & (True if found.separator is None else found.separator[after])]
    return np.setdiff1d(suspects, ended, assume_unique=True) if len(ended) else suspects


def _others(found: Records) -> bytes:
    """What begins a cell only for some programs: for that of the quotes the file is divided well."""
    delimiter = bytes([found.shape.delimiter])
    others = BETWEEN if found.exact else BETWEEN.replace(delimiter, b"")
    return others if found.separator is None else others + bytes([QUOTE, LF, CR])


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


def _dangerous(found: Records, ended: bytes | None, at: int) -> bool:
    """Whether what begins there is a formula to the program that divides cells as the file does, or to another.

    `ended` has a one where a cell ends, if quotes matter.
    """
    data, opens = found.data, at
    while opens and data[opens - 1] == QUOTE and at - opens < 3:
        opens -= 1
    if at - opens > 2:  # the text begins with a quote
        return False
    before = data[opens - 1] if opens else LF
    if not opens or (before in found.shape if ended is None else ended[opens - 1]):
        cell = _cell(found, ended, at)
        if len(cell) < LONGEST and _NUMBER.fullmatch(cell.rstrip(b'\r"')):
            return before in (LF, CR) and bool(_ACTS.search(_LINE.match(data, at)[0]))  # type: ignore[index]
        return _starts(cell, STARTS + b"\n")
    if before in (LF, CR):
        return _other_formula(_LINE, data, at)
    if before in _OTHER_CELL and (before != found.shape.delimiter or found.exact):
        return _other_formula(_OTHER_CELL[before], data, at)
    return False


def _cell(found: Records, ended: bytes | None, at: int) -> bytes:
    """The cell that begins there, or its first bytes."""
    if ended is None:
        return _start(found.shape).match(found.data, at)[0]  # type: ignore[index] # it matches anything
    stop = ended.find(1, at, at + LONGEST)
    return found.data[at : stop if stop >= 0 else at + LONGEST]


@cache
def _start(shape: Shape) -> re.Pattern[bytes]:
    return re.compile(b"[^" + re.escape(bytes(shape)) + b"]{0,%d}" % LONGEST)


def _starts(cell: bytes, starts: bytes) -> bool:
    """Whether it begins with one of them, full-width forms and a byte order mark in front taken as they are."""
    cell = _MARKS.sub(b"", cell, 1) or b" "
    return cell.startswith(_WIDE) or (cell[0] != FULL_WIDTH and cell[0] in starts)


def _other_formula(cell: re.Pattern[bytes], data: bytes, at: int) -> bool:
    """Here much is text that begins with + or -, so that only what could act or be counted up is taken for one."""
    text = data[at : cell.match(data, at).end()]  # type: ignore[union-attr] # it matches anything
    if text[:1] in (b"+", b"-"):
        return bool(_ACTS.search(text) or _SUM.match(text)) and not _NUMBER.fullmatch(text.rstrip(b'"'))
    return _starts(text, b"=+-@")
