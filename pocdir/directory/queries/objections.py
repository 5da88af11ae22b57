"""What the link of a notice is about, besides a proposal: a key, a merge or split, a change that a list brings."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.db import db
from pocdir.directory.keys.models import TeamKey
from pocdir.directory.keys.rules import PROPOSED
from pocdir.directory.models import Address, Held, Pairing, Team
from pocdir.directory.proposals.rules import check_token, claimed_by_token, link_unknown
from pocdir.directory.rules.held import name_in
from pocdir.directory.rules.office import Office

KEY, PAIRING, HELD = "key", "pairing", "held"


class Objection(NamedTuple):
    """What a notice told of: the team's name, the lines that say what it is, and whether it still waits."""

    what: str
    ref: str
    team: str
    lines: list[str]
    is_open: bool


def addressed(session: Session | None, token: str, *, office: Office, now: dt.datetime) -> Objection | None:
    """What the link is about; None where it is no key, merge or import (a proposal, perhaps).

    What became of the address since is no matter. Raises NotFound `link_unknown` (forged), Gone `link_expired`.
    """
    ref, address_id = claimed_by_token(token)
    here = session or db.session()
    found = _found(here, ref)
    if found is None:
        return None
    address = here.get(Address, address_id)
    if address is None:
        raise link_unknown()
    check_token(office.secret, token, address=(address.kind, address.value), now=now)
    return found


def _found(session: Session, ref: str) -> Objection | None:
    key = session.scalar(select(TeamKey).where(TeamKey.ref == ref))
    if key is not None:
        lines = [key.fingerprint, *key.addresses]
        return Objection(KEY, ref, key.team.name, lines, key.state == PROPOSED)
    row = session.scalar(select(Pairing).where(Pairing.ref == ref))
    if row is not None:
        two = [session.get_one(Team, number) for number in (row.team_id, row.other_id)]
        return Objection(PAIRING, ref, two[1].name, [it.name for it in two], row.state == "open")
    held = session.scalar(select(Held).where(Held.ref == ref))
    if held is None or held.team is None:
        return None
    team = session.scalar(select(Team).where(Team.slug == held.team))
    name = team.name if team is not None else name_in(held.changes, held.team)
    return Objection(HELD, ref, name, [held.source.name], held.state == "held")
