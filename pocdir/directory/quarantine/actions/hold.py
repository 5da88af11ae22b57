"""Keeping what waits: each team's changes whole, known again when the source repeats them, dropped when it does not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.orm import Session

from pocdir.core.errors import Refusal
from pocdir.core.refs import new_ref
from pocdir.db import table_of
from pocdir.directory.models import Held, Import, Source, Team
from pocdir.directory.quarantine.queries.sort_out import Sorted
from pocdir.directory.rules import held, steward
from pocdir.directory.rules.doubts import Doubt
from pocdir.ledger.actions import append

BATCH = 500
MOST_REASONS = 50  # of an import that its event tells; the rows in the quarantine have them all
UNREAD_WAITS = steward.KINDS["unread"].after or dt.timedelta()
SERVICE = "service"
_HELD, _TEAM = table_of(Held), table_of(Team)


def repeated(
    session: Session, found: Sorted, *, source_id: int, source: str, origin: str, now: dt.datetime
) -> dict[str, str]:
    """The refs, by team, of what waits already and the source says again; what it says no longer is superseded."""
    digests = {team: held.digest(held.kept(part)) for team, part in found.held.items()}
    again: dict[int, tuple[str, str]] = {}
    gone = []
    for number, ref, team, digest in _standing(session, source_id, origin):
        if digests.get(team) == digest:
            again[number] = (team, ref)
        else:
            gone.append(number)
    _update(session, list(again), {"seen_at": now})
    supersede(session, gone, source=source, now=now)
    return dict(again.values())


def hold(
    session: Session,
    found: Sorted,
    teams: Sequence[str],
    *,
    note: Import,
    source: str,
    origin: str,
    now: dt.datetime,
) -> dict[str, str]:
    """Bring the changes of these teams into the quarantine; their refs there. `note` is the import, added already."""
    revisions = _revisions(session, teams)
    made = [
        _row(note, origin, team, held.kept(found.held[team]), found.reasons(team), now)
        | {"revision": revisions.get(team)}
        for team in teams
    ]
    session.connection().execute(insert(_HELD), made)
    note.held = sum(len(row["changes"]) for row in made)
    _append(session, "quarantine.held", source, len(made), now, note.reasons)
    return {row["team"]: row["ref"] for row in made}


def hold_unread(
    session: Session, refusal: Refusal, *, note: Import, source: str, now: dt.datetime
) -> str | None:
    """A file that could not be read: nothing to apply, shown to a steward until one has seen it.

    The same fault of the same source is one row; None when a steward has seen it before.
    """
    values = {"message": "".join(c for c in str(refusal)[:500] if c.isprintable())}
    digest = held.digest_of({"code": refusal.code, **values})
    for number, ref, _, known in _standing(session, note.source_id, None):
        if known == digest:
            _update(session, [number], {"seen_at": now})
            return str(ref)
        supersede(session, [number], source=source, now=now)
    seen = select(_HELD.c.id).where(
        _HELD.c.source_id == note.source_id, _HELD.c.digest == digest, _HELD.c.state == "refused"
    )
    if session.connection().execute(seen).first():
        return None
    row = _row(note, "imported", None, [], [Doubt("format", None, values)], now)
    session.connection().execute(insert(_HELD), [row | {"revision": None, "digest": digest}])
    _append(session, "quarantine.held", source, 1, now, [values["message"]])
    return str(row["ref"])


def read_after_all(session: Session, *, source_id: int, source: str, now: dt.datetime) -> None:
    """The source can be read again: what could not be waits no more."""
    supersede(session, [row[0] for row in _standing(session, source_id, None)], source=source, now=now)


def old_unread(now: dt.datetime) -> Select[Any]:
    """Files that could not be read, came no more for so long, and were not seen by anybody: row and source."""
    return select(_HELD.c.id, _HELD.c.source_id).where(
        _HELD.c.team.is_(None), _HELD.c.state == "held", _HELD.c.seen_at < now - UNREAD_WAITS
    )


def forget_unread(session: Session, *, now: dt.datetime) -> int:
    """What could not be read and came no more for 30 days waits no longer; returns how many files that were."""
    rows = session.connection().execute(old_unread(now)).all()
    for number, source_id in rows:
        supersede(session, [number], source=session.get_one(Source, source_id).name, now=now)
    return len(rows)


def supersede(session: Session, rows: Sequence[int], *, source: str, now: dt.datetime) -> None:
    """The source says something else by now."""
    _update(session, rows, {"state": "superseded", "decided_at": now, "decided_by": SERVICE})
    if rows:
        _append(session, "quarantine.superseded", source, len(rows), now)


def _row(
    note: Import,
    origin: str,
    team: str | None,
    changes: list[Any],
    reasons: Sequence[Doubt],
    now: dt.datetime,
) -> dict[str, Any]:
    return {
        "ref": new_ref(now), "import_id": note.id, "source_id": note.source_id, "origin": origin, "team": team,
        "changes": changes, "digest": held.digest(changes), "state": "held", "since": now, "seen_at": now,
        "approvals": {},
        "reasons": [{"code": doubt.code, "values": dict(doubt.values)} for doubt in reasons],
    }  # fmt: skip


def _standing(session: Session, source_id: int, origin: str | None) -> list[Any]:
    """What waits of this source: of teams, or (without an origin) what could not be read."""
    column = _HELD.c
    of = column.team.is_(None) if origin is None else (column.origin == origin) & column.team.is_not(None)
    statement = select(column.id, column.ref, column.team, column.digest).where(
        column.source_id == source_id, column.state == "held", of
    )
    return list(session.connection().execute(statement))


def _revisions(session: Session, teams: Sequence[str]) -> Mapping[str, int]:
    """That of the team as a whole, by the slug of an entry."""
    found: dict[str, int] = {}
    for start in range(0, len(teams), BATCH):
        whole = _TEAM.alias("whole")
        of = whole.c.id == func.coalesce(_TEAM.c.merged_into_id, _TEAM.c.id)
        chosen = select(_TEAM.c.slug, whole.c.revision).join(whole, of)
        some = chosen.where(_TEAM.c.slug.in_(teams[start : start + BATCH]))
        found |= {row.slug: row.revision for row in session.connection().execute(some)}
    return found


def _update(session: Session, rows: Sequence[int], values: Mapping[str, Any]) -> None:
    for start in range(0, len(rows), BATCH):
        some = update(_HELD).where(_HELD.c.id.in_(rows[start : start + BATCH]))
        session.connection().execute(some.values(values))


def _append(
    session: Session, type: str, source: str, items: int, now: dt.datetime, reasons: Sequence[str] = ()
) -> None:
    payload = {"source": source, "items": items, "reasons": list(reasons[:MOST_REASONS]) or None}
    append(session, type=type, now=now, actor=SERVICE, claimed_by="service", payload=payload)
