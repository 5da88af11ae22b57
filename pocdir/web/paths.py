"""What may stand in the path of a page: no control character, which PostgreSQL would refuse with an error."""

from __future__ import annotations

from typing import Any

from flask import Flask
from werkzeug.routing import UnicodeConverter


class Part(UnicodeConverter):
    """A part of a path; with a control character in it no route fits, and it is a page that is not there."""

    def __init__(self, *arguments: Any, **lengths: Any) -> None:
        super().__init__(*arguments, **lengths)
        self.regex = self.regex.replace("[^/]", r"[^/\x00-\x1f\x7f-\x9f]")


def init_app(app: Flask) -> None:
    """Before any route is made."""
    app.url_map.converters.update(default=Part, string=Part)
