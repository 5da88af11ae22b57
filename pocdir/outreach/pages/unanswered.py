"""What is still open: the working list, one fact about many of its rows, and the feed of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask import Response, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pocdir import running
from pocdir.accounts.guards import guard
from pocdir.accounts.queries import team_id_of
from pocdir.core import clock
from pocdir.core.errors import Invalid
from pocdir.db import db, transaction
from pocdir.incidents import queries as incident_queries
from pocdir.outreach.actions.bulk import record_for_many
from pocdir.outreach.escalation.ahead import ahead
from pocdir.outreach.pages.blueprint import blueprint
from pocdir.outreach.presentation.contests import contested_of
from pocdir.outreach.presentation.feed import atom
from pocdir.outreach.presentation.lists import working_list
from pocdir.outreach.presentation.notification import described
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries import snapshots
from pocdir.outreach.queries.feed import feed_of, feed_reader
from pocdir.outreach.replies.queries import waiting as mail_waits
from pocdir.outreach.rules.bulk import ACTS, MOST
from pocdir.outreach.rules.met import MET
from pocdir.routing.queries import index
from pocdir.web import filters
from pocdir.web.forms import Form
from pocdir.web.paging import belongs_at

PAGE = 100
FILTERS = ("state", "team", "incident", "older_than", "due_ago", "step")
MOST_PAGES = 100_000


@blueprint.get("/unanswered")
@guard("notification.read")
def unanswered() -> Any:
    """The working list; a filter that cannot be read is refused, not left out."""
    if g.principal.workspace_id is None:
        return redirect(url_for("outreach.told"))
    return _unanswered(Form())


def _unanswered(typed: Form) -> str:
    now, principal = clock.now(), g.principal
    filters.only(*FILTERS, "sort", "page")
    narrowed = _narrowed(now)
    state = narrowed["state"]
    sort = request.args.get("sort", "due")
    at = min(max(0, request.args.get("page", 0, type=int)), MOST_PAGES)
    start = at * PAGE
    found, total = snapshots.working_list(
        principal,
        now=now,
        sort=sort,
        **narrowed,
        offset=start,
        limit=PAGE,
    )
    rows = working_list(found, now=now)
    by_clock = [
        it["ref"] for it in rows if it["step"] and it["step"]["approved"] and it["step"]["state"] == "ahead"
    ]
    return render_template(
        "outreach/unanswered.html",
        **{name: request.args.get(name, "").strip() for name in FILTERS} | {"state": state},
        sort=sort,
        steps=snapshots.STEPS,
        teams=queries.teams_waiting(principal, state),
        incidents=incident_queries.newest_incidents(workspace_id=principal.workspace_id),
        acts=ACTS,
        feed=_feed_link(),
        page={
            "rows": rows,
            "first": start + 1,
            "last": start + len(rows),
            "total": total,
            "previous": at - 1 if at else None,
            "next": at + 1 if start + PAGE < total else None,
        },
        form=typed,
        foreseen=ahead(by_clock, db.session(), workspace_id=principal.workspace_id, known=index(), now=now),
        counts=queries.counts(principal),
        mail_waits=mail_waits(principal.workspace_id),
    )


def _narrowed(now: dt.datetime) -> dict[str, Any]:
    """What the address narrows the list to, as working_list() takes it; raises for a filter that cannot be read."""
    team, incident = request.args.get("team", "").strip()[:100], filters.reference("incident")
    if team:
        team_id_of(db.session(), team)
    due = filters.length("due_ago")[1]
    return {
        "state": filters.chosen("state", queries.WAITING, "unrecorded"),
        "team": team or None,
        "incident": incident or None,
        "older_than": filters.length("older_than")[1],
        "due_before": now - due if due else None,
        "step": filters.chosen("step", snapshots.STEPS) or None,
    }


def _feed_link() -> str | None:
    """Of the list as it is narrowed here."""
    principal = g.principal
    if principal.user_ref is None:
        return None
    token = feed_of(principal.user_ref, principal.workspace_id, secret=running.secret())
    chosen: dict[str, Any] = {
        name: value for name in FILTERS if (value := request.args.get(name, "").strip())
    }
    return url_for("outreach.feed", token=token, **chosen) if token else None


@blueprint.post("/unanswered/selected")
@guard("notification.answer")
def record_selected() -> Any:
    """Ask once more with the rows that were ticked, then record the fact about each; a refused row says why."""
    refs, act = list(dict.fromkeys(request.form.getlist("choose"))), request.form.get("act", "")
    typed = Form(values=request.form)
    if act not in ACTS or not refs or len(refs) > MOST:
        said = _("Choose at least one row, at most %(most)s, and what to record.", most=MOST)
        if g.principal.workspace_id is None:
            raise Invalid("selection_invalid", said, where="choose")
        typed.errors = {"form": [said]}
        belongs_at(url_for("outreach.unanswered"))
        return _unanswered(typed), 422
    results = None
    if request.form.get("confirmed") == "yes":
        now, principal = clock.now(), g.principal
        said = {"note": request.form.get("note", "").strip()}
        if act == "notification.withdrawn":
            said["reason"] = request.form.get("reason", "")
        payload = {**MET.get(act, {}), **{name: value for name, value in said.items() if value}}
        with transaction() as session:
            done = record_for_many(
                session, refs, principal, type=act, payload=payload, now=now, actor=principal.actor
            )
        results = {each.ref: each for each in done}
    principal, found = g.principal, {each.row.ref: each for each in snapshots.some(g.principal, refs)}
    contested = contested_of(list(found.values()), as_contact=principal.workspace_id is None)
    return render_template(
        "outreach/selected.html",
        act=act,
        refs=refs,
        rows=[
            described(found[ref], sent={}, contested=contested) if ref in found else {"ref": ref}
            for ref in refs
        ],
        results=results,
        form=typed,
    )


@blueprint.get("/feed/<token>")
@guard("feed.read")
def feed(token: str) -> Response:
    """The list as an Atom feed."""
    reader, now = feed_reader(token, secret=running.secret()), clock.now()
    filters.only(*FILTERS)
    narrowed = _narrowed(now)
    return atom(reader, narrowed, request.args.to_dict(), now=now)
