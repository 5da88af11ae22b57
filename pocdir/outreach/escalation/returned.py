"""Letters of this service that came back, and what followed them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import literal_column, select
from sqlalchemy.orm import Session

from pocdir.core.batches import batches
from pocdir.ledger.models import LedgerEvent
from pocdir.outreach.escalation.models import OtherChannel
from pocdir.outreach.models import Notification
from pocdir.outreach.sending.models import Sending

_L = LedgerEvent.__table__.c
# What came back by evidence, not by its sender's word, and nobody has looked for another address.
_UNFOLLOWED = (
    Notification.transport == literal_column("'failed'"),  # as the index of what failed has it
    select(Sending.id).where(Sending.notification_id == Notification.id, Sending.mail.is_not(None)).exists(),
    ~select(OtherChannel.notification_id).where(OtherChannel.notification_id == Notification.id).exists(),
    select(_L.id)
    .where(_L.notification == Notification.ref, _L.type == "delivery.failed")
    .where(_L.claimed_by.in_(("remote_mta", "service")))
    .exists(),
)


def over_other_channel(ids: Sequence[int], session: Session) -> set[int]:
    """Those of these notifications of which `is_to_follow` or `is_over_other_channel` holds."""
    found: set[int] = set()
    for some in batches(ids):
        another = select(OtherChannel.notification_id).join(
            Notification, Notification.ref == OtherChannel.led_to
        )
        another = another.where(Notification.transport.not_in(("failed", "stale")))
        found.update(session.scalars(another.where(OtherChannel.notification_id.in_(some))))
        found.update(session.scalars(select(Notification.id).where(Notification.id.in_(some), *_UNFOLLOWED)))
    return found


def is_over_other_channel(notification_id: int, session: Session) -> bool:
    """Whether a letter over another channel followed one that came back, and is not known to have come back too."""
    statement = (
        select(OtherChannel.notification_id)
        .join(Notification, Notification.ref == OtherChannel.led_to)
        .where(
            OtherChannel.notification_id == notification_id,
            Notification.transport.not_in(("failed", "stale")),
        )
    )
    return session.scalar(statement.limit(1)) is not None


def is_to_follow(notification: Notification, session: Session) -> bool:
    """Whether its own letter came back by evidence, and nobody has looked yet for another address."""
    found = select(Notification.id).where(Notification.id == notification.id, *_UNFOLLOWED)
    return session.scalar(found) is not None


def came_back(session: Session, *, limit: int) -> list[str]:
    """References of notifications whose letter this service sent and that came back by evidence, not looked at yet."""
    statement = select(Notification.ref).where(*_UNFOLLOWED).order_by(Notification.id).limit(limit)
    return list(session.scalars(statement))
