"""A team's desk as JSON."""

from __future__ import annotations

from marshmallow import fields, validate

from pocdir.outreach.schemas import ParcelAnswer
from pocdir.web.schemas import Moment, PageQuery, Schema, page_of

STATES = ("open", "answered", "withdrawn")


class ToldQuery(PageQuery):
    """Which of what was told: open (no person has answered), answered, withdrawn; absent: all."""

    state = fields.String(load_default=None, validate=validate.OneOf(STATES))


class ToldExpectation(Schema):
    """Something asked for, and by when."""

    of = fields.String()
    due_at = Moment()


class ToldAnswer(Schema):
    """What was told to the team, as its letter said it; nothing that the sender keeps for itself."""

    ref = fields.String()
    kind = fields.String()
    sender = fields.String()
    sent_at = Moment()
    since = Moment()
    tlp = fields.String()
    language = fields.String()
    subject = fields.String(allow_none=True)
    body = fields.String(allow_none=True)
    class_ = fields.String(allow_none=True, attribute="class", data_key="class")
    type = fields.String(allow_none=True)
    assets = fields.List(fields.Dict())
    parcels = fields.List(fields.Nested(ParcelAnswer))
    channel = fields.Dict()
    answer_asked = fields.Boolean()
    expect = fields.List(fields.Nested(ToldExpectation))
    response = fields.String()
    created_at = Moment()
    withdrawn_at = Moment(allow_none=True)


ToldPage = page_of(ToldAnswer)
