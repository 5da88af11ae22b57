"""Sightings and outcomes as JSON."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from pocdir.incidents.schemas import AssetSchema
from pocdir.ledger.rules.vocabulary import METHODS
from pocdir.outreach.rules.fold import RESPONSE_GROUPS
from pocdir.outreach.rules.measured import OUTCOMES, STATES
from pocdir.outreach.schemas import EventAnswer
from pocdir.web.schemas import Moment, Schema, Text, page_of

MOST_ITEMS = 100_000


class WindowSchema(Schema):
    """A measuring window: who is not seen in it was measured and not seen."""

    method = fields.String(required=True, validate=validate.Length(max=40))
    window_from = Moment(required=True)
    window_to = Moment(required=True)


class SightingItem(Schema):
    """An asset was seen."""

    value = Text(max=2000, required=True)
    seen_at = Text(max=60, required=True)


class SightingsSchema(WindowSchema):
    """What was seen in a window; nothing at all is an answer too."""

    items = fields.List(fields.Nested(SightingItem), required=True, validate=validate.Length(max=MOST_ITEMS))


class WindowAnswer(Schema):
    """A window as it is kept."""

    ref = fields.String(required=True)
    method = fields.String(required=True, validate=validate.OneOf(METHODS))
    window_from = Moment(required=True)
    window_to = Moment(required=True)
    sightings = fields.Integer(required=True)
    seen = fields.Integer(required=True)
    strangers = fields.Integer(required=True)
    posted_at = Moment(required=True)


class WindowAdded(WindowAnswer):
    """A window that was brought: how many rows came, and which values are no asset of the incident."""

    rows = fields.Integer(required=True)
    without_zone = fields.Integer(
        required=True, metadata={"description": "rows whose time names no zone and was read as UTC"}
    )
    not_assets = fields.List(fields.String(), required=True)


class SightingAnswer(AssetSchema):
    """A stretch of time in which an asset was seen again and again."""

    class Meta(AssetSchema.Meta):
        exclude = ("kind",)

    window = fields.String(required=True)
    method = fields.String(required=True, validate=validate.OneOf(METHODS))
    window_from = Moment(required=True)
    window_to = Moment(required=True)
    seen_at = Moment(required=True)
    last_seen = Moment(required=True)
    count = fields.Integer(required=True)


def _counts(name: str, *keys: str) -> type[ma.Schema]:
    return Schema.from_dict({key: fields.Integer(required=True) for key in keys}, name=name)


OutcomeAssets = _counts("OutcomeAssets", "all", *STATES)
OutcomeRow = _counts("OutcomeRow", *OUTCOMES)
OutcomeMatrix = Schema.from_dict(
    {group: fields.Nested(OutcomeRow, required=True) for group in RESPONSE_GROUPS}, name="OutcomeMatrix"
)


class OutcomeAnswer(Schema):
    """Assets told, untold and controls by state, and notifications by answer and outcome."""

    assets = fields.Nested(OutcomeAssets, required=True, metadata={"description": "those told"})
    untold = fields.Nested(
        OutcomeAssets,
        required=True,
        metadata={"description": "named in no notification, and no controls"},
    )
    controls = fields.Nested(OutcomeAssets, required=True)
    matrix = fields.Nested(OutcomeMatrix, required=True)


class MeasuredAnswer(Schema):
    """Windows of a method with nothing between them: how many were seen, of those told, of controls, of the untold."""

    method = fields.String(required=True, validate=validate.OneOf(METHODS))
    begin = Moment(required=True)
    end = Moment(required=True)
    windows = fields.Integer(required=True)
    seen = fields.Integer(required=True)
    of = fields.Integer(required=True)
    controls_seen = fields.Integer(required=True)
    controls = fields.Integer(required=True)
    untold_seen = fields.Integer(required=True)
    untold = fields.Integer(required=True)


class ToldTeam(Schema):
    """A team by its name."""

    slug = fields.String(required=True)
    name = fields.String(required=True)


class TimelineNotification(Schema):
    """Of whose notification an event speaks."""

    ref = fields.String(required=True)
    team = fields.Nested(ToldTeam, required=True)


class TimelineEvent(EventAnswer):
    """An event of the incident or of one of its notifications; `corrected`: it was taken back."""

    corrected = fields.Boolean(required=True)
    notification = fields.Nested(TimelineNotification, required=True, allow_none=True)


class TimelineEntry(Schema):
    """What happened: an event, or what was measured; the other one is null."""

    at = Moment(required=True)
    event = fields.Nested(TimelineEvent, required=True, allow_none=True)
    measured = fields.Nested(MeasuredAnswer, required=True, allow_none=True)


TimelinePage = page_of(TimelineEntry)
SightingPage = page_of(SightingAnswer)
WindowPage = page_of(WindowAnswer)
