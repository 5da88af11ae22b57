"""What waits, judged over what stands now: nothing is accepted for less than what it would bring into force."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.accounts.rules import OPERATOR
from pocdir.core.times import moment
from pocdir.db import table_of
from pocdir.directory.models import Source
from pocdir.directory.quarantine.queries.ground import Ground, Teller
from pocdir.directory.queries.wholes import whole_teams
from pocdir.directory.rules import approval, held
from pocdir.directory.rules.approval import Decision, Whole
from pocdir.directory.rules.doubts import OF_THE_FILE, TOUCHES, Doubt, doubts_of_change

_SOURCE = table_of(Source)


class Judged(NamedTuple):
    """A row of the quarantine as it is by now; `team` is the whole that it would change, None: not there yet."""

    doubts: list[Doubt]
    told: list[Doubt]  # those with which it was held, or shown anew
    team: Any
    whole: str
    known: Whole | None = None  # what the four-eyes rule has to know of the team

    @property
    def kind(self) -> str:
        """The kind of the team as a whole: national where one of its entries is."""
        return self.known.kind if self.known is not None else "other"

    @property
    def revision(self) -> int | None:
        """The revision of the team as a whole; None: not there yet."""
        return self.team.revision if self.team is not None else None

    @property
    def seconds(self) -> list[Doubt]:
        """The doubts that stand now by which a team would answer for a code beside others."""
        return [doubt for doubt in self.doubts if doubt.code == "second"]

    @property
    def is_worse(self) -> bool:
        """Whether something is doubtful that nobody was told."""
        return any(doubt not in self.told for doubt in self.doubts)

    @property
    def touched(self) -> set[str]:
        """What of the entry it touches, as approval.py names it; what was told counts until it is shown anew."""
        return {TOUCHES.get(doubt.code, approval.OTHER) for doubt in (*self.doubts, *self.told)}


def judge(session: Session, rows: Iterable[Any]) -> dict[str, Judged]:
    """Each held row judged, by its ref, as if it alone were accepted. What was told of its file as a whole stands."""
    some = list(rows)
    ground = Ground(session)
    sources = _sources(session, {row.source_id for row in some}) if some else {}
    teams = ground.teams(sorted({ground.wholes.get(row.team, row.team) for row in some if row.team}))
    wholes = whole_teams(session, [team.id for team in teams.values()]) if teams else {}
    found = {}
    for row in some:
        told = [Doubt(reason["code"], row.team, reason["values"]) for reason in row.reasons]
        whole = ground.wholes.get(row.team, row.team) if row.team else ""
        team = teams.get(whole)
        known = wholes[team.id] if team is not None else None
        found[row.ref] = Judged(_doubts(ground, row, told, sources), told, team, whole, known)
    return found


def decision_of(row: Any, judged: Judged, stewards: frozenset[str], now: dt.datetime) -> Decision:
    """What is missing until a row (judged) takes effect, from those who have accepted it so far."""
    given = {who: moment(at) for who, at in row.approvals.items()}
    return approval.decide(
        team_kind=judged.kind,
        what=judged.touched,
        # The operator at the command line is somebody too, without an account.
        stewards=stewards | {who for who in given if who == OPERATOR},
        proposer=None,
        approvals=given,
        proposed_at=min(given.values(), default=now),
    )


def _doubts(ground: Ground, row: Any, told: Sequence[Doubt], sources: Mapping[int, Any]) -> list[Doubt]:
    if row.state != "held" or row.team is None:
        return list(told)
    source, change = sources[row.source_id], held.read(row.changes)
    teller = Teller(source.id, source.name, source.kind, row.origin)
    standing = ground.standing({row.team: change}, teller, beside=False)
    of_the_file = [doubt for doubt in told if doubt.code in OF_THE_FILE]
    return [*of_the_file, *doubts_of_change(change, change.added, standing)]


def _sources(session: Session, ids: Iterable[int]) -> dict[int, Any]:
    rows = session.connection().execute(select(_SOURCE).where(_SOURCE.c.id.in_(sorted(ids))))
    return {row.id: row for row in rows}
