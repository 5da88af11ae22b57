"""Files that are brought: which doors take large ones, and where they lie while they come in."""

from __future__ import annotations

import base64
import binascii
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeVar, cast

from flask import Flask, Response, request, send_file
from werkzeug.datastructures import FileStorage

from pocdir import running
from pocdir.core.errors import Invalid, TooLarge
from pocdir.web.paths import Asked

View = TypeVar("View", bound=Callable[..., Any])
FRAME = 64 * 1024  # bytes of a form around its file


def takes_files(most: Callable[[], int]) -> Callable[[View], View]:
    """Stands under the guard of a view that takes one file of so many bytes; asked anew for each request."""

    def decorate(view: View) -> View:
        view.most_bytes = most  # type: ignore[attr-defined]
        return view

    return decorate


class FileRequest(Asked):
    """A request whose files go to the service's own folder at once, never to memory."""

    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        folder: Path = running.settings().data / "uploads"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cast(IO[bytes], tempfile.TemporaryFile(dir=folder))


def init_app(app: Flask) -> None:
    """Before anything reads a form: how much this door takes. Raises TooLarge `too_large`."""
    app.request_class = FileRequest

    def look() -> None:
        view = app.view_functions.get(request.endpoint or "")
        if (most := getattr(view, "most_bytes", None)) is None or request.method != "POST":
            return
        request.max_content_length = most() + FRAME
        if (request.content_length or 0) > request.max_content_length:
            raise too_large(most())

    app.before_request(look)


def too_large(most: int) -> TooLarge:
    """The refusal that names what would be right."""
    return TooLarge(
        "too_large", f"at most {most // 1024**2} MB are taken here; split the file, or use the command line"
    )


def brought(field: str = "file") -> tuple[BinaryIO, str | None]:
    """The file of the request, as its body or as the only file of its form, with its name.

    Raises Invalid `file_needed` where there is none or more than one.
    """
    if request.mimetype != "multipart/form-data":
        return cast(BinaryIO, request.stream), None
    files: list[FileStorage] = [each for _, each in request.files.items(multi=True) if each.filename]
    if len(files) != 1:
        raise Invalid("file_needed", f"one file is right; {len(files)} came", where=field)
    return cast(BinaryIO, files[0].stream), files[0].filename


def posted(data: bytes) -> str:
    """A small file as a hidden field holds it, so that a page that has shown it can send it once more."""
    return base64.b64encode(zlib.compress(data)).decode()


def posted_back(text: str, most: int) -> bytes:
    """What `posted` gave; raises Invalid `file_needed` for anything else, and for over `most` bytes."""
    try:
        reader = zlib.decompressobj()
        data = reader.decompress(base64.b64decode(text, validate=True), most)
        if not reader.eof:
            raise ValueError
    except (binascii.Error, zlib.error, ValueError):
        raise Invalid("file_needed", "bring the file again", where="file") from None
    return data


def sent(file: BinaryIO, name: str, mimetype: str, size: int) -> Response:
    """A file to keep: by the server's own hand where it has one, so that a slow reader holds no thread."""
    response = send_file(file, mimetype=mimetype, as_attachment=True, download_name=name)
    response.content_length = size
    return response
