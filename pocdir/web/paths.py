"""What may stand in the path of a page: no control character, which PostgreSQL would refuse with an error."""

from __future__ import annotations

import unicodedata

from flask import Flask
from werkzeug.routing import UnicodeConverter, ValidationError


class Part(UnicodeConverter):
    """A part of a path; with a control character in it, it is a page that is not there."""

    def to_python(self, value: str) -> str:
        """Raises ValidationError, by which no route fits."""
        if any(unicodedata.category(sign) == "Cc" for sign in value):
            raise ValidationError
        return value


def init_app(app: Flask) -> None:
    """Before any route is made."""
    app.url_map.converters.update(default=Part, string=Part)
