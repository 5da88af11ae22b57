"""The own account erased by whoever it is, on its page."""

from __future__ import annotations

from typing import Any

from flask import flash, g, redirect, render_template, request, session
from flask_babel import gettext as _

from pocdir.accounts import actions, sign_in
from pocdir.accounts.guards import guard
from pocdir.accounts.models import User
from pocdir.core import clock
from pocdir.core.errors import Refusal
from pocdir.db import forget_deleted, transaction
from pocdir.site import schemas
from pocdir.site.actions.erasure import erase_person
from pocdir.site.pages.lookup import blueprint
from pocdir.web import limits
from pocdir.web.forms import Form, form


@blueprint.get("/account/erase")
@guard("account.own")
def erase() -> str:
    return _erase(Form())


@blueprint.post("/account/erase")
@guard("account.own")
def erase_account() -> Any:
    """Erase the person who asks for it, as `pocdir user erase` does."""
    now, principal = clock.now(), g.principal
    typed = form(schemas.Erasure(), request.form)
    if not typed.valid:
        return _erase(typed), 422
    limits.spend(sign_in.BY_ACCOUNT, principal.email, now)
    try:
        sign_in.require_password(principal.email, typed.data["present"])
        with transaction() as written:
            actions.leave_in_order(written, user_id=principal.user_id)
            user = written.get_one(User, principal.user_id)
            erase_person(
                written,
                email=user.email,
                user=user,
                reason="request",
                now=now,
                actor=principal.actor,
                own=True,
            )
    except Refusal as refusal:
        typed.refuse(refusal)
        headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else {}
        return _erase(typed), refusal.status, headers
    session.clear()
    forget_deleted()
    flash(_("You are erased; nothing here leads to you any more."), "success")
    return redirect("/")


def _erase(typed: Form) -> str:
    return render_template("site/erase.html", form=typed, email=g.principal.email)
