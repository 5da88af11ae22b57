"""The page of a letter's link: what the entry says, and what its team says to that; a GET changes nothing."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pocdir.accounts.guards import guard
from pocdir.config import Settings
from pocdir.core import clock
from pocdir.core.errors import Conflict, Invalid, Stale
from pocdir.db import transaction
from pocdir.directory import schemas
from pocdir.directory.checks import actions
from pocdir.directory.checks.letters import post, said
from pocdir.directory.checks.models import Check
from pocdir.directory.office import office
from pocdir.directory.queries import entries
from pocdir.directory.rules import checks as rules
from pocdir.web.forms import Form, form

blueprint = Blueprint("checks", __name__)
CHOICES = ("confirm", "reached", "no_tests", "tests")


@blueprint.get("/r/entry/<token>")
@guard("recipient.answer")
def entry(token: str) -> str:
    """What the entry says, and what can be said to it."""
    check = actions.addressed(None, token, secret=office().secret, now=clock.now())
    return render_template("directory/check.html", **_about(check, token))


@blueprint.post("/r/entry/<token>")
@guard("recipient.answer")
def answer(token: str) -> Any:
    """Ask once more; with `confirmed=yes` it is recorded."""
    now, choice = clock.now(), request.form.get("action", "")
    if choice not in CHOICES:
        raise Invalid("action_unknown", f"one of {', '.join(CHOICES)} is needed", where="action")
    about = _about(actions.addressed(None, token, secret=office().secret, now=now), token)
    typed = Form(values=request.form)
    if request.form.get("confirmed") != "yes":
        return _ask_again(about, choice, typed)
    try:
        with transaction() as session:
            check = actions.addressed(session, token, secret=office().secret, now=now)
            actions.refuse_machines(check, now)
            if choice == "confirm":
                actions.confirm(
                    session,
                    slug=check.team.slug,
                    kind=check.address.kind,
                    value=check.address.value,
                    via="page",
                    assurance="A2",
                    revision=_number("revision"),
                    check=check,
                    now=now,
                    actor=actions.TEAM,
                )
            elif choice == "reached":
                actions.answer_test(session, check, level=_number("level"), now=now)
            else:
                actions.choose_tests(session, check, wanted=choice == "tests", office=office(), now=now)
    except (Conflict, Stale) as refusal:  # what is shown again is the entry as it stands now
        typed.errors = {"form": [_(refusal.message)]}
        fresh = actions.addressed(None, token, secret=office().secret, now=now)
        return _ask_again(_about(fresh, token), choice, typed), 409
    return render_template("directory/check_done.html", **_about(check, token), action=choice)


@blueprint.post("/teams/<slug>/confirm")
@guard("directory.mark")
def confirm_by_steward(slug: str) -> Any:
    """The team said so to a steward: by phone, in person, by a mail of its own."""
    typed = form(schemas.ConfirmForm(), request.form)
    if not typed.valid:
        where, words = next(iter(typed.errors.items()))
        raise Invalid("form_invalid", words[0], where=where, errors=typed.errors)
    with transaction() as session:
        actions.confirm(
            session, slug=slug, **typed.data, claimed_by="steward", now=clock.now(), actor=g.principal.actor
        )
    flash(_("The entry is confirmed, with your evidence."), "success")
    return redirect(url_for("site.team", slug=slug))


@blueprint.post("/teams/<slug>/ask")
@guard("directory.mark")
def ask_now(slug: str) -> Any:
    """Ask one team to confirm its entry now, before its turn; the letters a year are counted all the same."""
    settings: Settings = current_app.extensions["pocdir"]
    if not settings.confirmations:
        raise Conflict("not_asked", "letters that ask for a confirmation are switched off here")
    with transaction() as session:
        asked = actions.ask(session, slug=slug, kind=rules.CONFIRMATION, post=post(), now=clock.now())
    if asked is None:
        raise Conflict(
            "not_asked", "the team is asked already, has no address in use, or had its letters of this year"
        )
    flash(_("The letter is in the outbox."), "success")
    return redirect(url_for("site.team", slug=slug))


def _ask_again(about: dict[str, Any], choice: str, typed: Form) -> str:
    return render_template("directory/check_confirm.html", **about, action=choice, form=typed)


def _about(check: Check, token: str) -> dict[str, Any]:
    entry = entries.entry(check.team.slug, audiences=entries.EVERYBODY)
    return {
        "token": token,
        "link_page": "checks.entry",
        "check": check,
        "team": entry.team,
        "said": said(entry),
        "channels": entry.channels,
        "responsibilities": entry.responsibilities,
        "no_tests": rules.declines_tests(entry.team.profile.get("opt_outs", ())),
    }


def _number(name: str) -> int:
    text = request.form.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1
