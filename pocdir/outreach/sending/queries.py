"""Who may send, how much was sent, and the letters of notifications."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pocdir.accounts.models import Workspace
from pocdir.db import Line, db, table_of
from pocdir.directory.keys import queries as keys
from pocdir.directory.models import Address, Team
from pocdir.directory.queries import entries
from pocdir.directory.rules.record import DEAD_STATES
from pocdir.mail.models import WAITING, Mail
from pocdir.mail.rules.protection import KeyFor
from pocdir.outreach.models import Notification
from pocdir.outreach.rules import intake
from pocdir.outreach.sending.models import Sending, SendingPermission

DAY = dt.timedelta(days=1)
_S, _M, _P, _W = (table_of(it).c for it in (Sending, Mail, SendingPermission, Workspace))


def permission(session: Session, workspace_id: int, *, lock: bool = False) -> SendingPermission | None:
    """What was decided about a workspace; None: nothing yet. `lock`: nobody else sends for it meanwhile."""
    statement = select(SendingPermission).where(SendingPermission.workspace_id == workspace_id)
    statement = statement.execution_options(populate_existing=True)
    return session.scalar(statement.with_for_update() if lock else statement)


def may_send(workspace_id: int | None, session: Session | None = None) -> bool:
    """Whether a workspace was allowed to send by this service."""
    found = permission(session or db.session(), workspace_id or 0)
    return found is not None and found.allowed


def sent_within_a_day(session: Session, workspace_id: int, now: dt.datetime) -> int:
    """How many letters a workspace has sent, or tried to, within the last 24 hours."""
    mine = (_S.workspace_id == workspace_id, _S.queued_at > now - DAY)
    return session.scalar(select(func.count()).select_from(Sending).where(*mine)) or 0


def last_sending(notification_id: int, session: Session | None = None) -> Sending | None:
    """The last attempt to send a notification's letter, or None."""
    statement = select(Sending).where(Sending.notification_id == notification_id)
    return (session or db.session()).scalar(statement.order_by(Sending.attempt.desc()).limit(1))


def standing(rows: Iterable[Line]) -> dict[int, Line]:
    """{notification: its last attempt, with the state of its letter in the outbox}, only those sent from here.

    `rows` have `id` and `transport`: what was logged and nothing more was not.
    """
    ids = [row.id for row in rows if row.transport != "logged"]
    if not ids:
        return {}
    last = select(func.max(_S.id)).where(_S.notification_id.in_(ids)).group_by(_S.notification_id)
    statement = (
        select(
            _S.notification_id, _S.attempt, _S.queued_at, _S.plain_text, _S.problem,
            _M.state, _M.sent_at, _M.settled_at, _M.last_error, _M.fingerprint,
        )
        .select_from(table_of(Sending).outerjoin(table_of(Mail), _M.ref == _S.mail))
        .where(_S.id.in_(last))
    )  # fmt: skip
    return {row.notification_id: row for row in db.session().connection().execute(statement)}


def waits(sending: Sending, session: Session) -> bool:
    """Whether its letter has not come to its end in the outbox."""
    state = session.scalar(select(Mail.state).where(Mail.ref == sending.mail)) if sending.mail else None
    return state in WAITING


def attempt_of(mail: Mail, session: Session) -> int:
    """Which attempt to send its notification's letter this one was."""
    return session.scalar(select(Sending.attempt).where(Sending.mail == mail.ref)) or 1


def key_for(slug: str, address: str, now: dt.datetime) -> KeyFor | None:
    """The OpenPGP key that is pinned for a team's address, judged at `now`; None: none is."""
    row, reasons = keys.key_for(slug, address, now=now)
    return KeyFor(row.public, row.fingerprint, reasons) if row is not None else None


def keys_for(contacts: Iterable[tuple[str, str]], now: dt.datetime) -> dict[tuple[str, str], KeyFor | None]:
    """The same for many teams, each with its address, by both, in one statement."""
    asked = list(contacts)
    found = keys.keys_for(asked, now=now) if asked else {}
    return {
        each: KeyFor(kept[0].public, kept[0].fingerprint, kept[1]) if (kept := found.get(each)) else None
        for each in asked
    }


def opted_out_of(session: Session, notification: Notification) -> list[str]:
    """What of a notification its team says by now that it does not take: its kind, or what its incident is about."""
    said = session.get_one(Team, notification.team_id).profile.get("opt_outs", ())
    incident = notification.case
    return intake.opted_out_of(
        said, kind=notification.kind, about=incident.kind_of_report if incident else None
    )


def opted_out_by_ref(ref: str) -> list[str]:
    """The same of a notification that the caller may see, by its reference."""
    found = db.session().scalar(select(Notification).where(Notification.ref == ref))
    return opted_out_of(db.session(), found) if found else []


def label_of_incident(notification: str) -> str | None:
    """The label that the incident of a notification bears now, or of what it follows; None: there is none."""
    found = db.session().scalar(select(Notification).where(Notification.ref == notification))
    return found.case.tlp if found and found.case else None


def is_withdrawn(notification: str) -> bool:
    """Whether a notification was withdrawn."""
    when = select(Notification.withdrawn_at).where(Notification.ref == notification)
    return db.session().scalar(when) is not None


def address_on_record(slug: str, address: str) -> str | None:
    """A team's mail address as the directory spells it; None: it has no such one, or mail to it comes back."""
    found = entries.entry(slug, audiences=entries.EVERYBODY)
    wanted = address.strip().lower()
    mine = (it for it in found.channels if it.kind == "email" and it.state not in DEAD_STATES)
    return next((it.value for it in mine if it.value.lower() == wanted), None)


def state_of_address(session: Session, value: str) -> str | None:
    """The state of a mail address, of whichever team's it is; None: no team has it."""
    return session.scalar(select(Address.state).where(Address.kind == "email", Address.value == value))


def workspaces() -> Sequence[Line]:
    """Every workspace (slug, name, created_at) with what was decided about it (allowed, decided_at, note), by name."""
    statement = (
        select(_W.slug, _W.name, _W.created_at, _P.allowed, _P.decided_at, _P.note)
        .select_from(table_of(Workspace).outerjoin(table_of(SendingPermission), _P.workspace_id == _W.id))
        .order_by(func.lower(_W.name), _W.id)
    )
    return db.session().connection().execute(statement).all()
