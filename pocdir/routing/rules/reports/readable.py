"""Any report, packed or not, with columns or without: as one layout and one stream of delimited rows."""

from __future__ import annotations

from typing import BinaryIO

from pocdir.core.errors import Invalid
from pocdir.routing.rules.reports.flow import again, flowing
from pocdir.routing.rules.reports.layout import HEAD, Layout
from pocdir.routing.rules.reports.opened import packed, unpacked
from pocdir.routing.rules.reports.recognise import recognised
from pocdir.routing.rules.reports.tabulate import as_csv


def readable(file: BinaryIO, *, name: str = "") -> tuple[Layout, BinaryIO]:
    """How the rows are written, and the stream of them from its first byte, for a file at its first byte.

    Only a ZIP archive must be seekable. A report without columns is the table that tabulate makes of it, its
    layout is `plain`. Raises Invalid `report_...`, as recognised(), tabulated() and unpacked() do; the stream
    may raise it too, where an archive breaks off or a record is broken: what came before is not the whole then.
    """
    head = file.read(HEAD)
    kind = packed(head)
    if kind == "zip":
        if not file.seekable():
            raise Invalid("report_archive", "a ZIP archive cannot be read from a pipe", where=name or None)
        file.seek(0)
        file = flowing(unpacked(file, kind=kind, name=name))
        head = file.read(HEAD)
    elif kind == "gzip":
        file = flowing(unpacked(again(head, file), kind=kind, name=name))
        head = file.read(HEAD)
    size = len(head) if len(head) < HEAD else None
    layout = recognised(head, size=size, name=name)
    if file.seekable():  # without a copy on the way
        file.seek(0)
    else:
        file = again(head, file)
    if layout.delimited:
        return layout, file
    file = flowing(as_csv(file, layout.report, name=name))
    head = file.read(HEAD)
    return recognised(head, size=len(head) if len(head) < HEAD else None, name=name), again(head, file)
