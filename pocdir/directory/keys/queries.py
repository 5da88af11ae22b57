"""Which keys teams have, which is pinned for which address, and what waits for a steward."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased

from pocdir.accounts.queries import steward_refs
from pocdir.accounts.rules import OPERATOR
from pocdir.core.errors import NotFound
from pocdir.core.times import moment
from pocdir.db import db, table_of
from pocdir.directory.keys.models import TeamKey
from pocdir.directory.keys.rules import PINNED, PROPOSED, REFUSED, RETIRED, WARN_DAYS, in_words
from pocdir.directory.models import Address, Channel, Team
from pocdir.directory.queries.reading import entries_called, entries_of, on_record, whole, whole_of
from pocdir.directory.queries.wholes import whole_team, whole_teams
from pocdir.directory.rules import steward
from pocdir.directory.rules.approval import KEY, Decision, Whole, decide, is_guarded
from pocdir.directory.rules.record import audiences
from pocdir.directory.rules.steward import Waiting
from pocdir.mail.rules import openpgp

_KEY, _TEAM, _CHANNEL, _ADDRESS = (table_of(it).c for it in (TeamKey, Team, Channel, Address))


def examined(slug: str, data: bytes, *, now: dt.datetime) -> openpgp.Key:
    """What the guard says of these bytes as a key of the team; raises as it does, and NotFound `team_unknown`.

    Before the transaction: nobody else can write while one lasts, and this computes.
    """
    session = db.session()
    emails = on_record(session, _known(slug, session))
    return openpgp.read(data, now=now, addresses=[email.lower() for email in emails])


def key(ref: str, session: Session | None = None, *, lock: bool = False) -> TeamKey:
    """One key; raises NotFound `key_unknown`."""
    statement = select(TeamKey).where(TeamKey.ref == ref)
    found = (session or db.session()).scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise NotFound("key_unknown", "there is no such key here")
    return found


def of_team(slug: str, *, states: Collection[str] = (), session: Session | None = None) -> Sequence[TeamKey]:
    """The keys of a team, the newest first."""
    chosen = select(TeamKey).where(TeamKey.team_id.in_(entries_called([slug])))
    if states:
        chosen = chosen.where(TeamKey.state.in_(states))
    return (session or db.session()).scalars(chosen.order_by(TeamKey.id.desc())).all()


def stewards(session: Session, *people: str | None) -> frozenset[str]:
    """All stewards, and the operator at the command line where it takes part: somebody too, without an account."""
    return steward_refs(session) | {it for it in people if it == OPERATOR}


def decision_of(row: TeamKey, session: Session) -> Decision:
    """What is missing until a key that waits is pinned, by the rule as it stands for the whole team."""
    given = {who: moment(at) for who, at in row.approvals.items()}
    return decide(
        team_kind=whole_team(session, row.team_id).kind,
        what={KEY},
        stewards=stewards(session, row.person, *given),
        proposer=row.person,
        approvals=given,
        proposed_at=row.uploaded_at,
    )


def was_revoked(session: Session, fingerprint: str, *, now: dt.datetime) -> bool:
    """Whether a copy with a revocation was brought once, to whichever team."""
    chosen = select(_KEY.public).where(_KEY.fingerprint == fingerprint, _KEY.state.in_((RETIRED, REFUSED)))
    found = session.connection().execute(chosen).scalars()
    return any("revoked" in openpgp.usable(public, fingerprint=fingerprint, now=now) for public in found)


def usable(row: TeamKey, now: dt.datetime) -> tuple[str, ...]:
    """Why this key must not be used at `now` (of openpgp.REASONS); empty when it is pinned and the guard agrees."""
    found = openpgp.usable(row.public, fingerprint=row.fingerprint, now=now)
    late = row.expires_at is not None and row.expires_at <= now
    return ("expired", *found) if late and "expired" not in found else found


def key_for(slug: str, address: str, *, now: dt.datetime) -> tuple[TeamKey | None, tuple[str, ...]]:
    """(the key to encrypt to when writing to this address, why it must not be used); (None, ()): none is pinned."""
    for row in of_team(slug, states=(PINNED,)):
        if address.lower() in map(str.lower, row.addresses):
            return row, usable(row, now)
    return None, ()


def keys_for(
    contacts: Collection[tuple[str, str]], *, now: dt.datetime
) -> dict[tuple[str, str], tuple[TeamKey, tuple[str, ...]]]:
    """The same for many (team, address) in one statement; without those for which none is pinned."""
    named, entry = (aliased(Team, name=name) for name in ("named", "entry"))
    rows = (
        select(named.slug, TeamKey)
        .select_from(TeamKey)
        .join(entry, entry.id == TeamKey.team_id)
        .join(named, whole(named) == whole(entry))
        .where(TeamKey.state == PINNED, named.slug.in_({slug for slug, _ in contacts}))
        .order_by(TeamKey.id.desc())
    )
    pinned: dict[tuple[str, str], TeamKey] = {}
    for slug, row in db.session().execute(rows):
        for address in row.addresses:
            pinned.setdefault((slug, address.lower()), row)
    standing = {(slug, to): pinned.get((slug, to.lower())) for slug, to in contacts}
    return {each: (row, usable(row, now)) for each, row in standing.items() if row is not None}


def told(row: TeamKey, *, now: dt.datetime) -> dict[str, Any]:
    """What the API, the pages and the command say of a key; `reasons` in words."""
    reasons = usable(row, now)
    return {
        "ref": row.ref, "team": row.team.slug, "fingerprint": row.fingerprint, "algorithm": row.algorithm,
        "bits": row.bits, "addresses": row.addresses, "stated": row.stated, "state": row.state,
        "uploaded_at": row.uploaded_at, "effective_at": row.effective_at, "pinned_at": row.pinned_at,
        "expires_at": row.expires_at, "settled_at": row.settled_at, "approvals": len(row.approvals),
        "usable": row.state == PINNED and not reasons, "reasons": in_words(reasons),
        "codes": list(reasons), "public": row.public, "revision": row.revision,
    }  # fmt: skip


def listed(slug: str, *, roles: Collection[str], now: dt.datetime) -> list[dict[str, Any]]:
    """The keys of a team for somebody with these roles, the newest first: for stewards all, for others those that
    stand and name no address that is kept from them, in whichever entry of the team. Raises NotFound `team_unknown`.
    """
    session = db.session()
    team_id = _known(slug, session)
    if "steward" in roles:
        return [told(row, now=now) for row in of_team(slug)]
    chosen = select(_ADDRESS.value).join(table_of(Channel), _CHANNEL.address_id == _ADDRESS.id)
    ours = _CHANNEL.team_id.in_(entries_of(team_id))
    chosen = chosen.where(ours, _CHANNEL.audience.not_in(audiences(roles)))
    kept = set(session.connection().execute(chosen).scalars())
    return [told(row, now=now) for row in of_team(slug, states=(PINNED,)) if not kept & set(row.addresses)]


def _known(slug: str, session: Session) -> int:
    """The row of the team that the entry of this slug is read as."""
    chosen = select(whole(table_of(Team).c)).where(_TEAM.slug == slug)
    team_id = session.connection().execute(chosen).scalar()
    if team_id is None:
        raise NotFound("team_unknown", "no team has this name here")
    return int(team_id)


def waiting(now: dt.datetime) -> list[Waiting]:
    """What of keys needs a steward: proposals on which somebody has to agree, and keys that end within days."""
    asked = or_(
        (_KEY.state == PROPOSED) & _KEY.effective_at.is_(None),
        (_KEY.state == PINNED) & (_KEY.expires_at <= now + dt.timedelta(days=WARN_DAYS[-1])),
    )
    of = whole_of(_KEY.team_id) == _TEAM.id
    chosen = select(*_KEY, _TEAM.slug).select_from(table_of(TeamKey)).join(table_of(Team), of).where(asked)
    rows = db.session().connection().execute(chosen.order_by(_KEY.id)).all()
    wholes = whole_teams(db.session(), {row.team_id for row in rows})
    return [
        steward.waiting(
            _kind(row, wholes[row.team_id]),
            slug=row.slug,
            since=row.uploaded_at
            if row.state == PROPOSED
            else row.expires_at - dt.timedelta(days=WARN_DAYS[-1]),
            where=f"/teams/{row.slug}/keys",
            what=row.addresses[0],
            default_at=row.expires_at if row.state == PINNED else None,
        )
        for row in rows
    ]


def _kind(row: Any, whole: Whole) -> str:
    if row.state == PINNED:
        return "key_expiring"
    return "key_national" if is_guarded(whole.kind, {KEY}) else "key"
