"""gzip and ZIP archives opened piece by piece: one report in each, and none that swells without end."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO, NoReturn, cast

from pocdir.core.errors import Invalid

PIECE = 1024 * 1024  # bytes
MOST = 16 * 1024**3  # bytes of what comes out
HIGHEST_RATIO = 200  # of what comes out to what went in; a report of real rows stays below 50
FREE = 64 * 1024**2  # bytes that may come out at any ratio: short archives swell most
_DIRECTORY = 4 * 1024**2  # bytes of a ZIP archive's list of members
_NOISE = ("__MACOSX/", ".DS_Store", "Thumbs.db")  # what computers add on their own


def packed(head: bytes) -> str | None:
    """gzip or zip, by the first bytes; None for a file that is no such archive."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    return "zip" if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) else None


def unpacked(file: BinaryIO, *, kind: str | None = None, name: str = "", most: int = MOST) -> Iterator[bytes]:
    """The report within a gzip or ZIP file, in pieces of at most PIECE bytes; `kind` is that of packed().

    Without a kind, and for ZIP, the file must be seekable.

    Raises Invalid `report_archive` (damaged, cut off, encrypted, not exactly one member) and `report_too_large`
    (more than `most` bytes, or HIGHEST_RATIO times as many as were read). What came before a refusal is not a
    whole report: throw it away. Memory does not depend on the archive.
    """
    if kind is None:
        file.seek(0)
        kind = packed(file.read(4))
        file.seek(0)
    if kind is None:
        raise Invalid("report_archive", "this is neither gzip nor ZIP", where=name or None)
    out, sparing = 0, Sparing(file, name)
    for piece in _gzip(sparing, name) if kind == "gzip" else _zip(sparing, name):
        out += len(piece)
        if out > most or out > FREE + HIGHEST_RATIO * sparing.read_so_far:
            raise Invalid(
                "report_too_large",
                f"the archive swells to more than {out // 1024**2} MB; unpack it first if that is right",
                where=name or None,
            )
        yield piece


class Sparing:
    """The file for zipfile, which would read a list of members of any length into memory at once."""

    def __init__(self, file: BinaryIO, name: str = "") -> None:
        self._file, self._name = file, name
        self.read_so_far = 0
        self.seek, self.tell = file.seek, file.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(_DIRECTORY + 1 if size < 0 or size > _DIRECTORY else size)
        if len(data) > _DIRECTORY:
            _refuse("its list of members is longer than a report needs", self._name)
        self.read_so_far += len(data)
        return data


def _refuse(reason: str, name: str) -> NoReturn:
    raise Invalid("report_archive", reason, where=name or None)


def _gzip(file: Sparing, name: str) -> Iterator[bytes]:
    """All members of a gzip file (RFC 1952), one after the other; zeros after the last are padding."""
    inflate, waiting = zlib.decompressobj(31), b""
    while data := waiting or file.read(PIECE):
        if inflate.eof:
            if data.strip(b"\0"):
                inflate, data = zlib.decompressobj(31), data.lstrip(b"\0")
            else:
                waiting = b""
                continue
        try:
            piece = inflate.decompress(data, PIECE)
        except zlib.error as error:
            _refuse(f"the gzip archive is damaged ({error})", name)
        waiting = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        if piece:
            yield piece
    while not inflate.eof:
        # Output may wait although no input is left.
        try:
            piece = inflate.decompress(b"", PIECE)
        except zlib.error as error:
            _refuse(f"the gzip archive is damaged ({error})", name)
        if not piece and not inflate.eof:
            _refuse("the gzip archive breaks off before its end", name)
        yield piece


def _zip(file: Sparing, name: str) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(cast(IO[bytes], file)) as archive:
            member = _only_member(archive, name)
            with archive.open(member) as content:
                while piece := content.read(PIECE):
                    yield piece
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        RuntimeError,
        OverflowError,
    ) as error:
        if isinstance(error, Invalid):
            raise
        _refuse(f"the ZIP archive is damaged ({str(error)[:100]})", name)


def _only_member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    members = [
        each
        for each in archive.infolist()
        if not each.is_dir()
        and not each.filename.startswith(_NOISE)
        and not each.filename.endswith(_NOISE[1:])
    ]
    names = ", ".join(repr(each.filename)[:80] for each in members[:5]) + (
        ", ..." if len(members) > 5 else ""
    )
    if any(each.filename in ("[Content_Types].xml", "mimetype") for each in members):
        _refuse("this is an office document; save the sheet as CSV, in UTF-8", name)
    if len(members) != 1:
        _refuse(f"one report is right in a ZIP archive; in this are {len(members)}: {names or 'none'}", name)
    member = members[0]
    if member.flag_bits & 1:
        _refuse(f"{names} is encrypted; unpack it first", name)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        _refuse(f"{names} is packed in a way that is rare; unpack it first", name)
    return member
