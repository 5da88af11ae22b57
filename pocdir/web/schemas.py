"""The base of every schema: strict about names, times and texts."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from pocdir.core import times
from pocdir.core.errors import Invalid
from pocdir.core.text import BIDI_CONTROLS, is_turned

DEFAULT_LIMIT = 100
MOST = 1000
DIGEST = re.compile(r"(sha256:)?[0-9a-fA-F]{64}\Z")

# What a person reads beside a box, instead of the library's own phrases.
fields.Field.default_error_messages |= {"required": "This is needed.", "null": "This is needed."}
fields.String.default_error_messages |= {"invalid": "A text is right."}
fields.UUID.default_error_messages |= {"invalid_uuid": "This is no reference."}
fields.Integer.default_error_messages |= {"invalid": "A whole number is right."}
fields.Number.default_error_messages |= {"invalid": "A number is right."}
fields.Boolean.default_error_messages |= {"invalid": "true or false is right."}
fields.List.default_error_messages |= {"invalid": "A list is right."}
validate.Length.message_min = "At least {min} is right."
validate.Length.message_max = "At most {max} is right."
validate.Length.message_all = "A length from {min} to {max} is right."
validate.OneOf.default_message = "One of these is right: {choices}."


class Schema(ma.Schema):
    """Refuses names it does not know: a typing error in a request is said, not dropped."""

    error_messages = {"unknown": "This name is not known here."}

    class Meta:
        unknown = ma.RAISE


class Text(fields.String):
    """Plain text without control characters, stripped; `max` in characters, `lines` allows line breaks."""

    def __init__(self, *, max: int, min: int = 0, lines: bool = False, **more: Any) -> None:
        more.setdefault("validate", validate.Length(min=min or None, max=max))
        super().__init__(**more)
        self.lines = lines

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **more).replace("\r\n", "\n").strip()
        for character in text:
            if character in BIDI_CONTROLS or (
                unicodedata.category(character) in ("Cc", "Cs") and not (self.lines and character in "\n\t")
            ):
                raise ma.ValidationError("Control characters are not allowed.")
        return text


class Payload(fields.Dict):
    """Names and values whose forms the ledger checks; no text among them turns the reading direction."""

    def __init__(self, **more: Any) -> None:
        super().__init__(keys=fields.String(), **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> Any:
        if is_turned(value):
            raise ma.ValidationError("Control characters are not allowed.")
        return super()._deserialize(value, attr, data, **more)


class Flag(fields.Boolean):
    """true or false as JSON has them; no word and no number that stands for one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Moment(fields.Field[dt.datetime]):
    """RFC 3339 with a zone, in years that a computer's calendar holds."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> dt.datetime:
        try:
            moment = times.moment(value if isinstance(value, str) else "")
        except Invalid as error:
            raise ma.ValidationError(error.message) from None
        if not 1990 <= moment.year <= 2200:
            raise ma.ValidationError("A year between 1990 and 2200 is right.")
        return moment

    def _serialize(self, value: dt.datetime | None, attr: str | None, obj: Any, **more: Any) -> str | None:
        return None if value is None else times.isoformat(value)


class Duration(fields.String):
    """ISO 8601 text of a positive length of time, checked and kept as it was written."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **more)
        try:
            times.duration(text)
        except Invalid as error:
            raise ma.ValidationError(error.message) from None
        return text.strip()


class PageQuery(Schema):
    """`limit` rows after `cursor`, oldest recorded first."""

    limit = fields.Integer(load_default=DEFAULT_LIMIT, validate=validate.Range(1, MOST))
    cursor = Text(max=200, load_default=None)


def page_of(item: type[ma.Schema]) -> type[ma.Schema]:
    """The schema of one page of a list: `{"items": [...], "next": cursor|null}`."""
    return Schema.from_dict(
        {
            "items": fields.List(fields.Nested(item), required=True),
            "next": fields.String(allow_none=True, required=True),
        },
        name=f"{item.__name__.removesuffix('Schema')}Page",
    )


class Problem(ma.Schema):
    """RFC 9457."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True)
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()), required=True)


class Sha256(Text):
    """The SHA-256 of something that its sender keeps, with or without `sha256:`; kept as it was written."""

    def __init__(self) -> None:
        shape = validate.Regexp(DIGEST, error="Write a digest as sha256: and its 64 hexadecimal digits.")
        super().__init__(max=71, validate=shape, load_default=None, allow_none=True)
