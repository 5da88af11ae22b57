"""Sending from here as JSON and as forms, and how it is told."""

from __future__ import annotations

from marshmallow import fields

from pocdir.web.schemas import Flag, Moment, Schema, Text


class SendFlags(Schema):
    """`send`: by this service, now; `plain_text`: it may go in plain text where no key is pinned; `despite_rules`: it
    is known that it does not meet the team's rules for reports; `despite_opt_out`: that the team has said that it does
    not take such."""

    send = Flag(load_default=False)
    plain_text = Flag(load_default=False)
    despite_rules = Flag(load_default=False)
    despite_opt_out = Flag(load_default=False)


class SendFlagsToOne(SendFlags):
    """people_at_risk: it is known that the incident says so; this contact shall be told all the same. Asked for of a
    record too, unless it is of the past."""

    people_at_risk = Flag(load_default=False)


class SendAgain(Schema):
    """A letter that was not sent is made anew."""

    plain_text = Flag(load_default=False)
    despite_rules = Flag(load_default=False)
    despite_opt_out = Flag(load_default=False)
    people_at_risk = Flag(load_default=False)


class SendingAnswer(Schema):
    """How the service's letter stands: waiting, handed_over, not_sent, refused, withdrawn; `reason` in words.

    `plain_text`: its sender said that it may; `fingerprint`: of the key that it went encrypted to.
    """

    state = fields.String()
    attempt = fields.Integer()
    queued_at = Moment()
    handed_over_at = Moment(allow_none=True)
    ended_at = Moment(allow_none=True)
    plain_text = fields.Boolean()
    fingerprint = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)
    may_try_again = fields.Boolean()


class PermissionForm(Schema):
    """A steward or admin lets a workspace send, or stops it."""

    workspace = Text(min=1, max=60, required=True)
    note = Text(max=500, load_default=None)
