"""Notifications and events as JSON and as forms."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from pocdir.core import tlp
from pocdir.core.errors import Invalid
from pocdir.directory.formats.values import CHANNEL_VALUES
from pocdir.incidents.rules.assets import asset, assets_from_lines, guessed_asset
from pocdir.incidents.schemas import AssetSchema
from pocdir.ledger.rules.events import PRECISIONS
from pocdir.ledger.rules.vocabulary import CHANNEL_KINDS, EXPECTED, NOTIFICATION_KINDS, VOCABULARY
from pocdir.outreach.queries.snapshots import ORDERS, STEPS
from pocdir.outreach.rules.bulk import MOST
from pocdir.outreach.rules.expectations import ASKED_BY_KIND
from pocdir.outreach.rules.letter import CONTENTS
from pocdir.outreach.sending.schemas import SendFlags, SendFlagsToOne, SendingAnswer
from pocdir.web.schemas import Duration, Flag, Moment, PageQuery, Payload, Schema, Sha256, Text, page_of

MOST_PARCEL = 10_000
STATES = ("unrecorded", "running", "paused", "undeliverable")  # lists of what is still open
MOST_CHOSEN = 5_000  # contacts in one transaction: others wait to write meanwhile
NOBODY_CHOSEN = "Choose at least one contact."


class ChannelSchema(Schema):
    """A way to reach the team; `other` is a conversation, a conference, a form of their own."""

    kind = fields.String(required=True, validate=validate.OneOf((*CHANNEL_KINDS, "other")))
    value = Text(min=1, max=500, required=True)

    @ma.post_load
    def as_its_kind_is_written(self, data: dict[str, Any], **_more: Any) -> dict[str, Any]:
        """What is no address of its kind was a way of another kind: `other`."""
        check = CHANNEL_VALUES.get(data["kind"])
        try:
            return data if check is None else data | {"value": check(data["value"])}
        except Invalid as refusal:
            said = f"{refusal.message}; else the kind is other"
            raise ma.ValidationError(said, "value") from None


class ExpectSchema(Schema):
    """Something asked for, and within which time."""

    of = fields.String(required=True, validate=validate.OneOf(EXPECTED))
    within = Duration(required=True)


class AssetItem(fields.Field[dict[str, Any]]):
    """An asset as an object, or as its text alone (its kind is then told from its form)."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> dict[str, Any]:
        try:
            if isinstance(value, str):
                given = guessed_asset(value)
            else:
                given = asset(**AssetSchema().load(value))
        except Invalid as error:
            raise ma.ValidationError(str(error)) from None
        return {"kind": given.kind, "value": given.value, "port": given.port or None}


class NotificationSchema(SendFlagsToOne):
    """What the sender says was (or is being) sent. Only `team` is needed."""

    incident = fields.UUID(load_default=None, allow_none=True)
    team = Text(min=1, max=100, required=True)
    channel = fields.Nested(ChannelSchema, load_default=None, allow_none=True)
    kind = fields.String(load_default="report", validate=validate.OneOf(NOTIFICATION_KINDS))
    sent_at = Moment(load_default=None, allow_none=True)
    subject = Text(max=300, load_default=None, allow_none=True)
    body = Text(max=100_000, lines=True, load_default=None, allow_none=True)
    body_digest = Sha256()
    language = Text(min=2, max=20, load_default=None, allow_none=True)
    tlp = fields.String(
        load_default=None, allow_none=True, validate=validate.OneOf((*tlp.LABELS, "TLP:WHITE"))
    )
    assets = fields.List(
        AssetItem(), load_default=None, allow_none=True, validate=validate.Length(max=MOST_PARCEL)
    )
    parent = fields.UUID(load_default=None, allow_none=True)
    answer_asked = Flag(load_default=True)
    expect = fields.List(
        fields.Nested(ExpectSchema), load_default=None, allow_none=True, validate=validate.Length(max=4)
    )


class StateSchema(Schema):
    """The three axes, and the clock."""

    transport = fields.String(required=True)
    response = fields.String(required=True)
    outcome = fields.String(required=True)
    clock = fields.String(required=True)


class ContestAnswer(Schema):
    """What the team set against it, until it takes that back; the words null where they were erased."""

    note = fields.String(allow_none=True)
    occurred_at = Moment()


class ExpectationAnswer(ExpectSchema):
    """An expectation as it stands."""

    due_at = Moment()
    state = fields.String()
    lapsed_at = Moment(allow_none=True)


class NotificationAnswer(Schema):
    """A notification as it stands."""

    ref = fields.String()
    incident = fields.String(allow_none=True)
    team = fields.String()
    channel = fields.Nested(ChannelSchema)
    kind = fields.String()
    sent_at = Moment()
    send = fields.Boolean()
    sending = fields.Nested(SendingAnswer, allow_none=True)
    subject = fields.String(allow_none=True)
    body = fields.String(allow_none=True)
    body_digest = fields.String(allow_none=True)
    language = fields.String()
    tlp = fields.String()
    assets = fields.List(fields.Dict())
    parent = fields.String(allow_none=True)
    answer_asked = fields.Boolean()
    rules_not_met = fields.List(fields.String())
    expect = fields.List(fields.Nested(ExpectationAnswer))
    sent_level = fields.String()
    state = fields.Nested(StateSchema)
    due = Moment(allow_none=True)
    contested = fields.List(fields.Nested(ContestAnswer))
    recipient_page = fields.String(allow_none=True)
    created_at = Moment()
    withdrawn_at = Moment(allow_none=True)


class NotificationQuery(PageQuery):
    """Which notifications."""

    incident = fields.UUID(load_default=None)


class UnansweredQuery(PageQuery):
    """Which notifications with a recorded lapse that still stands."""

    older_than = Duration(load_default=None)
    team = Text(max=100, load_default=None)
    incident = fields.UUID(load_default=None)
    due_before = Moment(load_default=None)
    step = fields.String(load_default=None, validate=validate.OneOf(tuple(STEPS)))
    sort = fields.String(load_default=None, validate=validate.OneOf(ORDERS))
    state = fields.String(load_default="unrecorded", validate=validate.OneOf(STATES))


class FeedQuery(UnansweredQuery):
    """The same for a feed, which is one page with the latest first."""

    class Meta:
        exclude = ("limit", "cursor", "sort")


class EventSchema(Schema):
    """A fact about a notification."""

    type = Text(max=60, required=True, metadata={"enum": sorted(VOCABULARY)})
    occurred_at = Moment(load_default=None, allow_none=True)
    precision = fields.String(load_default="exact", validate=validate.OneOf(PRECISIONS))
    payload = Payload(load_default=dict)
    evidence_digest = Sha256()


class ManyFacts(EventSchema):
    """One fact about many notifications: those named, or all that a team keeps under a number of its own."""

    class Meta:
        exclude = ("evidence_digest",)

    notifications = fields.List(
        Text(max=60),
        load_default=list,
        validate=validate.Length(1, MOST, error="1 to {max} references are right"),
    )
    for_ticket = Text(min=1, max=200, load_default=None)
    team = Text(min=1, max=100, load_default=None)

    @ma.validates_schema
    def _which(self, data: dict[str, Any], **more: Any) -> None:
        if bool(data["notifications"]) == bool(data["for_ticket"]):
            raise ma.ValidationError("References are needed, or for_ticket.", "notifications")
        if bool(data["for_ticket"]) != bool(data["team"]):
            raise ma.ValidationError("It goes with for_ticket: whose number it is.", "team")


class RefusedRow(Schema):
    """Why one was refused."""

    code = fields.String()
    detail = fields.String()


class RecordedRow(Schema):
    """What became of one notification: its new event, or why not."""

    ref = fields.String()
    event = fields.String(allow_none=True)
    refused = fields.Nested(RefusedRow, allow_none=True)


class RecordedRows(Schema):
    """What became of each notification, in the order asked."""

    items = fields.List(fields.Nested(RecordedRow))


class EventAnswer(Schema):
    """An event as it stands in the record."""

    id = fields.String()
    type = fields.String()
    v = fields.Integer()
    occurred_at = Moment()
    precision = fields.String()
    recorded_at = Moment()
    payload = fields.Dict()
    evidence_digest = fields.String(allow_none=True)
    claimed_by = fields.String()
    assurance = fields.String(allow_none=True)
    actor = fields.String()
    log_index = fields.Integer(allow_none=True)


class LetterQuery(Schema):
    """How much of it the letter says; absent: all, or as much as the step that led to it."""

    content = fields.String(load_default=None, validate=validate.OneOf(CONTENTS))


class LetterAnswer(Schema):
    """A letter to copy: everything its reader needs, the link last."""

    to = fields.String()
    subject = fields.String()
    body = fields.String()
    mailto = fields.String(allow_none=True)


class PlanContact(Schema):
    """One contact of the plan with its parcel."""

    team = fields.Dict()
    channel = fields.Dict(allow_none=True)
    basis = fields.Dict()
    role = fields.String()
    reasons = fields.List(fields.String())
    try_next_after = fields.String(allow_none=True)
    without_detail = fields.Boolean()
    answer_asked = fields.Boolean()
    held = fields.Boolean()
    assets = fields.List(fields.Dict())
    parcels = fields.List(fields.Dict())
    copies = fields.Integer()
    declines = fields.List(fields.String())


class PlanAnswer(Schema):
    """The routing of an incident's assets, grouped per contact: a preview, nothing is logged."""

    incident = fields.String()
    people_at_risk = fields.Boolean()
    contacts = fields.List(fields.Nested(PlanContact))
    unrouted = fields.List(fields.Dict())
    directory_version = fields.String()
    registry_version = fields.String(allow_none=True)


class NotificationForm(SendFlagsToOne):
    """The browser's form: one time for an acknowledgement, assets one on each line."""

    incident = fields.UUID(load_default=None, allow_none=True)
    parent = fields.UUID(load_default=None, allow_none=True)
    team = Text(min=1, max=100, required=True)
    channel = fields.Nested(ChannelSchema, load_default=None, allow_none=True)
    kind = fields.String(load_default="report", validate=validate.OneOf(NOTIFICATION_KINDS))
    sent_at = Moment(load_default=None, allow_none=True)
    subject = Text(max=300, load_default=None)
    body = Text(max=100_000, lines=True, load_default=None)
    language = Text(min=2, max=20, load_default=None)
    tlp = fields.String(load_default=None, validate=validate.OneOf(tlp.LABELS))
    assets = Text(max=200_000, lines=True, load_default=None)
    answer_asked = fields.String(load_default="true", validate=validate.OneOf(("true", "false")))
    within = Duration(load_default=None)


class PlanForm(SendFlags):
    """The browser's form that logs the chosen contacts of a plan.

    answer_asked: of those to write to, of `all`, of none; people_at_risk: what the page said when they were chosen.
    """

    choose = fields.List(
        Text(max=100),
        required=True,
        validate=[validate.Length(min=1, error=NOBODY_CHOSEN), validate.Length(max=MOST_CHOSEN)],
        error_messages={"required": NOBODY_CHOSEN},
    )
    kind = fields.String(load_default="report", validate=validate.OneOf(NOTIFICATION_KINDS))
    sent_at = Moment(load_default=None)
    answer_asked = fields.String(load_default="true", validate=validate.OneOf(("true", "all", "false")))
    people_at_risk = Flag()
    within = Duration(load_default=None)
    message = Text(max=100_000, lines=True, load_default=None)


class PlanChosen(SendFlags):
    """Which contacts of a plan are logged as told; people_at_risk: it is known that the incident says so."""

    choose = fields.List(Text(max=100), required=True, validate=validate.Length(min=1, max=MOST_CHOSEN))
    kind = fields.String(load_default="report", validate=validate.OneOf(NOTIFICATION_KINDS))
    sent_at = Moment(load_default=None, allow_none=True)
    answer_asked = fields.String(load_default="true", validate=validate.OneOf(("true", "all", "false")))
    people_at_risk = Flag(load_default=False)
    within = Duration(load_default=None, allow_none=True)
    message = Text(max=100_000, lines=True, load_default=None, allow_none=True)


class PlanLogged(Schema):
    """References of what was logged, in the order chosen."""

    items = fields.List(fields.String(), required=True)


class CampaignLetter(Schema):
    """The letter to one chosen contact as it would be, without its reference and the recipient's link."""

    team = fields.String(required=True)
    name = fields.String(required=True)
    language = fields.String(required=True)
    answer_asked = fields.Boolean(required=True)
    due = Moment(required=True, allow_none=True)
    rules_not_met = fields.List(fields.String(), required=True)
    to = fields.String(required=True)
    subject = fields.String(required=True)
    body = fields.String(required=True)


class CampaignLetters(Schema):
    """The letters of the contacts chosen, in their order, at most a hundred; `chosen`: how many there are."""

    items = fields.List(fields.Nested(CampaignLetter), required=True)
    chosen = fields.Integer(required=True)


class ParcelAnswer(Schema):
    """A contact's rows of a file that was split."""

    ref = fields.String(required=True)
    team = fields.String(required=True)
    name = fields.String(required=True)
    rows = fields.Integer(required=True)
    size = fields.Integer(required=True, metadata={"description": "bytes"})
    sha256 = fields.String(required=True)


class ParcelsAnswer(Schema):
    """How many parcels are new, and those that wait with the incident for a notification."""

    added = fields.Integer(required=True)
    items = fields.List(fields.Nested(ParcelAnswer), required=True)


def as_notification(typed: dict[str, Any]) -> dict[str, Any]:
    """What NotificationForm loads, as NotificationSchema loads it; raises Invalid for a line that is no asset."""
    try:
        given = assets_from_lines(typed["assets"]) if typed["assets"] else []
    except Invalid as error:
        raise Invalid(error.code, error.message, where="assets") from None
    assets = [{"kind": it.kind, "value": it.value, "port": it.port or None} for it in given]
    asked, within = typed["answer_asked"] == "true", typed["within"]
    shape = {name: typed[name] for name in typed if name not in ("within", "answer_asked", "assets")}
    return shape | {
        "body_digest": None,
        "answer_asked": asked,
        "assets": assets or None,
        "expect": [{"of": ASKED_BY_KIND[typed["kind"]][0], "within": within}] if asked and within else None,
    }


NotificationPage = page_of(NotificationAnswer)
EventPage = page_of(EventAnswer)
ParcelList = page_of(ParcelAnswer)
