"""Taking a file in, splitting it, packing the parcels, forgetting all of it."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from pocdir.core.errors import Refusal, TooLarge, Unavailable
from pocdir.routing.bulk.parcels import Bound
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.question import Question
from pocdir.routing.rules.reports.layout import HEAD, Layout
from pocdir.routing.rules.reports.opened import packed, unpacked
from pocdir.routing.rules.reports.recognise import recognised
from pocdir.routing.uploads import queries, rules
from pocdir.routing.uploads.queries import UPLOADS, Upload, folders, uploads, waiting
from pocdir.routing.uploads.rules import (
    ASKED,
    BROUGHT,
    MEGABYTE,
    MOST_TRIES,
    MOST_WAITING,
    PACKED,
    PROGRESS,
    REFUSED,
    RESULT,
    TRIES,
    Asked,
    folder_of,
    new_token,
    shown_name,
)

PIECE = 1024 * 1024  # bytes
FIXED = (1980, 1, 1, 0, 0, 0)  # the date of every member: the same parcels make the same archive
HALF = dt.timedelta(hours=1)  # after so long a folder that is not whole is nobody's any more

Progress = Callable[[int, int], object]


def take_in(
    stream: BinaryIO,
    *,
    data: Path,
    most: int,
    holds: int,
    name: str | None,
    question: Mapping[str, Any],
    raw: bool,
    workspace: int | None,
    waits: bool,
    now: dt.datetime,
) -> tuple[str, Upload]:
    """Keep the file in a folder of its own and recognise it; returns its token and the upload.

    Raises TooLarge `too_large` beyond `most` bytes, Invalid `report_...`, and Unavailable: `uploads_waiting` where too
    many wait already, `uploads_full` where the workspace, or all without one, hold their `holds` bytes. Nothing is kept
    of what is refused.
    """
    room = holds - queries.held(data, workspace)
    if room <= 0:
        raise full(workspace)
    if waits and len(waiting(data)) >= MOST_WAITING:
        raise Unavailable("uploads_waiting", "many files wait already; try again later", retry_after=60)
    token = new_token()
    folder = data / UPLOADS / folder_of(token)
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700)
    try:
        size = _keep(stream, folder / BROUGHT, most)
        if size > room:
            raise full(workspace)
        layout = layout_of(folder / BROUGHT)
        asked = Asked(
            name=shown_name(name),
            size=size,
            report=layout.report,
            columns=_columns(layout),
            question=dict(question),
            raw=raw,
            workspace=workspace,
            moment=now.isoformat(),
            waits=waits,
        )
        _write(folder / ASKED, {each: getattr(asked, each) for each in Asked.__slots__})
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return token, Upload(folder, asked)


def layout_of(file: Path) -> Layout:
    """What a file is, by its first bytes; those of the report itself where it came packed. Raises Invalid."""
    with file.open("rb") as stream:
        head = stream.read(HEAD)
        if packed(head) is None:
            return recognised(head, size=file.stat().st_size)
        pieces, size = [], 0
        for piece in unpacked(stream):
            pieces.append(piece)
            size += len(piece)
            if size >= HEAD:
                break
    head = b"".join(pieces)[:HEAD]
    return recognised(head, size=None if size >= HEAD else size)


def full(workspace: int | None) -> Unavailable:
    """The refusal where no room is left."""
    whose, instead = "people without an account", "come back later, or with an account"
    if workspace is not None:
        whose, instead = (
            "your workspace",
            "each is deleted after 24 hours; split a larger one by the command line",
        )
    message = f"files of {whose} hold all that is kept for them; {instead}"
    return Unavailable("uploads_full", message, retry_after=3600)


def bound_of(upload: Upload, *, data: Path, megabytes: int, strangers: int) -> Bound:
    """How much may come of it: the parcels lie here twice, as they are and packed."""
    known = upload.asked.workspace is not None
    most = rules.most_made(megabytes, known=known)
    workspace = upload.asked.workspace
    holds = rules.most_held(megabytes, strangers=strangers, workspace=workspace)
    if (room := (holds - queries.held(data, workspace)) // 2) < most:
        return Bound(room, full(workspace))
    instead = "split it before" if known else "split it before, or come with an account"
    message = f"what comes of it is larger than {most // MEGABYTE} MB; {instead}"
    return Bound(most, TooLarge("route_too_large", message))


def split(
    upload: Upload,
    *,
    index: Index,
    asked: Question,
    data: Path,
    megabytes: int,
    strangers: int,
    progress: Progress,
) -> None:
    """Route the file, pack the parcels, delete the file; a refusal stands in the folder in their place.

    How much may come of it follows from how many `megabytes` a file may have here, and how many bytes are there for
    `strangers`. What was cut off before is done again from the beginning.
    """
    from pocdir.routing.bulk.file import route_file  # processes and readers of every report: not for a start

    folder = upload.folder
    _forget_halves(folder)
    try:
        _count_try(folder)
        route_file(
            upload.file,
            index=index,
            asked=asked,
            data=data,
            now=upload.asked.at,
            out=upload.result,
            raw=upload.asked.raw,
            progress=_told(folder, progress),
            bound=bound_of(upload, data=data, megabytes=megabytes, strangers=strangers),
            name="",
        )
        pack(upload.result, folder / PACKED)
        upload.file.unlink(missing_ok=True)
    except Refusal as refusal:
        refuse(upload, refusal)


def refuse(upload: Upload, refusal: Refusal) -> None:
    """Keep why, and nothing else."""
    shutil.rmtree(upload.result, ignore_errors=True)
    told = {"status": refusal.status, "code": refusal.code, "message": refusal.message}
    _write(upload.folder / REFUSED, told | {"where": refusal.where})
    upload.file.unlink(missing_ok=True)


def pack(folder: Path, archive: Path) -> None:
    """The folder's files as a ZIP archive that appears when it is whole; no clock is in it."""
    half = archive.with_suffix(".half")
    names = sorted(path.name for path in folder.iterdir())
    with zipfile.ZipFile(half, "w") as packing:
        for name in names:
            member = zipfile.ZipInfo(name, FIXED)
            member.compress_type, member.create_system = zipfile.ZIP_DEFLATED, 3
            member.external_attr = 0o644 << 16
            member.file_size = (folder / name).stat().st_size
            member._compresslevel = 1  # type: ignore[attr-defined] # 3.11 gives it no other name
            with (folder / name).open("rb") as content, packing.open(member, "w") as packed_content:
                shutil.copyfileobj(content, packed_content, PIECE)
    half.replace(archive)


def forget(upload: Upload) -> None:
    """Delete the file and all that came of it."""
    shutil.rmtree(upload.folder, ignore_errors=True)


def forget_old(data: Path, *, now: dt.datetime) -> int:
    """Delete what is a day old, and folders that were never whole; returns how many."""
    kept = {each.folder: each for each in uploads(data)}
    gone = 0
    for folder in folders(data):
        found = kept.get(folder)
        if found is None:
            old = _touched(folder) < (now - HALF).timestamp()
        else:
            # A request holds on to its own; one that is an hour old died with it.
            old = found.asked.until <= now or (not found.asked.waits and found.asked.at <= now - HALF)
        if old:
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
    return gone


def _forget_halves(folder: Path) -> None:
    """What a process that died has left."""
    for half in folder.glob(f".{RESULT}.*"):
        shutil.rmtree(half, ignore_errors=True)


def _keep(stream: BinaryIO, path: Path, most: int) -> int:
    size = 0
    with path.open("xb") as file:
        while piece := stream.read(PIECE):
            size += len(piece)
            if size > most:
                raise TooLarge("too_large", f"at most {most // 1024**2} MB are taken here")
            file.write(piece)
    return size


def _columns(layout: Layout) -> tuple[str, ...]:
    """The names of the columns that say where a row belongs, the preferred one first; numbers where none has one."""
    places: Iterable[int] = (place for place, kind in layout.columns if kind != "timestamp")
    names = layout.header
    return tuple((names[place].strip()[:60] if names else str(place + 1)) for place in places)


def _count_try(folder: Path) -> None:
    tries = len(_bytes(folder / TRIES))
    if tries >= MOST_TRIES:
        raise Unavailable("route_failed", "this file could not be routed: our fault, and it has been logged")
    (folder / TRIES).write_bytes(b"." * (tries + 1))


def _told(folder: Path, progress: Progress) -> Progress:
    def tell(rows: int, read: int) -> None:
        _write(folder / PROGRESS, {"rows": rows, "bytes": read})
        progress(rows, read)

    tell(0, 0)
    return tell


def _write(path: Path, said: Mapping[str, Any]) -> None:
    """Whole or not at all."""
    half = path.with_name(f"{path.name}.{os.getpid()}")
    half.write_text(json.dumps(said), "utf-8")
    half.replace(path)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _touched(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0
