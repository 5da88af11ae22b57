"""What waits for a steward, for programs; deciding is for people."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from pocdir.accounts import queries as accounts
from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Invalid, NotFound
from pocdir.db import db
from pocdir.directory.models import HELD_STATES
from pocdir.directory.presentation import difference
from pocdir.directory.quarantine.queries import waiting
from pocdir.web.api import Blueprint
from pocdir.web.paging import page
from pocdir.web.schemas import Moment, PageQuery, Schema, Text, page_of

blueprint = Blueprint(
    "quarantine_api", __name__, url_prefix="/api/v1", description="What waits for a steward"
)


class QuarantineQuery(PageQuery):
    """Which rows."""

    state = fields.String(load_default="held", validate=validate.OneOf(HELD_STATES))
    source = Text(max=200, load_default=None)
    team = Text(max=100, load_default=None)


class QuarantineReason(Schema):
    """Why it waits."""

    code = fields.String()
    text = fields.String()


class QuarantineChange(Schema):
    """One row of a source before and after; null: it is not there."""

    change = fields.String()
    team = fields.String()
    what = fields.String()
    which = fields.List(fields.String())
    before = fields.Raw(allow_none=True)
    after = fields.Raw(allow_none=True)


class QuarantineItem(Schema):
    """What one source would change of one team; of no team: a file that could not be read."""

    id = fields.String()
    source = fields.String()
    format = fields.String()
    team = fields.String(allow_none=True)
    state = fields.String()
    since = Moment()
    seen_at = Moment()
    reasons = fields.List(fields.Nested(QuarantineReason))
    stewards_missing = fields.Integer(allow_none=True)
    decided_at = Moment(allow_none=True)
    decided_by = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)
    changes = fields.List(fields.Nested(QuarantineChange))


@blueprint.route("/quarantine")
@guard("quarantine.read")
@blueprint.arguments(QuarantineQuery(), location="query")
@blueprint.response(200, page_of(QuarantineItem))
def quarantine(query: dict[str, Any]) -> Any:
    """What waits, or was decided, the oldest first, with each change and the reasons."""
    cursor, limit = query["cursor"], query["limit"]
    if cursor:
        try:
            waiting.item(cursor)
        except NotFound:
            raise Invalid("cursor_unknown", "this cursor is not one of this list", where="cursor") from None
    of = {name: query[name] for name in ("state", "source", "team")}
    found = waiting.items(**of, after=cursor, limit=limit + 1)
    stewards, now = accounts.steward_refs(db.session()), clock.now()
    listed = page(found, limit, lambda it: str(it.row.ref))
    items = [
        waiting.as_dict(it, it.decision(stewards, now))
        | {"changes": [change.as_dict() for change in difference.changes(it.change)]}
        for it in listed["items"]
    ]
    return listed | {"items": items}
