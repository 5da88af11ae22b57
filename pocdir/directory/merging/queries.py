"""What stewards said of pairs of entries, what waits, and which pairs look alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from pocdir.accounts import queries as accounts
from pocdir.accounts.rules import OPERATOR
from pocdir.core.times import moment
from pocdir.db import db
from pocdir.directory.formats.outside import registrable
from pocdir.directory.models import Pairing, Team
from pocdir.directory.queries import entries, sources, versions
from pocdir.directory.queries.wholes import whole_teams
from pocdir.directory.rules import approval, duplicates, steward
from pocdir.directory.rules import record as rules
from pocdir.directory.rules.approval import Decision


class Said(NamedTuple):
    """A pairing with the two entries it speaks of: `part` goes into `whole`."""

    row: Pairing
    part: Team
    whole: Team

    def decision(self, stewards: frozenset[str]) -> Decision:
        """What is missing until it takes effect, from those who have agreed so far."""
        return decision_of(self.row, self.part, self.whole, stewards)


def decision_of(row: Pairing, part: Team, whole: Team, stewards: frozenset[str]) -> Decision:
    """What a merge or split still needs: one steward, or what a national point of contact's address needs."""
    given = {who: moment(at) for who, at in row.approvals.items()}
    both = whole_teams(db.session(), [part.id, whole.id]).values()
    national = any(it.kind == approval.NATIONAL for it in both)
    return approval.decide(
        team_kind=approval.NATIONAL if national else part.kind,
        what=frozenset({approval.ADDRESS}),
        # The operator at the command line is somebody too, without an account.
        stewards=stewards | {who for who in given if who == OPERATOR},
        proposer=None,
        approvals=given,
        proposed_at=row.proposed_at,
    )


def pairings(
    *, state: str | None = None, what: str | None = None, session: Session | None = None
) -> list[Said]:
    """The pairings in this state, the oldest first."""
    part, whole = aliased(Team), aliased(Team)
    statement = select(Pairing, part, whole).join(part, Pairing.team_id == part.id)
    statement = statement.join(whole, Pairing.other_id == whole.id).order_by(Pairing.id)
    if state:
        statement = statement.where(Pairing.state == state)
    if what:
        statement = statement.where(Pairing.what == what)
    return [Said(*row) for row in (session or db.session()).execute(statement)]


def suggested() -> list[duplicates.Pair]:
    """Pairs that look like one team, but for those of which a steward has said something that stands or waits."""
    said = [
        it for it in pairings() if (it.row.what, it.row.state) in (("apart", "applied"), ("merge", "open"))
    ]
    return duplicates.pairs(_entries(), {frozenset((it.part.slug, it.whole.slug)) for it in said})


def pair(slugs: Collection[str]) -> duplicates.Pair | None:
    """What speaks for these two being one, whatever was said of them."""
    found = duplicates.pairs([it for it in _entries() if it.slug in slugs])
    return found[0] if found else None


def _entries() -> list[duplicates.Entry]:
    return [
        duplicates.Entry(
            slug=it.slug,
            name=it.name,
            short_name=it.short_name,
            kind=it.kind,
            country=it.country,
            addresses=frozenset(c.value for c in it.channels if c.kind == "email"),
            fingerprints=frozenset(c.openpgp_fingerprint for c in it.channels if c.openpgp_fingerprint),
            domains=_domains([c.value for c in it.channels if c.kind == "email"], it.website),
        )
        for it in versions.snapshot().teams
    ]


def _domains(mails: Collection[str], website: str | None) -> frozenset[str]:
    found = {registrable(place) for place in (*mails, *([website] if website else []))}
    return frozenset(it for it in found if it is not None)


def beside(slug: str) -> dict[str, Any]:
    """What every source says of one entry, for the page that shows two side by side; raises NotFound `team_unknown`."""
    entry = entries.entry(slug, audiences=entries.EVERYBODY)
    said = sources.tellers(entry.team.id)
    return {
        "team": entry.team._mapping,
        "facts": sources.facts_of(entry.team.slug),
        "channels": [(key, rows) for key, rows in said.items() if key[0] in rules.CHANNEL_KINDS],
        "responsibilities": [
            (key, rows) for key, rows in said.items() if key[0] in rules.RESPONSIBILITY_KEYS
        ],
    }


def waiting(now: dt.datetime) -> list[steward.Waiting]:
    """What waits for a steward: pairs on which somebody has to agree; none that waits for its time alone."""
    stewards = accounts.steward_refs(db.session())
    return [
        steward.waiting(
            "duplicate",
            slug=it.whole.slug,
            since=it.row.proposed_at,
            where=f"/duplicates/{it.part.slug}/{it.whole.slug}",
            what=it.part.slug,
        )
        for it in pairings(state="open")
        if it.decision(stewards).missing
    ]
