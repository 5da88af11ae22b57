"""Proposals as JSON and as forms."""

from __future__ import annotations

from marshmallow import fields, validate

from pocdir.directory.proposals import rules
from pocdir.directory.schemas import EntryChange, TeamChange, TeamForm
from pocdir.web.schemas import Moment, PageQuery, Schema, Text, page_of


class NewProposal(TeamChange):
    """What is to stand in the entry: as a steward would say it; a list given is the whole list afterwards."""

    note = Text(max=2000, lines=True, load_default=None, allow_none=True)


class ProposalForm(TeamForm):
    """The browser's form of a proposal; why is said where a steward says how it is known."""

    evidence = Text(max=2000, lines=True, load_default=None)


class Refusal(Schema):
    """Why a proposal is refused: whoever proposed it reads it."""

    reason = Text(min=1, max=2000, lines=True, required=True)


class Approval(Schema):
    """The revision that was read, where no If-Match says it."""

    revision = fields.Integer(strict=True, load_default=None, validate=validate.Range(min=1))


class ProposalQuery(PageQuery):
    """Which proposals."""

    state = fields.String(load_default=None, validate=validate.OneOf((rules.OPEN,)))


class ProposalAnswer(Schema):
    """A proposal, what it changes, and what it still waits for."""

    ref = fields.String()
    team = fields.String()
    by = fields.String()
    note = fields.String(allow_none=True)
    state = fields.String()
    revision = fields.Integer()
    changes = fields.List(fields.Nested(EntryChange))
    approvals = fields.Integer()
    missing = fields.Integer()
    not_before = Moment(allow_none=True)
    proposed_at = Moment()
    due_at = Moment(allow_none=True)
    settled_at = Moment(allow_none=True)
    reason = fields.String(allow_none=True)


ProposalPage = page_of(ProposalAnswer)
