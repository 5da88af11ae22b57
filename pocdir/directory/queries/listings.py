"""Lists that people and programs browse: teams, codes, imports, what happened to an entry."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, exists, func, or_, select

from pocdir.core import codes
from pocdir.core.errors import Invalid
from pocdir.core.text import fold
from pocdir.db import Line, db
from pocdir.directory.checks.queries import standings
from pocdir.directory.formats.values import domain
from pocdir.directory.models import Address, Channel, Code, Held, Import, Source, Team
from pocdir.directory.queries import entries, in_force, parts, versions
from pocdir.directory.queries.entries import PUBLIC
from pocdir.directory.queries.reading import NOW, Reading
from pocdir.directory.rules import record as rules
from pocdir.ledger import queries as ledger
from pocdir.ledger.rules.events import Event

SORTS = {"name": "folded_name", "country": "country", "kind": "kind", "confirmed": "confirmed_at"}
STATUSES = ("answered", "contact", "known_no_address", "none_known")  # of a code
OF_TWO = ("team.merged", "team.split", "team.apart", "team.pairing_approved", "team.pairing_refused")
OF_THE_ENTRY = (
    *OF_TWO,
    "contact.confirmed", "contact.marked", "contact.marked_bouncing", "contact.changed", "contact.letter_read",
    "key.pinned", "key.refreshed", "key.retired", "key.expired",
)  # fmt: skip

_T, _A, _C, _S, _I, _H = (model.__table__.c for model in (Team, Address, Channel, Source, Import, Held))


def teams_after(
    cursor: str | None,
    limit: int,
    *,
    q: str = "",
    country: str | None = None,
    kind: str | None = None,
    audiences: Collection[str] = PUBLIC,
    reading: Reading = NOW,
) -> list[entries.Entry]:
    """Up to `limit` teams recorded after the team `cursor`, oldest first, with channels for `audiences`."""
    where = _filters(q, country, kind, None, audiences, reading)
    team = reading.tables.teams.c
    if cursor:
        where.append(team.id > select(_T.id).where(_T.slug == cursor).scalar_subquery())
    return entries.entries(where, audiences=audiences, order=team.id, limit=limit, reading=reading)


class TeamPage(NamedTuple):
    """One page of the list that people browse."""

    rows: list[dict[str, Any]]
    total: int


def teams_page(
    *,
    q: str = "",
    country: str | None = None,
    kind: str | None = None,
    state: str | None = None,
    lead: bool = False,
    sort: str = "name",
    offset: int = 0,
    limit: int = 50,
    audiences: Collection[str] = PUBLIC,
    reading: Reading = NOW,
) -> TeamPage:
    """Teams that match; `sort` is a key of SORTS, with `-` before it the other way round."""
    connection = db.session().connection()
    where = _filters(q, country, kind, state, audiences, reading)
    of = reading.tables.teams.c
    if lead:
        where.append(of.lead.is_(True))
    counted = select(func.count()).select_from(reading.tables.teams).where(*where)
    total = connection.execute(counted).scalar_one()
    column = of[SORTS.get(sort.lstrip("-"), "folded_name")]
    ordered = column.desc() if sort.startswith("-") else column.asc()
    teams = connection.execute(
        reading.teams.where(*where).order_by(ordered.nulls_last(), of.slug).offset(offset).limit(limit)
    ).all()
    channels = in_force.channels_of([team.id for team in teams], audiences, reading=reading)
    rows = [
        {**team._mapping, "address_state": next((c.state for c in channels.get(team.id, [])), None)}
        for team in teams
    ]
    return TeamPage(rows, total)


def countries() -> list[str]:
    """The codes that teams are at home in."""
    statement = select(_T.country).where(_T.country.is_not(None), _T.retired_at.is_(None)).distinct()
    return sorted(db.session().connection().execute(statement).scalars())


def coverage(heard_since: dt.datetime | None = None) -> list[dict[str, Any]]:
    """Every code with the teams that answer for it and the number of their addresses in use.

    `answered_at`: when one of them last confirmed its entry or answered a test, at `heard_since` or later.
    """
    heard = {} if heard_since is None else {it.slug: it.heard_at for it in standings()}
    teams: dict[str, list[rules.Team]] = {}
    for team in versions.snapshot().teams:
        named = {r.value for r in team.responsibilities if r.key == "country"}
        if team.kind == "national" and team.country:
            named.add(team.country)
        for code in named:
            teams.setdefault(code, []).append(team)
    known = {row.code: row for row in db.session().connection().execute(select(Code.__table__))}
    found = []
    for code in sorted({*codes.ALL_CODES, *known, *teams}):
        row, of_code = known.get(code), teams.get(code, [])
        live = {value for team in of_code for value in _live(team)}
        spoken = [
            at for team in of_code if (at := heard.get(team.slug)) and heard_since and at >= heard_since
        ]
        if live:
            status = "answered" if spoken else "contact"
        elif of_code or (row is not None and row.status != "none_known"):
            status = "known_no_address"
        else:
            status = "none_known"
        found.append(
            {
                "code": code,
                "status": status,
                "teams": [{"slug": team.slug, "name": team.name} for team in of_code],
                "addresses": len(live),
                "answered_at": max(spoken, default=None) if live else None,
                "note": row.note if row is not None else None,
                "source": row.source if row is not None else None,
                "as_of": row.as_of if row is not None else None,
            }
        )
    return found


def looked_at_without_haste() -> dict[str, int]:
    """How many teams are mere leads, addresses bounce, codes have no address: nobody has to come for one of them."""
    connection = db.session().connection()
    leads = select(func.count()).where(_T.lead.is_(True), _T.retired_at.is_(None))
    bouncing = select(func.count()).where(_A.state == "bouncing")
    return {
        "leads": connection.execute(leads).scalar_one(),
        "bouncing": connection.execute(bouncing).scalar_one(),
        "codes_without_address": sum(row["status"] != "contact" for row in coverage()),
    }


def _live(team: rules.Team) -> list[str]:
    return [channel.value for channel in team.channels if channel.state not in rules.DEAD_STATES]


def last_imports(limit: int = 20) -> list[Line]:
    """The last imports that changed something or wait for a person, newest first."""
    statement = select(*_I, _S.name.label("source")).join(Source.__table__, _I.source_id == _S.id)
    return list(db.session().connection().execute(statement.order_by(_I.id.desc()).limit(limit)))


def history(slug: str, *, after: str | None, limit: int) -> list[Event]:
    """What was changed in a team's own entry, oldest first, after the event `after`."""
    return ledger.events_of_team(parts.slugs_of(slug), types=OF_THE_ENTRY, after=after or "", limit=limit)


def latest(slug: str, limit: int = 20, before: str | None = None) -> list[Event]:
    """The last changes of a team's own entry (before an event), newest first."""
    return ledger.events_of_team(parts.slugs_of(slug), types=OF_THE_ENTRY, before=before, limit=limit)


def happened(
    events: Iterable[Event], seen: entries.Entry, audiences: Collection[str]
) -> list[dict[str, Any]]:
    """Events of a team's own entry for somebody who may see these channels of the team, and no others.

    An event that speaks of nothing but channels for others is left out.
    """
    addresses = {(channel.kind, channel.value) for channel in seen.channels}
    kept = {address[1:] for address in in_force.hidden([seen.team.id], audiences)}
    told = []
    for event in events:
        if event.type in OF_TWO and event.team == event.sealed.get("part") != seen.team.slug:
            continue  # it stands in the history of both entries, and is told once where they are one
        said = _changes(event)
        changes = [change for change in said if _is_seen(change, audiences, addresses, kept)]
        if changes or not said:
            told.append(
                {
                    "id": event.id,
                    "type": event.type,
                    "occurred_at": event.occurred_at,
                    "recorded_at": event.recorded_at,
                    "claimed_by": event.claimed_by,
                    "source": event.sealed.get("source"),
                    "changes": changes,
                    "accepted": bool(event.sealed.get("forced")),  # it was doubtful, and a person said yes
                    "reason": event.sealed.get("reason") if "stewards" in audiences else None,
                }
            )
    return told


def _changes(event: Event) -> list[dict[str, Any]]:
    if event.type in OF_TWO:
        two = [event.sealed.get("part"), event.sealed.get("into")]
        return [{"field": "entry", "of": two, "before": None, "after": None}] if all(two) else []
    if "state" not in event.payload:
        return list(event.sealed.get("changes", ()))
    before, after = ({"state": event.payload[name]} for name in ("before", "state"))
    of = [event.payload.get("kind"), event.sealed.get("value")]
    return [{"field": "address", "of": of, "before": before, "after": after}]


def _is_seen(
    change: dict[str, Any],
    audiences: Collection[str],
    addresses: Collection[tuple[str, str]],
    kept: Collection[tuple[str, str]],
) -> bool:
    if change["field"] == "address":
        return tuple(change["of"]) in addresses
    if change["field"] != "channel":
        return True
    if tuple(change["of"][:2]) in kept:  # public once, and not for this reader today
        return False
    return all(side is None or side["audience"] in audiences for side in (change["before"], change["after"]))


def _a_labels(q: str) -> str | None:
    try:
        return domain(q)
    except Invalid:
        return None


def _is_of(team_id: Any, team: Any, reading: Reading) -> ColumnElement[bool]:
    part = reading.tables.teams.alias("part").c
    return or_(team_id == team.id, team_id.in_(select(part.id).where(part.merged_into_id == team.id)))


def _filters(
    q: str,
    country: str | None,
    kind: str | None,
    state: str | None,
    audiences: Collection[str],
    reading: Reading,
) -> list[ColumnElement[bool]]:
    team, _, address, channel, row, _ = (table.c for table in reading.tables)
    where: list[ColumnElement[bool]] = [team.retired_at.is_(None)]
    seen = [
        _is_of(channel.team_id, team, reading), channel.audience.in_(audiences), channel.withdrawn.is_(False),
        channel.address_id == address.id,
    ]  # fmt: skip
    if reading.at is not None:  # what is kept from the reader today is not found under an older date either
        kept = exists().where(
            _C.team_id == channel.team_id, _C.address_id == channel.address_id, _C.audience.not_in(audiences)
        )
        seen.append(~kept)
    if country:
        where.append(team.country == country)
    if kind:
        where.append(team.kind == kind)
    if state:
        where.append(exists().where(*seen, address.state == state))
    if wanted := fold(q):
        name = exists().where(
            _is_of(row.team_id, team, reading),
            row.key == "domain",
            row.withdrawn.is_(False),
            row.value.contains(_a_labels(q) or wanted, autoescape=True),
        )
        written = exists().where(*seen, address.value.contains(wanted, autoescape=True))
        where.append(or_(team.folded_name.contains(wanted, autoescape=True), written, name))
    return where
