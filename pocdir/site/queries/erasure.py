"""What there is of a person over all rooms, with an account or without: what an erasure takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from pocdir.accounts import queries, rules
from pocdir.accounts.models import Invitation, Membership, SignIn, TeamContact, User, WebAuthn
from pocdir.core.batches import batches
from pocdir.core.errors import Invalid, NotFound
from pocdir.core.mailboxes import parse_mailbox
from pocdir.db import Base, table_of
from pocdir.directory.models import PAST, Address, Channel, Team
from pocdir.ledger.models import EventValue, LedgerEvent
from pocdir.ledger.rules.vocabulary import MESSAGE_WORDS
from pocdir.mail.models import CLAIMED, UNREADABLE, WAITING, Mail, Received
from pocdir.mail.rules import mime
from pocdir.outreach.models import Notification

OWN = (Membership, TeamContact, SignIn, WebAuthn, Invitation)  # what goes with the account
# Sealed values of a team's entry, which stand there too: the directory's matter.
OF_ENTRIES = ("value", "changes")
OF_TEAMS = (*OF_ENTRIES, "recipient")  # where the directory lists the address
_BATCH, _MAILS = 1000, 20
_A, _T, _N = (table_of(model).c for model in (Address, Team, Notification))
_CHANNELS = (table_of(Channel), PAST[Channel.__tablename__])
_HELD = (Mail.key, Mail.subject, Mail.body, Mail.last_error)  # where another's letter may name somebody


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a person: rows of the account, letters, mails, and (event, name) of sealed values."""

    rows: int
    letters: Sequence[int]  # to the address, or settled ones that name it
    came: Sequence[int]  # mails that came in
    values: Sequence[tuple[str, str]]
    told: int  # notifications that went to the address
    is_listed: bool  # the directory has the address as a contact's: that stays
    teams: Sequence[str]  # whose, as slugs

    @property
    def mails(self) -> int:
        return len(self.letters) + len(self.came)

    @property
    def count(self) -> int:
        return self.rows + self.mails + self.told + len(self.values)

    def required(self) -> Found:
        """Raises NotFound `user_unknown` where there is nothing to erase."""
        if not self.count:
            of = f"; the entry of {', '.join(self.teams)} in the directory stays" if self.teams else ""
            message = f"there is no account with this address, nor anything else of it{of}"
            raise NotFound("user_unknown", message, where="email")
        return self


def whom(session: Session, text: str, *, ours: str | None) -> tuple[str, User | None]:
    """The address as rules.address_key has it, and the account of it if there is one.

    Raises Invalid `email_invalid`, also for the address of this service (`ours`), which every mail names.
    """
    email = rules.address_key(text)
    user = queries.user_by_email(session, email)
    if user is None:
        try:
            email = rules.address_key(parse_mailbox(text))
        except ValueError as error:
            raise Invalid("email_invalid", str(error), where="email") from None
    if ours and email == rules.address_key(ours):
        raise Invalid("email_invalid", "that is the address of this service: nobody's own", where="email")
    return email, user


def found(session: Session, *, email: str, user: User | None = None, own: bool = False) -> Found:
    """What an erasure of whoever has this address would take; `email` as rules.address_key has it.

    What went to an address as a team's contact, and what names that, is not its holder's. `own`: of the record only
    what the person wrote, and no letter about a team's entry or a notification. The address of an account may be one
    that somebody was invited by and never proved to have; what others say of it is erased by the operator, who has
    asked who it is.
    """
    rows = (user is not None) + sum(
        session.scalars(select(func.count()).select_from(model).where(which)).one()
        for model, which in own_rows(email, user)
    )
    is_listed = session.execute(select(_A.id).where(_listed(email))).first() is not None
    alone = own or is_listed
    to_them = list(session.scalars(select(Mail.id).where(_to(email, alone))))
    if own:
        values = _values(session, email, without_teams=True, actor=user.ref if user else None)
        return Found(rows, to_them, [], values, 0, is_listed, _listing(session, email))
    theirs = _theirs(session, email, alone)
    named = set() if is_listed else _naming(session, email)
    said = _said(session, theirs)
    values = list(dict.fromkeys([*_values(session, email, without_teams=is_listed), *said]))
    told = (
        0
        if is_listed
        else session.scalars(select(func.count()).select_from(Notification).where(went_to(email))).one()
    )
    letters = to_them if is_listed else sorted({*to_them, *_letters_naming(session, email)})
    return Found(rows, letters, sorted({*theirs, *named}), values, told, is_listed, _listing(session, email))


def own_rows(email: str, user: User | None) -> list[tuple[type[Base], ColumnElement[bool]]]:
    """The rows that are the person's and nobody else's."""
    invited: tuple[type[Base], ColumnElement[bool]] = (Invitation, Invitation.email == email)
    if user is None:
        return [invited]
    return [
        (Membership, Membership.user_id == user.id),
        (TeamContact, TeamContact.user_id == user.id),
        (SignIn, SignIn.user_id == user.id),
        (WebAuthn, table_of(WebAuthn).c.user_id == user.id),
        invited,
    ]


def _listed(email: str) -> ColumnElement[bool]:
    return (_A.kind == "email") & (func.lower(_A.value) == email)


def _listing(session: Session, email: str) -> list[str]:
    """The teams in whose entries the address stands or once stood."""
    slugs: set[str] = set()
    for channels in _CHANNELS:
        of = select(_T.slug).join_from(Team, channels, channels.c.team_id == _T.id)
        slugs.update(session.scalars(of.join(Address, _A.id == channels.c.address_id).where(_listed(email))))
    return sorted(slugs)


def went_to(email: str) -> ColumnElement[bool]:
    """Notifications that went to the address."""
    return (_N.channel_kind == "email") & (func.lower(_N.channel_value) == email)


def _to(email: str, alone: bool) -> ColumnElement[bool]:
    """Letters to the address; `alone`: none about a team's entry or a notification."""
    to_them = (func.lower(Mail.to) == email) & (Mail.state != CLAIMED)
    return to_them & Mail.team.is_(None) & Mail.notification.is_(None) if alone else to_them


def _letters_naming(session: Session, email: str) -> list[int]:
    """Letters to others that name the address and are not needed any more."""
    near = or_(*(func.lower(each).contains(email, autoescape=True) for each in _HELD))
    columns = (Mail.id, *_HELD)
    rows = session.execute(select(*columns).where(near, Mail.state.not_in(WAITING)))
    address = _address(email)
    return [row.id for row in rows if any(address.search(words) for words in row[1:] if words)]


def _theirs(session: Session, email: str, alone: bool) -> list[int]:
    """Mails that came in from the address, as they say themselves and however they write it, or on a letter to it."""
    on_letters = select(Received.id).where(Received.letter.in_(select(Mail.ref).where(_to(email, alone))))
    near = func.lower(Received.sender).contains(email, autoescape=True)
    named = session.execute(select(Received.id, Received.sender).where(near))
    from_them = {row.id for row in named if _address(email).search(row.sender)}
    return sorted(from_them | set(session.scalars(on_letters)))


def _naming(session: Session, email: str) -> set[int]:
    """Mails that came in and name the address, as they came or decoded."""
    columns = (Received.id, Received.raw, Received.subject, Received.excerpt, Received.result)
    held = or_(Received.raw.is_not(None), Received.excerpt.is_not(None))
    rows = session.execute(select(*columns).where(held).execution_options(yield_per=_MAILS))
    address = _address(email)
    return {
        row.id
        for row in rows
        if any(
            address.search(words)
            for words in (row.subject, row.excerpt, *_as_written(row.raw or b"", row.result != UNREADABLE))
            if words
        )
    }


def _as_written(raw: bytes, is_readable: bool) -> Iterator[str]:
    yield raw.decode("latin-1")
    if is_readable and (b"base64" in (small := raw.lower()) or b"quoted" in small or b"=?" in small):
        mail = mime.read(raw)
        yield mail.text
        yield mail.subject
        yield from (report.decode("latin-1") for report in mail.reports)


def _said(session: Session, came: Sequence[int]) -> list[tuple[str, str]]:
    """(event, name) of the words of these mails in the events that they became."""
    words: list[tuple[str, str]] = []
    for ids in batches(came):
        became = select(Received.event).where(Received.id.in_(ids), Received.event.is_not(None))
        chosen = select(EventValue.event, EventValue.name)
        rows = session.execute(chosen.where(EventValue.event.in_(became), EventValue.name.in_(MESSAGE_WORDS)))
        words += [(row.event, row.name) for row in rows]
    return words


def _address(email: str) -> re.Pattern[str]:
    """The address where it stands whole, and not as a part of a longer one."""
    return re.compile(rf"(?<![\w.+-]){re.escape(email)}(?![\w-]|\.\w)", re.IGNORECASE)


def _values(
    session: Session, email: str, *, without_teams: bool, actor: str | None = None
) -> list[tuple[str, str]]:
    """(event, name) of the sealed values in which the address stands, and not as a part of a longer one; with `actor`
    in what this account did alone."""
    columns = (EventValue.event, EventValue.name, EventValue.value)
    statement = select(*columns).execution_options(yield_per=_BATCH)
    statement = statement.where(EventValue.name.not_in(OF_TEAMS if without_teams else OF_ENTRIES))
    if actor is not None:
        written = LedgerEvent.actor == f"user:{actor}"
        statement = statement.join(LedgerEvent, LedgerEvent.id == EventValue.event).where(written)
    address = _address(email)
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
