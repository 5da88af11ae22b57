"""A team's desk as JSON."""

from __future__ import annotations

from marshmallow import fields, validate

from pocdir.directory.rules.record import INTAKE
from pocdir.directory.schemas import PromiseBoxes, TeamPromise
from pocdir.ledger.rules.vocabulary import NOTIFICATION_KINDS
from pocdir.outreach.desk.rules import TAKES
from pocdir.outreach.schemas import ParcelAnswer
from pocdir.web.schemas import Moment, PageQuery, Schema, Text, page_of

KINDS = NOTIFICATION_KINDS
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


class OwnWordsForm(Schema):
    """What a team publishes of itself, as its boxes hold it."""

    declines = fields.List(fields.String(validate=validate.OneOf(("", *KINDS))), load_default=list)
    classes = Text(max=5_000, load_default="")
    intake = fields.List(fields.String(validate=validate.OneOf(("", *INTAKE))), load_default=list)
    promise = fields.Nested(PromiseBoxes, load_default=dict)


class OwnWordsChange(Schema):
    """What a team publishes of itself by API; what is not named stays as it is."""

    opt_outs = fields.List(Text(max=100))
    intake = fields.List(fields.String(validate=validate.OneOf(INTAKE)))
    promise = fields.Nested(TeamPromise, allow_none=True)


class TakesSchema(Schema):
    """What a team takes without a person's yes to each letter; an empty list: nothing."""

    takes = fields.List(fields.String(validate=validate.OneOf(("", *TAKES))), required=True)


class TakesByWord(TakesSchema):
    """The same on the team's word, as a steward records it."""

    note = Text(min=1, max=2_000, lines=True, required=True)


class TakesAnswer(Schema):
    """What a team takes so."""

    team = fields.String()
    takes = fields.List(fields.String())


class DigestForm(Schema):
    """At which hour of the team's own day (null: never) and to which address on record."""

    hour = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(0, 23))
    address = Text(max=500, load_default=None, allow_none=True)


class DigestChoice(DigestForm):
    """A team's choice of its daily mail by API, where an hour that was left out is no wish to end it."""

    hour = fields.Integer(required=True, allow_none=True, validate=validate.Range(0, 23))


class DeskAnswer(Schema):
    """What a team says of itself, and what it has asked to get."""

    team = fields.String()
    opt_outs = fields.List(fields.String())
    intake = fields.List(fields.String())
    promise = fields.Dict(allow_none=True)
    takes = fields.List(fields.String(), metadata={"description": "without a person's yes to each letter"})
    digest = fields.Nested(DigestForm, allow_none=True)
    addresses = fields.List(fields.String(), metadata={"description": "to which a digest may go"})


ToldPage = page_of(ToldAnswer)
