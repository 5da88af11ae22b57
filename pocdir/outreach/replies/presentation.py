"""A mail that came in on a notification as API, page and command show it: as text, without our secrets."""

from __future__ import annotations

from typing import Any

from flask import Response

from pocdir.core.errors import NotFound
from pocdir.mail.models import ACTED, UNREADABLE, WAITS, Received
from pocdir.mail.queries import of_notification
from pocdir.mail.rules import classes, mime
from pocdir.mail.rules.first_line import shown_lines
from pocdir.mail.rules.references import without_secrets
from pocdir.outreach.queries import notifications
from pocdir.outreach.queries.notifications import Viewer
from pocdir.outreach.queries.snapshots import snapshot
from pocdir.outreach.replies.queries import mail_of


def require_member(ref: str, viewer: Viewer) -> None:
    """Raises NotFound `notification_unknown`, unless the viewer's workspace sends it; so for one to its team too."""
    if notifications.poster_of(viewer, snapshot(ref, viewer).row) != "member":
        raise NotFound("notification_unknown", "no notification of yours has this reference")


def mails(ref: str) -> list[dict[str, Any]]:
    """What came in on a notification, the oldest first; the caller has proven its right."""
    return [shown(row, beginning) for row, beginning in of_notification(ref)]


def shown(row: Received, beginning: bytes | None) -> dict[str, Any]:
    """One mail, its text as far as its first bytes hold it."""
    text = None
    if beginning is not None:
        text = without_secrets("\n".join(shown_lines(mime.read(beginning).text)))
    waits = row.seen_at is None and row.result in (WAITS, UNREADABLE)
    return {
        "ref": row.ref, "received_at": row.received_at, "sender": row.sender, "subject": row.subject, "text": text,
        "mail_class": row.mail_class, "rule": row.rule, "proven": row.proven, "result": row.result,
        "reason": row.reason, "event": row.event, "attachments": row.attachments, "size": row.size,
        "sha256": row.digest, "seen_at": row.seen_at, "waits": waits,
        "may_answer": row.result not in (None, ACTED) and row.mail_class in (classes.HUMAN, classes.AUTOMATIC),
    }  # fmt: skip


def raw_file(mail: str, notification: str) -> Response:
    """Its bytes as a file to keep, never to be shown; raises NotFound `mail_unknown`, also once they are erased."""
    row = mail_of(mail, notification)
    if row.raw is None:
        raise NotFound("mail_unknown", "no such mail came in on this notification")
    response = Response(row.raw, content_type="application/octet-stream")
    response.headers.set("Content-Disposition", "attachment", filename=f"{row.ref}.eml")
    return response
