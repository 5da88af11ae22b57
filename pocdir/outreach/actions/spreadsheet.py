"""The researcher's old spreadsheet becomes notifications and events; brought twice, it counts once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from pocdir.core.canonical import canonical_json, sha256
from pocdir.core.errors import Refusal
from pocdir.core.text import fold
from pocdir.core.times import isoformat
from pocdir.incidents.models import Incident
from pocdir.ledger.queries import event_by_key
from pocdir.outreach.actions.notifications import Told, log_notification, record_event
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.rules.spreadsheet import Refused, Row, Spreadsheet
from pocdir.routing.queries import index


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one line: result is new, known or refused."""

    line: int
    contact: str
    result: str
    team: str | None = None
    sent_at: dt.datetime | None = None
    events: tuple[str, ...] = ()
    message: str = ""
    ref: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The result as a program reads it."""
        return asdict(self) | {
            "sent_at": isoformat(self.sent_at) if self.sent_at else None,
            "events": list(self.events),
        }


def import_spreadsheet(
    session: Session,
    sheet: Spreadsheet,
    *,
    apply: bool,
    workspace_id: int,
    now: dt.datetime,
    actor: str,
    incident: Incident | None = None,
) -> list[Result]:
    """Every line's result; with `apply` the new ones are logged. No line is lost: what is refused says why."""
    results = []
    for row in sheet.rows:
        if isinstance(row, Refused):
            results.append(Result(row.line, "", "refused", message=_why(row)))
            continue
        try:
            results.append(_line(session, row, apply, workspace_id, now, actor, incident))
        except Refusal as refusal:
            results.append(Result(row.line, row.contact, "refused", message=str(refusal)))
    return results


def _line(
    session: Session,
    row: Row,
    apply: bool,
    workspace_id: int,
    now: dt.datetime,
    actor: str,
    incident: Incident | None,
) -> Result:
    team, others = _team(session, row)
    if team is None:
        reason = (
            f"several teams have this address ({', '.join(others[:5])})"
            if others
            else ("no team in the directory has this address or name")
        )
        return Result(
            row.line,
            row.contact,
            "refused",
            sent_at=row.sent_at,
            message=f"{reason}; name it in a column `team`",
        )
    key = sha256(
        canonical_json([team, row.contact.lower(), isoformat(row.sent_at), row.precision, row.title])
    ).hex()
    said = [(type_, at, precision) for type_, at, precision in _facts(row, now)]
    events = tuple(type_ for type_, _, _ in said)
    standing = event_by_key(f"logged:{workspace_id}", key, session)
    if standing is not None:
        return Result(row.line, row.contact, "known", team, row.sent_at, events, ref=standing.notification)
    if not apply:
        return Result(row.line, row.contact, "new", team, row.sent_at, events)
    ref = log_notification(
        session,
        Told(
            team=team,
            channel=("email" if "@" in row.contact else "other", row.contact),
            sent_at=row.sent_at,
            precision=row.precision,
            subject=row.title,
        ),
        workspace_id=workspace_id,
        now=now,
        actor=actor,
        incident=incident,
        key=key,
    )
    notification = queries.notification_for_recipient(ref, session)
    assert notification is not None  # noqa: S101 - logged one line above
    for type_, at, precision in said:
        payload = {"note": row.note} if row.note and type_ == "ack.given" else {}
        record_event(
            session, notification, type=type_, payload=payload, occurred_at=at, precision=precision, now=now,
            actor=actor, claimed_by="sender", assurance="S",
        )  # fmt: skip
    return Result(row.line, row.contact, "new", team, row.sent_at, events, ref=ref)


def _facts(row: Row, now: dt.datetime) -> Sequence[tuple[str, dt.datetime, str]]:
    """(type, when, precision) of what the line says came after; a bare yes is known by now, no sooner."""
    found = []
    for type_, said, precision in (
        ("delivery.failed", row.bounced, row.bounced_precision),
        ("ack.given", row.answered, row.answered_precision),
    ):
        if isinstance(said, dt.datetime):
            found.append((type_, said, precision))
        elif said:
            found.append((type_, now, "bounded"))
    return found


def _team(session: Session, row: Row) -> tuple[str | None, Sequence[str]]:
    """The one team meant, else None and the candidates."""
    names = index().names
    if row.team:
        found: Sequence[str] = names.get(fold(row.team), ())
    else:
        found = queries.teams_by_address(session, row.contact) or names.get(fold(row.contact), ())
    return (found[0], found) if len(found) == 1 else (None, found)


def _why(row: Refused) -> str:
    return f"{row.column}: {row.reason}" if row.column else str(row.reason)
