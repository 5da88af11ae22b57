"""Webhooks as JSON and as a form."""

from __future__ import annotations

from marshmallow import fields

from pocdir.web.schemas import Flag, Moment, Schema, Text


class NewWebhook(Schema):
    """Where to, and which types of events; none: all."""

    url = Text(min=1, max=500, required=True)
    types = fields.List(Text(max=60), load_default=list)


class WebhookChange(Schema):
    """Switch it on or off."""

    enabled = Flag(required=True)


class WebhookAnswer(Schema):
    """A webhook; `secret` is there in the answer that made it, and nowhere else."""

    ref = fields.String()
    url = fields.String()
    types = fields.List(fields.String())
    enabled = fields.Boolean()
    disabled_because = fields.String(allow_none=True)
    failing_since = Moment(allow_none=True)
    created_at = Moment()
    secret = fields.String(allow_none=True)


class WebhookList(Schema):
    """All webhooks of the workspace."""

    items = fields.List(fields.Nested(WebhookAnswer))
    next = fields.String(allow_none=True)


class DeliveryAnswer(Schema):
    """A message and what became of it."""

    id = fields.String()
    type = fields.String()
    state = fields.String()
    attempts = fields.Integer()
    next_attempt_at = Moment(allow_none=True)
    status = fields.Integer(allow_none=True)
    error = fields.String(allow_none=True)
    created_at = Moment()
    settled_at = Moment(allow_none=True)


class DeliveryList(Schema):
    """The newest hundred."""

    items = fields.List(fields.Nested(DeliveryAnswer))
    next = fields.String(allow_none=True)


class Queued(Schema):
    """How many messages were queued."""

    queued = fields.Integer()
