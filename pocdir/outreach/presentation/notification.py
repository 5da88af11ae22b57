"""A notification as API, pages and commands show it, with its link and its files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response

from pocdir import running
from pocdir.db import Line
from pocdir.outreach.models import Parcel
from pocdir.outreach.presentation.contests import Contested, contested_of
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries import parcels
from pocdir.outreach.queries.snapshots import Snapshot
from pocdir.outreach.rules.recipient import LIFE, recipient_token
from pocdir.outreach.sending.queries import standing
from pocdir.outreach.sending.rules import told


def listed_notifications(found: Sequence[Snapshot], *, as_contact: bool = False) -> list[dict[str, Any]]:
    """Notifications with each as the API shows it, looked up for all of them at once."""
    sent = standing([each.row for each in found])
    contested = contested_of(found, as_contact=as_contact)
    return [shown_notification(each, sent, contested) for each in found]


def due_of(snapshot: Snapshot) -> dt.datetime | None:
    """When the next of what runs is due, else the earliest that has passed without what was asked for."""
    asked_for = [each.due_at for each in snapshot.expectations if each.state in queries.NOT_ANSWERED]
    due: dt.datetime | None = snapshot.row.due
    return due or min(asked_for, default=None)


def shown_notification(
    snapshot: Snapshot,
    sent: Mapping[int, Line] | None = None,
    contested: Contested | None = None,
    *,
    as_contact: bool = False,
) -> dict[str, Any]:
    """A notification as the API shows it, to a contact of the notified team as far as it may read.

    `sent`: what is known of those that were sent from here, `contested`: what was set against them; else looked up.
    """
    row = snapshot.row
    sending = told((standing([row]) if sent is None else sent).get(row.id), row)
    if contested is None:
        contested = contested_of([snapshot], as_contact=as_contact)
    return {
        "ref": row.ref,
        "incident": row.incident_ref,
        "team": row.team_slug,
        "channel": {"kind": row.channel_kind, "value": row.channel_value},
        "kind": row.kind,
        "sent_at": row.sent_at,
        "send": sending is not None,
        "sending": sending,
        "subject": row.subject,
        "body": row.body,
        "body_digest": row.body_digest,
        "language": row.language,
        "tlp": row.tlp,
        "assets": row.assets,
        "parent": row.parent_ref,
        "answer_asked": row.answer_asked,
        "rules_not_met": row.rules_not_met,
        "expect": snapshot.expectations,
        "sent_level": row.sent_level,
        "state": {
            "transport": row.transport,
            "response": row.response,
            "outcome": row.outcome,
            "clock": row.clock,
        },
        "due": due_of(snapshot),
        "contested": contested.get(row.ref, []),
        "recipient_page": recipient_page(row),
        "created_at": row.created_at,
        "withdrawn_at": row.withdrawn_at,
    }


def contest_words(contested: Sequence[Mapping[str, Any]]) -> str:
    """What was set against it on one line; empty where nothing was."""
    return "; ".join(each["note"] or "contested, no words kept" for each in contested)


def recipient_page(row: Line) -> str | None:
    """The recipient's link; None once the notification was taken back."""
    if row.withdrawn_at is not None:
        return None
    settings = running.settings()
    token = recipient_token(
        running.secret(),
        row.ref,
        row.channel_kind,
        row.channel_value,
        row.address_version,
        row.created_at + LIFE,
    )
    return f"{settings.external_url}/r/{token}"


def described(
    snapshot: Snapshot,
    sent: Mapping[int, Line] | None = None,
    contested: Contested | None = None,
    *,
    as_contact: bool = False,
) -> dict[str, Any]:
    """A notification as the pages show it: with the names of team and incident. In lists `sent` is empty: none tells
    how its letter stands."""
    row = snapshot.row
    return shown_notification(snapshot, sent, contested, as_contact=as_contact) | {
        "team": {"slug": row.team_slug, "name": row.team_name},
        "incident": {"ref": row.incident_ref, "title": row.incident_title} if row.incident_ref else None,
        "parent": {"ref": row.parent_ref} if row.parent_ref else None,
    }


def for_recipient(snapshot: Snapshot) -> dict[str, Any]:
    """What the recipient's page shows: what the mail said, nothing above its own TLP."""
    names = ("kind", "sent_at", "tlp", "subject", "body", "assets", "language")
    return {name: getattr(snapshot.row, name) for name in names} | {
        "expect": snapshot.expectations,
        # The incident may bear a stricter label than this mail: its title is the sender's own.
        "incident_title": None,
        "reference": snapshot.row.ref,
        "parcels": handed_over(snapshot),
    }


def handed_over(snapshot: Snapshot) -> list[dict[str, Any]]:
    """The files that went with a notification."""
    return [parcels.shown(each) for each in parcels.of_notifications([snapshot.row.id])[snapshot.row.id]]


def parcel_file(parcel: Parcel) -> Response:
    """A parcel's bytes as a file to keep."""
    response = Response(parcels.content(parcel), content_type="text/csv")
    response.headers.set("Content-Disposition", "attachment", filename=parcel.name)
    response.content_length = parcel.size
    return response
