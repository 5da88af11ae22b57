"""What is said about notifications: snapshots for the API and the pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import current_app
from sqlalchemy.orm import Session

from pocdir.config import Settings
from pocdir.db import db
from pocdir.ledger.rules import Event
from pocdir.outreach.models import Notification
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.rules import letter as letters
from pocdir.outreach.rules.recipient import LIFE, recipient_token

def listed(page: dict[str, Any]) -> dict[str, Any]:
    """A page of notifications with each as the API shows it."""
    return page | {"items": shown(page["items"])}


def shown(rows: Sequence[Notification], session: Session | None = None) -> list[dict[str, Any]]:
    """Each notification as interface and pages show it, in the same order."""
    session = session or db.session()
    teams = queries.teams_by_id([row.team_id for row in rows], session)
    return [_shown(row, teams[row.team_id].slug, session) for row in rows]


def _shown(row: Notification, team: str, session: Session) -> dict[str, Any]:
    return {
        "ref": row.ref,
        "incident": row.incident.ref if row.incident else None,
        "team": team,
        "channel": {"kind": row.channel_kind, "value": row.channel_value},
        "kind": row.kind,
        "sent_at": row.sent_at,
        "send": False,
        "subject": row.subject,
        "body": row.body,
        "body_digest": row.body_digest,
        "language": row.language,
        "tlp": row.tlp,
        "assets": row.assets,
        "parent": row.parent.ref if row.parent else None,
        "answer_asked": row.answer_asked,
        "expect": row.expectations,
        "sent_level": row.sent_level,
        "state": {
            "transport": row.transport,
            "response": row.response,
            "outcome": row.outcome,
            "clock": row.clock,
        },
        "due": row.due,
        "recipient_page": recipient_page(row, session),
        "created_at": row.created_at,
        "withdrawn_at": row.withdrawn_at,
    }


def recipient_page(row: Notification, session: Session) -> str | None:
    """The recipient's link; None once the notification was taken back."""
    if row.withdrawn_at is not None:
        return None
    settings: Settings = current_app.extensions["pocdir"]
    version = queries.address_version(row.channel_kind, row.channel_value, session)
    token = recipient_token(
        settings.secret_key.encode(),
        row.ref,
        row.channel_kind,
        row.channel_value,
        version,
        row.created_at + LIFE,
    )
    return f"{settings.external_url}/r/{token}"


def shown_event(event: Event) -> dict[str, Any]:
    """An event as interface and pages show it: plain and not erased values together."""
    return {
        "id": event.id,
        "type": event.type,
        "v": event.v,
        "occurred_at": event.occurred_at,
        "precision": event.precision,
        "recorded_at": event.recorded_at,
        "payload": {**event.payload, **event.sealed},
        "evidence_digest": event.evidence_digest,
        "claimed_by": event.claimed_by,
        "assurance": event.assurance,
        "actor": event.actor,
        "log_index": event.log_index,
    }


def letter(row: Notification) -> dict[str, Any]:
    """The letter to copy: to, subject, body, and a `mailto:` link where the channel is a mail address."""
    session = db.session()
    workspace = queries.workspace_by_id(row.workspace_id)
    incident = row.incident
    matter = letters.Matter(
        kind=row.kind,
        reference=row.ref,
        tlp=row.tlp,
        sender=letters.Sender(name=workspace.name, workspace=workspace.slug),
        title=row.subject or (incident.title if incident else None),
        about=(incident.rsit_class, incident.rsit_type) if incident and incident.rsit_class else None,
        message=row.body,
        assets=[letters.Asset(value=asset["value"], port=asset.get("port")) for asset in row.assets],
        asked=[letters.Asked(each.of, each.due_at) for each in row.expectations],
        link=recipient_page(row, session),
    )
    text = letters.letter(matter)
    mailto = None
    if row.channel_kind == "email":
        mailto = letters.mailto_url(row.channel_value, text.subject, text.body)
    return {"to": row.channel_value, "subject": text.subject, "body": text.body, "mailto": mailto}
