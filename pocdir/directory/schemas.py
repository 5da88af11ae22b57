"""Teams as JSON and as forms; whether a value is right is decided by formats.records for every door alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from marshmallow import fields, validate

from pocdir.core import tlp
from pocdir.core.errors import Invalid
from pocdir.directory.rules import record as rules
from pocdir.ledger.rules.vocabulary import VIA
from pocdir.web.schemas import Duration, Flag, Moment, PageQuery, Schema, Text, page_of

T = TypeVar("T")
MOST_VALUE = 500
_MOST_ROWS = 10_000


def checked(check: Callable[[Any], T], raw: Any, at: str = "") -> T:
    """The record, or its refusal with the paths of a request: `channels.0.value` below `at`."""
    try:
        return check(raw)
    except Invalid as error:
        errors = {at + re.sub(r"\[(\d+)\]", r".\1", path): words for path, words in error.errors.items()}
        raise Invalid(error.code, error.message, where=next(iter(errors), None), errors=errors) from None


class TeamMembership(Schema):
    """A community the team belongs to."""

    name = Text(min=1, max=100, required=True)
    since = Text(max=10, load_default=None, allow_none=True)


class TeamName(Schema):
    """A name in another language."""

    language = Text(min=2, max=35, required=True)
    name = Text(min=1, max=300, required=True)


class TeamPromise(Schema):
    """What the team promises to do within a time, ISO 8601."""

    acknowledgement = Duration(allow_none=True)
    sample = Duration(allow_none=True)
    remediation = Duration(allow_none=True)
    answer = Duration(allow_none=True)


def _words(choices: tuple[str, ...]) -> fields.List:
    return fields.List(
        fields.String(validate=validate.OneOf(choices)), allow_none=True, validate=validate.Length(max=200)
    )


def _flag() -> fields.Boolean:
    return Flag(allow_none=True)


class TeamChannel(Schema):
    """One way to reach a team for a purpose."""

    kind = fields.String(required=True, validate=validate.OneOf(rules.CHANNEL_KINDS))
    value = Text(min=1, max=MOST_VALUE, required=True)
    purpose = fields.String(validate=validate.OneOf(rules.PURPOSES))
    preference = fields.Integer(strict=True, validate=validate.Range(1, 1000))
    openpgp_fingerprint = Text(max=80, allow_none=True)
    hours = Text(max=200, allow_none=True)
    audience = fields.String(validate=validate.OneOf(rules.AUDIENCES))
    confidence = fields.String(validate=validate.OneOf(rules.CONFIDENCES))


class TeamChannelAnswer(TeamChannel):
    """A channel with the state of its address and who says so."""

    openpgp_pinned = fields.Boolean()
    state = fields.String()
    state_since = fields.String(allow_none=True)
    state_evidence = fields.String(allow_none=True)
    reachability = fields.Integer(allow_none=True)
    origin = fields.String()
    source = fields.String()
    as_of = fields.String()
    since = fields.String(allow_none=True)


class TeamResponsibility(Schema):
    """What a team answers for."""

    key = fields.String(required=True, validate=validate.OneOf(rules.RESPONSIBILITY_KEYS))
    value = Text(min=1, max=MOST_VALUE, required=True)
    role = fields.String(validate=validate.OneOf(rules.ROLES))
    rank = fields.Integer(strict=True, validate=validate.Range(1, 1000))
    valid_from = Text(max=10, allow_none=True)
    valid_to = Text(max=10, allow_none=True)
    confidence = fields.String(validate=validate.OneOf(rules.CONFIDENCES))


class TeamResponsibilityAnswer(TeamResponsibility):
    """A responsibility with who says so."""

    origin = fields.String()
    source = fields.String()
    as_of = fields.String()
    since = fields.String(allow_none=True)


class Profile(Schema):
    """What a team says of itself beyond its name: ids, mandate (who declares it: `self` or a name), reception."""

    parent = Text(max=100, allow_none=True)
    names = fields.List(fields.Nested(TeamName), allow_none=True, validate=validate.Length(max=200))
    business_hours = Text(max=200, allow_none=True)
    established = Text(max=10, allow_none=True)
    rfc2350 = Text(max=MOST_VALUE, allow_none=True)
    rfc2350_date = Text(max=10, allow_none=True)
    first_id = Text(max=100, allow_none=True)
    ti_url = Text(max=MOST_VALUE, allow_none=True)
    ripe_org = Text(max=40, allow_none=True)
    misp_uuid = Text(max=36, allow_none=True)
    cna_name = Text(max=100, allow_none=True)
    host_kind = fields.String(allow_none=True, validate=validate.OneOf(rules.HOST_KINDS))
    host_declared_by = Text(max=200, allow_none=True)
    law_enforcement = fields.String(allow_none=True, validate=validate.OneOf(rules.LAW_ENFORCEMENT))
    law_enforcement_declared_by = Text(max=200, allow_none=True)
    neutrality_policy = Text(max=MOST_VALUE, allow_none=True)
    neutrality_declared_by = Text(max=200, allow_none=True)
    accepts_private = _flag()
    accepts_abroad = _flag()
    line = fields.String(allow_none=True, validate=validate.OneOf(rules.LINES))
    encryption_required = _flag()
    accepts_samples = _flag()
    samples_how = Text(max=500, allow_none=True)
    size_limit = fields.Integer(strict=True, allow_none=True, validate=validate.Range(1, 10**12))
    tlp = _words(tlp.LABELS)
    opt_outs = fields.List(Text(max=100), allow_none=True, validate=validate.Length(max=200))
    intake = _words(rules.INTAKE)
    promise = fields.Nested(TeamPromise, allow_none=True)


class TeamChange(Profile):
    """What a steward says of a team; a list given is the whole list afterwards, null is *there is none*."""

    name = Text(min=1, max=300)
    short_name = Text(max=100, allow_none=True)
    kind = fields.String(validate=validate.OneOf(rules.TEAM_KINDS))
    country = Text(max=3, allow_none=True)
    website = Text(max=MOST_VALUE, allow_none=True)
    languages = fields.List(Text(max=35), allow_none=True, validate=validate.Length(max=200))
    timezone = Text(max=64, allow_none=True)
    memberships = fields.List(
        fields.Nested(TeamMembership), allow_none=True, validate=validate.Length(max=200)
    )
    channels = fields.List(fields.Nested(TeamChannel), validate=validate.Length(max=_MOST_ROWS))
    responsibilities = fields.List(
        fields.Nested(TeamResponsibility), validate=validate.Length(max=_MOST_ROWS)
    )


class NewTeam(TeamChange):
    """A new team: slug or name, kind and country at least."""

    slug = Text(max=100)
    kind = fields.String(required=True, validate=validate.OneOf(rules.TEAM_KINDS))
    country = Text(max=3, allow_none=True, required=True)


class TeamDates(Schema):
    """Three dates that are never one: confirmed by the team, reachable, outcome; null where none is shown."""

    confirmed = Moment(allow_none=True)
    reachable = Moment(allow_none=True)
    outcome = Moment(allow_none=True)


class TeamAnswer(TeamChange):
    """A team as it stands; each channel and responsibility says who says so."""

    slug = Text(max=100)
    lead = fields.Boolean()  # nothing but low confidence speaks for it
    retired_at = Moment(allow_none=True)
    confirmed_at = Moment(allow_none=True)
    updated_at = Moment()
    dates = fields.Nested(TeamDates)
    channels = fields.List(fields.Nested(TeamChannelAnswer))
    responsibilities = fields.List(fields.Nested(TeamResponsibilityAnswer))


class TeamFactAnswer(Schema):
    """One of the team's own columns as one source says it."""

    field = fields.String()
    value = fields.Raw(allow_none=True)
    source = fields.String()
    url = fields.String(allow_none=True)
    as_of = fields.String()
    origin = fields.String()
    confidence = fields.String()
    since = Moment()
    in_force = fields.Boolean()


class WholeTeam(TeamAnswer):
    """A team with every fact that any source says of it."""

    facts = fields.List(fields.Nested(TeamFactAnswer))


class EntryChange(Schema):
    """One thing that was said before and after; `of` names the row among those of its kind."""

    field_ = fields.String(data_key="field", attribute="field")
    of = fields.List(fields.String())
    before = fields.Raw(allow_none=True)
    after = fields.Raw(allow_none=True)


class EntryEvent(Schema):
    """One event of a team's own entry."""

    id = fields.String()
    type = fields.String()
    occurred_at = Moment()
    recorded_at = Moment()
    claimed_by = fields.String()
    source = fields.String(allow_none=True)
    changes = fields.List(fields.Nested(EntryChange))


class AsOf(Schema):
    """The directory as it stood at the end of a day (UTC), or at a moment."""

    as_of = Text(max=40, load_default=None)


class TeamQuery(PageQuery, AsOf):
    """Which teams."""

    q = Text(max=200, load_default="")
    country = Text(max=3, load_default=None)
    kind = fields.String(load_default=None, validate=validate.OneOf(rules.TEAM_KINDS))


TeamPage = page_of(TeamAnswer)
TeamChannelPage = page_of(TeamChannelAnswer)
HistoryPage = page_of(EntryEvent)


class ChannelRow(Schema):
    """A row of the steward's form; one without a value is empty or withdrawn."""

    kind = fields.String(load_default="email")
    value = Text(max=MOST_VALUE, load_default="")
    purpose = fields.String(load_default="incident")
    preference = fields.Integer()
    audience = fields.String()
    openpgp_fingerprint = Text(max=80, load_default=None)
    hours = Text(max=200, load_default=None)
    remove = fields.Boolean(load_default=False)


class ResponsibilityRow(Schema):
    """A row of the steward's form; one without a value is empty or withdrawn."""

    key = fields.String(load_default="country")
    value = Text(max=MOST_VALUE, load_default="")
    role = fields.String(load_default="holder")
    rank = fields.Integer(load_default=1)
    valid_from = Text(max=10, load_default=None)
    valid_to = Text(max=10, load_default=None)
    remove = fields.Boolean(load_default=False)


class PromiseBoxes(Schema):
    """Lengths of time as typed."""

    acknowledgement = Text(max=40)
    sample = Text(max=40)
    remediation = Text(max=40)
    answer = Text(max=40)


def _yes_no() -> fields.String:
    return fields.String(load_default=None, validate=validate.OneOf(("yes", "no")))


class ProfileForm(Schema):
    """Facts of a team's profile as text; lists a line each or with blanks between."""

    parent = Text(max=100, load_default=None)
    names = Text(max=20_000, lines=True, load_default=None)
    memberships = Text(max=20_000, lines=True, load_default=None)
    business_hours = Text(max=200, load_default=None)
    established = Text(max=10, load_default=None)
    rfc2350 = Text(max=MOST_VALUE, load_default=None)
    rfc2350_date = Text(max=10, load_default=None)
    first_id = Text(max=100, load_default=None)
    ti_url = Text(max=MOST_VALUE, load_default=None)
    ripe_org = Text(max=40, load_default=None)
    misp_uuid = Text(max=36, load_default=None)
    cna_name = Text(max=100, load_default=None)
    host_kind = fields.String(load_default=None, validate=validate.OneOf(rules.HOST_KINDS))
    host_declared_by = Text(max=200, load_default=None)
    law_enforcement = fields.String(load_default=None, validate=validate.OneOf(rules.LAW_ENFORCEMENT))
    law_enforcement_declared_by = Text(max=200, load_default=None)
    neutrality_policy = Text(max=MOST_VALUE, load_default=None)
    neutrality_declared_by = Text(max=200, load_default=None)
    accepts_private = _yes_no()
    accepts_abroad = _yes_no()
    line = fields.String(load_default=None, validate=validate.OneOf(rules.LINES))
    encryption_required = _yes_no()
    accepts_samples = _yes_no()
    samples_how = Text(max=500, load_default=None)
    size_limit = fields.Integer(load_default=None)
    tlp = fields.List(fields.String(), load_default=list)
    opt_outs = Text(max=5_000, load_default="")
    intake = fields.List(fields.String(), load_default=list)
    promise = fields.Nested(PromiseBoxes, load_default=dict)


class TeamForm(ProfileForm):
    """The steward's form: facts as text, rows in the order shown, and how the steward knows."""

    slug = Text(max=100)
    name = Text(min=1, max=300, required=True)
    short_name = Text(max=100, load_default=None)
    kind = fields.String(required=True, validate=validate.OneOf(rules.TEAM_KINDS))
    country = Text(max=3, load_default=None)
    website = Text(max=MOST_VALUE, load_default=None)
    languages = Text(max=500, load_default="")
    timezone = Text(max=64, load_default=None)
    evidence = Text(min=1, max=2000, lines=True, required=True)
    revision = fields.Integer(load_default=None)
    channels = fields.List(fields.Nested(ChannelRow), load_default=list)
    responsibilities = fields.List(fields.Nested(ResponsibilityRow), load_default=list)


class ConfirmForm(Schema):
    """Where, how and to whom the team said that its entry is right."""

    kind = fields.String(required=True, validate=validate.OneOf(rules.CHANNEL_KINDS))
    value = Text(min=1, max=MOST_VALUE, required=True)
    via = fields.String(required=True, validate=validate.OneOf(VIA))
    evidence = Text(min=1, max=2000, lines=True, required=True)


class MarkForm(Schema):
    """An address and the state that it is put into."""

    kind = fields.String(required=True, validate=validate.OneOf(rules.CHANNEL_KINDS))
    value = Text(min=1, max=MOST_VALUE, required=True)
    state = fields.String(required=True, validate=validate.OneOf(rules.ADDRESS_STATES))
    evidence = Text(min=1, max=2000, lines=True, required=True)
