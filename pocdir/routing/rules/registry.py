"""The registry: from an address to its AS, holder and countries, read from an index that is mapped."""

from __future__ import annotations

import ipaddress
import json
import socket
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pocdir.core.errors import Unavailable
from pocdir.routing.rules.registry_index import FORMAT, INDEX_COLUMNS, Index, provenance_of
from pocdir.routing.rules.registry_layers import (
    FAMILIES,
    LOW_HALF,
    RANGE_LAYERS,
    Array,
    Attribution,
    Layers,
    Provenance,
    Ranges,
    from_words,
    layer_name,
    pack_country,
)

CURRENT, META = "current", "meta.json"
BROKEN = (OSError, EOFError, ValueError, KeyError, TypeError)  # what numpy and json say of damaged files

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
COUNTRY_CODES: dict[int, str | None] = {pack_country(a + b): a + b for a in _LETTERS for b in _LETTERS}
COUNTRY_CODES[0] = None

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class RegistryEntry(NamedTuple):
    """What is known of one address; the AS and the registered country hold for the whole prefix."""

    prefix: str | None
    asn: int | None
    holder: str | None
    registered: str | None
    located: str | None
    asn_country: str | None
    as_of: str  # ISO date of the oldest layer that spoke


@dataclass(frozen=True, slots=True)
class AsnEntry:
    """What is known of one AS: its own country, and those in which its prefixes are registered, in order."""

    number: int
    holder: str | None
    asn_country: str | None
    registered_countries: tuple[str, ...]
    as_of: str


def current_version(folder: Path) -> str | None:
    """The name of the version published in that folder, None when there is none."""
    try:
        return (folder / CURRENT).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None


class Registry:
    """One version of the index. Opening maps it; a newer version published meanwhile does not disturb it.

    `v4` and `v6` are the arrays for whole files of addresses, `system_numbers` the AS number of each system,
    `system_countries` its own country, packed.
    """

    def __init__(self, version: str, files: dict[str, Array], provenance: dict[str, Provenance]) -> None:
        self.version = version
        self.provenance = provenance
        self.v4, self.v6 = (Index(*(files[f"v{f}_{name}"] for name in INDEX_COLUMNS)) for f in FAMILIES)
        self.system_numbers = files["systems_number"]
        self._pieces = {4: _Pieces(self.v4), 6: _Pieces(self.v6)}
        self._numbers = _view(files["systems_number"])
        self.system_countries = files["systems_country"]
        self._countries = _view(self.system_countries)
        self._holders, self._holder_ends = _view(files["holders"]), _view(files["systems_holder"])
        self._registered = _view(files["registered_codes"])
        self._registered_ends = _view(files["systems_registered"])
        self._dates = {family: self._dates_of(family) for family in FAMILIES}

    @classmethod
    def open(cls, folder: Path) -> Registry | None:
        """The version published in that folder, None when there is none; raises Unavailable when damaged."""
        for attempt in (1, 2):  # a version may be swept away between reading its name and opening it
            version = current_version(folder)
            if version is None:
                return None
            try:
                return cls._open(folder / version)
            except BROKEN as error:
                if attempt == 2:
                    raise _damaged(error) from error
        return None

    @classmethod
    def _open(cls, place: Path) -> Registry:
        meta = json.loads((place / META).read_text(encoding="utf-8"))
        if meta["format"] != FORMAT:
            raise ValueError(f"its format is {meta['format']}, not {FORMAT}")
        files = {
            path.stem: np.load(path, mmap_mode="r").view(np.ndarray)  # numpy's memmap is slow to index
            for path in place.glob("*.npy")
            if not path.name.startswith("layer_")
        }
        return cls(place.name, files, provenance_of(meta))

    @property
    def as_of(self) -> str:
        """ISO date of the oldest layer."""
        return min(source.as_of for source in self.provenance.values())

    @property
    def attributions(self) -> tuple[Attribution, ...]:
        """Whom to name, with a link, wherever an answer of the registry is shown."""
        sources = (self.provenance[name] for name in sorted(self.provenance))
        return tuple(dict.fromkeys(a for source in sources for a in source.attributions))

    def lookup(self, address: IPAddress) -> RegistryEntry | None:
        """What is known of an address, None where no layer covers it; the caller unmaps ::ffff:0:0/96."""
        return self.at(address.version, int(address))

    def at(self, family: int, number: int) -> RegistryEntry | None:
        """The same of an address as a number of its family, 4 or 6."""
        pieces = self._pieces[family]
        row = pieces.row(number)
        if row < 0:
            return None
        system, registered, located = pieces.system[row], pieces.registered[row], pieces.located[row]
        country = self._countries[system]
        return RegistryEntry(
            largest_prefix(number, pieces.source_first(row), pieces.source_last(row), family),
            self._numbers[system] or None,
            self._holder(system),
            COUNTRY_CODES[registered],
            COUNTRY_CODES[located],
            COUNTRY_CODES[country],
            self._dates[family][system > 0, registered > 0, located > 0, country > 0],
        )

    def asn(self, number: int) -> AsnEntry | None:
        """What is known of an AS number, None when it is in no layer."""
        row = bisect_left(self._numbers, number)
        if number < 1 or row == len(self._numbers) or self._numbers[row] != number:
            return None
        codes = self._registered[self._registered_ends[row] : self._registered_ends[row + 1]]
        countries = (COUNTRY_CODES[code] for code in codes)
        return AsnEntry(
            number,
            self._holder(row),
            COUNTRY_CODES[self._countries[row]],
            tuple(country for country in countries if country),
            self.as_of,
        )

    def _holder(self, system: int) -> str | None:
        return str(self._holders[self._holder_ends[system] : self._holder_ends[system + 1]], "utf-8") or None

    def _dates_of(self, family: int) -> dict[tuple[bool, ...], str]:
        """The oldest date among the layers that spoke, for each set of them: asn, registered, located, AS."""
        names = [*(layer_name(layer, family) for layer in RANGE_LAYERS), "asn_country"]
        sources = [self.provenance.get(name) for name in names]
        dates = {}
        for bits in range(1, 16):
            spoke = tuple(bool(bits >> position & 1) for position in range(4))
            dates[spoke] = min(
                (s.as_of for s, yes in zip(sources, spoke, strict=True) if s and yes), default=""
            )
        return dates


class _Pieces:
    """One family's index as memoryviews on the mapped arrays: for a single look faster than the arrays."""

    def __init__(self, index: Index) -> None:
        self.system = _view(index.system)
        self.registered = _view(index.registered)
        self.located = _view(index.located)
        self._first, self._last = _words(index.first), _words(index.last)
        self._source_first, self._source_last = _words(index.source_first), _words(index.source_last)

    def row(self, number: int) -> int:
        """The row of the piece that contains the address, -1 when none does."""
        if len(self._first) == 1:
            row = bisect_right(self._first[0], number) - 1
        else:
            high, low = number >> 64, number & LOW_HALF
            row = bisect_right(self._first[0], high) - 1
            if row >= 0 and self._first[0][row] == high:
                row = bisect_right(self._first[1], low, bisect_left(self._first[0], high), row + 1) - 1
        return row if row >= 0 and number <= _joined(self._last, row) else -1

    def source_first(self, row: int) -> int:
        return _joined(self._source_first, row)

    def source_last(self, row: int) -> int:
        return _joined(self._source_last, row)


def _view(column: Array) -> memoryview[int]:
    return memoryview(column)  # type: ignore[arg-type] # numpy says so from Python 3.12 on


def _words(column: Array) -> list[memoryview[int]]:
    return [_view(half) for half in np.atleast_2d(column)]


def _joined(words: list[memoryview[int]], row: int) -> int:
    return words[0][row] if len(words) == 1 else words[0][row] << 64 | words[1][row]


def largest_prefix(number: int, first: int, last: int, family: int) -> str:
    """The largest prefix between first and last (both inside) that contains the number."""
    bits = 32 if family == 4 else 128
    below = (number ^ (first - 1)).bit_length() - 1 if first else bits
    above = (number ^ (last + 1)).bit_length() - 1
    host = min(below, above)
    network = number >> host << host
    if family == 4:
        text = f"{network >> 24}.{network >> 16 & 255}.{network >> 8 & 255}.{network & 255}"
    else:
        text = socket.inet_ntop(socket.AF_INET6, network.to_bytes(16))  # twenty times faster than ipaddress
    return f"{text}/{bits - host}"


def layers_in(folder: Path) -> Layers:
    """The layers that the published index was made from, none without one; Unavailable when damaged."""
    registry = Registry.open(folder)
    if registry is None:
        return Layers()
    try:
        ranges = {
            (layer, family): _layer(folder / registry.version / f"layer_{name}", family)
            for layer in RANGE_LAYERS
            for family in FAMILIES
            if (name := layer_name(layer, family)) in registry.provenance
        }
    except BROKEN as error:
        raise _damaged(error) from error
    systems = [entry for number in registry.system_numbers.tolist() if (entry := registry.asn(number))]
    return Layers(
        ranges,
        {entry.number: entry.holder for entry in systems if entry.holder},
        {entry.number: entry.asn_country for entry in systems if entry.asn_country},
        registry.provenance,
    )


def _layer(path: Path, family: int) -> Ranges:
    first, last, value = (np.load(f"{path}_{column}.npy") for column in ("first", "last", "value"))
    return Ranges(from_words(first, family), from_words(last, family), value)


def _damaged(error: Exception) -> Unavailable:
    message = "the registry cannot be read; `pocdir seed` makes it anew, then import again"
    return Unavailable("registry_unreadable", f"{message} ({error})")
