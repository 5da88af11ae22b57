"""Two entries of one team: merged, split again, or said to be two. Nothing is moved, one entry is read as the other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.accounts import queries as accounts
from pocdir.core.errors import Conflict, Invalid, NotFound
from pocdir.core.refs import new_ref
from pocdir.core.times import isoformat
from pocdir.db import table_of
from pocdir.directory.actions import projection
from pocdir.directory.actions.past import keep
from pocdir.directory.actions.rows import bump_version, lock_directory
from pocdir.directory.keys import actions as keys
from pocdir.directory.merging import notice, queries
from pocdir.directory.merging.queries import Said
from pocdir.directory.models import Pairing, Team
from pocdir.directory.proposals import actions as proposals
from pocdir.directory.queries.reading import entries_of
from pocdir.directory.queries.wholes import whole_teams
from pocdir.directory.rules import steward
from pocdir.directory.rules.approval import KEY, Decision, is_guarded
from pocdir.directory.rules.office import Office
from pocdir.ledger.actions import append

MERGE, SPLIT, APART = "merge", "split", "apart"
OPEN, APPLIED, REFUSED, ENDED = "open", "applied", "refused", "ended"
_DONE = {MERGE: "team.merged", SPLIT: "team.split"}
_PERSON = "user:"
LAPSES = steward.KINDS["duplicate"].after or dt.timedelta.max


class MergeResult(NamedTuple):
    """What became of it: `applied`, or `waits` for `missing` stewards, or `until` its time."""

    ref: str
    part: str
    whole: str
    became: str
    missing: int = 0
    until: dt.datetime | None = None


def merge(
    session: Session, *, slug: str, into: str, reason: str, office: Office, now: dt.datetime, actor: str
) -> MergeResult:
    """The entry `slug` is read as `into` from now on, or once everybody has agreed (approval.py).

    Asked for again by somebody else it is their agreement. Raises NotFound `team_unknown`, Invalid `same_team`,
    `parent_circle`, Conflict `team_merged`, `team_retired`, `merge_open` (the other way round).
    """
    lock_directory(session, now=now)
    part, whole = _entry(session, slug), _entry(session, into)
    _check(part, whole)
    waiting = queries.pairings(state=OPEN, what=MERGE, session=session)
    for it in waiting:
        if {it.part.id, it.whole.id} & {part.id, whole.id} and (it.part.id, it.whole.id) != (
            part.id,
            whole.id,
        ):
            raise Conflict(
                "merge_open", f"{it.part.slug} into {it.whole.slug} waits already; refuse that first"
            )
    return _agreed(session, MERGE, part, whole, reason, office, now, actor)


def split(
    session: Session, *, slug: str, reason: str, office: Office, now: dt.datetime, actor: str
) -> MergeResult:
    """The entry stands by itself again, with everything that sources have said of it since; as clean as merging.

    Raises NotFound `team_unknown`, Conflict `not_merged`.
    """
    lock_directory(session, now=now)
    part = _entry(session, slug)
    if part.merged_into_id is None:
        raise Conflict("not_merged", f"{slug} is part of no other team", where="slug")
    return _agreed(
        session, SPLIT, part, session.get_one(Team, part.merged_into_id), reason, office, now, actor
    )


def say_apart(session: Session, *, one: str, other: str, reason: str, now: dt.datetime, actor: str) -> None:
    """Keep that two entries are two teams: no more suggested, a merge that waits is refused. Again: nothing changes.

    Raises NotFound `team_unknown`, Invalid `same_team`, Conflict `team_merged`.
    """
    lock_directory(session, now=now)
    a, b = _entry(session, one), _entry(session, other)
    if a.id == b.id:
        raise Invalid("same_team", "two different entries are right", where="into")
    if a.id == b.merged_into_id or b.id == a.merged_into_id:
        raise Conflict("team_merged", "one is part of the other; split it first", where="slug")
    for it in queries.pairings(session=session):
        if {it.part.id, it.whole.id} != {a.id, b.id}:
            continue
        if (it.row.what, it.row.state) == (APART, APPLIED):
            return
        if it.row.state == OPEN:
            _settle(it.row, REFUSED, now, actor)
    row = Pairing(
        ref=new_ref(now), what=APART, team_id=a.id, other_id=b.id, reason=reason, state=APPLIED, proposed_at=now,
        approvals={_who(actor): isoformat(now)}, settled_at=now, settled_by=actor,
    )  # fmt: skip
    session.add(row)
    session.flush()
    _append(session, "team.apart", row, a, b, now, actor)


def refuse(session: Session, *, ref: str, now: dt.datetime, actor: str) -> MergeResult:
    """Refuse a merge or split that waits: one steward is enough.

    Raises NotFound `pairing_unknown`, Conflict `pairing_settled`.
    """
    lock_directory(session, now=now)
    row = session.execute(select(Pairing).where(Pairing.ref == ref)).scalar()
    if row is None:
        raise NotFound("pairing_unknown", "nothing of this reference waits here")
    if row.state != OPEN:
        raise Conflict("pairing_settled", "somebody has settled it meanwhile")
    part, whole = session.get_one(Team, row.team_id), session.get_one(Team, row.other_id)
    _settle(row, REFUSED, now, actor)
    _append(session, "team.pairing_refused", row, part, whole, now, actor)
    return MergeResult(row.ref, part.slug, whole.slug, REFUSED)


def apply_due(session: Session, *, office: Office, now: dt.datetime) -> int:
    """Do what was agreed on and whose delay has passed, and end what nobody agrees on; returns how many."""
    rows = queries.pairings(state=OPEN, session=session)
    if not rows:
        return 0
    lock_directory(session, now=now)
    stewards = accounts.steward_refs(session)
    waiting = queries.pairings(state=OPEN, session=session)
    for it in waiting:
        _begin_delay(session, it, stewards, office, now)
    due = [it for it in waiting if it.decision(stewards).is_due(now)]
    late = [it for it in waiting if it.decision(stewards).missing and now - it.row.proposed_at > LAPSES]
    for it in late:
        _settle(it.row, REFUSED, now, "service")
        _append(session, "team.pairing_refused", it.row, it.part, it.whole, now, "service")
    for it in due:
        try:
            if it.row.what == MERGE:
                _check(it.part, it.whole)
        except (
            Conflict,
            Invalid,
        ):  # one of the two has changed since: what was agreed on is not there any more
            _settle(it.row, REFUSED, now, "service")
            _append(session, "team.pairing_refused", it.row, it.part, it.whole, now, "service")
            continue
        _apply(session, it, office, now, "service")
    return len(due) + len(late)


def _entry(session: Session, slug: str) -> Team:
    """The entry itself, also one that is part of another."""
    found = session.execute(
        select(Team).where(Team.slug == slug).with_for_update().execution_options(populate_existing=True)
    ).scalar()
    if found is None:
        raise NotFound("team_unknown", f"no team has the slug {slug[:60]!r}", where="slug")
    return found


def _check(part: Team, whole: Team) -> None:
    if part.id == whole.id:
        raise Invalid("same_team", "two different entries are right", where="into")
    for it in (part, whole):
        if it.merged_into_id is not None:
            raise Conflict("team_merged", f"{it.slug} is part of another team already", where="slug")
    if whole.retired_at is not None:
        raise Conflict(
            "team_retired", f"{whole.slug} is retired; merge it into the one that lives", where="into"
        )
    if part.parent == whole.slug or whole.parent == part.slug:
        raise Invalid("parent_circle", "one stands above the other: they are two teams", where="into")


def _agreed(
    session: Session, what: str, part: Team, whole: Team, reason: str, office: Office, now: dt.datetime, actor: str
) -> MergeResult:  # fmt: skip
    """Note that the actor wants it, tell whoever has to be told, and do it when nothing is missing."""
    row = session.execute(
        select(Pairing).where(
            Pairing.what == what,
            Pairing.state == OPEN,
            Pairing.team_id == part.id,
            Pairing.other_id == whole.id,
        )
    ).scalar()
    is_new = row is None
    if row is None:
        row = Pairing(
            ref=new_ref(now), what=what, team_id=part.id, other_id=whole.id, reason=reason, state=OPEN,
            proposed_at=now, approvals={},
        )  # fmt: skip
        session.add(row)
    if not is_new:
        _begin_delay(session, Said(row, part, whole), accounts.steward_refs(session), office, now)
    said_before = _who(actor) in row.approvals
    row.approvals = {_who(actor): isoformat(now)} | dict(row.approvals)
    session.flush()
    decision = Said(row, part, whole).decision(accounts.steward_refs(session))
    if decision.is_due(now):
        _apply(session, Said(row, part, whole), office, now, actor)
        return MergeResult(row.ref, part.slug, whole.slug, APPLIED)
    if not said_before:
        _append(session, "team.pairing_approved", row, part, whole, now, actor)
    if is_new:
        _send_notice(session, Said(row, part, whole), decision, office, now)
    until = decision.effective_at or decision.not_before
    return MergeResult(row.ref, part.slug, whole.slug, "waits", decision.missing, until)


def _send_notice(session: Session, it: Said, decision: Decision, office: Office, now: dt.datetime) -> None:
    it.row.delay_told = bool(decision.needed.delay)
    if decision.needed.notice:
        notice.send(session, it.row, (it.part, it.whole), decision, office=office, now=now)


def _begin_delay(
    session: Session, it: Said, stewards: frozenset[str], office: Office, now: dt.datetime
) -> None:
    """Where one steward is left of two while it waits, the notice goes out again, and the 72 hours run from now."""
    if not it.decision(stewards).begins(it.row.delay_told):
        return
    it.row.proposed_at = now
    session.flush()
    _append(session, "team.pairing_approved", it.row, it.part, it.whole, now, "service")
    _send_notice(session, it, it.decision(stewards), office, now)


def _apply(session: Session, it: Said, office: Office, now: dt.datetime, actor: str) -> None:
    unguarded = _unguarded(session, it)
    if it.row.what == MERGE:
        moving = {it.part.id: it.whole.id}
        members = select(Team.id).where(Team.merged_into_id == it.part.id)
        moving |= dict.fromkeys(session.execute(members).scalars(), it.whole.id)
        to: Mapping[int, int | None] = moving
    else:
        for other in queries.pairings(state=APPLIED, what=MERGE, session=session):
            if other.part.id == it.part.id:
                other.row.state = ENDED
        session.flush()
        to = _standing(session, it.whole.id, it.part.id)
    _point(session, to, now)
    _settle(it.row, APPLIED, now, actor)
    touched = {it.part.id: it.part.slug, it.whole.id: it.whole.slug}
    connection = session.connection()
    parents = projection.project(connection, touched, now)
    projection.refuse_circles(connection, parents)
    projection.raise_revision(connection, list(touched), now)
    _append(session, _DONE[it.row.what], it.row, it.part, it.whole, now, actor)
    session.flush()
    session.expire_all()
    bump_version(session, now=now)
    _begin_anew(session, list(touched), unguarded, office, now)


def _unguarded(session: Session, it: Said) -> set[int]:
    """The entries of the two that one steward was enough for, before they became one."""
    numbers = [
        number
        for team in (it.part, it.whole)
        for number in session.execute(entries_of(team.merged_into_id or team.id)).scalars()
    ]
    return {number for number, of in whole_teams(session, numbers).items() if not is_guarded(of.kind, {KEY})}


def _begin_anew(
    session: Session, touched: Sequence[int], unguarded: set[int], office: Office, now: dt.datetime
) -> None:
    """What waits was agreed to over another team than the one that stands now, and by another rule perhaps."""
    for number in {session.get_one(Team, it).merged_into_id or it for it in touched}:
        proposals.show_anew(session, team_id=number, office=office, now=now)
    after = whole_teams(session, unguarded)
    guarded = sorted(it for it in unguarded if is_guarded(after[it].kind, {KEY}))
    keys.show_anew(session, entries=guarded, mail_domain=office.mail_domain, now=now)


def _standing(session: Session, whole_id: int, part_id: int) -> dict[int, int | None]:
    """After a split, where each entry that was read as the whole belongs by the merges that still stand."""
    direct = {it.part.id: it.whole.id for it in queries.pairings(state=APPLIED, what=MERGE, session=session)}
    members = session.execute(select(Team.id).where(Team.merged_into_id == whole_id)).scalars().all()
    found: dict[int, int | None] = {}
    for number in members:
        root = number
        while root in direct:
            root = direct[root]
        found[number] = root if root != number else None
    return found | {part_id: None}


def _point(session: Session, to: Mapping[int, int | None], now: dt.datetime) -> None:
    keep(session.connection(), table_of(Team), list(to), now)
    for number, root in to.items():
        team = session.get_one(Team, number)
        session.refresh(team)
        team.merged_into_id = root
        team.retired_at = (team.retired_at or now) if root is not None else None
    session.flush()


def _settle(row: Pairing, state: str, now: dt.datetime, actor: str) -> None:
    row.state, row.settled_at, row.settled_by = state, now, actor


def _append(
    session: Session, type_: str, row: Pairing, part: Team, whole: Team, now: dt.datetime, actor: str
) -> None:
    """In the history of both."""
    for team in (part.slug, whole.slug):
        append(
            session,
            type=type_,
            now=now,
            actor=actor,
            claimed_by={"service": "service", "recipient": "team"}.get(actor, "steward"),
            team=team,
            payload={"part": part.slug, "into": whole.slug, "what": row.what, "reason": row.reason},
        )


def _who(actor: str) -> str:
    """The person behind an actor, as approvals count them; the operator is one too."""
    return actor.removeprefix(_PERSON)
