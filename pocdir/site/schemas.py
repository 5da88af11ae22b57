"""What lookups are asked with, and the shape of their answers."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from pocdir.accounts.schemas import typed_password
from pocdir.routing.rules.indicator import KINDS
from pocdir.site.rules.export import FORMATS
from pocdir.web.schemas import Schema, Text, page_of

MOST_INDICATORS = 1000
LONGEST_WORD = 200  # characters of a sector, a kind of report or one exclusion

INDICATORS_ARE = f'a list of 1 to {MOST_INDICATORS} texts is right, such as ["203.0.113.70", "example.org"]'
TEXT_IS = "a text in quotation marks is right"
_TEXT: dict[str, Any] = {"invalid": TEXT_IS, "null": TEXT_IS}
_WORD: dict[str, Any] = {"invalid": TEXT_IS + " (null: any)"}
_SHORT = validate.Length(max=LONGEST_WORD, error=f"at most {LONGEST_WORD} characters are right")


class Several(fields.List):
    """A list of texts; one text alone is a list of one."""

    def __init__(self) -> None:
        text = fields.String(validate=_SHORT, error_messages=_TEXT)
        several = f"a text, or a list of at most {MOST_INDICATORS}, is right"
        super().__init__(
            text,
            load_default=tuple,
            allow_none=True,
            validate=validate.Length(max=MOST_INDICATORS, error=several),
            error_messages={"invalid": several},
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> list[Any]:
        return super()._deserialize([value] if isinstance(value, str) else value, attr, data, **more)


class Narrowing(Schema):
    """What besides the indicator decides the answer."""

    sector = fields.String(load_default=None, allow_none=True, validate=_SHORT, error_messages=_WORD)
    kind_of_report = fields.String(load_default=None, allow_none=True, validate=_SHORT, error_messages=_WORD)
    exclude_team = Several()
    exclude_country = Several()
    exclude_host = Several()
    as_of = fields.String(load_default=None, allow_none=True, validate=_SHORT, error_messages=_WORD)
    purpose = fields.String(load_default=None, allow_none=True, validate=_SHORT, error_messages=_WORD)


class ExportQuery(Schema):
    """How a workspace's record is written."""

    format = fields.String(load_default="json", validate=validate.OneOf(tuple(FORMATS)))


class RouteQuery(Narrowing):
    """How a file is to be routed."""

    raw = fields.Boolean(
        load_default=False,
        metadata={"description": "leave cells that a spreadsheet takes for formulas as they are"},
    )


class RouteForm(Schema):
    """The browser's form that brings a file; the file itself stands beside it."""

    sector = Text(max=LONGEST_WORD, load_default=None)
    kind_of_report = Text(max=LONGEST_WORD, load_default=None)
    exclude_team = fields.List(Text(max=LONGEST_WORD), load_default=list)
    exclude_country = fields.List(Text(max=LONGEST_WORD), load_default=list)
    exclude_host = fields.List(Text(max=LONGEST_WORD), load_default=list)
    raw = fields.Boolean(load_default=False)


class HowMany(validate.Length):
    """Says how many are given, not only how many may be."""

    def _format_error(self, value: Any, message: str) -> str:
        return f"{len(value)} are given; {INDICATORS_ARE}"


class LookupMany(Narrowing):
    """Many indicators asked about at once."""

    q = fields.List(
        fields.String(error_messages=_TEXT),
        required=True,
        validate=HowMany(min=1, max=MOST_INDICATORS),
        error_messages=dict.fromkeys(("required", "null", "invalid"), INDICATORS_ARE),
    )
    error_messages = {
        "type": 'an object is right, such as {"q": ["203.0.113.70", "example.org"]}',
        "unknown": "one of q, sector, kind_of_report, exclude_team, exclude_country, exclude_host, as_of,"
        " purpose is right",
    }


class LookupQuery(Schema):
    """What was asked, and as what it was read."""

    input = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    value = fields.String(required=True)


class LookupCountries(Schema):
    """The three countries of an address, which need not be the same."""

    registered = fields.String(required=True, allow_none=True)
    located = fields.String(required=True, allow_none=True)
    asn = fields.String(required=True, allow_none=True)


class LookupRegistry(Schema):
    """What the registry data says of the indicator."""

    prefix = fields.String(required=True, allow_none=True)
    asn = fields.Integer(required=True, allow_none=True)
    holder = fields.String(required=True, allow_none=True)
    countries = fields.Nested(LookupCountries, required=True)
    as_of = fields.String(required=True)


class LookupTeam(Schema):
    """A team as an answer names it."""

    slug = fields.String(required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    country = fields.String(required=True, allow_none=True)


class LookupChannel(Schema):
    """How to reach it."""

    kind = fields.String(required=True)
    value = fields.String(required=True)
    purpose = fields.String(required=True)
    state = fields.String(required=True)
    openpgp_fingerprint = fields.String(required=True, allow_none=True)
    openpgp_pinned = fields.Boolean(required=True)


class LookupBasis(Schema):
    """What the team answers for, and who says so."""

    key = fields.String(required=True)
    value = fields.String(required=True)
    origin = fields.String(required=True)
    source = fields.String(required=True)
    as_of = fields.String(required=True)


class Responsiveness(Schema):
    """How the team answered the workspace that asks; null in `band`: not reached, both: no band can be given."""

    n = fields.Integer(required=True)
    acknowledged = fields.Integer(required=True)
    median_seconds = fields.Float(required=True, allow_none=True)
    band = fields.List(fields.Float(allow_none=True), required=True, validate=validate.Length(equal=2))


class LookupContact(Schema):
    """One team that may be written to."""

    rank = fields.Integer(required=True)
    role = fields.String(required=True, validate=validate.OneOf(("to", "cc", "fallback")))
    team = fields.Nested(LookupTeam, required=True)
    channel = fields.Nested(LookupChannel, required=True)
    basis = fields.Nested(LookupBasis, required=True)
    reasons = fields.List(fields.String(), required=True)
    try_next_after = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "ISO 8601, elapsed: without an answer for so long, the next one is tried"},
    )
    without_detail = fields.Boolean(
        required=True, metadata={"description": "told that something is wrong, and not what was exposed"}
    )
    responsiveness = fields.Nested(Responsiveness, required=True, allow_none=True)


class LookupRejectedTeam(Schema):
    """The short name of a team that was ruled out."""

    slug = fields.String(required=True)


class LookupRejected(Schema):
    """One team that answers for the indicator and was ruled out."""

    team = fields.Nested(LookupRejectedTeam, required=True)
    basis = fields.Nested(LookupBasis, required=True)
    reason = fields.String(required=True)


class LookupAnswer(Schema):
    """Whom to tell, in the published order, and why."""

    status = fields.String(required=True, validate=validate.OneOf(("ok", "no_contact", "not_routable")))
    query = fields.Nested(LookupQuery, required=True)
    registry = fields.Nested(LookupRegistry, required=True, allow_none=True)
    contacts = fields.List(fields.Nested(LookupContact), required=True)
    rejected = fields.List(fields.Nested(LookupRejected), required=True)
    notes = fields.List(fields.String(), required=True)
    directory_version = fields.String(required=True)
    registry_version = fields.String(required=True, allow_none=True)


LookupAnswers = page_of(LookupAnswer)


class IntelmqEmail(Schema):
    """One mail address."""

    email = fields.String(required=True)


class IntelmqDestination(Schema):
    """A team, who says that it answers, and where to write to."""

    source = fields.String(required=True)
    name = fields.String(required=True)
    contacts = fields.List(fields.Nested(IntelmqEmail), required=True)


class IntelmqDestinations(Schema):
    """Who is told at once: of an address its host, of a domain its owner."""

    destinations = fields.List(fields.Nested(IntelmqDestination), required=True)


class IntelmqInterval(Schema):
    """How often the same may be told again."""

    unit = fields.String(required=True)
    length = fields.Integer(required=True)


class IntelmqAnswer(Schema):
    """Whom to tell, as tuency says it; `ip` and `domain` are there when they were asked for."""

    ip = fields.Nested(IntelmqDestinations)
    domain = fields.Nested(IntelmqDestinations)
    suppress = fields.Boolean(required=True)
    interval = fields.Nested(IntelmqInterval, required=True)


class Erasure(Schema):
    """The present password: whoever found an open browser erases nobody."""

    present = typed_password()


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
