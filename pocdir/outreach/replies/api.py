"""The mails that came in on a notification, over HTTP: for its workspace alone."""

from __future__ import annotations

from typing import Any

from flask import Response, g, url_for

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.db import transaction
from pocdir.ledger import queries as ledger_queries
from pocdir.outreach.presentation.timeline import shown_event
from pocdir.outreach.queries import notifications
from pocdir.outreach.replies import actions, presentation, queries, schemas
from pocdir.outreach.schemas import EventAnswer
from pocdir.web.api import Blueprint, documented

blueprint = Blueprint("replies_api", __name__, url_prefix="/api/v1", description="What came back by mail")
_BINARY = {"type": "string", "format": "binary"}


@blueprint.route("/mail/waiting")
@guard("notification.mail")
@blueprint.response(200, schemas.WaitingPage)
def waiting() -> Any:
    """The workspace's notifications on which mail waits for a person, the longest waiting first: at most 100."""
    return {"items": queries.waiting(g.principal.workspace_id), "next": None}


@blueprint.route("/notifications/<ref>/mail")
@guard("notification.mail")
@blueprint.response(200, schemas.MailPage)
def mail(ref: str) -> Any:
    """What came in by mail on a notification, oldest first, as text: at most 100, proven ones before others."""
    presentation.require_member(ref, g.principal)
    return {"items": presentation.mails(ref), "next": None}


@blueprint.route("/notifications/<ref>/mail/<mail>/raw")
@guard("notification.mail")
@documented(blueprint, _BINARY, "application/octet-stream")
def raw(ref: str, mail: str) -> Response:
    """The bytes of one of them, without the signs of our letters and the tokens of our links."""
    presentation.require_member(ref, g.principal)
    return presentation.raw_file(mail, ref)


@blueprint.route("/notifications/<ref>/mail/<mail>/answer", methods=["POST"])
@guard("notification.log")
@blueprint.response(201, EventAnswer)
def take_as_answer(ref: str, mail: str) -> Any:
    """Say that this mail is the recipient's answer: recorded as the sender's word (S)."""
    with transaction() as session:
        found = notifications.members_notification_to_change(ref, g.principal, session)
        event_id = actions.take_as_answer(
            session, mail=mail, notification=found, now=clock.now(), actor=g.principal.actor
        )
        event = ledger_queries.event_by_id(event_id, session)
    assert event is not None  # noqa: S101 - recorded in this transaction
    return shown_event(event), {"Location": url_for("outreach_api.events", ref=ref)}


@blueprint.route("/notifications/<ref>/mail/<mail>/seen", methods=["POST"])
@guard("notification.log")
@blueprint.response(200, schemas.MailAnswer)
def seen(ref: str, mail: str) -> Any:
    """Say that this mail was read and is no answer: it waits no more."""
    with transaction() as session:
        found = notifications.members_notification_to_change(ref, g.principal, session)
        actions.see(session, mail=mail, notification=found, now=clock.now(), actor=g.principal.actor)
    kept = queries.mail_of(mail, ref)
    return presentation.shown(kept, kept.raw)
