"""Latency figures as JSON, and what may be asked of them."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from marshmallow import fields, validate

from pocdir.latency.queries import LEVELS, MET, RULES
from pocdir.latency.rules import STATES
from pocdir.ledger.rules.vocabulary import SENT_LEVELS
from pocdir.web.schemas import Moment, Schema, Text

BY = ("team", "kind", "country", "channel", "month")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class CurveQuery(Schema):
    """Which notifications, and how far they must have come."""

    level = fields.String(load_default="acknowledgement", validate=validate.OneOf(LEVELS))
    since = Moment(load_default=None)
    until = Moment(load_default=None)
    team = Text(max=100, load_default=None)
    sent_level = fields.String(load_default=None, validate=validate.OneOf(SENT_LEVELS))
    rules = fields.String(load_default=MET, validate=validate.OneOf(RULES))
    as_known_at = Moment(load_default=None)


class LatencyQuery(CurveQuery):
    """The same, in groups."""

    by = fields.String(load_default=None, validate=validate.OneOf(BY))


class Day(Moment):
    """A day as a browser's picker writes it, from its first moment (UTC), or a moment as the API takes it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> dt.datetime:
        if isinstance(value, str) and _DAY.fullmatch(value.strip()):
            value = f"{value.strip()}T00:00:00Z"
        return super()._deserialize(value, attr, data, **more)


class PageQuery(LatencyQuery):
    """The same in the address of the page."""

    since = Day(load_default=None)
    until = Day(load_default=None)


class PromiseAnswer(Schema):
    """Of `n` sent while their team had published a time of its own for this: the share within it; null: not known."""

    n = fields.Integer()
    share = fields.Float(allow_none=True)
    band = fields.List(fields.Float(allow_none=True))
    shortest_seconds = fields.Float(allow_none=True)
    longest_seconds = fields.Float(allow_none=True)


class GroupAnswer(Schema):
    """One group's figures, in seconds; null: not reached, and of both ends of `band`: no band can be given.

    n = events + censored (still open, or followed no longer) + those that ended otherwise. Of the events
    `undated` came at a time that is not known: no time and no share has them. `states`: what stands beside a team's.
    """

    key = fields.String()
    label = fields.String()
    n = fields.Integer()
    events = fields.Integer()
    censored = fields.Integer()
    undated = fields.Integer()
    ended_otherwise = fields.Dict(keys=fields.String(), values=fields.Integer())
    median_seconds = fields.Float(allow_none=True)
    band = fields.List(fields.Float(allow_none=True))
    quartiles = fields.List(fields.Float(allow_none=True))
    within = fields.Dict(keys=fields.String(), values=fields.Float(allow_none=True))
    promise = fields.Nested(PromiseAnswer)
    states = fields.List(fields.String(validate=validate.OneOf(STATES)))
    suppressed = fields.Boolean()


class LatencyAnswer(Schema):
    """Figures by group."""

    level = fields.String()
    by = fields.String(allow_none=True)
    sent_level = fields.String()
    rules = fields.String()
    left_out = fields.Integer()
    as_known_at = Moment()
    groups = fields.List(fields.Nested(GroupAnswer))


class PointAnswer(Schema):
    """From `t` seconds on, the share `s` is still open, with its 95 % band; null: there is none."""

    t = fields.Float()
    s = fields.Float()
    lo = fields.Float(allow_none=True)
    hi = fields.Float(allow_none=True)
    at_risk = fields.Integer()


class CurveAnswer(Schema):
    """The survival curve."""

    items = fields.List(fields.Nested(PointAnswer))
