"""Parcels of a file that was split: what is kept of each, what they may weigh, and nothing that is only claimed."""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from pocdir.core.errors import Invalid
from pocdir.incidents.rules.assets import AssetValue
from pocdir.outreach.rules.parcel_rows import rows_of
from pocdir.routing.bulk.parcels import file_for

MOST_BYTES = 64 * 1024**2  # of all parcels of one file: they are kept in the database
MOST_PARCELS = 5_000  # of one file, and of what waits with an incident
MOST_ASSETS = 10_000  # rows; the addresses of a larger file stay in its parcels
LONGEST_BASIS = 300  # characters
PIECE = 256 * 1024  # bytes before packing; a reader holds one at a time
_READ = 1024**2  # bytes at once
_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_DIGEST = re.compile(r"[0-9a-f]{64}")

Opened = Callable[[str], BinaryIO]
# What reading an archive that nobody's program has written may raise.
DAMAGED = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, LookupError, ValueError, ArithmeticError,
    RuntimeError,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a manifest says of one parcel."""

    team: str
    basis: Mapping[str, str]
    name: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought(Listed):
    """One parcel as it is to be kept: its bytes packed in pieces, and the addresses in it."""

    size: int  # bytes
    pieces: Sequence[bytes]
    assets: Sequence[AssetValue]


def listed_in(manifest: Any) -> list[Listed]:
    """The parcels that a manifest names, each of another team.

    Raises Invalid `parcels_invalid` for what routing does not write, `parcels_too_many`.
    """
    found = [_listed(each, f"parcels.{number}") for number, each in enumerate(_parcels(manifest))]
    names: set[str] = set()
    for number, parcel in enumerate(found):
        if parcel.name in names:
            raise invalid(f"{parcel.name} stands there before", f"parcels.{number}.file")
        names.add(parcel.name)
    if manifest.get("routed") != sum(parcel.rows for parcel in found):
        raise invalid("the parcels have other rows together than it says", "routed")
    return found


def parcels_of(listed: Sequence[Listed], opened: Opened) -> list[Brought]:
    """The listed parcels with their bytes, compared with digest and number of rows; `opened` opens one by its name.

    Raises Invalid `parcels_invalid` and `parcels_too_large`.
    """
    left = MOST_BYTES
    with_assets = sum(each.rows for each in listed) <= MOST_ASSETS
    found = []
    for each in listed:
        data = content(opened, each.name, left)
        left -= len(data)
        if left < 0:
            weight = f"the parcels are larger than {MOST_BYTES // 1024**2} MB together"
            raise Invalid("parcels_too_large", f"{weight}; split the file before")
        if hashlib.sha256(data).hexdigest() != each.sha256:
            raise invalid("this is not what was made by routing any more", each.name)
        counts, assets = rows_of(data)
        if each.rows not in counts:
            raise invalid(f"it has {max(counts)} rows, and the manifest says {each.rows}", each.name)
        found.append(
            Brought(
                team=each.team, basis=each.basis, name=each.name, rows=each.rows, sha256=each.sha256, size=len(data),
                pieces=[zlib.compress(data[at : at + PIECE], 6) for at in range(0, len(data), PIECE)],
                assets=tuple(dict.fromkeys(assets)) if with_assets else (),
            )
        )  # fmt: skip
    return found


def content(opened: Opened, name: str, most: int) -> bytes:
    """A whole file, of more than `most` bytes one more than these; raises Invalid `parcels_invalid`."""
    pieces, left = [], most + 1
    try:
        with opened(name) as file:
            while left and (piece := file.read(min(left, _READ))):
                pieces.append(piece)
                left -= len(piece)
    except DAMAGED as error:
        raise invalid(f"this cannot be read: {str(error)[:200]}", name) from None
    return b"".join(pieces)


def unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The parcel's bytes again."""
    for piece in pieces:
        yield zlib.decompress(piece)


def invalid(message: str, where: str) -> Invalid:
    """The refusal of what is no result of routing."""
    return Invalid("parcels_invalid", message, where=where)


def too_many() -> Invalid:
    """The refusal of more parcels than are kept."""
    return Invalid(
        "parcels_too_many", f"at most {MOST_PARCELS} parcels are kept with an incident; split the file before"
    )


def _parcels(manifest: Any) -> Sequence[Any]:
    parcels = manifest.get("parcels") if isinstance(manifest, dict) else None
    if not isinstance(parcels, list):
        raise invalid("this is no manifest of a file that was split", "manifest.json")
    if not parcels:
        raise invalid("no row of this file goes to a contact", "parcels")
    if len(parcels) > MOST_PARCELS:
        raise too_many()
    return parcels


def _listed(parcel: Any, where: str) -> Listed:
    if not isinstance(parcel, dict):
        raise invalid("this is no parcel", where)
    team = _text(parcel, "team", where)
    if not _SLUG.fullmatch(team):
        raise invalid("this is no team's slug", f"{where}.team")
    if _text(parcel, "file", where) != file_for(team):
        raise invalid(f"the parcel of {team} is called {file_for(team)}", f"{where}.file")
    rows = parcel.get("rows")
    if type(rows) is not int or rows < 1:  # true is an int too
        raise invalid("a whole number from 1 on is right", f"{where}.rows")
    digest = _text(parcel, "sha256", where)
    if not _DIGEST.fullmatch(digest):
        raise invalid("64 hexadecimal digits are right", f"{where}.sha256")
    basis = parcel.get("basis")
    if not isinstance(basis, dict):
        raise invalid("the basis of the routing is missing", f"{where}.basis")
    said = {name: _text(basis, name, f"{where}.basis") for name in ("key", "value")}
    return Listed(team=team, basis=said, name=file_for(team), rows=rows, sha256=digest)


def _text(said: Mapping[str, Any], name: str, where: str) -> str:
    text = said.get(name)
    if not isinstance(text, str) or not text.isprintable() or len(text) > LONGEST_BASIS:
        raise invalid(f"at most {LONGEST_BASIS} printable characters are right", f"{where}.{name}")
    return text
