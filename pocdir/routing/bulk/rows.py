"""Which result each row has: addresses by the thousand, everything else one by one, and each text once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from socket import AF_INET6, inet_pton
from typing import NamedTuple, Protocol

import numpy as np

from pocdir.core.errors import Invalid
from pocdir.routing.bulk import ipv4
from pocdir.routing.bulk.parcels import UNROUTED, file_for
from pocdir.routing.bulk.records import Addresses, Records
from pocdir.routing.bulk.swallowed import CELLS_MISSING, ROWS_WITHIN, swallowed
from pocdir.routing.rules.addresses import parse_address
from pocdir.routing.rules.contacts import Decision
from pocdir.routing.rules.decisions import Decisions
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.indicator import KINDS, Indicator, parse, parse_network_name
from pocdir.routing.rules.indicator import LONGEST as MOST_CHARACTERS
from pocdir.routing.rules.question import Question
from pocdir.routing.rules.registry_layers import Array
from pocdir.routing.rules.resolver import Answer, answer_to
from pocdir.routing.rules.result import Result, invalid, result_of

MOST_TEXTS = 200_000  # remembered
MOST_DECIDED = 5_000
LONGEST = 4 * MOST_CHARACTERS + 4  # bytes of one indicator: whatever has more is too long
_DOTTED = re.compile(rb"[0-9]+(?:\.[0-9]+)+")
_NO_FOUR = b"0.0"  # what is dotted and not of four numbers is refused alike: one for all
_SYSTEM = re.compile(rb"[1-9][0-9]{0,8}")
WITH_ADDRESSES = ("ip", "indicator")
ADDRESSES = ("ip", "prefix", "range")
DIVIDES = b",;\t|"  # of which no address has one
MEANT = {  # what may stand in a column of each kind
    "ip": ADDRESSES,
    "indicator": KINDS,
    "asn": ("asn",),
    "domain": ("domain", "url", *ADDRESSES),
    "url": ("url", "domain", *ADDRESSES),
    "country": ("country",),
}
WORDS = {
    "ip": "an IP address",
    "indicator": "an indicator",
    "asn": "an AS number",
    "domain": "a domain name",
    "url": "a URL",
    "country": "a country",
}
NO_ADDRESS = invalid("this row names no address")


class Columns(NamedTuple):
    """The columns that say where a row belongs, the preferred one first, as (number, kind), and their encoding.

    `header` is the number of cells in the header, 0 without one.
    """

    columns: tuple[tuple[int, str], ...]
    encoding: str
    header: int = 0


class Compiled(Protocol):
    """What machine code does faster, with the same results: the module `compiled`."""

    def count(self, array: Array, byte: int) -> int: ...
    def places(self, array: Array, byte: int) -> Array: ...
    def addresses(self, found: Records, column: int, rows: Array) -> Addresses: ...


class Results:
    """All results met so far, by number; those of the decisions first."""

    def __init__(self, index: Index, asked: Question, known: Decisions) -> None:
        self.index, self.asked, self.decisions = index, asked, known
        self.all: list[Result] = []
        self.files: list[str] = [UNROUTED]
        self._of_file = {UNROUTED: 0}
        self._file: list[int] = []  # by result
        self._numbers: dict[Result, int] = {}
        self._decided: dict[int, tuple[Decision, int]] = {}  # by identity, which holds while it is kept here
        self._systems: dict[tuple[tuple[str, ...], str | None], int] = {}
        self._texts: dict[str, dict[bytes, int]] = {kind: {} for kind in MEANT}
        for result in known.results:
            self.number(result)
        self.missing, self.joined, self.short = map(self.number, (NO_ADDRESS, ROWS_WITHIN, CELLS_MISSING))

    def number(self, result: Result) -> int:
        found = self._numbers.get(result)
        if found is None:
            found = self._numbers[result] = len(self.all)
            name = file_of(result)
            if name not in self._of_file:
                self._of_file[name] = len(self.files)
                self.files.append(name)
            self._file.append(self._of_file[name])
            self.all.append(result)
        return found

    def file_numbers(self) -> Array:
        """The number of the file (in `files`) of each result."""
        return np.array(self._file, dtype=np.min_scalar_type(len(self.files)))

    def of_texts(self, kind: str, texts: Sequence[bytes], encoding: str) -> list[int]:
        """The result of each of these cells; it is remembered."""
        known = self._texts[kind]
        if len(known) > MOST_TEXTS:
            known = self._texts[kind] = {}
        for text in texts:
            if text not in known:
                number = self._number if kind != "asn" else self._of_system
                known[text] = number(kind, text, encoding)
        return [known[text] for text in texts]

    def _of_system(self, kind: str, text: bytes, encoding: str) -> int:
        """Of an AS number: of those that nobody answers for by number, all of the same countries have one result."""
        number = int(text) if _SYSTEM.fullmatch(text) else 0
        registry = self.index.registry
        if not number or registry is None or number in self.index.systems:
            return self._number(kind, text, encoding)
        entry = registry.asn(number)
        if entry is None:
            return self._number(kind, text, encoding)
        alike = entry.registered_countries, entry.asn_country
        if alike not in self._systems:
            self._systems[alike] = self._number(kind, text, encoding)
        return self._systems[alike]

    def _number(self, kind: str, text: bytes, encoding: str) -> int:
        try:
            if kind == "ip" and _DOTTED.fullmatch(text):
                if text.count(b".") != 3 and text != _NO_FOUR:
                    return self.of_texts(kind, [_NO_FOUR], encoding)[0]
                parse_address(text.decode())  # refuses rubbish ten times faster
            indicator = self._read(kind, text, encoding)
        except UnicodeDecodeError:
            return self.number(invalid(f"this is no text in {encoding}"))
        except Invalid as error:
            return self.number(invalid(error.message))
        except ValueError as error:
            return self.number(invalid(str(error)))
        if indicator.kind not in MEANT[kind]:
            return self.number(invalid(f"this is not {WORDS[kind]}"))
        asked = self.asked
        return self._of_answer(answer_to(self.index, indicator, asked.wish, asked.sector, asked.country_by))

    def _read(self, kind: str, text: bytes, encoding: str) -> Indicator:
        words = text[:LONGEST].decode(encoding, "strict" if len(text) <= LONGEST else "replace")
        if kind == "asn" and _SYSTEM.fullmatch(text):
            return Indicator("asn", words, words)
        if kind == "indicator":
            return parse(words, self.index.names)
        return parse(words) if kind == "country" else parse_network_name(words)

    def _of_answer(self, answer: Answer) -> int:
        """Where the decision says everything, its result is made once: most texts differ in nothing else."""
        decision = answer.decision
        if not (decision.contacts or decision.notes):
            return self.number(result_of(answer))
        found = self._decided.get(id(decision))
        if found is None:
            if len(self._decided) > MOST_DECIDED:
                self._decided.clear()
            found = self._decided[id(decision)] = decision, self.number(result_of(answer))
        return found[1]


def file_of(result: Result) -> str:
    """The name of the file that a row with this result goes to."""
    return UNROUTED if result.team is None else file_for(result.team)


def results_of(found: Records, where: Columns, known: Results, fast: Compiled | None = None) -> Array:
    """The number of the result of each record."""
    which = np.full(len(found.start), known.missing, dtype=np.int32)
    rows = np.arange(len(which))  # those that no column before has decided
    for column, kind in where.columns:
        if kind in WITH_ADDRESSES:
            read, end = _addresses(found, column, rows, fast)
            which[rows] = np.where(read.four, known.decisions.v4.of(read.numbers), known.missing)
            which[rows[read.six]] = _of_six(read.halves, known)
            rest = ~read.four
            rest[read.six] = False
            rows, opens, end = rows[rest], read.opens[rest], None if end is None else end[rest]
            start, end = found.cell(column, rows, opens) if end is None else (opens, end)
        else:
            start, end = found.cell(column, rows, found.opens(column, rows))
        filled = start < end
        spans = zip(start[filled].tolist(), end[filled].tolist(), strict=True)
        texts = [found.data[a:b] for a, b in spans]
        which[rows[filled]] = _each(kind, texts, where.encoding, known)
        rows = rows[~filled]
        if not len(rows):
            break
    if found.within is not None:
        joined, short = swallowed(
            found, header=where.header, columns=where.columns, leads=_leads(where, known)
        )
        which[joined], which[short] = known.joined, known.short
    return which


def _addresses(
    found: Records, column: int, rows: Array, fast: Compiled | None
) -> tuple[Addresses, Array | None]:
    """The addresses in that column, and where its cells end if that had to be looked for."""
    if fast and found.separator is None and found.shape.delimiter in DIVIDES:
        return fast.addresses(found, column, rows), None
    opens, end = found.opens(column, rows), None
    if opens is None:
        opens, end = found.cell(column, rows)
    numbers, plain, stops = ipv4.parse(np.frombuffer(found.data, np.uint8), opens)
    plain &= found.closes(stops) if end is None else stops == end
    nobody = np.empty((2, 0), dtype=np.uint64)
    return Addresses(opens, plain, numbers, nobody[0].astype(np.intp), nobody), end


def _leads(where: Columns, known: Results) -> Callable[[list[bytes]], bool]:
    """Whether a row of these cells is a valid one."""

    def leads(row: list[bytes]) -> bool:
        for column, kind in where.columns:
            if column < len(row) and row[column]:
                return known.all[known.of_texts(kind, [row[column]], where.encoding)[0]].status != "invalid"
        return False

    return leads


def _each(kind: str, texts: list[bytes], encoding: str, known: Results) -> Array:
    """The results of cells that hold no plain IPv4 address: IPv6 together, the others one by one."""
    which = np.empty(len(texts), dtype=np.int32)
    places = [place for place, text in enumerate(texts) if kind in WITH_ADDRESSES and b":" in text]
    packed, six = _ipv6([texts[place] for place in places])
    others = np.ones(len(texts), dtype=bool)
    others[np.array(places, dtype=np.intp)[six]] = False
    which[~others] = _of_six(np.frombuffer(packed, ">u8").astype(np.uint64).reshape(-1, 2).T, known)
    which[others] = known.of_texts(kind, [texts[at] for at in np.flatnonzero(others).tolist()], encoding)
    return which


def _of_six(halves: Array, known: Results) -> Array:
    """The results of IPv6 addresses, two rows of uint64; those that stand for an IPv4 address are one."""
    found = known.decisions.v6.of(halves)
    mapped = (halves[0] == 0) & (halves[1] >> np.uint64(32) == 0xFFFF)
    found[mapped] = known.decisions.v4.of(halves[1][mapped].astype(np.uint32))
    return found


def _ipv6(texts: list[bytes]) -> tuple[bytes, Array]:
    """The IPv6 addresses among the texts, 16 bytes each, and which of them are."""
    try:
        return b"".join([inet_pton(AF_INET6, text.decode()) for text in texts]), np.ones(
            len(texts), dtype=bool
        )
    except (OSError, ValueError):
        packed = [_packed(text) for text in texts]
        return b"".join(packed), np.array([bool(address) for address in packed], dtype=bool)


def _packed(text: bytes) -> bytes:
    try:
        return inet_pton(AF_INET6, text.decode())
    except (OSError, ValueError):
        return b""
