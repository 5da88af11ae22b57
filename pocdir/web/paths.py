"""What may stand in an address: no control character in its path, and nothing but ASCII in its query."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask, Request
from werkzeug.routing import UnicodeConverter

_NOT_ASCII = re.compile(rb"[\x80-\xff]")


class Asked(Request):
    """A request whose query is written as an address is: bytes that are no ASCII as `%FF`, whatever they mean."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        if not self.query_string.isascii():
            self.query_string = _NOT_ASCII.sub(lambda byte: b"%%%02X" % ord(byte[0]), self.query_string)


class Part(UnicodeConverter):
    """A part of a path; with a control character (PostgreSQL refuses NUL) no route fits: a page that is not there."""

    def __init__(self, *arguments: Any, **lengths: Any) -> None:
        super().__init__(*arguments, **lengths)
        self.regex = self.regex.replace("[^/]", r"[^/\x00-\x1f\x7f-\x9f]")


def init_app(app: Flask) -> None:
    """Before any route is made."""
    app.url_map.converters.update(default=Part, string=Part)
