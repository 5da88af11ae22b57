"""Bytes that come piece by piece, as a stream."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO, cast

_PIECE = 1024 * 1024


def flowing(pieces: Iterable[bytes]) -> BinaryIO:
    """A stream of the pieces; what they raise, read() raises."""
    return cast(BinaryIO, io.BufferedReader(_Pieces(iter(pieces)), _PIECE))


def again(head: bytes, file: BinaryIO) -> BinaryIO:
    """The file from its first byte, of which the head was read already."""
    return flowing(chain([head], iter(lambda: file.read(_PIECE), b"")))


class _Pieces(io.RawIOBase):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
