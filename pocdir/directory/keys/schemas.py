"""Keys as JSON and as forms."""

from __future__ import annotations

from marshmallow import fields

from pocdir.mail.rules.openpgp import MOST_BYTES
from pocdir.web.schemas import Moment, Schema, Text, page_of

_MOST_TEXT = MOST_BYTES * 2  # armoured; the guard counts its bytes


class NewKey(Schema):
    """A public key as text, for the addresses that it names or for the one that is stated."""

    key = Text(min=1, max=_MOST_TEXT, lines=True, required=True)
    address = Text(max=254, load_default=None, allow_none=True)
    evidence = Text(max=2000, load_default=None, allow_none=True)


class KeyForm(NewKey):
    """A new key as a form: the text may come as a file instead."""

    key = Text(max=_MOST_TEXT, lines=True, load_default="")


class KeyAnswer(Schema):
    """A key, what stands about it, and in words why it must not be used."""

    ref = fields.String(required=True)
    fingerprint = fields.String(required=True)
    algorithm = fields.String(required=True)
    bits = fields.Integer(required=True, allow_none=True)
    addresses = fields.List(fields.String(), required=True)
    stated = fields.String(required=True, allow_none=True)
    state = fields.String(required=True)
    usable = fields.Boolean(required=True)
    reasons = fields.List(fields.String(), required=True)
    approvals = fields.Integer(required=True)
    uploaded_at = Moment(required=True)
    effective_at = Moment(required=True, allow_none=True)
    pinned_at = Moment(required=True, allow_none=True)
    expires_at = Moment(required=True, allow_none=True)
    settled_at = Moment(required=True, allow_none=True)
    public = fields.String(required=True)
    revision = fields.Integer(required=True)


KeyPage = page_of(KeyAnswer)
