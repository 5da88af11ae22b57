"""Which changes of an import apply, which wait for a person, and which a steward has refused before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.db import table_of
from pocdir.directory.models import Held
from pocdir.directory.quarantine.queries.ground import Ground, Teller
from pocdir.directory.rules import held
from pocdir.directory.rules.doubts import Doubt, doubts
from pocdir.directory.rules.record import Diff, Key, Statement, diff

_H = table_of(Held).c


@dataclass(frozen=True, slots=True)
class Sorted:
    """An import's changes: `applies` now, `held` by team, `refused` by team since when; and why."""

    applies: Diff
    held: Mapping[str, Diff] = field(default_factory=dict)
    refused: Mapping[str, dt.datetime] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()
    wholes: Mapping[str, str] = field(default_factory=dict)  # of the entries that are part of another team

    def reasons(self, team: str) -> list[Doubt]:
        """Why this team's changes wait; what is doubtful of one entry of a team holds those of the others too."""
        ours = self.wholes.get(team, team)
        return [it for it in self.doubts if it.team is None or self.wholes.get(it.team, it.team) == ours]


def sort_out(
    session: Session,
    *,
    teller: Teller,
    change: Diff,
    before: Mapping[Key, Statement],
    after: Mapping[Key, Statement],
    placeholders: Mapping[str, Iterable[str]],
) -> Sorted:
    """What to do with each team's changes, of all the `change` from what the source said before.

    A doubt about a team holds all that the source would change of it, one about the whole file holds everything.
    What a steward refused of this source stays out, and is no reason for further doubts.
    """
    parts = held.by_team(change)
    refused = _refused(session, teller, parts, before)
    if refused:
        after = {key: row for key, row in after.items() if key[1] not in refused}
        after |= {key: row for key, row in before.items() if key[1] in refused}
        change = diff(before, after)
        parts = {team: part for team, part in parts.items() if team not in refused}
        placeholders = {team: row for team, row in placeholders.items() if team not in refused}
    if not parts:
        return Sorted(Diff(), refused=refused)
    standing = Ground(session).standing(parts, teller, beside=True)
    found = tuple(doubts(change, before, after, standing, placeholders))
    doubtful = {standing.whole(it.team) for it in found if it.team is not None}
    all_of_it = any(it.team is None for it in found)
    waits = {}
    for team, part in parts.items():
        if standing.whole(team) in doubtful:
            waits[team] = held.in_full(part, before)
        elif all_of_it:
            waits[team] = part
    return Sorted(
        held.together(part for team, part in parts.items() if team not in waits),
        {team: part for team, part in waits.items() if held.kept(part)},
        refused,
        found,
        standing.wholes,
    )


def _refused(
    session: Session, teller: Teller, parts: Mapping[str, Diff], before: Mapping[Key, Statement]
) -> dict[str, dt.datetime]:
    """The teams of which a steward refused the very same change of this source, and when."""
    statement = (
        select(_H.team, _H.digest, _H.decided_at)
        .where(_H.source_id == teller.id, _H.origin == teller.origin, _H.state == "refused")
        .order_by(_H.id)
    )
    said: dict[str, dict[str, dt.datetime]] = {}
    for team, digest, at in session.connection().execute(statement):
        if team in parts:
            said.setdefault(team, {})[digest] = at
    again = {
        team: digests.get(held.digest(held.kept(held.in_full(parts[team], before))))
        for team, digests in said.items()
    }
    return {team: at for team, at in again.items() if at is not None}
