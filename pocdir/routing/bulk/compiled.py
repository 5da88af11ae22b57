"""The loops over every byte of a large file as machine code: for whoever has the extra `bulk`, which brings numba.

numpy does the same in a dozen steps (`records`, `ipv4`) and is the measure: a test holds both against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import boolean, njit, types

from pocdir.routing.bulk.records import Addresses, Records
from pocdir.routing.rules.registry_layers import Array

Loop = Callable[..., Any]
Word = Any  # a numpy.uint64: numba makes a float of it beside an int

NONE, FOUR, SIX = range(3)  # what fills a cell: no address that is read here, IPv4, IPv6
FURTHEST = 40  # bytes from where a cell begins that are looked at: the longest address, and what ends it
CR, DOT, ZERO, COLON, BEFORE_A = 13, 46, 48, 58, 87
# One in each of the eight bytes of a word, all bits of each but the highest, and where the last byte lies.
ONES, SEVENS, ONE, LAST = map(np.uint64, (0x0101010101010101, 0x7F7F7F7F7F7F7F7F, 1, 56))

_TEXT, _WORDS = (types.Array(each, 1, "C", readonly=True) for each in (types.uint8, types.uint64))
_BYTES, _HALVES, _PLACES = (types.Array(each, 1, "C") for each in (types.uint8, types.uint64, types.intp))
_PLACE = types.intp


def count(array: Array, byte: int) -> int:
    """How often the byte stands in the array."""
    return int(_count(array, byte))


def places(array: Array, byte: int) -> Array:
    """Where the byte stands in the array."""
    out = np.empty(len(array), dtype=np.intp)  # of which only what is written takes memory
    words = array[: len(array) // 8 * 8].view(np.uint64)
    return out[: _places(array, words, byte, out)]


def addresses(found: Records, column: int, rows: Array) -> Addresses:
    """The addresses that fill the cells of that column in these records, none of which has a quote.

    Read are IPv4 in its canonical spelling and IPv6 in groups; another spelling, and what lies in the last bytes of
    the block, is left to a slower reader.
    """
    start, end = found.start, found.end
    if len(rows) < len(start):
        start, end = start[rows], end[rows]
    opens, family, halves = (
        np.empty_like(start),
        np.empty(len(start), np.uint8),
        np.empty((2, len(start)), np.uint64),
    )
    array = np.frombuffer(found.data, np.uint8)
    _addresses(array, start, end, *found.shape, found.returns, column, opens, family, *halves)
    six = np.flatnonzero(family == SIX)
    return Addresses(opens, family == FOUR, halves[1].astype(np.uint32), six, halves[:, six])


def machine_code(*arguments: Any) -> Callable[[Loop], Loop]:
    """Compiled at once, and kept between starts where there is a folder for it."""

    def compiled(loop: Loop) -> Loop:
        try:
            return njit([arguments] if arguments else None, cache=True)(loop)
        except RuntimeError:  # "no locator available"
            return njit([arguments] if arguments else None)(loop)

    return compiled


@machine_code()
def _marks(word: Word, pattern: Word) -> Word:
    """The highest bit of each byte that is the pattern's (Mycroft's test, here its exact form)."""
    other = word ^ pattern
    return ~(((other & SEVENS) + SEVENS) | other | SEVENS)


@machine_code()
def _first(marks: Word) -> Any:
    """The number of the lowest byte that is marked."""
    # The lowest bit of each byte up to the marked one; the multiplication adds them up in the highest byte.
    return np.intp(((marks & (~marks + ONE)) - ONE & ONES) * ONES >> LAST) - 1


@machine_code(_TEXT, _PLACE)
def _count(text: Array, byte: int) -> int:
    found = 0
    for place in range(len(text)):
        found += text[place] == byte
    return found


@machine_code(_TEXT, _WORDS, _PLACE, _PLACES)
def _places(text: Array, words: Array, byte: int, out: Array) -> int:
    """Eight bytes looked at in one go; `words` are the text but its last bytes."""
    pattern = ONES * np.uint64(byte)
    count = 0
    for word in range(len(words)):
        marks = _marks(words[word], pattern)
        while marks:
            out[count] = 8 * word + _first(marks)
            count += 1
            marks &= marks - ONE
    for place in range(8 * len(words), len(text)):
        if text[place] == byte:
            out[count] = place
            count += 1
    return count


@machine_code()
def _byte(text: Array, place: int) -> Any:
    """With a place that has no sign, so that nobody looks whether it counts from the end."""
    return np.uint32(text[np.uint64(place)])


@machine_code()
def _word(text: Array, place: int) -> Word:
    """Eight bytes, the first of them the lowest: one instruction."""
    at = np.uint64(place)
    word = np.uint64(0)
    for byte in range(8):
        word |= np.uint64(text[at + np.uint64(byte)]) << np.uint64(8 * byte)
    return word


@machine_code()
def _opens(text: Array, place: int, last: int, delimiter: int, column: int) -> int:
    """The place after as many delimiters; -1 where there are fewer before `last`."""
    pattern = ONES * np.uint64(delimiter)
    while column and place < last:
        if place + 8 <= len(text):
            marks = _marks(_word(text, place), pattern)
            while column and marks:
                column -= 1
                if not column:
                    place += _first(marks) + 1
                    return place if place <= last else -1
                marks &= marks - ONE
            place += 8
        else:
            column -= text[place] == delimiter
            place += 1
    return place if not column else -1


@machine_code()
def _four(text: Array, place: int) -> tuple[Word, int]:
    """The address that begins there and the place after it; (0, -1) where none does."""
    number = np.uint64(0)
    for octet in range(4):
        value = _byte(text, place) - np.uint32(ZERO)
        if value > 9:
            return np.uint64(0), -1
        place += 1
        following = _byte(text, place) - np.uint32(ZERO)
        if following < 10:
            value, place = value * np.uint32(10) + following, place + 1
            following = _byte(text, place) - np.uint32(ZERO)
            if value < 10:  # a leading zero: octal to some
                return np.uint64(0), -1
            if following < 10:
                value, place = value * np.uint32(10) + following, place + 1
        if value > 255 or (octet < 3 and _byte(text, place) != DOT):
            return np.uint64(0), -1
        number = number << np.uint64(8) | np.uint64(value)
        place += octet < 3
    return number, place


@machine_code()
def _group(text: Array, place: int) -> tuple[Word, int]:
    """The number of at most four hexadecimal digits that begins there, and the place after it."""
    value, first = np.uint64(0), place
    while place < first + 4:
        digit = _byte(text, place) - np.uint32(ZERO)
        if digit > 9:
            digit = (_byte(text, place) | np.uint32(32)) - np.uint32(BEFORE_A)
            if digit < 10 or digit > 15:
                break
        value, place = value << np.uint64(4) | np.uint64(digit), place + 1
    return value, place


@machine_code()
def _six(text: Array, place: int, groups: Array) -> int:
    """Fill the eight groups of the address that begins there; the place after it, -1 where none does."""
    count, gap, after_gap = 0, -1, -1
    if text[place] == COLON and text[place + 1] == COLON:
        gap, after_gap, place = 0, place + 2, place + 2
    while True:
        first = place
        groups[count], place = _group(text, first)
        if place == first:  # nothing stands there: right after `::` only
            if first != after_gap:
                return -1
            break
        count += 1
        if count == 8 or text[place] != COLON:
            break
        place += 1
        if text[place] == COLON:
            if gap >= 0:
                return -1
            gap, after_gap, place = count, place + 1, place + 1
    if (gap < 0) == (count < 8):
        return -1
    if gap >= 0:
        moved = 8 - count
        for group in range(7, gap - 1, -1):
            groups[group] = groups[group - moved] if group - moved >= gap else np.uint64(0)
    return place


@machine_code()
def _half(groups: Array) -> Word:
    value = np.uint64(0)
    for group in groups:
        value = value << np.uint64(16) | group
    return value


@machine_code(_TEXT, _PLACES, _PLACES, _PLACE, _PLACE, boolean, _PLACE, _PLACES, _BYTES, _HALVES, _HALVES)
def _addresses(
    text: Array, start: Array, end: Array, delimiter: int, newline: int, returns: bool, column: int,
    opens: Array, family: Array, high: Array, low: Array,
) -> None:  # fmt: skip
    groups = np.zeros(8, dtype=np.uint64)
    for row in range(len(start)):
        last = end[row] - (text[end[row] - 1] == newline)
        place = _opens(text, start[row], last, delimiter, column)
        opens[row], family[row] = place if place >= 0 else last, NONE
        if place < 0 or place == last or place + FURTHEST >= len(text):
            continue
        if returns and text[last - 1] == CR:
            last -= 1
        number, stop = _four(text, place)
        if stop > 0 and (stop == last or text[stop] == delimiter):
            family[row], low[row] = FOUR, number
        elif stop < 0:
            stop = _six(text, place, groups)
            if stop > 0 and (stop == last or text[stop] == delimiter):
                family[row], high[row], low[row] = SIX, _half(groups[:4]), _half(groups[4:])
