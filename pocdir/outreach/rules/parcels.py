"""Parcels of a file that was split: what is kept of each, and what they may weigh."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from pocdir.core.errors import Invalid
from pocdir.incidents.rules.assets import AssetValue, asset, guessed_asset
from pocdir.routing.rules.reports.layout import HEAD
from pocdir.routing.rules.reports.recognise import recognised

MOST_BYTES = 64 * 1024**2  # of all parcels of one file: they are kept in the database
MOST_ASSETS = 10_000  # rows; the addresses of a larger file stay in its parcels
MOST_ROWS = 10_000_000
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
PIECE = 256 * 1024  # bytes before packing; a reader holds one at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """One parcel as it is to be kept: its bytes packed in pieces, and the addresses in it."""

    team: str
    basis: Mapping[str, Any]
    name: str
    rows: int
    size: int  # bytes
    sha256: str
    pieces: Sequence[bytes]
    assets: Sequence[AssetValue]


def parcels_of(manifest: Mapping[str, Any], opened: Callable[[str], BinaryIO]) -> list[Brought]:
    """The parcels that a manifest names, each compared with its digest; `opened` opens one by its name.

    Raises Invalid `parcels_invalid` (no such manifest, a file that is missing or not what it was) and
    `parcels_too_large`.
    """
    left = MOST_BYTES
    found = []
    try:
        with_assets = int(manifest["routed"]) <= MOST_ASSETS
        for told in manifest["parcels"]:
            if not _NAME.fullmatch(told["file"]) or not _NAME.fullmatch(told["team"]):
                raise Invalid("parcels_invalid", "a name in the manifest is none that routing gives")
            with opened(told["file"]) as file:
                data = file.read(left + 1)
            left -= len(data)
            if left < 0:
                message = (
                    f"the parcels are larger than {MOST_BYTES // 1024**2} MB together; split the file before"
                )
                raise Invalid("parcels_too_large", message)
            if hashlib.sha256(data).hexdigest() != told["sha256"]:
                raise Invalid("parcels_invalid", f"{told['file']} is not what was made by routing any more")
            found.append(
                Brought(
                    team=str(told["team"]),
                    basis={name: str(told["basis"][name])[:300] for name in ("key", "value")},
                    name=told["file"],
                    rows=min(max(int(told["rows"]), 0), MOST_ROWS),
                    size=len(data),
                    sha256=str(told["sha256"]),
                    pieces=[zlib.compress(data[at : at + PIECE], 6) for at in range(0, len(data), PIECE)],
                    assets=tuple(_assets(data)) if with_assets else (),
                )
            )
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise Invalid("parcels_invalid", f"this is no result of routing a file: {error}") from None
    if not found:
        raise Invalid("parcels_invalid", "no row of this file goes to a contact")
    return found


def unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The parcel's bytes again."""
    for piece in pieces:
        yield zlib.decompress(piece)


def _assets(data: bytes) -> Iterator[AssetValue]:
    """The addresses and names of a parcel, each once: of a row the cell by which it was routed."""
    layout = recognised(data[:HEAD], size=len(data))
    columns = [
        (place, kind) for place, kind in layout.columns if kind in ("ip", "domain", "url", "indicator")
    ]
    text = data.removeprefix(layout.bom)[layout.data_from - len(layout.bom) :].decode(
        layout.encoding, "replace"
    )
    seen: set[AssetValue] = set()
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=layout.delimiter.decode()):
        cell = next(
            (
                (row[place].strip(), kind)
                for place, kind in columns
                if len(row) > place and row[place].strip()
            ),
            None,
        )
        if cell is None:
            continue
        with suppress(Invalid):  # a network, an AS number: nothing that is seen again
            found = guessed_asset(cell[0]) if cell[1] == "indicator" else asset(cell[1], cell[0])
            if found not in seen:
                seen.add(found)
                yield found
