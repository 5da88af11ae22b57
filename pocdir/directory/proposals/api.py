"""Proposals over HTTP: a team's own staff and stewards propose, stewards decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, g, request, url_for

from pocdir.accounts.guards import Principal, guard
from pocdir.accounts.queries import person_behind
from pocdir.core import clock
from pocdir.core.errors import Invalid, NotFound, Stale
from pocdir.db import transaction
from pocdir.directory.formats import records
from pocdir.directory.office import office
from pocdir.directory.proposals import actions, presentation, queries, schemas
from pocdir.directory.proposals.models import Proposal
from pocdir.directory.proposals.rules import OPEN, STEWARD, TEAM
from pocdir.directory.queries import entries
from pocdir.directory.rules.record import audiences
from pocdir.directory.schemas import checked
from pocdir.web.api import Blueprint
from pocdir.web.etags import tagged
from pocdir.web.idempotency import once
from pocdir.web.paging import page

blueprint = Blueprint(
    "proposals_api", __name__, url_prefix="/api/v1", description="Changes of an entry that wait for approval"
)
CHECKS: dict[str, Callable[[Any], Any]] = {
    "channels": records.channel,
    "responsibilities": records.responsibility,
}
_answer = schemas.ProposalAnswer()


@blueprint.route("/teams/<slug>/proposals", methods=["POST"])
@guard("proposal.make")
@blueprint.arguments(schemas.NewProposal())
@blueprint.response(201, schemas.ProposalAnswer)
def propose(given: dict[str, Any], slug: str) -> Any:
    """Propose a change of an entry: one's own team's, or as a steward any."""
    principal, now = g.principal, clock.now()
    own_team(principal, slug)
    note = given.pop("note")
    wanted = _wanted(slug, given, principal)
    with transaction() as session:

        def act() -> str:
            return actions.propose(
                session,
                slug=slug,
                wanted=wanted,
                by=by(principal),
                actor=principal.actor,
                person=person_behind(session, principal.actor),
                note=note,
                office=office(),
                now=now,
            ).ref

        ref = once(session, scope=principal.actor, now=now, act=act)
    location = {"Location": url_for("proposals_api.proposal", ref=ref)}
    return _shown(queries.proposal(ref)), location


@blueprint.route("/teams/<slug>/proposals")
@guard("proposal.read")
@blueprint.arguments(schemas.ProposalQuery(), location="query")
@blueprint.response(200, schemas.ProposalPage)
def of_team(query: dict[str, Any], slug: str) -> Any:
    """What was proposed for one team: one's own, or as a steward any."""
    return _listed(query, own_team(g.principal, slug))


@blueprint.route("/proposals")
@guard("proposal.read")
@blueprint.arguments(schemas.ProposalQuery(), location="query")
@blueprint.response(200, schemas.ProposalPage)
def proposals(query: dict[str, Any]) -> Any:
    """Every proposal that the caller may read."""
    return _listed(query, scope(g.principal))


@blueprint.route("/proposals/<ref>")
@guard("proposal.read")
@blueprint.response(200, schemas.ProposalAnswer)
def proposal(ref: str) -> Any:
    """One proposal, before and after, with what it waits for."""
    return answered(queries.proposal(ref, team_id=scope(g.principal)))


@blueprint.route("/proposals/<ref>/approvals", methods=["POST"])
@guard("proposal.decide")
@blueprint.arguments(schemas.Approval())
@blueprint.response(200, schemas.ProposalAnswer)
def approve(given: dict[str, Any], ref: str) -> Any:
    """Agree with a proposal as it was read (If-Match, or `revision`)."""
    principal = g.principal
    revision = _revision(given["revision"])
    with transaction() as session:
        was = queries.proposal(ref, session=session).changes
        kept = actions.approve(
            session,
            ref=ref,
            revision=revision,
            actor=principal.actor,
            person=person_behind(session, principal.actor),
            office=office(),
            now=clock.now(),
        )
    if kept.revision != revision:
        if kept.changes == was:
            raise Stale(
                "stale", "one steward alone is left: the 72 hours begin now; read it again, and approve it"
            )
        raise Stale("stale", "the entry was changed meanwhile; the proposal is shown anew")
    return answered(queries.proposal(ref))


@blueprint.route("/proposals/<ref>/refusals", methods=["POST"])
@guard("proposal.decide")
@blueprint.arguments(schemas.Refusal())
@blueprint.response(200, schemas.ProposalAnswer)
def refuse(given: dict[str, Any], ref: str) -> Any:
    """Refuse a proposal, with a reason."""
    with transaction() as session:
        actions.refuse(session, ref=ref, **given, actor=g.principal.actor, now=clock.now())
    return answered(queries.proposal(ref))


@blueprint.route("/proposals/<ref>/withdrawals", methods=["POST"])
@guard("proposal.make")
@blueprint.response(200, schemas.ProposalAnswer)
def withdraw(ref: str) -> Any:
    """Take back what one has proposed."""
    principal = g.principal
    queries.proposal(ref, team_id=scope(principal))
    with transaction() as session:
        person = person_behind(session, principal.actor)
        actions.withdraw(
            session, ref=ref, team_id=principal.team_id, actor=principal.actor, person=person, now=clock.now()
        )
    return answered(queries.proposal(ref))


def answered(kept: Proposal) -> Response:
    """The answer with its ETag."""
    return tagged(Response(_answer.dumps(_shown(kept)), content_type="application/json"), kept.revision)


def scope(principal: Principal) -> int | None:
    """The team whose proposals one may read; None: all, for a steward. Nobody else comes here."""
    return None if principal.may("proposal.read", "other") else principal.team_id


def by(principal: Principal) -> str:
    """Whose word a proposal of this caller is."""
    return TEAM if principal.team_id is not None and not principal.may("proposal.make", "other") else STEWARD


def own_team(principal: Principal, slug: str) -> int:
    """The team's row; raises NotFound `team_unknown`, also for a team that is not the caller's to propose for."""
    team_id = entries.team_by_slug(slug).id
    if scope(principal) not in (None, team_id):
        raise NotFound("team_unknown", "no team has this name here")
    return team_id


def _wanted(slug: str, given: dict[str, Any], principal: Principal) -> Any:
    lists: dict[str, list[Any] | None] = {
        name: [checked(check, raw, f"{name}.{n}.") for n, raw in enumerate(given.pop(name))]
        if name in given
        else None
        for name, check in CHECKS.items()
    }
    facts = checked(records.facts, given)
    seen = entries.entry(slug, audiences=audiences(principal.roles))
    return queries.wanted(seen, facts, lists["channels"], lists["responsibilities"])


def _revision(given: int | None) -> int:
    tags = [tag for tag in request.if_match.as_set() if tag.isdigit()] if request.if_match else []
    if len(tags) == 1:
        return int(tags[0])
    if given is None:
        raise Invalid(
            "revision_needed", "say which revision was read: If-Match, or revision", where="revision"
        )
    return given


def _shown(kept: Proposal) -> dict[str, Any]:
    return presentation.shown(kept, audiences(g.principal.roles))


def _listed(query: dict[str, Any], team_id: int | None) -> Any:
    found = queries.proposals(
        team_id=team_id, is_open=query["state"] == OPEN, after=query["cursor"], limit=query["limit"] + 1
    )
    listed = page(found, query["limit"], lambda it: it.ref)
    return listed | {"items": [_shown(it) for it in listed["items"]]}
