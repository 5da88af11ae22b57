"""Whether the policies that notifications follow are those that the ledger names, as they were then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, and_, func, select

from pocdir.db import db
from pocdir.ledger.models import EventValue, LedgerEvent
from pocdir.ledger.rules.events import keyed_digest
from pocdir.outreach.escalation.models import NotificationPath, Policy, PolicyApproval
from pocdir.outreach.escalation.rules.policy import digest
from pocdir.outreach.models import Notification

_E = LedgerEvent.__table__.c
_LAST = (
    select(_E.notification, func.max(_E.id).label("id"))
    .where(_E.type == "escalation.set")
    .group_by(_E.notification)
    .subquery()
)
# Each notification that follows a policy, or for which one was set, side by side.
_FOLLOWED = (
    select(Notification.ref, Policy.ref.label("follows"))
    .join(NotificationPath, NotificationPath.notification_id == Notification.id)
    .join(Policy, Policy.id == NotificationPath.policy_id)
    .subquery()
)
_SET = select(_E.notification, _E.payload).join(_LAST, _LAST.c.id == _E.id).subquery()
_PAIRS = select(Notification.ref, _FOLLOWED.c.follows, _SET.c.payload).select_from(
    Notification.__table__.outerjoin(_FOLLOWED, _FOLLOWED.c.ref == Notification.ref).outerjoin(
        _SET, _SET.c.notification == Notification.ref
    )
)
_EITHER = _FOLLOWED.c.follows.is_not(None) | _SET.c.notification.is_not(None)
_DECIDED = select(_E.type, _E.payload).where(_E.type.in_(("policy.approved", "policy.stopped")))
_SEALED = select(_E.payload, _E.salt, EventValue.value).join(
    EventValue, and_(EventValue.event == _E.id, EventValue.name == "digest")
)


def unlike_events() -> Iterator[str]:
    """One line for each policy that is not as it was, and each notification that follows another than was set."""
    kept = {row.ref: row for row in db.session.scalars(select(Policy).order_by(Policy.id))}
    changed = {ref for ref, row in kept.items() if digest(row.definition) != row.digest}
    for row in db.session.execute(_SEALED.where(_E.type == "escalation.set")):
        ref = row.payload.get("policy")
        if ref in kept and keyed_digest(row.salt, kept[ref].digest) != row.value:
            changed.add(ref)
    for ref in sorted(changed):
        yield f"policy {kept[ref].slug}, version {kept[ref].version}: is not as it was kept"
    decided = {
        row.payload["policy"]: row.type == "policy.approved"
        for row in db.session.execute(_DECIDED.order_by(_E.id))
    }
    approved = set(db.session.scalars(select(PolicyApproval.policy_id)))
    for each in kept.values():
        if decided.get(each.ref, False) != (each.id in approved):
            yield f"policy {each.slug}, version {each.version}: its approval is not as its events say"
    for row in db.session.execute(_PAIRS.where(_EITHER).order_by(Notification.id)):
        if _named(row) != row.follows:
            yield f"notification {row.ref}: follows another policy than its events say"


def _named(row: Row[*tuple[Any, ...]]) -> str | None:
    policy: str | None = (row.payload or {}).get("policy")
    return policy
