"""This is your team? The page that sends the link, the one it leads to, and who answers for a team."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pocdir.accounts import actions as accounts
from pocdir.accounts import sign_in
from pocdir.accounts.guards import guard
from pocdir.accounts.models import User
from pocdir.accounts.queries import team_contacts
from pocdir.core import clock
from pocdir.core.errors import Invalid, NotFound, Refusal
from pocdir.core.refs import new_ref
from pocdir.db import db, transaction
from pocdir.directory.claims import actions, queries, schemas
from pocdir.directory.claims.rules import answered, challenge, choice_of, masked
from pocdir.directory.office import office
from pocdir.directory.proposals.api import own_team
from pocdir.directory.queries import entries
from pocdir.mail.rules.signature import signer
from pocdir.web import limits
from pocdir.web.forms import Form, form

blueprint = Blueprint("claims", __name__)

BY_NETWORK = limits.Limit("claims asked", most=5, seconds=3600)
BY_TEAM = limits.Limit("claims of a team", most=5, seconds=86_400)
IN_ALL = limits.Limit("claims in all", most=300, seconds=86_400)


@blueprint.get("/teams/<slug>/claim")
@guard("entry.claim")
def choose(slug: str) -> str:
    """The addresses on record; what is not public is masked."""
    return _choose(slug, Form())


@blueprint.post("/teams/<slug>/claim")
@guard("entry.claim")
def ask(slug: str) -> Any:
    """Send the link to the chosen address."""
    now, typed = clock.now(), form(schemas.ChosenAddress(), request.form)
    team = entries.team_by_slug(slug)
    if not typed.valid:
        return _choose(slug, typed), 422
    limits.spend(BY_NETWORK, limits.network(request.remote_addr), now)
    wanted = {"slug": slug, "choice": typed.data["address"], "office": office(), "now": now}
    try:
        is_new = actions.is_new(db.session(), **wanted)
        if is_new:  # only letters count: who asks for none locks no team's staff out
            limits.spend(BY_TEAM, str(team.id), now)
            limits.spend(IN_ALL, "", now)
            with transaction() as session:
                is_new = actions.ask(session, **wanted)
    except Invalid as refusal:
        typed.refuse(refusal)
        return _choose(slug, typed), refusal.status
    return render_template(
        "directory/claim.html", team=team, addresses=[], form=typed, sent=True, is_new=is_new
    )


@blueprint.post("/teams/<slug>/claim/key")
@guard("entry.claim")
def ask_by_key(slug: str) -> Any:
    """The line of the page, signed by the team's pinned key, leads on at once."""
    now, typed = clock.now(), form(schemas.SignedLine(), request.form)
    if not typed.valid:
        return _choose(slug, typed), 422
    limits.spend(BY_NETWORK, limits.network(request.remote_addr), now)
    here = office()
    try:
        fingerprint, text = signer(typed.data["signed"], list(queries.pinned(slug, now).values()))
        nonce = answered(here.secret, slug, here.url, text, now)
        with transaction() as session:
            link = actions.ask_by_key(
                session, slug=slug, fingerprint=fingerprint, nonce=nonce, office=here, now=now
            )
    except Refusal as refusal:
        typed.refuse(refusal)
        return _choose(slug, typed), refusal.status
    return redirect(link.removeprefix(here.url))


@blueprint.get("/claim/<token>")
@guard("entry.answer")
def claim(token: str) -> str:
    """Whom the link lets in for what; opening it changes nothing."""
    return _claim(token, Form())


@blueprint.post("/claim/<token>")
@guard("entry.answer")
def prove(token: str) -> Any:
    """The signed-in person, or the new one, becomes the team's contact."""
    now = clock.now()
    claim = actions.claimed(None, token, office=office(), now=now)
    if g.principal.kind == "user":
        try:
            with transaction() as session:
                user = session.get_one(User, g.principal.user_id)
                slug = actions.prove(session, token=token, user=user, office=office(), now=now).slug
        except Refusal as refusal:
            typed = Form()
            typed.refuse(refusal)
            return _claim(token, typed), refusal.status
        return _let_in(slug)
    typed = form(schemas.NewContact(), request.form)
    if not typed.valid:
        return _claim(token, typed), 422
    email = typed.data["email"]
    try:
        actions.require_proven(claim, email)
        hashed = sign_in.new_hash(typed.data["password"], email)
        with transaction() as session:
            user = accounts.create_user(session, email=email, now=now, actor="claim")
            actor = f"user:{user.ref}"
            accounts.set_password(session, user=user, password_hash=hashed, now=now, actor=actor)
            slug = actions.prove(session, token=token, user=user, office=office(), now=now).slug
            user_id = user.id
    except Refusal as refusal:
        typed.refuse(refusal)
        return _claim(token, typed), refusal.status
    sign_in.enter(user_id, now=now)
    return _let_in(slug)


@blueprint.get("/teams/<slug>/contacts")
@guard("proposal.make")
def contacts(slug: str) -> str:
    """Who answers for the team, for its own staff and for stewards."""
    team_id = own_team(g.principal, slug)
    return render_template(
        "directory/contacts.html",
        team=entries.team_by_slug(slug),
        people=team_contacts(db.session(), team_id),
        me=g.principal.user_ref,
    )


@blueprint.post("/teams/<slug>/contacts/release")
@guard("proposal.make")
def release(slug: str) -> Any:
    """A person no longer answers for the team: each by themself, a steward for anybody."""
    own_team(g.principal, slug)
    principal, typed = g.principal, form(schemas.Released(), request.form)
    person = typed.data.get("person", "")
    steward = principal.may("proposal.decide", "other")
    if not steward and person != principal.user_ref:
        raise NotFound("contact_unknown", "there is no such contact of this team")
    with transaction() as session:
        actions.release(
            session,
            slug=slug,
            user_ref=person,
            note=typed.data.get("note"),
            claimed_by="steward" if steward else "team",
            now=clock.now(),
            actor=principal.actor,
        )
    flash(_("This person no longer answers for the team here."), "success")
    return redirect(url_for("claims.contacts" if steward else "site.team", slug=slug))


def _let_in(slug: str) -> Any:
    flash(_("You answer for this team here now. You can propose changes of its entry."), "success")
    return redirect(url_for("site.team", slug=slug))


def _choose(slug: str, typed: Form) -> str:
    secret, known = office().secret, g.principal.may("directory.edit", "other")
    addresses = [
        (choice_of(secret, slug, it["value"]), it["value"] if it["public"] or known else masked(it["value"]))
        for it in queries.claimable(slug)
    ]
    here, now = office(), clock.now()
    keys = queries.pinned(slug, now)
    return render_template(
        "directory/claim.html",
        team=entries.team_by_slug(slug),
        addresses=addresses,
        fingerprints=list(keys),
        line=challenge(here.secret, slug, here.url, new_ref(now), now) if keys else None,
        form=typed,
        sent=False,
    )


def _claim(token: str, typed: Form) -> str:
    claim = actions.claimed(None, token, office=office(), now=clock.now())
    address = claim.address.value if claim.address else None
    return render_template(
        "directory/claim_link.html", token=token, team=claim.team, address=address, form=typed,
        proven=list(queries.proven_addresses(claim).values()),
    )  # fmt: skip
