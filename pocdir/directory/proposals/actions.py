"""Proposing a change of an entry, agreeing, refusing, calling off, and entering it once it takes effect."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from pocdir.accounts.queries import steward_refs
from pocdir.core.errors import Conflict, Forbidden, Invalid, Stale
from pocdir.core.refs import new_ref
from pocdir.directory.actions import notices
from pocdir.directory.actions.rows import lock_directory
from pocdir.directory.models import Team
from pocdir.directory.proposals import letter, queries
from pocdir.directory.proposals.entering import enter
from pocdir.directory.proposals.models import Proposal, ProposalApproval
from pocdir.directory.proposals.rules import (
    APPLIED,
    CANCELLED,
    LAPSED,
    MOST_GUARDED,
    MOST_OPEN,
    OPEN,
    REFUSED,
    SUPERSEDED,
    TEAM,
    WITHDRAWN,
    Identity,
    Item,
    Words,
    check_token,
    claimed_by_token,
    is_own_words,
    items,
    items_of,
    link_unknown,
    renewed,
)
from pocdir.directory.queries import entries
from pocdir.directory.queries.entries import EVERYBODY
from pocdir.directory.queries.wholes import whole_team
from pocdir.directory.rules.approval import Decision, is_guarded
from pocdir.directory.rules.office import Office
from pocdir.ledger.actions import append

SERVICE = "service"
RECIPIENT = "recipient"  # whoever holds the link that went to an address on record


def propose(
    session: Session,
    *,
    slug: str,
    wanted: Mapping[Identity, Words | None],
    by: str,
    actor: str,
    person: str | None,
    note: str | None,
    office: Office,
    now: dt.datetime,
) -> Proposal:
    """Ask for a change of an entry: it waits for whom the approval rule names.

    What a team says of itself (rules.OWN_WORDS) takes effect at once where it stands alone. Raises NotFound
    `team_unknown`, Invalid `proposal_empty` when all of it stands already, Conflict `proposals_open`.
    """
    lock_directory(session, now=now)
    team = entries.team_by_slug(slug, session, lock=True)
    entry = entries.entry(slug, audiences=EVERYBODY)
    changes = items(queries.standing(entry), wanted)
    if not changes:
        raise Invalid("proposal_empty", "nothing of it differs from what stands")
    _refuse_too_many(session, team, changes)
    proposal = Proposal(
        ref=new_ref(now), team_id=team.id, team=team, by=by, actor=actor, person=person,
        changes=[item.as_dict() for item in changes], note=note, state=OPEN, revision=1,
        proposed_at=now, noticed_at=now,
    )  # fmt: skip
    session.add(proposal)
    session.flush()
    decision = queries.decision_of(proposal, session)
    told = _send_notice(session, proposal, entry, decision, office, now)
    payload = _shown(proposal) | {"note": note, "told": told, "not_before": decision.not_before.isoformat()}
    _append(session, "contact.proposed", proposal, payload=payload, claimed_by=by, actor=actor, now=now)
    if by == TEAM and is_own_words(changes):
        _enter(session, proposal, actor=actor, now=now)
    else:
        _settle_if_due(session, proposal, decision, actor=actor, now=now)
    return proposal


def must_be_proposed(session: Session, entry: entries.Entry, wanted: Mapping[Identity, Words | None]) -> bool:
    """Whether a steward may not enter this alone, by the approval rule as it stands for the whole team."""
    changes = items(queries.standing(entry), wanted)
    if not changes:
        return False
    what = queries.touched(session, entry.team.id, changes)
    return whole_team(session, entry.team.id).must_be_proposed(what)


def approve(
    session: Session,
    *,
    ref: str,
    revision: int,
    actor: str,
    person: str | None,
    office: Office,
    now: dt.datetime,
) -> Proposal:
    """A steward agrees with a proposal as it was read; it is entered once all who are needed have.

    Where the entry has changed meanwhile, nothing is approved: the proposal is returned with a higher revision
    than `revision`, shown anew, and its approvals begin anew. Agreeing twice is agreeing once. Raises NotFound
    `proposal_unknown`, Conflict `proposal_settled`, Forbidden `approval_personal` or `own_proposal`, Stale.
    """
    proposal = _open(session, ref, now)
    if person is None or person not in steward_refs(session):
        raise Forbidden(
            "approval_personal", "a steward agrees in person: sign in, or use a token of your own"
        )
    if person == proposal.person:
        raise Forbidden("own_proposal", "another steward agrees with what you proposed yourself")
    if proposal.revision != revision:
        raise Stale("stale", "it was changed since you read it; read it again")
    if _renew(session, proposal, office, now) or _begin_delay(session, proposal, office, now):
        return proposal
    if person not in {each.person for each in proposal.approvals}:
        proposal.approvals.append(ProposalApproval(person=person, at=now))
        session.flush()
        _append(session, "contact.approved", proposal, claimed_by="steward", actor=actor, now=now)
    _settle_if_due(session, proposal, queries.decision_of(proposal, session), actor=actor, now=now)
    return proposal


def refuse(session: Session, *, ref: str, reason: str, actor: str, now: dt.datetime) -> Proposal:
    """Refuse a proposal: one steward is enough; raises NotFound `proposal_unknown`, Conflict `proposal_settled`."""
    proposal = _open(session, ref, now)
    _settle(proposal, REFUSED, by=actor, reason=reason, now=now)
    claimed_by = SERVICE if actor == SERVICE else "steward"
    payload = {"reason": reason}
    _append(
        session, "contact.refused", proposal, payload=payload, claimed_by=claimed_by, actor=actor, now=now
    )
    return proposal


def withdraw(
    session: Session, *, ref: str, team_id: int | None, actor: str, person: str | None, now: dt.datetime
) -> Proposal:
    """Whoever proposed it (or another contact of the same team) takes it back.

    Raises NotFound `proposal_unknown`, also for one of another team, Conflict `proposal_settled`, Forbidden
    `not_proposer`.
    """
    proposal = _open(session, ref, now)
    own_team = proposal.by == TEAM and proposal.team_id == team_id
    if not own_team and actor != proposal.actor and (person is None or person != proposal.person):
        raise Forbidden("not_proposer", "who proposed it takes it back; a steward may refuse it")
    _settle(proposal, WITHDRAWN, by=actor, now=now)
    payload = {"because": "taken_back"}
    _append(
        session, "contact.retracted", proposal, payload=payload, claimed_by=proposal.by, actor=actor, now=now
    )
    return proposal


def lapse(session: Session, *, ref: str, now: dt.datetime) -> bool:
    """Nobody decided for LAPSES_AFTER: it can be proposed again. False when it was decided meanwhile."""
    proposal = queries.proposal(ref, session=session, lock=True)
    if proposal.state != OPEN or proposal.due_at is not None:
        return False
    _end(session, proposal, LAPSED, "nobody_decided", now)
    return True


def addressed(
    session: Session | None, token: str, *, office: Office, now: dt.datetime
) -> tuple[Proposal, str]:
    """The proposal of a notice's link and the address that it went to.

    What became of the address since is no matter. Raises NotFound `link_unknown` (forged), Gone `link_expired`.
    """
    ref, address_id = claimed_by_token(token)
    address = queries.address(address_id, session)
    if address is None:
        raise link_unknown()
    check_token(office.secret, token, address=(address.kind, address.value), now=now)
    return queries.proposal(ref, session=session), address.value


def cancel(session: Session, *, token: str, office: Office, now: dt.datetime) -> Proposal:
    """Whoever reads an address on record calls a change off; raises what `addressed` does, `proposal_settled`."""
    lock_directory(session, now=now)
    named, address = addressed(session, token, office=office, now=now)
    proposal = _open(session, named.ref, now)
    _settle(proposal, CANCELLED, by=RECIPIENT, now=now)
    payload = {"address": address}
    _append(
        session, "contact.cancelled", proposal, payload=payload, claimed_by="team", actor=RECIPIENT, now=now
    )
    return proposal


def enter_due(session: Session, *, ref: str, office: Office, now: dt.datetime) -> bool:
    """Enter what everybody needed has approved and whose time has come; False when it is no longer so."""
    lock_directory(session, now=now)
    proposal = queries.proposal(ref, session=session, lock=True)
    if proposal.state != OPEN or _renew(session, proposal, office, now):
        return False
    _settle_if_due(session, proposal, queries.decision_of(proposal, session), actor=SERVICE, now=now)
    return proposal.state == APPLIED


def look_again(session: Session, *, ref: str, office: Office, now: dt.datetime) -> bool:
    """Where one steward is left of two while it waits, the 72 hours begin; whether something has changed by it."""
    lock_directory(session, now=now)
    proposal = queries.proposal(ref, session=session, lock=True)
    if proposal.state != OPEN or proposal.due_at is not None:
        return False
    begins = _begin_delay(session, proposal, office, now)
    proposal.due_at = queries.decision_of(proposal, session).effective_at
    return begins or proposal.due_at is not None


def show_anew(session: Session, *, team_id: int, office: Office, now: dt.datetime) -> int:
    """A team is other than it was (two entries became one, or two again): what waits for it begins anew.

    It is shown over what stands by now, nobody has approved it, and where the rule asks for a notice, it goes out.
    """
    waiting = queries.open_of(team_id, session)
    for proposal in waiting:
        _begin_anew(session, proposal, office, now)
    return len(waiting)


def _open(session: Session, ref: str, now: dt.datetime) -> Proposal:
    # The directory first: an approval enters what it approves, and importers take the same way round.
    lock_directory(session, now=now)
    proposal = queries.proposal(ref, session=session, lock=True)
    if proposal.state != OPEN:
        raise Conflict("proposal_settled", "this proposal is settled already")
    return proposal


def _refuse_too_many(session: Session, team: Team, changes: Sequence[Item]) -> None:
    waiting, whole = queries.open_of(team.id, session), whole_team(session, team.id)
    guarded = [it for it in waiting if queries.is_four_eyes(it, whole, session)]
    what = queries.touched(session, team.id, changes)
    if len(waiting) >= MOST_OPEN or (is_guarded(whole.kind_for(what), what) and len(guarded) >= MOST_GUARDED):
        raise Conflict(
            "proposals_open", "other proposals wait for this team; withdraw one or let it be settled"
        )


def _settle_if_due(
    session: Session, proposal: Proposal, decision: Decision, *, actor: str, now: dt.datetime
) -> None:
    proposal.due_at = decision.effective_at
    if decision.is_due(now):
        _enter(session, proposal, actor=actor, now=now)


def _enter(session: Session, proposal: Proposal, *, actor: str, now: dt.datetime) -> None:
    enter(session, proposal, actor=actor, now=now)
    _settle(proposal, APPLIED, by=actor, now=now)


def _settle(proposal: Proposal, state: str, *, by: str, now: dt.datetime, reason: str | None = None) -> None:
    proposal.state, proposal.settled_at, proposal.settled_by, proposal.reason = state, now, by, reason


def _end(session: Session, proposal: Proposal, state: str, because: str, now: dt.datetime) -> None:
    """It comes to its end by itself."""
    _settle(proposal, state, by=SERVICE, now=now)
    payload = {"because": because}
    _append(
        session, "contact.retracted", proposal, payload=payload, claimed_by=SERVICE, actor=SERVICE, now=now
    )


def _renew(session: Session, proposal: Proposal, office: Office, now: dt.datetime) -> bool:
    """Show it anew where the entry has changed in what it touches: who approved it approved something else."""
    standing = queries.standing(entries.entry(proposal.team.slug, audiences=EVERYBODY))
    if all(standing.get(item.of) == item.before for item in items_of(proposal.changes)):
        return False
    _begin_anew(session, proposal, office, now)
    return True


def _begin_anew(session: Session, proposal: Proposal, office: Office, now: dt.datetime) -> None:
    entry = entries.entry(proposal.team.slug, audiences=EVERYBODY)
    left = renewed(items_of(proposal.changes), queries.standing(entry))
    proposal.revision += 1
    proposal.approvals.clear()
    proposal.due_at = None
    if not left:
        _end(session, proposal, SUPERSEDED, "stands_already", now)
        return
    proposal.changes, proposal.noticed_at = [item.as_dict() for item in left], now
    session.flush()
    _send_notice(session, proposal, entry, queries.decision_of(proposal, session), office, now)
    _append(
        session,
        "contact.renewed",
        proposal,
        payload=_shown(proposal),
        claimed_by=SERVICE,
        actor=SERVICE,
        now=now,
    )


def _begin_delay(session: Session, proposal: Proposal, office: Office, now: dt.datetime) -> bool:
    """The notice said that two stewards decide, and one is left: it goes out again, and the 72 hours run from now."""
    if not queries.decision_of(proposal, session).begins(proposal.delay_told):
        return False
    proposal.revision += 1
    proposal.noticed_at = now
    session.flush()
    decision = queries.decision_of(proposal, session)
    proposal.due_at = decision.effective_at
    entry = entries.entry(proposal.team.slug, audiences=EVERYBODY)
    told = _send_notice(session, proposal, entry, decision, office, now)
    payload = _shown(proposal) | {"told": told, "not_before": decision.not_before.isoformat()}
    _append(session, "contact.renewed", proposal, payload=payload, claimed_by=SERVICE, actor=SERVICE, now=now)
    return True


def _send_notice(
    session: Session,
    proposal: Proposal,
    entry: entries.Entry,
    decision: Decision,
    office: Office,
    now: dt.datetime,
) -> int:
    """The notice to every address on record, where the rule asks for one (where another team answers for the same
    code, to its addresses too); returns to how many."""
    proposal.delay_told = bool(decision.needed.delay)
    if not decision.needed.notice:
        return 0
    team = session.get_one(Team, proposal.team.merged_into_id or proposal.team_id)

    def words(code: str | None) -> notices.Words:
        return letter.notice(
            team=entry.team.name,
            url=f"{office.url}/teams/{team.slug}",
            changes=proposal.changes,
            by_team=proposal.by == TEAM,
            needed=decision.needed,
            not_before=decision.not_before,
            beside=code,
            _=_,
        )

    return sum(
        notices.send(
            session, kind="proposal_notice", ref=proposal.ref, again=proposal.revision, team=each,
            words=partial(words, code), domain=office.mail_domain, now=now,
        )
        for each, code in [(team, None), *queries.others_told(session, proposal)]
    )  # fmt: skip


def _shown(proposal: Proposal) -> dict[str, object]:
    fields = sorted({change["field"] for change in proposal.changes})
    return {"fields": fields, "changes": proposal.changes}


def _append(
    session: Session,
    type_: str,
    proposal: Proposal,
    *,
    claimed_by: str,
    actor: str,
    now: dt.datetime,
    payload: Mapping[str, object] | None = None,
) -> None:
    told = {name: value for name, value in (payload or {}).items() if value is not None}
    append(
        session, type=type_, now=now, actor=actor, claimed_by=claimed_by, team=proposal.team.slug,
        payload={"proposal": proposal.ref, **told},
    )  # fmt: skip
