"""Proposals as tests make them: who proposes, who agrees, what stands then, and the letters about it."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from pocdir.accounts.models import User
from pocdir.db import db, transaction
from pocdir.directory.actions import edits
from pocdir.directory.formats import records
from pocdir.directory.office import office
from pocdir.directory.proposals import actions, queries
from pocdir.directory.proposals.models import Proposal
from pocdir.directory.queries import entries
from pocdir.directory.queries.entries import EVERYBODY
from pocdir.ledger.queries import events_of_team
from pocdir.mail.models import Mail
from tests.accounts.made import every, person
from tests.conftest import NOW

NEW = "desk@cert.example"


def contact(slug: str, email: str = "staff@cert.example") -> User:
    return person(email, now=NOW, team_id=entries.team_by_slug(slug).id)


def proposed(
    slug: str,
    by: User | None = None,
    *,
    facts: dict[str, Any] | None = None,
    channels: list[dict[str, Any]] | None = None,
    steward: bool = False,
    now: dt.datetime = NOW,
) -> str:
    """The ref of a proposal."""
    seen = entries.entry(slug, audiences=EVERYBODY)
    rows = None if channels is None else [records.channel(row) for row in channels]
    wanted = queries.wanted(seen, records.facts(facts or {}), rows, None)
    ref = by.ref if by else "0"
    with transaction() as session:
        return actions.propose(
            session,
            slug=slug,
            wanted=wanted,
            by="steward" if steward else "team",
            actor=f"user:{ref}",
            person=by.ref if by else None,
            note="we have moved",
            office=office(),
            now=now,
        ).ref


def agreed(ref: str, steward: User | str, revision: int = 1, now: dt.datetime = NOW) -> Proposal:
    who = steward if isinstance(steward, str) else steward.ref
    with transaction() as session:
        return actions.approve(
            session,
            ref=ref,
            revision=revision,
            actor=f"user:{who}",
            person=who,
            office=office(),
            now=now,
        )


def edited(slug: str, **more: Any) -> None:
    """A steward's own edit of the entry."""
    with transaction() as session:
        edits.edit_team(session, slug=slug, now=NOW, actor="user:x", **more)


def kept(ref: str) -> Proposal:
    db.session.rollback()
    db.session.expire_all()
    return queries.proposal(ref)


def addresses(slug: str) -> list[str]:
    db.session.rollback()
    return [it.value for it in entries.entry(slug, audiences=EVERYBODY).channels]


def types(slug: str) -> list[str]:
    db.session.rollback()
    found = events_of_team(slug)
    return [each.type for each in found]


def letters(kind: str = "proposal_notice") -> list[Mail]:
    return sorted((mail for mail in every(Mail) if mail.kind == kind), key=lambda mail: mail.id)


def link_in(mail: Mail) -> str:
    found = re.search(r"/proposed/([\w-]+)", mail.body or "")
    assert found
    return found[1]


def leaves(steward: User) -> None:
    with transaction() as session:
        session.get_one(User, steward.id).active = False
