"""What is typed into the forms of accounts."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from pocdir.accounts import rules
from pocdir.web.schemas import Schema, Text

MOST_TYPED = 1024  # a password is refused beyond 256; this keeps the hash from chewing on a book


def typed_password(**more: Any) -> fields.String:
    """As it was typed: a password may begin and end with a space."""
    return fields.String(required=True, validate=validate.Length(max=MOST_TYPED), **more)


class SignIn(Schema):
    email = Text(max=255, required=True)
    password = typed_password()


class NewPassword(Schema):
    password = typed_password()
    again = typed_password()

    @validates_schema(skip_on_field_errors=True)
    def typed_twice(self, data: dict[str, Any], **_more: Any) -> None:
        if data["password"] != data["again"]:
            raise ValidationError("The two are not the same.", "again")


class ChangedPassword(NewPassword):
    present = typed_password()


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
