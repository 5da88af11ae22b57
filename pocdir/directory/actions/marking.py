"""Putting an address into a state: its own, so that every channel of every team that uses it shares it."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.core.errors import Invalid, NotFound
from pocdir.db import table_of
from pocdir.directory.actions import notices
from pocdir.directory.actions.past import keep
from pocdir.directory.actions.rows import bump_version, lock_directory
from pocdir.directory.models import Address, Channel, Team
from pocdir.directory.office import office
from pocdir.directory.queries.reading import to_be_told, whole_of
from pocdir.directory.queries.wholes import whole_teams
from pocdir.directory.rules import record as rules
from pocdir.directory.rules.approval import NATIONAL
from pocdir.ledger.actions import append

STEWARD = "steward"


def mark_address(
    session: Session,
    *,
    kind: str,
    value: str,
    state: str,
    evidence: str,
    now: dt.datetime,
    actor: str,
    claimed_by: str = "steward",
    occurred_at: dt.datetime | None = None,
    evidence_digest: str | None = None,
) -> list[str]:
    """Put an address into a state since `occurred_at` (now); returns the slugs of the teams that use it.

    The state is the address's own, so every channel that uses it shares it. Marking it again with the same
    evidence changes nothing. Where a steward takes an address out of use that a national team has confirmed, all its
    addresses on record are told, and what takes its place is looked at by two stewards all the same.

    Raises NotFound `address_unknown`, Invalid `state_invalid`.
    """
    if state not in rules.ADDRESS_STATES:
        raise Invalid("state_invalid", f"one of {', '.join(rules.ADDRESS_STATES)} is right", where="state")
    lock_directory(session, now=now)
    address = session.execute(
        select(Address).where(Address.kind == kind, Address.value == value).with_for_update()
    ).scalar()
    if address is None:
        raise NotFound("address_unknown", "no team has this address here", where="value")
    takes_out = state in rules.DEAD_STATES and address.state not in rules.DEAD_STATES
    told = _addressees(session, address, now) if takes_out and claimed_by == STEWARD else {}
    slugs = put_address(
        session, address, state=state, evidence=evidence, now=now, actor=actor, claimed_by=claimed_by,
        occurred_at=occurred_at, evidence_digest=evidence_digest, stays_guarded=bool(told),
    )  # fmt: skip
    for team, to in told.items():
        notices.send_marked(
            session, team=team, address=value, state=state, to=to, domain=office().mail_domain, now=now
        )
    return slugs


def _addressees(session: Session, address: Address, now: dt.datetime) -> dict[Team, list[str]]:
    """The national teams (as wholes) that have confirmed this address, each with the addresses to be told."""
    if address.confirmed_at is None:
        return {}
    using = select(whole_of(Channel.team_id)).where(
        Channel.address_id == address.id, Channel.withdrawn.is_(False)
    )
    teams = session.execute(select(Team).where(Team.id.in_(using)).order_by(Team.slug)).scalars().all()
    known = whole_teams(session, [team.id for team in teams])
    return {team: to_be_told(session, team.id, now) for team in teams if known[team.id].kind == NATIONAL}


def put_address(
    session: Session,
    address: Address,
    *,
    state: str,
    evidence: str,
    now: dt.datetime,
    actor: str,
    claimed_by: str,
    occurred_at: dt.datetime | None = None,
    evidence_digest: str | None = None,
    level: int | None = None,
    event: tuple[str, str] | None = None,
    team: str | None = None,
    stays_guarded: bool = False,
) -> list[str]:
    """Put an address that was found under the directory's lock into a state; `level`: the reachability that it showed.

    `event`: (a team, the event that says this of it already), so that it is not said of that team twice.
    `team`: in whose history it stands where no team uses the address any more. `stays_guarded`: what the team has
    confirmed counts on, though the address is out of use.
    """
    using = select(whole_of(Channel.team_id)).where(Channel.address_id == address.id)
    slugs = sorted(session.execute(select(Team.slug).where(Team.id.in_(using))).scalars())
    if address.state == state and address.evidence == evidence:
        return slugs
    keep(session.connection(), table_of(Address), [address.id], now)
    before, address.state = address.state, state
    address.state_since = occurred_at or now
    if state == "verified":
        address.confirmed_at = occurred_at or now
    elif state in rules.DEAD_STATES and not stays_guarded:
        address.confirmed_at = None
    address.evidence = evidence
    address.reachability = level or address.reachability
    if state == "withdrawn":
        address.version += 1  # links sent to it die, but for those that call a change off
    said, address.evidence_event = event or ("", address.evidence_event)
    payload = {"kind": address.kind, "value": address.value, "state": state, "before": before}
    named = slugs or ([team] if team else [])
    for slug in (each for each in named if each != said):
        marked = append(
            session,
            type="contact.marked_bouncing" if state == "bouncing" else "contact.marked",
            occurred_at=occurred_at,
            now=now,
            actor=actor,
            claimed_by=claimed_by,
            team=slug,
            payload={**payload, "evidence": evidence, "reachability": level},
            evidence_digest=evidence_digest,
        )
        address.evidence_event = marked.id if marked and not event else address.evidence_event
    session.flush()
    bump_version(session, now=now)
    return slugs
