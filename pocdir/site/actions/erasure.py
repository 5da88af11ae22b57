"""Erasing a person: the account, if there is one, and every place in any room that leads from the record to them."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Table, delete, func, update
from sqlalchemy.orm import Session

from pocdir.accounts.models import Invitation, User
from pocdir.core.batches import batches
from pocdir.db import Base, table_of
from pocdir.ledger.actions import append, erase_values
from pocdir.mail.models import ERASED, FORGOTTEN, UNSAID, WAITING, WITHDRAWN, Mail, Received
from pocdir.outreach.models import Notification
from pocdir.site.queries.erasure import OWN, Found, found, own_rows, went_to


def erase_person(
    session: Session,
    *,
    email: str,
    user: User | None,
    reason: str,
    now: dt.datetime,
    actor: str,
    own: bool = False,
) -> Found:
    """Erase the account, its sessions and memberships, letters to the address, mails from it or naming it, and the
    sealed values that name it; as `queries.erasure.found` says.

    What the person did stays in the record under the account's reference, which leads nowhere from then on. The
    act is an event, and so is every value's. Nothing is written where there is nothing.
    """
    taken = found(session, email=email, user=user, own=own)
    if not taken.count:
        return taken
    ref = user.ref if user else None
    for model, which in own_rows(email, user):
        session.execute(delete(model).where(which))
    for ids in batches(taken.letters):
        mine = Mail.id.in_(ids)
        session.execute(
            update(Mail)
            .where(mine, Mail.state.in_(WAITING))
            .values(state=WITHDRAWN, settled_at=now, settled_by=actor, lease_until=None)
        )
        session.execute(
            update(Mail).where(mine, func.lower(Mail.to) == email).values(to=ERASED, domain=ERASED)
        )
        session.execute(update(Mail).where(mine).values(UNSAID | {"key": ERASED + ":" + Mail.ref}))
    for ids in batches(taken.came):  # none where the person asks: who a mail says it is from is not proven
        session.execute(update(Received).where(Received.id.in_(ids)).values(FORGOTTEN))
    if taken.told:
        session.execute(update(table_of(Notification)).where(went_to(email)).values(channel_value=ERASED))
    erase_values(session, taken.values, reason=reason, now=now, actor=actor)
    if user is not None:
        _erase_account(session, user)
    append(
        session,
        type="data.erased",
        payload={"class": "person", "count": taken.count, "reason": reason, "person": ref},
        claimed_by="service",
        now=now,
        actor=actor,
    )
    session.flush()
    return taken


def _erase_account(session: Session, user: User) -> None:
    session.execute(update(Invitation).where(Invitation.accepted_by == user.id).values(accepted_by=None))
    for there, name in _elsewhere():
        session.execute(update(there).where(there.c[name] == user.id).values({name: None}))
    user.roles.clear()
    session.flush()
    session.delete(user)


def _elsewhere() -> list[tuple[Table, str]]:
    """Columns of other rooms that name a person and may be empty."""
    own = {table_of(model) for model in OWN}
    return [
        (table, key.parent.name)
        for table in Base.metadata.sorted_tables
        if table not in own
        for key in table.foreign_keys
        if key.column.table is table_of(User) and key.parent.nullable
    ]
