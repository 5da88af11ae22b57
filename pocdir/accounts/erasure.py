"""Erasing a person: the account and every place that leads from the record to them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, select, update
from sqlalchemy.orm import Session

from pocdir.accounts.models import Invitation, Membership, SignIn, TeamContact, User, WebAuthn
from pocdir.core.batches import batches
from pocdir.db import Base, table_of
from pocdir.ledger.actions import append, erase_values
from pocdir.ledger.models import EventValue, LedgerEvent
from pocdir.mail.models import CLAIMED, FORGOTTEN, WAITING, WITHDRAWN, Mail, Received

ERASED = "erased"
# Sealed values that speak of a team's own address: the directory's matter, not the account's.
OF_TEAMS = ("recipient", "value", "changes")
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a person: rows of the account, letters, mails, and (event, name) of sealed values."""

    rows: int
    letters: int  # and mails
    came: Sequence[int]  # mails that came in
    values: Sequence[tuple[str, str]]

    @property
    def count(self) -> int:
        return self.rows + self.letters + len(self.values)


def found(session: Session, user: User, *, own: bool = False) -> Found:
    """What an erasure would take.

    `own`: of the record only what the person wrote, and no letter about a team's entry or a notification. The
    address of an account may be one that somebody was invited by and never proved to have; what others say of it is
    erased by the operator, who has asked who it is.
    """
    rows = 1 + sum(
        session.scalars(select(func.count()).select_from(model).where(which)).one()
        for model, which in _own(user)
    )
    letters = session.scalars(select(func.count()).select_from(Mail).where(_to(user, own))).one()
    came = [] if own else _came(session, user)
    return Found(rows, letters + len(came), came, _values(session, user, own))


def erase_person(
    session: Session, *, user: User, reason: str, now: dt.datetime, actor: str, own: bool = False
) -> Found:
    """Erase the account, its sessions and memberships, letters to it, and the sealed values that name its address; with
    `own` as `found` says.

    What the person did stays in the record under the account's reference, which leads nowhere from then on. The
    act is an event, and so is every value's.
    """
    taken = found(session, user, own=own)
    ref = user.ref
    for model, which in _own(user):
        session.execute(delete(model).where(which))
    session.execute(update(Invitation).where(Invitation.accepted_by == user.id).values(accepted_by=None))
    for table, column in _elsewhere():
        session.execute(update(table).where(table.c[column] == user.id).values({column: None}))
    session.execute(
        update(Mail)
        .where(_to(user, own), Mail.state.in_(WAITING))
        .values(state=WITHDRAWN, settled_at=now, settled_by=actor, lease_until=None)
    )
    session.execute(
        update(Mail).where(_to(user, own)).values(to=ERASED, domain=ERASED, subject=ERASED, body=None)
    )
    for ids in batches(taken.came):  # none where the person asks: who a mail says it is from is not proven
        session.execute(update(Received).where(Received.id.in_(ids)).values(FORGOTTEN))
    erase_values(session, taken.values, reason=reason, now=now, actor=actor)
    user.roles.clear()
    session.flush()
    session.delete(user)
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


def _own(user: User) -> list[tuple[type[Base], ColumnElement[bool]]]:
    """The rows that are the person's and nobody else's."""
    return [
        (Membership, Membership.user_id == user.id),
        (TeamContact, TeamContact.user_id == user.id),
        (SignIn, SignIn.user_id == user.id),
        (WebAuthn, table_of(WebAuthn).c.user_id == user.id),
        (Invitation, Invitation.email == user.email),
    ]


def _elsewhere() -> list[tuple[Table, str]]:
    """Columns of other rooms that name a person and may be empty."""
    own = {table_of(model) for model in (Membership, TeamContact, SignIn, WebAuthn, Invitation)}
    return [
        (table, key.parent.name)
        for table in Base.metadata.sorted_tables
        if table not in own
        for key in table.foreign_keys
        if key.column.table is table_of(User) and key.parent.nullable
    ]


def _to(user: User, own: bool) -> ColumnElement[bool]:
    to_them = (Mail.to == user.email) & (Mail.state != CLAIMED)
    return to_them & Mail.team.is_(None) & Mail.notification.is_(None) if own else to_them


def _came(session: Session, user: User) -> list[int]:
    """Mails that came in from the address, as they say themselves and however they write it, or on a letter to it."""
    on_letters = select(Received.id).where(Received.letter.in_(select(Mail.ref).where(_to(user, False))))
    near = func.lower(Received.sender).contains(user.email.lower(), autoescape=True)
    named = session.execute(select(Received.id, Received.sender).where(near))
    from_them = {row.id for row in named if _address(user).search(row.sender)}
    return sorted(from_them | set(session.scalars(on_letters)))


def _address(user: User) -> re.Pattern[str]:
    """The address where it stands whole, and not as a part of a longer one."""
    return re.compile(rf"(?<![\w.+-]){re.escape(user.email)}(?![\w-]|\.\w)", re.IGNORECASE)


def _values(session: Session, user: User, own: bool) -> list[tuple[str, str]]:
    """(event, name) of the sealed values in which the address stands, and not as a part of a longer one."""
    columns = (EventValue.event, EventValue.name, EventValue.value)
    statement = select(*columns).where(EventValue.name.not_in(OF_TEAMS)).execution_options(yield_per=_BATCH)
    if own:
        written = LedgerEvent.actor == f"user:{user.ref}"
        statement = statement.join(LedgerEvent, LedgerEvent.id == EventValue.event).where(written)
    address = _address(user)
    return [
        (event, name)
        for event, name, value in session.execute(statement)
        if any(address.search(words.casefold()) for words in _words(value))
    ]


def _words(value: Any) -> Iterator[str]:
    """All texts in a JSON value, names of its objects too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from _words(member)
    elif isinstance(value, list):
        for member in value:
            yield from _words(member)
