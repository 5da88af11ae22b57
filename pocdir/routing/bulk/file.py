"""The one way in: a file, or a stream, as it came."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any, BinaryIO

from pocdir.core.errors import Invalid
from pocdir.routing.bulk.kept import kept_decisions
from pocdir.routing.bulk.route import Progress, route
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.question import Question
from pocdir.routing.rules.reports.layout import HEAD
from pocdir.routing.rules.reports.recognise import recognised


def route_file(
    source: Path | BinaryIO,
    *,
    index: Index,
    asked: Question,
    data: Path,
    now: dt.datetime,
    out: Path | None = None,
    raw: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Route a file of any known format; with `out` write the parcels into that folder. Returns the manifest.

    `data` is the service's own folder. Raises Invalid (`report_...`) and
    Conflict `out_not_empty`.
    """
    if isinstance(source, Path):
        try:
            source = source.open("rb")
        except OSError as error:
            raise Invalid("report_unreadable", error.strerror or str(error), where=source.name) from error
    with source:
        head = source.read(HEAD)
        layout = recognised(head, size=None if len(head) == HEAD else len(head))
        return route(
            io.BufferedReader(_Again(head, source), HEAD),
            layout,
            index=index,
            asked=asked,
            decisions=kept_decisions(index, asked, data, now=now),
            out=out,
            raw=raw,
            progress=progress,
        )


class _Again(io.RawIOBase):
    """A stream from its first byte, of which the head was read already."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head, self._stream = head, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head[: len(buffer)] or self._stream.read(len(buffer))
        self._head = self._head[len(data) :]
        buffer[: len(data)] = data
        return len(data)
