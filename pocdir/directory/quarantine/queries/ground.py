"""What stands where a source would change something: read once, for one change or for several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, func, not_, or_, select
from sqlalchemy.orm import Session

from pocdir.db import Line, table_of
from pocdir.directory.keys.pinned import pinned as pinned_keys
from pocdir.directory.models import Address, Channel, Team
from pocdir.directory.queries.answering import answering, national
from pocdir.directory.queries.statements import Said, said_of_teams
from pocdir.directory.rules.approval import NATIONAL
from pocdir.directory.rules.doubts import NAMES, ONE_TEAMS, Known, Standing
from pocdir.directory.rules.doubts import codes as codes_of
from pocdir.directory.rules.in_force import Entry, Value, in_force_of
from pocdir.directory.rules.record import Diff, Statement

BATCH = 500
MANY = 20 * BATCH  # teams: from here on all are read at once
NEW = 1 << 62  # the row of what is not there yet: of what is said alike it comes last
_TEAM = table_of(Team)
_PART, _WHOLE = _TEAM.alias("part"), _TEAM.alias("whole")  # once: to name its columns takes longest
_T, _A, _C = (table_of(model).c for model in (Team, Address, Channel))


class Teller(NamedTuple):
    """Whose words a change is; `id` is 0 for a source that has said nothing yet."""

    id: int
    name: str
    kind: str | None
    origin: str


class Ground:
    """What stands, in one transaction, until something is written."""

    def __init__(self, session: Session) -> None:
        self.connection: Connection = session.connection()
        self._known: dict[str, Line | None] = {}

    @cached_property
    def wholes(self) -> dict[str, str]:
        """The slug of the team by that of each entry that is part of it."""
        part = _PART.c
        chosen = select(part.slug, _T.slug.label("into")).where(part.merged_into_id == _T.id)
        return {row.slug: row.into for row in self.connection.execute(chosen)}

    @cached_property
    def confirmed(self) -> dict[int, set[Value]]:
        """The addresses that teams (by their row) have confirmed, as wholes."""
        chosen = (
            select(func.coalesce(_T.merged_into_id, _T.id), _A.kind, _A.value)
            .join(table_of(Channel), _C.team_id == _T.id)
            .join(table_of(Address), _C.address_id == _A.id)
            .where(_A.confirmed_at.is_not(None), _C.withdrawn.is_(False))
        )
        found: dict[int, set[Value]] = {}
        for team, kind, value in self.connection.execute(chosen):
            found.setdefault(team, set()).add((kind, value))
        return found

    @cached_property
    def national(self) -> dict[str, bool]:
        """The teams (by slug) of which one entry at least is national, or which answer for a code; and whether one of
        their entries was confirmed."""
        whole = _WHOLE.c
        chosen = select(whole.slug, func.count(_T.confirmed_at)).join(
            _TEAM, func.coalesce(_T.merged_into_id, _T.id) == whole.id
        )
        rows = self.connection.execute(
            chosen.group_by(whole.slug, whole.id).having(
                or_(func.count().filter(_T.kind == NATIONAL) > 0, whole.id.in_(national()))
            )
        )
        return {slug: confirmed > 0 for slug, confirmed in rows}

    @cached_property
    def pinned(self) -> dict[int, dict[str, str]]:
        """The fingerprints that are pinned, by team and address."""
        return pinned_keys()

    @cached_property
    def everybody(self) -> dict[str, Line]:
        """Every team that is not retired, by slug."""
        return self._read(None)

    def teams(self, slugs: Sequence[str]) -> dict[str, Line]:
        """The teams of these slugs, as far as they stand and are not retired, by slug."""
        if len(slugs) > MANY or "everybody" in self.__dict__:
            return {slug: self.everybody[slug] for slug in slugs if slug in self.everybody}
        unknown = [slug for slug in slugs if slug not in self._known]
        for start in range(0, len(unknown), BATCH):
            some = unknown[start : start + BATCH]
            self._known |= dict.fromkeys(some) | self._read(some)
        return {slug: row for slug in slugs if (row := self._known[slug]) is not None}

    def _read(self, slugs: Sequence[str] | None) -> dict[str, Line]:
        chosen = select(_T.id, _T.slug, _T.name, _T.country, _T.kind, _T.short_name, _T.revision).where(
            _T.retired_at.is_(None)
        )
        rows = self.connection.execute(chosen if slugs is None else chosen.where(_T.slug.in_(slugs)))
        return {row.slug: row for row in rows}

    def standing(self, changes: Mapping[str, Diff], teller: Teller, *, beside: bool) -> Standing:
        """What has to be known of these changes (by the slug of the entry), those of one team judged together.

        `beside`: what the teller itself says of other teams, it says anew, and it holds no address for them.
        """
        families: dict[str, list[str]] = {}
        for slug in changes:
            families.setdefault(self.wholes.get(slug, slug), []).append(slug)
        names = any(_gives_names(change) for change in changes.values())
        touched = self.teams(list(families))
        known = self.everybody if names else touched
        held = self._holders(changes.values(), teller if beside else None)
        codes, answers, kept = self._answering(changes.values(), teller)
        return Standing(
            teams={slug: Known(row.name, row.country, row.short_name) for slug, row in known.items()},
            wholes=self.wholes,
            confirmed={(row.slug, row.of, row.value) for row in held if row.firm},
            holders=_by_address(held),
            national=self.national.keys(),
            codes=codes,
            answers=answers,
            kept=kept,
            entries=self._entries(changes, {slug: families[slug] for slug in touched}, touched, teller),
        )

    def _entries(
        self,
        changes: Mapping[str, Diff],
        families: Mapping[str, Sequence[str]],
        teams: Mapping[str, Line],
        teller: Teller,
    ) -> list[Entry]:
        """Teams that have confirmed something, as they stand and as they would."""
        some = {
            row.id: slug
            for slug, row in teams.items()
            # A national team that has confirmed its entry stays national, whatever became of its addresses.
            if (row.id in self.confirmed or row.id in self.pinned or self.national.get(slug))
            and any(_weighs(changes[part]) for part in families[slug])
        }
        said = said_of_teams(self.connection, some) if some else {}
        found = []
        for number, slug in some.items():
            before = in_force_of(said[slug])
            after = in_force_of(_after(said[slug], [changes[part] for part in families[slug]], teller, slug))
            stand = {place.address for place in before.places}
            pinned = {("email", value): key for value, key in self.pinned.get(number, {}).items()}
            confirmed = frozenset(self.confirmed.get(number, set()) & stand)
            found.append(Entry(families[slug][0], before, after, confirmed, pinned))
        return found

    def _answering(
        self, changes: Iterable[Diff], teller: Teller
    ) -> tuple[dict[str, set[str]], set[tuple[str, str]], set[tuple[str, str]]]:
        """For the codes that are spoken of: the teams that answer and have confirmed something, all (team, code), and
        those (team, code) that stand without the teller's word.

        An imported word adds nothing to who answers already; one by hand comes before every imported one.
        """
        wanted = {code for change in changes for code in codes_of(change)}
        codes: dict[str, set[str]] = {}
        answers: set[tuple[str, str]] = set()
        kept: set[tuple[str, str]] = set()
        for row in answering(self.connection, wanted):
            if row.firm:
                codes.setdefault(row.value, set()).add(row.slug)
            if teller.origin != "manual":
                answers.add((row.slug, row.value))
            if (row.source_id, row.origin) != (teller.id, teller.origin):
                kept.add((row.slug, row.value))
        return codes, answers, kept

    def _holders(self, changes: Iterable[Diff], teller: Teller | None) -> list[Line]:
        """Which teams have the addresses that come in by another's word than the teller's, and which are confirmed."""
        whole, firm = _WHOLE.c, _A.confirmed_at.is_not(None).label("firm")
        chosen = (
            select(_A.kind.label("of"), _A.value, whole.slug, firm)
            .join(table_of(Channel), _C.address_id == _A.id)
            .join(_TEAM, _C.team_id == _T.id)
            .join(_WHOLE, whole.id == func.coalesce(_T.merged_into_id, _T.id))
            .where(_C.withdrawn.is_(False), whole.retired_at.is_(None))
        )
        if teller is not None:
            chosen = chosen.where(not_(and_(_C.source_id == teller.id, _C.origin == teller.origin)))
        found: list[Line] = []
        for kind, values in _new_addresses(changes).items():
            ordered = sorted(values)
            for start in range(0, len(ordered), BATCH):
                some = chosen.where(_A.kind == kind, _A.value.in_(ordered[start : start + BATCH]))
                found += self.connection.execute(some)
        return found


def _weighs(change: Diff) -> bool:
    """Whether it may change what is in force of a team's channels or kind: a newer date may, too."""
    return any(
        key[0] == "channel" or key[2] == "kind"
        for rows in (change.added, change.changed, change.removed, change.redated)
        for key in rows
    )


def _gives_names(change: Diff) -> bool:
    return any(
        key[0] == "fact" and key[2] in NAMES for rows in (change.added, change.changed) for key in rows
    )


def _new_addresses(changes: Iterable[Diff]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for key in (key for change in changes for key in change.added):
        if key[0] == "channel" and key[2] in ONE_TEAMS:
            found.setdefault(key[2], set()).add(key[3])
    return found


def _by_address(held: Iterable[Line]) -> dict[Value, set[str]]:
    found: dict[Value, set[str]] = {}
    for row in held:
        found.setdefault((row.of, row.value), set()).add(row.slug)
    return found


def _after(rows: Sequence[Said], changes: Sequence[Diff], teller: Teller, slug: str) -> list[Said]:
    """Every statement on a team once these changes of one source have been written."""
    said: dict[Any, Statement | None] = {}
    for change in changes:
        said |= dict.fromkeys(change.removed)
        said |= {**change.added, **change.redated, **{key: now for key, (_, now) in change.changed.items()}}
    ours = {
        (row.key[0], row.entry, *row.key[2:]): row.id
        for row in rows
        if (row.source, row.origin) == (teller.name, teller.origin)
    }
    kept = [
        row
        for row in rows
        if (row.source, row.origin) != (teller.name, teller.origin)
        or (row.key[0], row.entry, *row.key[2:]) not in said
    ]
    return kept + [
        Said(
            (key[0], slug, *key[2:]), statement, teller.origin, teller.name, teller.kind, ours.get(key, NEW),
            key[1] == slug, key[1],
        )
        for key, statement in said.items()
        if statement is not None
    ]  # fmt: skip
