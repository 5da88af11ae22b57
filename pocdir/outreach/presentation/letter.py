"""The letter of a notification, to copy."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Sequence
from typing import Any

from flask_babel import force_locale
from flask_babel import gettext as _

from pocdir.core import tlp
from pocdir.core.errors import Invalid
from pocdir.core.text import isolated
from pocdir.db import Line
from pocdir.ledger.queries import events_of_notification
from pocdir.ledger.rules.events import Event
from pocdir.outreach.escalation.queries import contact_of
from pocdir.outreach.presentation.notification import handed_over, recipient_page
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries.snapshots import Snapshot, snapshot_for_recipient
from pocdir.outreach.rules import corrections
from pocdir.outreach.rules import letter as letters
from pocdir.outreach.rules.expectations import ExpectationState
from pocdir.outreach.rules.fold import state_of

_SAYS_TICKET = ("ack.", "response.", "outcome.remediation_claimed", "reply.")


def letter_of(snapshot: Snapshot, *, content: str | None = None, link: bool = True) -> dict[str, Any]:
    """The letter to copy: to, subject, body, and a `mailto:` link where the channel is a mail address.

    `content` one of letters.CONTENTS; None: that of the step which led to it, else all. `link`: whether it ends
    with the recipient's own.
    """
    row = snapshot.row
    workspace = queries.workspace_by_id(row.workspace_id)
    leads = row.parent_id or row.id
    contact = contact_of(leads, workspace_id=row.workspace_id, incident_id=row.incident_id)
    followed = events_of_notification(row.parent_ref) if row.parent_ref else []
    first = snapshot_for_recipient(row.parent_ref) if row.parent_ref else None
    matter = letters.Matter(
        kind=row.kind,
        reference=row.ref,
        tlp=row.tlp,
        sender=letters.Sender(name="", workspace=workspace.name, contact=contact),
        title=row.subject or _incident_title(row, row.tlp),
        about=(row.rsit_class, row.rsit_type) if row.rsit_class else None,
        message=row.body,
        assets=[letters.Asset(value=asset["value"], port=asset.get("port")) for asset in row.assets],
        files=[letters.File(each["name"], each["rows"], each["sha256"]) for each in handed_over(snapshot)],
        asked=[letters.Asked(each.of, each.due_at) for each in snapshot.expectations],
        link=recipient_page(row) if link else None,
        content=content or _content_of(row.ref, followed),
        for_reader=content is None,
        since=_since(row, row.tlp),
        first=_first(row, first, followed) if first else None,
        case_tlp=tlp.strictest(*(it.row.incident_tlp or it.row.tlp for it in (snapshot, first) if it)),
    )
    mailto = None
    language = row.language if row.language in letters.LANGUAGES else "en"
    with force_locale(language):
        text = letters.letter(matter, _)
        body = isolated(text.body, language)
        # An address that is none was logged as it was said: then there is a letter to copy, and no link.
        with contextlib.suppress(Invalid):
            if row.channel_kind == "email":
                mailto = letters.mailto_url(row.channel_value, text.subject, body, _)
    return {"to": row.channel_value, "subject": text.subject, "body": body, "mailto": mailto}


def _content_of(ref: str, followed: Sequence[Event]) -> str:
    steps = (event for event in followed if event.type == "escalation.step_taken")
    said = (it.payload.get("content") for it in steps if it.payload.get("notification") == ref)
    return next(said, None) or "full"


def _first(row: Line, found: Snapshot, followed: Sequence[Event]) -> letters.First:
    """The report that this one follows, as it was known when this one went out, and as far as its label lets it be
    told."""
    first, known = found.row, [event for event in followed if _was_known(event, row)]
    counting, state = corrections.counting(known), state_of(known)
    words = (each for each in reversed(counting) if each.type.startswith(_SAYS_TICKET))
    missed = (each.due_at for each in state.expectations if _is_missed(each, row.sent_at))
    answered = state.first.acknowledgement
    objections = [each for each in counting if each.type == "response.contested"]
    may_tell = tlp.is_at_least(row.tlp, tlp.strictest(first.tlp, first.incident_tlp or first.tlp))
    return letters.First(
        reference=first.ref,
        team=first.team_name,
        channel=first.channel_value,
        sent_at=first.sent_at,
        own=first.team_slug == row.team_slug,
        about=(first.subject or _incident_title(first, row.tlp)) if may_tell else None,
        count=len(first.assets),
        since=_since(first, row.tlp),
        ticket=next((each.sealed["ticket"] for each in words if each.sealed.get("ticket")), None),
        asked_for=min(missed, default=None) if answered is None else None,
        answered_at=answered.at if answered else None,
        failed=state.transport == "failed",
        not_theirs=state.response == "misdirected",
        objects=bool(objections),
        objections=[note for each in objections if may_tell and (note := each.sealed.get("note"))],
    )


def _was_known(event: Event, row: Line) -> bool:
    """Whether a letter that is said to have gone at `sent_at`, and was logged when it was, can have told of it."""
    return event.occurred_at <= row.sent_at and event.recorded_at <= row.created_at


def _is_missed(each: ExpectationState, at: dt.datetime) -> bool:
    """Whether its time had passed, also where the worker has not written that down yet."""
    return each.state in queries.NOT_ANSWERED or (each.state == "running" and each.due_at <= at)


def _since(row: Line, label: str) -> dt.datetime | None:
    """Since when it was seen; None where nobody said so, or its incident bears a stricter label than the letter."""
    is_told = row.incident_tlp is not None and tlp.is_at_least(label, row.incident_tlp)
    return row.detected_from if is_told else None


def _incident_title(row: Line, label: str) -> str | None:
    """The incident's title, unless the incident bears a stricter label than the letter."""
    if row.incident_tlp is None or not tlp.is_at_least(label, row.incident_tlp):
        return None
    return str(row.incident_title)
