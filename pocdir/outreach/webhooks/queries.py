"""Reading webhooks: always of one workspace; and what waits to be sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from pocdir.accounts.models import Membership, User
from pocdir.core.errors import NotFound
from pocdir.core.refs import is_ref
from pocdir.core.tlp import RED
from pocdir.db import db
from pocdir.incidents.models import Incident
from pocdir.ledger.models import UnreadEvent
from pocdir.ledger.rules.events import Event
from pocdir.outreach.models import Notification
from pocdir.outreach.webhooks.models import CLAIMED, QUEUED, Delivery, Webhook


def webhooks(workspace_id: int | None, session: Session | None = None) -> Sequence[Webhook]:
    """The workspace's, oldest first."""
    chosen = select(Webhook).where(Webhook.workspace_id == workspace_id).order_by(Webhook.id)
    return (session or db.session()).scalars(chosen).all()


def webhook(ref: str, *, workspace_id: int | None, session: Session | None = None) -> Webhook:
    """One of the workspace's by its reference; with a `session` locked for its transaction, as it stands now.

    Raises NotFound `webhook_unknown`, also for another workspace's.
    """
    chosen = select(Webhook).where(Webhook.ref == ref, Webhook.workspace_id == workspace_id)
    if session is not None:
        chosen = _alone(chosen)
    found = (session or db.session()).scalar(chosen) if is_ref(ref) else None
    if found is None:
        raise NotFound("webhook_unknown", "no webhook of yours has this reference")
    return found


def webhook_to_change(webhook_id: int, session: Session) -> Webhook | None:
    """A webhook by its row's number, locked for the transaction; None when it was removed."""
    return session.scalar(_alone(select(Webhook).where(Webhook.id == webhook_id)))


def _alone(chosen: Select[Webhook]) -> Select[Webhook]:
    """The same, locked and read anew."""
    # Not against those who only refer to it: messages are queued meanwhile.
    return chosen.with_for_update(key_share=True).execution_options(populate_existing=True)


def owners_addresses(workspace_id: int, session: Session) -> Sequence[str]:
    """The addresses of a workspace's owners whose accounts are in use."""
    owns = (Membership.workspace_id == workspace_id, Membership.role == "owner", User.active)
    return session.scalars(
        select(User.email).join(Membership, Membership.user_id == User.id).where(*owns)
    ).all()


def deliveries(webhook: Webhook, limit: int = 100) -> Sequence[Delivery]:
    """The webhook's messages, the newest first."""
    chosen = select(Delivery).where(Delivery.webhook_id == webhook.id).order_by(Delivery.id.desc())
    return db.session.scalars(chosen.limit(limit)).all()


def unread(session: Session, limit: int) -> Sequence[str]:
    """Events that no webhook was looked up for yet, oldest first, locked for this worker."""
    chosen = select(UnreadEvent.event).order_by(UnreadEvent.event).limit(limit)
    return session.scalars(chosen.with_for_update(skip_locked=True)).all()


def workspace_of(session: Session, event: Event) -> int | None:
    """The workspace of the notification, else of the incident, that the event is about; None: of neither."""
    if event.notification is not None:
        chosen = select(Notification.workspace_id).where(Notification.ref == event.notification)
    else:
        chosen = select(Incident.workspace_id).where(Incident.ref == event.incident)
    return session.scalar(chosen)


def is_red(session: Session, event: Event) -> bool:
    """Whether the event speaks of something under TLP:RED."""
    told = select(Notification.tlp).where(Notification.ref == event.notification)
    case = select(Incident.tlp).where(Incident.ref == event.incident)
    return RED in (session.scalar(told), session.scalar(case))


def due(
    session: Session, *, now: dt.datetime, busy: Collection[int] = (), full: Collection[int] = ()
) -> Delivery | None:
    """The message that has waited longest of those that may go now, locked.

    None to webhooks that are `busy`, nor of workspaces of which enough are under way (`full`).
    """
    waits = or_(
        (Delivery.state == QUEUED) & (Delivery.next_attempt_at <= now),
        (Delivery.state == CLAIMED) & (Delivery.lease_until <= now),
    )
    listens = Webhook.disabled_at.is_(None) & (Webhook.paused_until.is_(None) | (Webhook.paused_until <= now))
    chosen = (
        select(Delivery)
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .where(waits, listens, Webhook.id.not_in(busy), Webhook.workspace_id.not_in(full))
        .order_by(Delivery.next_attempt_at, Delivery.id)
        .limit(1)
        .with_for_update(of=Delivery, skip_locked=True)
    )
    return session.scalar(chosen)
