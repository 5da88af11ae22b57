"""The mails that came in on a notification, as the API tells of them."""

from __future__ import annotations

from marshmallow import fields

from pocdir.web.schemas import Moment, Schema, page_of

_SENDER = {"description": "as it says itself: that proves nothing"}
_MAY = {"description": "a member may say that it is the recipient's answer"}


class MailAnswer(Schema):
    """A mail that came in: what it says of itself, what it is taken for, and its text without HTML."""

    ref = fields.String(required=True)
    received_at = Moment(required=True)
    sender = fields.String(required=True, allow_none=True, metadata=_SENDER)
    subject = fields.String(required=True, allow_none=True)
    text = fields.String(required=True, allow_none=True)
    mail_class = fields.String(required=True, data_key="class")
    rule = fields.String(required=True)
    proven = fields.Boolean(
        required=True, metadata={"description": "it bears what only a reader of the letter has"}
    )
    result = fields.String(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)
    event = fields.String(required=True, allow_none=True)
    may_answer = fields.Boolean(required=True, metadata=_MAY)
    attachments = fields.Integer(required=True, metadata={"description": "counted, not opened"})
    size = fields.Integer(required=True, metadata={"description": "bytes that came"})
    sha256 = fields.String(required=True)
    seen_at = Moment(required=True, allow_none=True)


MailPage = page_of(MailAnswer)


class WaitingMail(Schema):
    """A notification on which mail waits for a person of its workspace, and since when."""

    notification = fields.String(required=True)
    team = fields.String(required=True)
    mails = fields.Integer(required=True)
    since = Moment(required=True)


WaitingPage = page_of(WaitingMail)
