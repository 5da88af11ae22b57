"""A team's keys in the browser: anybody reads what stands, stewards bring, agree and refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Invalid, NotFound, Refusal
from pocdir.db import db, transaction
from pocdir.directory.keys import actions, queries, rules, schemas
from pocdir.directory.keys.models import TeamKey
from pocdir.directory.queries import entries, parts
from pocdir.directory.queries.reading import on_record
from pocdir.mail.rules.openpgp import MOST_BYTES
from pocdir.web.forms import Form, form

blueprint = Blueprint("keys", __name__)


@blueprint.get("/teams/<slug>/keys")
@guard("directory.read")
def keys(slug: str) -> str:
    """What stands, what waits, what was."""
    return _page(slug, Form())


@blueprint.post("/teams/<slug>/keys")
@guard("key.manage")
def add_key(slug: str) -> Any:
    """Bring a key, as text or as a file. What was typed is not shown again: it might be a private key."""
    typed = form(schemas.KeyForm(), request.form)
    if typed.valid:
        file = request.files.get("file")
        pasted = typed.data.pop("key").encode()
        data = pasted or (file.read(MOST_BYTES + 1) if file else b"")
        now = clock.now()
        try:
            if not data:
                raise Invalid("key_missing", _("Paste a key, or choose a file."), where="key")
            key = queries.examined(slug, data, now=now)
            with transaction() as session:
                row = actions.propose(
                    session,
                    slug=slug,
                    key=key,
                    mail_domain=current_app.extensions["pocdir"].mail_domain,
                    now=now,
                    actor=g.principal.actor,
                    **typed.data,
                )
                state = row.state
            flash(_said(state), "success")
            return redirect(url_for("keys.keys", slug=slug))
        except Refusal as refusal:
            if isinstance(refusal, NotFound):
                raise
            for where, words in (refusal.errors or {"form": [refusal.message]}).items():
                box = "file" if where == "key" and not pasted and data else where
                typed.errors.setdefault(box, []).extend(words)
    typed.values = {name: text for name, text in typed.values.items() if name in ("address", "evidence")}
    return _page(slug, typed), 422


@blueprint.post("/teams/<slug>/keys/<ref>/approve")
@guard("key.manage")
def approve(slug: str, ref: str) -> Any:
    """Agree to a key that waits."""
    return _decided(slug, ref, actions.approve)


@blueprint.post("/teams/<slug>/keys/<ref>/refuse")
@guard("key.manage")
def refuse(slug: str, ref: str) -> Any:
    """Refuse a key that waits."""
    return _decided(slug, ref, actions.refuse)


@blueprint.post("/teams/<slug>/keys/<ref>/retire")
@guard("key.manage")
def retire(slug: str, ref: str) -> Any:
    """Take a key out of use."""
    return _decided(slug, ref, actions.retire)


@blueprint.get("/teams/<slug>/keys/<fingerprint>.asc")
@guard("directory.read")
def key_file(slug: str, fingerprint: str) -> Response:
    """The public key that stands, as a file."""
    for it in queries.listed(slug, roles=g.principal.roles, now=clock.now()):
        if it["fingerprint"] == fingerprint.upper() and it["state"] == rules.PINNED:
            return Response(it["public"], content_type="application/pgp-keys")
    raise NotFound("key_unknown", "there is no such key here")


def _decided(slug: str, ref: str, act: Callable[..., TeamKey]) -> Any:
    if parts.standing_slug(queries.key(ref).team.slug) != parts.standing_slug(slug):
        raise NotFound("key_unknown", "there is no such key here")
    with transaction() as session:
        state = act(session, ref=ref, now=clock.now(), actor=g.principal.actor).state
    flash(_said(state), "success")
    return redirect(url_for("keys.keys", slug=slug))


def _page(slug: str, typed: Form) -> str:
    found = queries.listed(slug, roles=g.principal.roles, now=clock.now())
    team = entries.team_by_slug(slug)
    return render_template(
        "directory/keys.html",
        team=team,
        form=typed,
        emails=on_record(db.session(), team.id) if g.principal.may("key.manage") else [],
        standing=[it for it in found if it["state"] == rules.PINNED],
        waiting=[_waits(it) for it in found if it["state"] == rules.PROPOSED],
        others=[it for it in found if it["state"] not in (rules.PINNED, rules.PROPOSED)],
        manages=g.principal.may("key.manage"),
    )


def _waits(it: dict[str, Any]) -> dict[str, Any]:
    """A key that waits, with what is missing, and what the reader has to do with it."""
    row, me = queries.key(it["ref"]), g.principal.user_ref
    decision = queries.decision_of(row, db.session())
    delayed = decision.needed.delay and not decision.is_due(clock.now())
    return it | {
        "eyes": decision.needed.eyes, "missing": decision.missing, "own": row.person == me,
        "agreed": me in row.approvals, "not_before": decision.not_before if delayed else None,
    }  # fmt: skip


def _said(state: str) -> str:
    if state == rules.PINNED:
        return _("The key stands.")
    if state == rules.PROPOSED:
        return _("The key waits: not everybody has agreed yet, or the delay lasts.")
    return _("The key is out of use.")
