"""One question answered for every address there is: the space cut into pieces in which one result holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pocdir.routing.rules.addresses import BITS, address_text, special_ends
from pocdir.routing.rules.index import NOBODY, Index
from pocdir.routing.rules.indicator import Indicator
from pocdir.routing.rules.question import Question
from pocdir.routing.rules.registry_layers import FAMILIES, LOW_HALF, Array
from pocdir.routing.rules.resolver import answer_to
from pocdir.routing.rules.result import Result, result_of

FEW = 50_000  # addresses for which a search in the starts costs less than writing out the table


@dataclass(frozen=True, eq=False)
class Pieces4:
    """The IPv4 space: first addresses in order (uint32, the first is 0) and the number of the result from each on."""

    starts: Array
    results: Array

    def of(self, numbers: Array) -> Array:
        """The result of each address (uint32)."""
        if len(numbers) < FEW and "_table" not in self.__dict__:
            near: Array = self.results[np.searchsorted(self.starts, numbers, side="right") - 1]
            return near
        first, second = self._table
        found: Array = first.take((numbers >> np.uint32(8)).astype(np.intp), mode="wrap")  # all are within
        deep = np.flatnonzero(found < 0)
        found[deep] = second[~found[deep], numbers[deep] & np.uint32(255)]
        return found

    def write_out(self) -> None:
        """Make the table now, before other processes share it."""
        _ = self._table

    @cached_property
    def _table(self) -> tuple[Array, Array]:
        """DIR-24-8 (Gupta, Lin, McKeown 1998): the result of each /24, or ~row of its 256 addresses."""
        starts = self.starts.astype(np.int64)
        results = self.results.astype(np.int16 if self.results.max() < 1 << 15 else np.int32)
        first = np.repeat(results, np.diff((starts + 255) >> 8, append=1 << 24))
        inside = np.flatnonzero(starts & 255)
        blocks, rows = np.unique(starts[inside] >> 8, return_inverse=True)
        if len(blocks) >= 1 << 15:
            first = first.astype(np.int32)
        at = np.concatenate([np.arange(len(blocks)) << 8, (rows << 8) + (starts[inside] & 255)])
        holds = np.concatenate([first[blocks], results[inside]])
        order = np.argsort(at, kind="stable")
        lengths = np.diff(at[order], append=len(blocks) << 8)
        second = np.repeat(holds[order], lengths).reshape(len(blocks), 256)
        first[blocks] = ~np.arange(len(blocks))
        return first, second


@dataclass(frozen=True, eq=False)
class Pieces6:
    """The same for IPv6: starts are two rows of uint64, the high and the low half."""

    starts: Array
    results: Array

    def of(self, numbers: Array) -> Array:
        """The result of each address (two rows of uint64)."""
        high, low = self.starts
        rows = np.searchsorted(high, numbers[0], side="right") - 1
        # Where a start has the address' own high half, its low half decides, among few.
        tied = np.flatnonzero((high[rows] == numbers[0]) & (low[rows] > numbers[1]))
        while len(tied):
            rows[tied] -= 1
            tied = tied[(high[rows[tied]] == numbers[0][tied]) & (low[rows[tied]] > numbers[1][tied])]
        found: Array = self.results[rows]
        return found


@dataclass(frozen=True, eq=False)
class Decisions:
    """The results that any address can have, and which of them each has."""

    results: tuple[Result, ...]
    v4: Pieces4
    v6: Pieces6


def decisions(index: Index, asked: Question) -> Decisions:
    """Cut both spaces and ask the resolver once about each kind of piece, so that bulk and single cannot differ."""
    numbers: dict[Result, int] = {}
    found = []
    for family in FAMILIES:
        starts, kinds, samples = _kinds(index, family, asked.country_by)
        of_kind = np.array([_result(index, family, s, asked, numbers) for s in samples], dtype=np.int32)
        held = of_kind[kinds]
        new = np.append(True, held[1:] != held[:-1])
        found.append((starts[:, new], held[new]))
    (four, held4), (six, held6) = found
    return Decisions(tuple(numbers), Pieces4(four[1].astype(np.uint32), held4), Pieces6(six, held6))


def _result(index: Index, family: int, number: int, asked: Question, numbers: dict[Result, int]) -> int:
    text = address_text(family, number)
    answer = answer_to(index, Indicator("ip", text, text), asked.wish, asked.sector, asked.country_by)
    return numbers.setdefault(result_of(answer), len(numbers))


def _kinds(index: Index, family: int, country_by: str) -> tuple[Array, Array, list[int]]:
    """The starts of all pieces (two rows), the kind of each, and an address of each kind.

    Addresses of one kind have the same candidates by prefix and by AS, the same deciding country, are in the
    registry or are not, and are special or not: all that gather() looks at.
    """
    pieces = index.pieces[family]
    firsts, lasts = (_words(ends) for ends in special_ends(family))
    registry: Any = index.registry
    data = (registry.v4 if family == 4 else registry.v6) if registry else None
    entry_first, entry_last = (_two_rows(data.first), _two_rows(data.last)) if data else (_words(()),) * 2
    layers = [_words([0]), _words(pieces.starts), entry_first, _after(entry_last), firsts, _after(lasts)]
    starts, (_, by_prefix, entered, left, in_special, out_special) = _borders(layers, family)
    explicit = _numbered([NOBODY, *pieces.candidates])
    by_prefix = explicit[np.cumsum(by_prefix)]
    begun = np.cumsum(entered)
    row = np.where(begun > np.cumsum(left), begun - 1, -1)
    by_system, country = _by_registry(index, data, row, country_by)
    special = (np.cumsum(in_special) > np.cumsum(out_special)) & (by_prefix == 0) & (by_system == 0)
    key = (by_prefix << 40 | by_system << 18 | country << 2 | (row >= 0).astype(np.int64) << 1) * ~special
    _, sample, kinds = np.unique(key | special, return_index=True, return_inverse=True)
    samples = [int(high) << 64 | int(low) for high, low in starts[:, sample].T]
    return starts, kinds, samples


def _by_registry(index: Index, data: Any, row: Array, country_by: str) -> tuple[Array, Array]:
    """For rows of the registry (-1: in none) the number of the candidates by AS, and the deciding country."""
    nothing = np.zeros(len(row), dtype=np.int64)
    if data is None or not len(data.system):
        return nothing, nothing
    registry: Any = index.registry
    known = registry.system_numbers
    numbers = _numbered([NOBODY, *index.systems.values()])
    teams = np.zeros(len(known), dtype=np.int64)
    for place, number in enumerate(index.systems, 1):
        system = int(np.searchsorted(known, number))
        if number and system < len(known) and known[system] == number:
            teams[system] = numbers[place]
    countries = registry.system_countries[data.system] if country_by == "asn" else getattr(data, country_by)
    inside = row >= 0
    return (
        np.where(inside, teams[data.system][row], nothing),
        np.where(inside, countries.astype(np.int64)[row], nothing),
    )


def _numbered(candidates: Sequence[Any]) -> Array:
    """A number for each, equal ones the same, in the order of their first appearance."""
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(same, len(numbers)) for same in candidates], dtype=np.int64)


def _borders(layers: list[Array], family: int) -> tuple[Array, list[Array]]:
    """All borders in order, once each, and for each layer how many of its own lie at each border (0 or 1)."""
    joined = np.concatenate(layers, axis=1)
    # searchsorted and unique know no 128-bit numbers; sorting by two keys does.
    order = np.lexsort(joined[::-1])
    ordered = joined[:, order]
    new = np.append(True, (ordered[:, 1:] != ordered[:, :-1]).any(axis=0))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.cumsum(new) - 1
    starts = ordered[:, new]
    counts = []
    for part in np.split(place, np.cumsum([layer.shape[1] for layer in layers])[:-1]):
        counts.append(np.bincount(part, minlength=starts.shape[1]))
    if BITS[family] == 32:
        inside = starts[1] < 1 << 32
        return starts[:, inside], [count[inside] for count in counts]
    return starts, counts


def _words(numbers: Sequence[int]) -> Array:
    """Numbers as two rows of uint64, the high and the low half; the one after the last of all is left out."""
    numbers = [number for number in numbers if number >> 128 == 0]
    halves = [[number >> 64 for number in numbers], [number & LOW_HALF for number in numbers]]
    return np.array(halves, dtype=np.uint64)


def _two_rows(column: Array) -> Array:
    if column.ndim == 2:
        return column
    return np.stack([np.zeros(len(column), dtype=np.uint64), column.astype(np.uint64)])


def _after(last: Array) -> Array:
    """The addresses after these; the one after the last of all is left out."""
    low = last[1] + np.uint64(1)
    high = last[0] + (low == 0)
    return np.stack([high, low])[:, (high | low) > 0]
