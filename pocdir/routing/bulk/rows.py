"""Which outcome each row has: addresses by the thousand, everything else one by one, and each text once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from pocdir.core.errors import Invalid
from pocdir.routing.bulk import ipv4
from pocdir.routing.bulk.records import Records
from pocdir.routing.rules.decisions import Decisions
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.indicator import parse
from pocdir.routing.rules.outcome import Outcome, invalid, outcome_of
from pocdir.routing.rules.question import Question
from pocdir.routing.rules.registry_layers import Array
from pocdir.routing.rules.resolver import answer_to

MOST_TEXTS = 200_000  # remembered
LONGEST = 4096  # bytes of one indicator
ADDRESSES = ("ip", "prefix", "range")
MEANT = {  # what may stand in a column of each kind
    "ip": ADDRESSES,
    "indicator": ("domain", "url", "asn", *ADDRESSES),
    "asn": ("asn",),
    "domain": ("domain", "url", *ADDRESSES),
    "url": ("url", "domain", *ADDRESSES),
    "country": ("country",),
}
WORDS = {
    "ip": "an IP address",
    "indicator": "an address, a name or an AS number",
    "asn": "an AS number",
    "domain": "a domain name",
    "url": "a URL",
    "country": "a country",
}
NO_ADDRESS = invalid("this row names no address")


class Columns(NamedTuple):
    """The columns that say where a row belongs, the preferred one first, as (number, kind), and their encoding."""

    columns: tuple[tuple[int, str], ...]
    encoding: str


class Outcomes:
    """All outcomes met so far, by number; those of the decisions first. Shared by threads."""

    def __init__(self, index: Index, asked: Question, known: Decisions) -> None:
        self.index, self.asked, self.decisions = index, asked, known
        self.all: list[Outcome] = list(known.outcomes)
        self._numbers = {outcome: number for number, outcome in enumerate(self.all)}
        self._texts: dict[tuple[str, bytes], int] = {}
        self._lock = threading.Lock()
        self.missing = self.number(NO_ADDRESS)

    def number(self, outcome: Outcome) -> int:
        with self._lock:
            found = self._numbers.get(outcome)
            if found is None:
                found = self._numbers[outcome] = len(self.all)
                self.all.append(outcome)
            return found

    def of_text(self, kind: str, text: bytes, encoding: str) -> int:
        """The outcome of one cell, remembered."""
        found = self._texts.get((kind, text))
        if found is None:
            found = self.number(self._outcome(kind, text, encoding))
            if len(self._texts) >= MOST_TEXTS:
                self._texts.clear()
            self._texts[kind, text] = found
        return found

    def _outcome(self, kind: str, text: bytes, encoding: str) -> Outcome:
        try:
            indicator = parse(text[: LONGEST + 1].decode(encoding), self.index.names)
        except UnicodeDecodeError:
            return invalid(f"this is no text in {encoding}")
        except Invalid as error:
            return invalid(error.message)
        if indicator.kind not in MEANT[kind]:
            return invalid(f"this is not {WORDS[kind]}")
        asked = self.asked
        return outcome_of(answer_to(self.index, indicator, asked.wish, asked.sector, asked.country_by))


def outcomes_of(found: Records, where: Columns, known: Outcomes) -> Array:
    """The number of the outcome of each record."""
    result = np.full(len(found.first), known.missing, dtype=np.int32)
    open_ = np.arange(len(result))
    for column, kind in where.columns:
        start, end = found.cell(column)
        start, end = start[open_], end[open_]
        filled = start < end
        rows, start, end = open_[filled], start[filled], end[filled]
        if kind in ("ip", "indicator"):
            rows, start, end = _addresses(found.data, rows, start, end, known, result)
        cells = _texts(found.data, start, end)
        result[rows] = [known.of_text(kind, text, where.encoding) for text in cells]
        open_ = open_[~filled]
        if not len(open_):
            break
    return result


def _addresses(
    data: bytes, rows: Array, start: Array, end: Array, known: Outcomes, result: Array
) -> tuple[Array, Array, Array]:
    """Fill in what are addresses; what is left over, as rows with where their cells begin and end."""
    numbers, plain = ipv4.parse(np.frombuffer(data, np.uint8), start, end)
    result[rows[plain]] = known.decisions.v4.of(numbers[plain])
    rows, start, end = rows[~plain], start[~plain], end[~plain]
    packed, six = _ipv6(_texts(data, start, end))
    words = np.frombuffer(packed, ">u8").astype(np.uint64).reshape(-1, 2).T
    mapped = (words[0] == 0) & (words[1] >> np.uint64(32) == 0xFFFF)
    of_six = known.decisions.v6.of(words)
    of_six[mapped] = known.decisions.v4.of(words[1][mapped].astype(np.uint32))
    result[rows[six]] = of_six
    return rows[~six], start[~six], end[~six]


def _texts(data: bytes, start: Array, end: Array) -> Iterable[bytes]:
    return [data[a:b] for a, b in zip(start.tolist(), end.tolist(), strict=True)]


def _ipv6(texts: Iterable[bytes]) -> tuple[bytes, Array]:
    """The IPv6 addresses among the texts, 16 bytes each, and which of them are."""
    packed, found = [], []
    for text in texts:
        try:
            packed.append(socket.inet_pton(socket.AF_INET6, text.decode("ascii")))
            found.append(True)
        except (OSError, ValueError):
            found.append(False)
    return b"".join(packed), np.array(found, dtype=bool)
