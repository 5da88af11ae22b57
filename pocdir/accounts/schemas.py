"""What is typed into the forms of accounts."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from pocdir.accounts import rules
from pocdir.web.schemas import Schema, Text

MOST_TYPED = 1024  # a password is refused beyond 256; this keeps the hash from chewing on a book


def _password(**more: Any) -> fields.String:
    """As it was typed: a password may begin and end with a space."""
    return fields.String(required=True, validate=validate.Length(max=MOST_TYPED), **more)


class SignIn(Schema):
    email = Text(max=255, required=True)
    password = _password()


class NewPassword(Schema):
    password = _password()
    again = _password()

    @validates_schema(skip_on_field_errors=True)
    def typed_twice(self, data: dict[str, Any], **_more: Any) -> None:
        if data["password"] != data["again"]:
            raise ValidationError("The two are not the same.", "again")


class Erasure(Schema):
    """The present password: whoever found an open browser erases nobody."""

    present = _password()


class ErasedPerson(Schema):
    """Who is erased, and on whose wish; the address stands in the body, as no server's log keeps that."""

    email = Text(max=255, required=True)
    reason = fields.String(load_default="request", validate=validate.OneOf(("request", "order")))
    dry_run = fields.Boolean(load_default=False)


class ErasureAnswer(Schema):
    """How much went, or would; `person` is the reference that stays, of an account. `teams`: whose entries in the
    directory bear the address, which stays there."""

    person = fields.String(allow_none=True)
    rows = fields.Integer()
    letters = fields.Integer()
    told = fields.Integer()
    values = fields.Integer()
    teams = fields.List(fields.String())
    erased = fields.Boolean()


class ChangedPassword(NewPassword):
    present = _password()


class NewToken(Schema):
    name = Text(max=100, load_default="")
    scopes = fields.List(fields.String(validate=validate.OneOf(rules.ALL_SCOPES)), load_default=list)


class NewInvitation(Schema):
    email = Text(max=255, required=True)
    role = fields.String(load_default="researcher", validate=validate.OneOf(rules.WORKSPACE_ROLES))


class MemberRole(Schema):
    role = fields.String(required=True, validate=validate.OneOf(rules.WORKSPACE_ROLES))


class WorkspaceName(Schema):
    name = Text(max=200, required=True)


class CurrentWorkspace(Schema):
    workspace = Text(max=60, required=True)
