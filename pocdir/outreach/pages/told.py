"""What was told to a team, for the people who answer for it here: a list, each report, and what they say to it."""

from __future__ import annotations

from typing import Any

from flask import flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Invalid
from pocdir.db import Line, transaction
from pocdir.ledger.queries import events_of_notification
from pocdir.outreach.actions.recipient import answer
from pocdir.outreach.pages.blueprint import blueprint
from pocdir.outreach.pages.recipient import filled_in
from pocdir.outreach.presentation.lists import told_rows
from pocdir.outreach.presentation.notification import for_recipient
from pocdir.outreach.presentation.timeline import timeline_of
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries import told as lists
from pocdir.outreach.queries.snapshots import Snapshot, addressed, snapshot
from pocdir.outreach.rules.posting import claim_of
from pocdir.outreach.rules.recipient import action
from pocdir.web import filters
from pocdir.web.errors import sentence
from pocdir.web.forms import Form

PAGE = 50


@blueprint.get("/told")
@guard("notification.read")
def told() -> str:
    """One of the lists; nothing where the reader answers for no team."""
    return told_list(Form())


def told_list(typed: Form) -> str:
    """The list that the address asks for, with what is wrong with what was chosen in it."""
    filters.only("state", "page")
    team_id, state = g.principal.team_id, filters.chosen("state", lists.LISTS, "open")
    counts = lists.counts(team_id) if team_id else dict.fromkeys(lists.LISTS, 0)
    at = min(max(0, request.args.get("page", 0, type=int)), counts[state] // PAGE)
    found = lists.told(team_id, state, offset=at * PAGE, limit=PAGE) if team_id else []
    first = at * PAGE
    return render_template(
        "outreach/told.html",
        state=state,
        form=typed,
        counts=counts,
        page={
            "rows": told_rows(found, lists.senders(found)),
            "first": first + 1,
            "last": first + len(found),
            "total": counts[state],
            "previous": at - 1 if at else None,
            "next": at + 1 if first + len(found) < counts[state] else None,
        },
    )


@blueprint.get("/told/<ref>")
@guard("notification.read")
def told_report(ref: str) -> Any:
    """The report as its recipient reads it; its sender is led to the sender's page."""
    found = snapshot(ref, g.principal)
    if not _is_contact(found):
        return redirect(url_for("outreach.notification", ref=ref))
    timeline = timeline_of(events_of_notification(ref), [found], as_contact=True)
    return render_template(
        "outreach/told_report.html",
        **_about(found),
        notification=for_recipient(found),
        ref=ref,
        follows=_followed(found),
        withdrawn=found.row.withdrawn_at is not None,
        said=[it for it in reversed(timeline) if it["may_correct"]],
        events=timeline,
    )


@blueprint.post("/told/<ref>")
@guard("notification.answer")
def answer_told(ref: str) -> Any:
    """Ask once more what was chosen, then record it as the word of a signed-in contact."""
    found, choice, principal = snapshot(ref, g.principal), request.form.get("action", ""), g.principal
    chosen, typed = action(choice), Form(values=request.form)
    if request.form.get("confirmed") != "yes":
        return _confirm(found, choice, typed)
    try:
        with transaction() as session:
            row = queries.own_notification_to_change(ref, principal, session)
            poster = queries.poster_of(principal, row) or ""
            _who, assurance = claim_of(chosen.event, "contact" if poster == "contact" else "")
            answer(
                session, row, choice=choice, filled_in=filled_in(chosen), now=clock.now(),
                actor=principal.actor, assurance=assurance,
            )  # fmt: skip
    except Invalid as refusal:
        typed.errors = {(refusal.where or "form").removeprefix("payload."): [sentence(_(refusal.message))]}
        return _confirm(found, choice, typed), 422
    flash(_("Recorded. Thank you."), "success")
    return redirect(url_for("outreach.told_report", ref=ref))


def _confirm(found: Snapshot, choice: str, typed: Form) -> str:
    return render_template(
        "outreach/told_confirm.html",
        **_about(found),
        ref=found.row.ref,
        action=choice,
        asks=action(choice).asks,
        form=typed,
    )


def _about(found: Snapshot) -> dict[str, Any]:
    return {
        "workspace": queries.workspace_by_id(found.row.workspace_id).name,
        "team": {"slug": found.row.team_slug, "name": found.row.team_name},
    }


def _followed(found: Snapshot) -> Line | None:
    """The report before it, where that went to the reader's own team."""
    before = addressed(g.principal.team_id, [found.row.parent_ref]) if found.row.parent_ref else []
    return before[0].row if before else None


def _is_contact(found: Snapshot) -> bool:
    return queries.poster_of(g.principal, found.row) == "contact"
