"""The recipient's page: no account, no cookie; a GET changes nothing, a choice is asked once more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from flask import render_template, request
from flask_babel import gettext as _

from pocdir import running
from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Conflict, Invalid, NotFound
from pocdir.db import transaction
from pocdir.directory.office import office
from pocdir.ledger.queries import events_of_notification
from pocdir.ledger.rules.events import Event
from pocdir.outreach.actions import recipient as actions
from pocdir.outreach.models import Notification
from pocdir.outreach.pages.blueprint import blueprint
from pocdir.outreach.presentation.notification import for_recipient
from pocdir.outreach.presentation.timeline import shown_event
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries.redirects import Basis, bases_of
from pocdir.outreach.queries.snapshots import snapshot_for_recipient
from pocdir.outreach.rules.recipient import UNDO_WINDOW, Action, action, check_said, may_undo
from pocdir.web.errors import sentence
from pocdir.web.forms import Form
from pocdir.web.i18n import in_words, letter_language

FILLED_IN = ("ticket", "note", "count", "ask")


@blueprint.get("/r/<token>")
@guard("recipient.answer")
def recipient(token: str) -> str:
    now = clock.now()
    row = actions.addressed(None, token, secret=running.secret(), now=now)
    given = actions.answers_given(events_of_notification(row.ref))
    return render_template(
        "outreach/recipient.html",
        **_about(row, token),
        notification=for_recipient(snapshot_for_recipient(row.ref)),
        said=[_said(event, now) for event in reversed(given)],
        withdrawn=False,
    )


@blueprint.post("/r/<token>")
@guard("recipient.answer")
def answer_as_recipient(token: str) -> Any:
    now, choice = clock.now(), request.form.get("action", "")
    row = actions.addressed(None, token, secret=running.secret(), now=now)
    about, typed = _about(row, token), Form(values=request.form)
    event_id = request.form.get("event", "")
    asks = () if choice == "undo" else action(choice).asks
    named = _named(row, event_id) if choice == "undo" else None
    bases = bases_of(row, on=now.date()) if choice == "not_ours" else []
    about["bases"] = [(f"{it.key} {it.value}", {"key": it.key, "value": it.value}) for it in bases]
    if request.form.get("confirmed") != "yes":
        return _confirm(about, choice, asks, named, typed)
    if choice == "not_ours" and not {*request.form.getlist("correct")} <= {
        value for value, _of in about["bases"]
    }:
        typed.errors = {
            "correct" if bases else "form": [_("The entry does not say this any more. Choose again.")]
        }
        return _confirm(about, choice, asks, named, typed), 422
    known = {each.id for each in events_of_notification(row.ref)}
    try:
        with transaction() as session:
            row = actions.addressed(session, token, secret=running.secret(), now=now)
            if choice == "undo":
                event = actions.undo(session, row, event=event_id, now=now)
            else:
                event = actions.answer(
                    session, row, choice=choice, filled_in=filled_in(action(choice)), now=now
                )
    except Invalid as refusal:
        typed.errors = {
            (refusal.where or "form").removeprefix("payload."): [sentence(in_words(refusal.message))]
        }
        return _confirm(about, choice, asks, named, typed), 422
    again, is_sudden = event.id in known, bool(event.payload.get("may_be_automatic"))
    return render_template(
        "outreach/recipient_done.html",
        **about,
        proposed=not again and not is_sudden and _propose(row, bases, typed, now),
        recorded=shown_event(event),
        may_undo=choice != "undo" and may_undo(event.recorded_at, now),
        undo_until=event.recorded_at + UNDO_WINDOW,
        may_be_automatic=is_sudden,
        again=again,
    )


def _propose(row: Notification, bases: Sequence[Basis], typed: Form, now: dt.datetime) -> bool:
    """After the answer is kept, and apart from it: a directory that takes no proposal loses no answer."""
    chosen = [it for it in bases if f"{it.key} {it.value}" in request.form.getlist("correct")]
    if not chosen:
        return False
    ask = str(typed.values.get("ask", "")).strip()[:500]
    try:
        with transaction() as session:
            return actions.propose_correction(
                session, row, chosen, note=ask or None, office=office(), now=now
            )
    except Conflict:  # so many wait for this team that a steward looks at it anyway
        return False


def _confirm(about: dict[str, Any], choice: str, asks: tuple[str, ...], event: Any, typed: Form) -> str:
    return render_template(
        "outreach/recipient_confirm.html", **about, action=choice, asks=asks, event=event, form=typed
    )


def filled_in(chosen: Action) -> dict[str, Any]:
    """What the second page asks beside the choice; raises Invalid `payload_invalid`."""
    filled: dict[str, Any] = {
        name: request.form.get(name, "").strip() for name in FILLED_IN if name in chosen.asks
    }
    ask = request.form.get("ask", "") if chosen is action("not_ours") else ""
    check_said(chosen, filled | {"ask": ask})
    if filled.get("count"):
        if not filled["count"].isascii() or not filled["count"].isdigit() or len(filled["count"]) > 8:
            raise Invalid("payload_invalid", "a whole number is needed", where="payload.count")
        filled["count"] = int(filled["count"])
    return filled


def _named(row: Notification, event_id: str) -> dict[str, Any]:
    given = actions.answers_given(events_of_notification(row.ref))
    named = next((shown_event(each) for each in given if each.id == event_id), None)
    if named is None:
        raise NotFound("event_unknown", "there is nothing of this to take back")
    return named


def _said(event: Event, now: dt.datetime) -> dict[str, Any]:
    return shown_event(event) | {
        "may_undo": may_undo(event.recorded_at, now),
        "may_be_automatic": bool(event.payload.get("may_be_automatic")),
    }


def _about(row: Notification, token: str) -> dict[str, Any]:
    team = queries.teams_by_id([row.team_id])[row.team_id]
    letter_language(row.language)
    return {
        "token": token,
        "workspace": queries.workspace_by_id(row.workspace_id).name,
        "team": team.name,
    }
