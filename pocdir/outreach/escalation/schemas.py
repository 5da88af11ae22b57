"""Policies and paths as JSON, as files and as forms."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from pocdir.ledger.rules.vocabulary import CONTENTS, TARGETS
from pocdir.outreach.escalation.rules.policy import CLOCKS, MOST_REPEATS, MOST_STEPS
from pocdir.outreach.schemas import RefusedRow
from pocdir.outreach.sending.schemas import SendFlags, SendFlagsToOne
from pocdir.web.schemas import Duration, Flag, Moment, PageQuery, Schema, Text, page_of

ACTIONS = ("take", "skip", "approve", "pause", "resume")
OF_MANY = ACTIONS[:3]
MOST_AT_ONCE = 100


class StepSchema(Schema):
    """One step: how long to wait, then whom to tell, and how much."""

    wait = Text(max=20, load_default="P2D", metadata={"description": "ISO 8601; PT0S: at once"})
    clock = fields.String(load_default="elapsed", validate=validate.OneOf(CLOCKS))
    target = fields.String(required=True, validate=validate.OneOf(TARGETS))
    content = fields.String(load_default="summary", validate=validate.OneOf(CONTENTS))
    approval = Flag(load_default=False)
    repeat = fields.Integer(load_default=0, validate=validate.Range(0, MOST_REPEATS))


class PolicySchema(Schema):
    """A policy as its file says it. Only `name` and `steps` are needed."""

    name = Text(min=1, max=100, required=True)
    contact = Text(max=200, load_default=None, allow_none=True)
    hours = fields.List(
        Text(max=5), load_default=lambda: ["09:00", "17:00"], validate=validate.Length(equal=2)
    )
    outcome_within = Duration(load_default=None, allow_none=True)
    rest = Text(max=20, load_default="P2D")
    steps = fields.List(
        fields.Nested(StepSchema),
        required=True,
        validate=validate.Length(min=1, max=MOST_STEPS, error="From {min} to {max} steps are right."),
    )


class PolicyForm(PolicySchema):
    """The browser's form: rows without a target are left out; an example shows when its steps fall due."""

    example_team = Text(max=100, load_default=None)
    example_start = Moment(load_default=None)

    @ma.pre_load
    def only_rows_with_a_target(self, data: Any, **more: Any) -> Any:
        rows = data.get("steps")
        if isinstance(rows, list):
            return data | {"steps": [row for row in rows if isinstance(row, dict) and row.get("target")]}
        return data


class PolicyAnswer(PolicySchema):
    """One version of a policy."""

    slug = fields.String()
    version = fields.Integer()
    ref = fields.String()
    digest = fields.String()
    created_at = Moment()
    is_default = fields.Boolean()
    by_itself = fields.Boolean(
        metadata={"description": "approved beforehand: its steps may go out by themselves"}
    )
    approved_at = Moment(allow_none=True)


class PolicyQuery(Schema):
    """Which version; the newest unless one is named."""

    version = fields.Integer(load_default=None, validate=validate.Range(1, 1_000_000))


class PolicyApprovalSchema(Schema):
    """Whether the steps of a version (the newest unless one is named) may go out by themselves from now on."""

    by_itself = fields.Boolean(required=True)
    version = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(1, 1_000_000))


class TimetableQuery(PolicyQuery):
    """The start and the place that a policy's timetable is asked for."""

    start = Moment(load_default=None)
    team = Text(max=100, load_default=None)
    not_before = Moment(load_default=None)


class TimetableStep(Schema):
    """A step, and when it falls due if nothing is recorded until then."""

    level = fields.Integer()
    target = fields.String()
    content = fields.String()
    approval = fields.Boolean()
    due_at = Moment()


class TimetableAnswer(Schema):
    """When each step falls due, in the zone of the place."""

    policy = fields.String()
    version = fields.Integer()
    start = Moment()
    zone = fields.String()
    steps = fields.List(fields.Nested(TimetableStep))


class PolicyChoiceSchema(Schema):
    """Which policy (null: none) a notification follows, or what an incident or the workspace logs from now on."""

    policy = Text(max=60, required=True, allow_none=True)
    incident = fields.UUID(load_default=None, allow_none=True)
    notification = fields.UUID(load_default=None, allow_none=True)
    not_before = Moment(load_default=None, allow_none=True)
    at = Moment(load_default=None, allow_none=True)  # when a notification came to follow it, if not now


class PolicyChosen(Schema):
    """What was chosen, and for what."""

    policy = fields.String(allow_none=True)
    incident = fields.String(allow_none=True)
    notification = fields.String(allow_none=True)


class StepAnswer(TimetableStep):
    """A level of a notification's path; `state`: ahead, due, taken, skipped, passed."""

    step = fields.Integer()
    state = fields.String()
    decided_at = Moment(allow_none=True)
    reason = fields.String(allow_none=True)
    approved = fields.Boolean()
    may_decide = fields.Boolean()


class ComingStep(TimetableStep):
    """A step to come and whom it goes to, as the directory stands."""

    to = fields.Dict()


class PathAnswer(Schema):
    """Where a notification stands on its path; `to`: whom the next step goes to as the directory stands; `coming`: the
    step that really comes next: one for which nobody is known is left out when its time comes, and the next follows at
    once (null: nobody is left)."""

    policy = fields.String(allow_none=True)
    version = fields.Integer(allow_none=True)
    state = fields.String()
    not_before = Moment(allow_none=True)
    steps = fields.List(fields.Nested(StepAnswer))
    to = fields.Dict(allow_none=True)
    coming = fields.Nested(ComingStep, allow_none=True)
    by_itself = fields.Boolean(
        metadata={"description": "whether the step that comes goes out by itself, as things stand"}
    )
    held = fields.String(allow_none=True, metadata={"description": "why not, where its policy would let it"})


class StepForm(SendFlagsToOne):
    """What a person says of a step; `body` replaces the words prepared for it."""

    level = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(1, 100))
    body = Text(max=100_000, lines=True, load_default=None, allow_none=True)
    note = Text(max=2_000, lines=True, load_default=None, allow_none=True)


class StepAct(StepForm):
    """What a person decides about a step."""

    action = fields.String(required=True, validate=validate.OneOf(ACTIONS))
    at = Moment(load_default=None, allow_none=True)  # when it was done, if not now


class FollowForm(Schema):
    """Which policy a notification follows; none chosen: no policy."""

    policy = Text(max=60, load_default=None)
    not_before = Moment(load_default=None)


class StepDone(PathAnswer):
    """The path after the act; `notification`: what a step that was taken led to."""

    notification = fields.String(allow_none=True)


class SuggestedStep(TimetableStep):
    """A step that is due, with whom it goes to as the directory stands (null: nobody is known)."""

    ref = fields.String()
    team = fields.String()
    name = fields.String()
    sent_at = Moment()
    to = fields.Dict(allow_none=True)
    people_at_risk = fields.Boolean()
    approved = fields.Boolean()
    by_itself = fields.Boolean()
    held = fields.String(allow_none=True)


class SuggestedQuery(PageQuery):
    """Which of them: `waiting=true`, those that wait for the yes of an owner; a page may have fewer then.

    `ahead=true`: instead of what is due the next steps to come under policies that were approved beforehand.
    """

    waiting = fields.Boolean(load_default=None)
    ahead = fields.Boolean(load_default=False)


class ChosenStep(Schema):
    """One step of one notification."""

    ref = fields.UUID(required=True)
    level = fields.Integer(required=True, validate=validate.Range(1, 100))


class ManySteps(SendFlags):
    """One decision on many steps, with the words prepared for each."""

    action = fields.String(required=True, validate=validate.OneOf(OF_MANY))
    note = Text(max=2_000, lines=True, load_default=None, allow_none=True)
    steps = fields.List(
        fields.Nested(ChosenStep), required=True, validate=validate.Length(min=1, max=MOST_AT_ONCE)
    )


class DecidedStep(Schema):
    """What became of one step: the notification that it led to, or why not."""

    ref = fields.String()
    level = fields.Integer()
    notification = fields.String(allow_none=True)
    refused = fields.Nested(RefusedRow, allow_none=True)


class DecidedSteps(Schema):
    """What became of each step, in the order asked."""

    items = fields.List(fields.Nested(DecidedStep))


PolicyPage = page_of(PolicyAnswer)
SuggestedPage = page_of(SuggestedStep)
