"""The one way in: a file or a stream as it came, of any format that is known."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, BinaryIO

from pocdir.core.errors import Invalid
from pocdir.routing.bulk.kept import kept_decisions
from pocdir.routing.bulk.parcels import Bound
from pocdir.routing.bulk.route import LARGE, Progress, route
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.question import Question
from pocdir.routing.rules.reports.readable import readable


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
    bound: Bound | None = None,
    name: str | None = None,
) -> dict[str, Any]:
    """Route a file of any known format; with `out` write the parcels into that folder. Returns the manifest.

    `data` is the service's own folder; `progress` is called with the rows and the bytes so far; refusals call the
    file `name`, where it is None as it is called on the disk. Raises Invalid (`report_...`), Conflict
    `out_not_empty` and what `bound` says of more bytes; then, and whatever else happens, nothing is left in `out`.
    """
    large = not isinstance(source, Path)  # nobody knows yet
    if name is None:
        name = source.name if isinstance(source, Path) else ""
    if isinstance(source, Path):
        try:
            large = source.stat().st_size >= LARGE
            source = source.open("rb")
        except OSError as error:
            raise Invalid("report_unreadable", error.strerror or str(error), where=name) from error
    with source:
        layout, rows = readable(source, name=name)
        return route(
            rows,
            layout,
            index=index,
            asked=asked,
            decisions=kept_decisions(index, asked, data, now=now),
            out=out,
            raw=raw,
            progress=progress,
            bound=bound,
            name=name,
            large=large,
        )
