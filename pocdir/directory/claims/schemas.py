"""What is typed into the forms of claims."""

from __future__ import annotations

from pocdir.accounts.schemas import NewPassword
from pocdir.web.schemas import Schema, Text


class ChosenAddress(Schema):
    """Which address on record the link goes to."""

    address = Text(max=64, required=True)


class SignedLine(Schema):
    """The line of the page, signed."""

    signed = Text(min=1, max=70_000, lines=True, required=True)


class NewContact(NewPassword):
    """The account of a person who is new here."""

    email = Text(max=255, required=True)


class Released(Schema):
    """Who no longer answers for the team."""

    person = Text(max=36, required=True)
    note = Text(max=2000, lines=True, load_default=None)
