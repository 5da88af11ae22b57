"""Which claims there are, and the addresses through which a team's staff can be let in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.db import db
from pocdir.directory.claims.models import Claim
from pocdir.directory.keys import queries as keys
from pocdir.directory.keys.rules import PINNED
from pocdir.directory.models import Address
from pocdir.directory.queries import entries
from pocdir.directory.queries.entries import EVERYBODY
from pocdir.directory.rules.record import DEAD_STATES


def claim(ref: str, session: Session | None = None, *, lock: bool = False) -> Claim | None:
    """A claim by its ref."""
    statement = select(Claim).where(Claim.ref == ref)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (session or db.session()).scalar(statement)


def claimable(slug: str) -> list[dict[str, Any]]:
    """The mail addresses of a team's entry that work, each once: value, and whether everybody may see it.

    What only low confidence speaks for is left out beside what is surer: an old list's domain may be another's by
    now. Raises NotFound `team_unknown`.
    """
    entry = entries.entry(slug, audiences=EVERYBODY)
    live = [it for it in entry.channels if it.kind == "email" and it.state not in DEAD_STATES]
    surer = [it for it in live if it.confidence != "low"]
    seen: dict[str, bool] = {}
    for it in surer or live:
        seen[it.value] = seen.get(it.value, False) or it.audience == "public"
    return [{"value": value, "public": public} for value, public in seen.items()]


def pinned(slug: str, now: dt.datetime, session: Session | None = None) -> dict[str, str]:
    """The team's pinned OpenPGP keys that may be used now, armoured, by fingerprint."""
    rows = keys.of_team(slug, states=(PINNED,), session=session)
    return {row.fingerprint: row.public for row in rows if not keys.usable(row, now)}


def proven_addresses(claim: Claim) -> dict[str, str]:
    """The mail addresses of which the claim's link shows that its holder reads them, by their lower-case spelling.

    That to which it went, or those for which the key is pinned whose owner has signed.
    """
    if claim.address is not None:
        return {claim.address.value.lower(): claim.address.value}
    rows = keys.of_team(claim.team.slug, states=(PINNED,))
    return {it.lower(): it for row in rows if row.fingerprint == claim.fingerprint for it in row.addresses}


def address(value: str, session: Session, *, lock: bool = False) -> Address | None:
    """A mail address by its value."""
    statement = select(Address).where(Address.kind == "email", Address.value == value)
    return session.scalar(statement.with_for_update() if lock else statement)


def asked_since(address_id: int, since: dt.datetime, session: Session) -> Claim | None:
    """A link that went to this address later than `since` and was not used yet, whichever team it was for."""
    return session.scalar(
        select(Claim)
        .where(Claim.address_id == address_id, Claim.asked_at > since, Claim.proven_at.is_(None))
        .limit(1)
    )


def proven(team_id: int, session: Session) -> Sequence[Claim]:
    """How people were let in for a team, the first one first."""
    statement = select(Claim).where(Claim.team_id == team_id, Claim.proven_at.is_not(None))
    return session.scalars(statement.order_by(Claim.proven_at, Claim.id)).all()
