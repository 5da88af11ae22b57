"""Reading the quarantine: what waits, of which import, and what was decided."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, select

from pocdir.core.errors import NotFound
from pocdir.db import Line, db, table_of
from pocdir.directory.models import Held, Import, Source, Team
from pocdir.directory.quarantine.queries.judged import Judged, decision_of, judge
from pocdir.directory.rules import held
from pocdir.directory.rules.approval import CODE, NATIONAL, Decision
from pocdir.directory.rules.doubts import Doubt
from pocdir.directory.rules.record import Diff

_H, _I, _S, _T = (table_of(model).c for model in (Held, Import, Source, Team))
_WHOLE = table_of(Team).alias("whole")
_W = _WHOLE.c
_ITEM = (
    select(
        _H.id, _H.ref, _H.source_id, _H.origin, _H.team, _H.revision, _H.changes, _H.reasons, _H.state, _H.since,
        _H.seen_at, _H.approvals, _H.decided_at, _H.decided_by, _H.note,
        _S.name.label("source"), _I.ref.label("import_ref"), _I.format,
        _W.name, _W.kind, _W.country, _W.revision.label("stands"),
    )
    .select_from(table_of(Held))
    .join(table_of(Source), _H.source_id == _S.id)
    .join(table_of(Import), _H.import_id == _I.id)
    .outerjoin(table_of(Team), _H.team == _T.slug)
    .outerjoin(_WHOLE, _W.id == func.coalesce(_T.merged_into_id, _T.id))
)  # fmt: skip


class Item(NamedTuple):
    """One row of the quarantine with its team, as a whole, as it stands (`name` is None: not there yet)."""

    row: Line
    judged: Judged
    change: Diff

    @property
    def doubts(self) -> list[Doubt]:
        """Why it waits: what is doubtful by now; where nothing is any more, what was."""
        return self.judged.doubts or self.judged.told

    @property
    def is_national(self) -> bool:
        return self.judged.kind == NATIONAL

    @property
    def is_guarded(self) -> bool:
        """Whether it is asked about once more: a national team, or who answers for the code of one."""
        return self.is_national or CODE in self.judged.touched

    def decision(self, stewards: frozenset[str], now: dt.datetime) -> Decision:
        """What is missing until it takes effect."""
        return decision_of(self.row, self.judged, stewards, now)


def items(
    *,
    state: str | None = "held",
    source: str | None = None,
    team: str | None = None,
    import_ref: str | None = None,
    after: str | None = None,
    offset: int = 0,
    limit: int | None = None,
) -> list[Item]:
    """Rows of the quarantine, the oldest first; of any state with `state=None`; after the row `after` (a ref)."""
    statement = _ITEM.order_by(_H.state != "held", _H.id) if state is None else _ITEM.order_by(_H.id)
    chosen = ((_H.state, state), (_S.name, source), (_H.team, team), (_I.ref, import_ref))
    for column, value in chosen:
        statement = statement if value is None else statement.where(column == value)
    if after is not None:
        statement = statement.where(_H.id > select(_H.id).where(_H.ref == after).scalar_subquery())
    rows = db.session().connection().execute(statement.offset(offset).limit(limit)).all()
    return _judged(rows)


def item(ref: str) -> Item:
    """One row of the quarantine; raises NotFound `quarantine_unknown`."""
    row = db.session().connection().execute(_ITEM.where(_H.ref == ref)).first()
    if row is None:
        raise NotFound("quarantine_unknown", "nothing of this name is in the quarantine", where=ref[:40])
    return _judged([row])[0]


def _judged(rows: Sequence[Line]) -> list[Item]:
    found = judge(db.session(), rows)
    return [Item(row, found[row.ref], held.read(row.changes)) for row in rows]


def imports(*, waiting: bool, offset: int = 0, limit: int = 50) -> tuple[list[Line], int]:
    """Imports of which something waits (or of which all is decided), newest first, and how many there are.

    Each with its source, the number of rows in the quarantine (`items`), of those that wait (`waits`), and of the files
    among them that could not be read (`unread`).
    """
    waits = func.count().filter(_H.state == "held")
    unread = func.count().filter(_H.state == "held", _H.team.is_(None))
    chosen = select(
        _H.import_id, func.count().label("items"), waits.label("waits"), unread.label("unread")
    ).group_by(_H.import_id)
    counted = chosen.having(waits > 0 if waiting else waits == 0)
    of = counted.subquery()
    statement = (
        select(
            *table_of(Import).c,
            _S.name.label("source"),
            of.c["items"].label("items"),
            of.c.waits,
            of.c.unread,
        )
        .join(of, of.c.import_id == _I.id)
        .join(table_of(Source), _I.source_id == _S.id)
        .order_by(_I.id.desc())
    )
    connection = db.session().connection()
    total = connection.execute(select(func.count()).select_from(of)).scalar_one()
    return list(connection.execute(statement.offset(offset).limit(limit))), total


def import_of(ref: str) -> Line:
    """One import with its source; raises NotFound `quarantine_unknown`."""
    statement = select(*table_of(Import).c, _S.name.label("source")).join(
        table_of(Source), _I.source_id == _S.id
    )
    row = db.session().connection().execute(statement.where(_I.ref == ref)).first()
    if row is None:
        raise NotFound("quarantine_unknown", "nothing of this name is in the quarantine", where=ref[:40])
    return row


def counts(import_ref: str) -> dict[str, int]:
    """How many rows of an import are in which state."""
    statement = (
        select(_H.state, func.count())
        .join(table_of(Import), _H.import_id == _I.id)
        .where(_I.ref == import_ref)
        .group_by(_H.state)
    )
    return {row[0]: row[1] for row in db.session().connection().execute(statement)}


def refs_of(import_ref: str, states: Sequence[str] = ("held",), *, changes: bool = True) -> list[str]:
    """What waits of an import, by its refs; with `changes` only what could be applied."""
    statement = (
        select(_H.ref)
        .join(table_of(Import), _H.import_id == _I.id)
        .where(_I.ref == import_ref, _H.state.in_(states))
        .order_by(_H.id)
    )
    if changes:
        statement = statement.where(_H.team.is_not(None))
    return list(db.session().connection().execute(statement).scalars())


def as_dict(it: Item, decision: Decision | None = None) -> dict[str, Any]:
    """A row as programs read it."""
    row = it.row
    return {
        "id": row.ref,
        "source": row.source,
        "format": row.format,
        "team": row.team,
        "state": row.state,
        "since": row.since,
        "seen_at": row.seen_at,
        "reasons": [{"code": doubt.code, "text": str(doubt.words)} for doubt in it.doubts],
        "stewards_missing": decision.missing if decision else None,
        "decided_at": row.decided_at,
        "decided_by": row.decided_by,
        "reason": row.note,
    }
