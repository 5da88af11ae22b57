"""The layers of the registry: disjoint address ranges with one value each, and what is known of each AS."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

RANGE_LAYERS = ("asn", "registered", "located")
FAMILIES = (4, 6)
LOW_HALF = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Attribution:
    """Whom to name, with a link, wherever the data is shown."""

    text: str
    url: str
    licence: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a layer comes from; `digest` is the SHA-256 over the files as they came."""

    source: str
    as_of: str  # ISO date
    attributions: tuple[Attribution, ...]
    origin: str  # seed or import
    digest: str


@dataclass(frozen=True, slots=True)
class Ranges:
    """Disjoint ranges in order: first and last address (both inside) and a value, as three arrays.

    Addresses are int64 for IPv4 and Python integers (dtype object) for IPv6; values are uint32: an AS number
    or a packed country code.
    """

    first: Array
    last: Array
    value: Array

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True)
class Layers:
    """All that is known: ranges by (layer, family), holders and countries by AS number, provenance."""

    ranges: dict[tuple[str, int], Ranges] = field(default_factory=dict)
    holders: dict[int, str] = field(default_factory=dict)
    asn_country: dict[int, str] = field(default_factory=dict)
    provenance: dict[str, Provenance] = field(default_factory=dict)  # asn-v4 ... located-v6, asn_country

    def replaced(self, other: Layers) -> Layers:
        """These layers with each that `other` brings put in the place of the same one here.

        IPv4 and IPv6 of a layer count as two, since most sources publish them as two files.
        """
        return Layers(
            self.ranges | other.ranges,
            self.holders | other.holders,
            other.asn_country or self.asn_country,
            self.provenance | other.provenance,
        )


def layer_name(layer: str, family: int) -> str:
    return f"{layer}-v{family}"


def pack_country(code: str) -> int:
    """Two letters as a number from 1 that sorts as the letters do; 0 stands for no country."""
    return ord(code[0]) << 8 | ord(code[1])


def most_said(pairs: Iterable[tuple[int, str]]) -> dict[int, str]:
    """One text per number: the one said most often, of equals the first in the alphabet; empty ones pass."""
    best: dict[int, tuple[int, str]] = {}
    for (number, text), count in Counter(pair for pair in pairs if pair[1]).items():
        best[number] = min(best.get(number, (1, "")), (-count, text))
    return {number: text for number, (_, text) in sorted(best.items())}


def flatten(rows: list[tuple[int, int, int]], family: int) -> Ranges:
    """Disjoint ranges from any: where several cover an address, the smallest wins.

    Of equally small ones the one that begins later wins, of equal ones the lower value, whatever the order of
    the rows.
    """
    rows = sorted(set(rows))
    if any(rows[i][1] >= rows[i + 1][0] for i in range(len(rows) - 1)):
        rows = list(_smallest(rows))
    return Ranges(
        _addresses([row[0] for row in rows], family),
        _addresses([row[1] for row in rows], family),
        np.array([row[2] for row in rows], dtype=np.uint32),
    )


def _smallest(rows: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Sweep over all borders with the ranges that are open there in a heap, the smallest on top."""
    borders = sorted({row[0] for row in rows} | {row[1] + 1 for row in rows})
    heap: list[tuple[int, int, int, int]] = []
    begun = 0
    held: tuple[int, int, tuple[int, int, int, int]] | None = None
    for border, following in pairwise(borders):
        while begun < len(rows) and rows[begun][0] == border:
            first, last, value = rows[begun]
            heapq.heappush(heap, (last - first, -first, value, last))
            begun += 1
        while heap and heap[0][3] < border:
            heapq.heappop(heap)
        if held and heap and held[2] == heap[0]:
            held = (held[0], following - 1, heap[0])
            continue
        if held:
            yield held[0], held[1], held[2][2]
        held = (border, following - 1, heap[0]) if heap else None
    if held:
        yield held[0], held[1], held[2][2]


def combine(layers: list[Ranges | None], family: int) -> tuple[Ranges, list[Array]]:
    """All layers cut along all their borders: the pieces, and for each layer the number of its range or -1.

    The `value` of the pieces means nothing.
    """
    present = [layer for layer in layers if layer is not None and len(layer)]
    if len(present) < 2:
        only = present[0] if present else flatten([], family)
        rows = np.arange(len(only))
        return only, [rows if layer is only else np.full(len(only), -1) for layer in layers]
    borders = np.concatenate([part for layer in present for part in (layer.first, layer.last + 1)])
    borders.sort(kind="stable")  # made of sorted runs; np.unique does not profit from that
    borders = borders[np.append(True, (borders[1:] != borders[:-1]).astype(bool))]
    starts, ends = borders[:-1], borders[1:] - 1
    found = [_covering(layer, starts) for layer in layers]
    kept = np.any([rows >= 0 for rows in found], axis=0)
    return Ranges(starts[kept], ends[kept], np.zeros(len(starts[kept]))), [rows[kept] for rows in found]


def _covering(layer: Ranges | None, starts: Array) -> Array:
    if layer is None or not len(layer):
        return np.full(len(starts), -1, dtype=np.int64)
    index = np.searchsorted(layer.first, starts, side="right") - 1
    covered = (index >= 0) & (starts <= layer.last[np.maximum(index, 0)]).astype(bool)
    return np.where(covered, index, -1)


def _addresses(numbers: list[int], family: int) -> Array:
    if family == 4:
        return np.array(numbers, dtype=np.int64)
    array = np.empty(len(numbers), dtype=object)
    array[:] = numbers
    return array


def to_words(addresses: Array, family: int) -> Array:
    """Addresses as they lie on disk: uint32, or for IPv6 two rows of uint64 (high half, low half)."""
    if family == 4:
        return addresses.astype(np.uint32)
    numbers = addresses.tolist()
    halves = [[number >> 64 for number in numbers], [number & LOW_HALF for number in numbers]]
    return np.array(halves, dtype=np.uint64)


def from_words(words: Array, family: int) -> Array:
    """The reverse of to_words."""
    if family == 4:
        return words.astype(np.int64)
    return _addresses([h << 64 | low for h, low in zip(*words.tolist(), strict=True)], family)


def pack_columns(ranges: Ranges, family: int) -> bytes:
    """Ranges as little-endian columns that compress well.

    IPv4: gap to the range before, length - 1, value (uint32 each). IPv6: step of the first address' high
    half, its low half, span of the high halves, complement of the last address' low half (uint64), value.
    """
    first, last = to_words(ranges.first, family), to_words(ranges.last, family)
    if family == 4:
        gap = first.copy()
        gap[1:] -= last[:-1] + np.uint32(1)
        columns = [gap, last - first]
    else:
        columns = [np.diff(first[0], prepend=np.uint64(0)), first[1], last[0] - first[0], ~last[1]]
    kind = "<u4" if family == 4 else "<u8"
    return b"".join([c.astype(kind).tobytes() for c in columns] + [ranges.value.astype("<u4").tobytes()])


def unpack_columns(data: bytes, family: int) -> Ranges:
    """The reverse of pack_columns; raises ValueError when the length fits no number of rows."""
    size = 12 if family == 4 else 36
    rows, rest = divmod(len(data), size)
    if rest:
        raise ValueError(f"{len(data)} bytes are no rows of {size}")
    value = np.frombuffer(data, dtype="<u4", count=rows, offset=(size - 4) * rows).astype(np.uint32)
    if family == 4:
        gap, span = np.frombuffer(data, dtype="<u4", count=2 * rows).reshape(2, rows).astype(np.int64)
        last = np.cumsum(gap + span + 1) - 1
        return Ranges(last - span, last, value)
    step, low, span, complement = np.frombuffer(data, dtype="<u8", count=4 * rows).reshape(4, rows)
    high = np.cumsum(step, dtype=np.uint64)
    first, last = np.stack([high, low]), np.stack([high + span, ~complement])
    return Ranges(from_words(first, 6), from_words(last, 6), value)
