"""The directory in the browser: who is in it, what is known of each, and a steward's forms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from marshmallow import ValidationError

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.codes import alpha2, name_of
from pocdir.core.errors import Invalid, Refusal, Stale
from pocdir.db import transaction
from pocdir.directory import schemas
from pocdir.directory.actions import edits, marking
from pocdir.directory.formats import records
from pocdir.directory.office import office
from pocdir.directory.pages import boxes
from pocdir.directory.pages.entry_form import check_facts, edit_page, refuse, rows_of, stale_page
from pocdir.directory.presentation import team
from pocdir.directory.proposals.actions import must_be_proposed, propose
from pocdir.directory.proposals.new_team import enter_team
from pocdir.directory.proposals.queries import wanted
from pocdir.directory.proposals.rules import STEWARD
from pocdir.directory.queries import entries, listings, versions
from pocdir.directory.queries.entries import Entry
from pocdir.directory.queries.reading import Reading
from pocdir.directory.rules import record as rules
from pocdir.web import filters
from pocdir.web.forms import Form, form
from pocdir.web.paging import fetched, page_number

blueprint = Blueprint("directory", __name__)
ON_A_PAGE = 50
EVENTS_ON_A_PAGE = 50
ANSWERED_WITHIN = dt.timedelta(days=180)


@blueprint.get("/teams")
@guard("directory.read")
def teams() -> str:
    """Browse and search; every choice is in the address."""
    filters.only("q", "country", "kind", "state", "lead", "sort", "as_of", "page")
    asked = {name: _word(name) for name in ("q", "country", "sort")}
    country, kind = alpha2(asked["country"]) or "", filters.chosen("kind", rules.TEAM_KINDS)
    if asked["country"] and not country:
        raise ValidationError({"country": [_("A country code is right, such as AT.")]})
    number, reading = page_number(), _reading()
    found = listings.teams_page(
        q=asked["q"],
        country=country,
        kind=kind,
        state=filters.chosen("state", rules.ADDRESS_STATES) or None,
        lead=request.args.get("lead") == "1",
        sort=asked["sort"],
        offset=(number - 1) * ON_A_PAGE,
        limit=ON_A_PAGE,
        audiences=rules.audiences(g.principal.roles),
        reading=reading,
    )
    return render_template(
        "directory/teams.html",
        **(asked | {"country": country, "kind": kind}),
        kinds=rules.TEAM_KINDS,
        countries=listings.countries(),
        page=fetched(found.rows, found.total, number, ON_A_PAGE),
        as_of=reading.at,
        today=clock.now().date().isoformat(),
    )


@blueprint.get("/teams/<slug>/history")
@guard("directory.read")
def history(slug: str) -> str:
    """Everything that was changed in a team's entry, the newest first."""
    audiences, before = rules.audiences(g.principal.roles), _word("before")[:36] or None
    entry = entries.entry(slug, audiences=audiences)
    events = listings.latest(entry.team.slug, EVENTS_ON_A_PAGE + 1, before)
    shown, more = events[:EVENTS_ON_A_PAGE], len(events) > EVENTS_ON_A_PAGE
    return render_template(
        "directory/history.html",
        team=entry.team._mapping,
        history=listings.happened(shown, entry, audiences),
        newer=before is not None,
        older=shown[-1].id if more else None,
    )


@blueprint.get("/coverage")
@guard("directory.read")
def coverage() -> str:
    """The codes for which the directory knows somebody."""
    filters.only("status", "sort")
    rows = listings.coverage(clock.now() - ANSWERED_WITHIN)
    totals = {
        "codes": len(rows),
        "with_lead": sum(row["status"] != "none_known" for row in rows),
        "with_address": sum(row["status"] in ("answered", "contact") for row in rows),
        "answered": sum(row["answered_at"] is not None for row in rows),
        "as_of": max((row["as_of"] or "" for row in rows), default=""),
    }
    status, sort = filters.chosen("status", listings.STATUSES), _word("sort")
    orders: dict[str, Callable[[dict[str, Any]], str]] = {
        "name": lambda row: name_of(row["code"]),
        "status": lambda row: row["status"],
    }
    rows.sort(key=orders.get(sort.lstrip("-"), lambda row: row["code"]), reverse=sort.startswith("-"))
    chosen = [row for row in rows if status in ("", row["status"])]
    return render_template(
        "directory/coverage.html", totals=totals, status=status, sort=sort, codes=chosen, chart=None
    )


@blueprint.get("/teams/new")
@guard("directory.edit")
def new_team() -> str:
    """An empty form."""
    return edit_page(None, Form(), 0, 0)


@blueprint.post("/teams/new")
@guard("directory.edit")
def create_team() -> Any:
    """Enter a team on a steward's word."""
    typed = form(schemas.TeamForm(), request.form)
    channels = rows_of(typed, "channels", [], records.channel)
    answers_for = rows_of(typed, "responsibilities", [], records.responsibility)
    check_facts(typed)
    if typed.valid:
        raw = {
            "slug": typed.data.get("slug"),
            **boxes.facts(typed.data, request.form),
            "channels": channels,
            "responsibilities": answers_for,
        }
        try:
            record = records.team_record(raw)
            with transaction() as session:
                slug, waits = enter_team(
                    session,
                    record=record,
                    evidence=typed.data["evidence"],
                    actor=g.principal.actor,
                    person=g.principal.user_ref,
                    office=office(),
                    now=clock.now(),
                )
                ref = waits.ref if waits else None
            flash(_("The team is in the directory."), "success")
            if ref is None:
                return redirect(url_for("site.team", slug=slug))
            flash(
                _(
                    "For which code it answers is proposed: a team that has confirmed its entry answers for it."
                ),
                "warning",
            )
            return redirect(url_for("proposals.proposal", ref=ref))
        except Refusal as refusal:
            refuse(typed, refusal)
    return edit_page(None, typed, 0, 0), 422


@blueprint.get("/teams/<slug>/edit")
@guard("directory.edit")
def edit_team(slug: str) -> str:
    """The form with what is in force."""
    entry = entries.entry(slug, audiences=entries.EVERYBODY)
    return edit_page(entry, Form(values=boxes.typed(entry)), len(entry.channels), len(entry.responsibilities))


@blueprint.post("/teams/<slug>/edit")
@guard("directory.edit")
def change_team(slug: str) -> Any:
    """What the form says is in force afterwards."""
    entry = entries.entry(slug, audiences=entries.EVERYBODY)
    typed = form(schemas.TeamForm(), request.form)
    rows = {
        "channels": rows_of(typed, "channels", entry.channels, records.channel),
        "responsibilities": rows_of(
            typed, "responsibilities", entry.responsibilities, records.responsibility
        ),
    }
    check_facts(typed)
    if typed.valid:
        try:
            return _entered(
                entry,
                facts=boxes.changed(entry, records.facts(boxes.facts(typed.data, request.form))),
                channels=[records.channel(row) for row in rows["channels"]],
                responsibilities=[records.responsibility(row) for row in rows["responsibilities"]],
                evidence=typed.data["evidence"],
                revision=typed.data["revision"] or 0,
            )
        except Stale:
            return stale_page(slug), 409
        except Refusal as refusal:
            refuse(typed, refusal)
    return edit_page(entry, typed, len(entry.channels), len(entry.responsibilities)), 422


def _entered(entry: Entry, *, evidence: str, revision: int, **said: Any) -> Any:
    """Enter it, or where the approval rule asks for another steward, propose it."""
    slug, now, actor = entry.team.slug, clock.now(), g.principal.actor
    asked = wanted(entry, **said)
    with transaction() as session:
        stands = entries.entry(slug, audiences=entries.EVERYBODY)
        if not must_be_proposed(session, stands, asked):
            edits.edit_team(
                session, slug=slug, **said, evidence=evidence, revision=revision, now=now, actor=actor
            )
            flash(_("Saved, with your evidence."), "success")
            return redirect(url_for("site.team", slug=slug))
        if stands.team.revision != revision:
            raise Stale("stale", "it was changed since you read it; read it again")
        person = g.principal.user_ref
        kept = propose(
            session, slug=slug, wanted=asked, by=STEWARD, actor=actor, person=person, note=evidence,
            office=office(), now=now,
        )  # fmt: skip
    flash(
        _(
            "Proposed: a national point of contact’s address or key, and who answers for its code, are nobody’s to"
            " change alone."
        ),
        "success",
    )
    return redirect(url_for("proposals.proposal", ref=kept.ref))


@blueprint.post("/teams/<slug>/mark")
@guard("directory.mark")
def mark_address(slug: str) -> Any:
    """Put an address of the team into a state, with the evidence."""
    typed = form(schemas.MarkForm(), request.form)
    if not typed.valid:
        where, words = next(iter(typed.errors.items()))
        raise Invalid("form_invalid", words[0], where=where, errors=typed.errors)
    with transaction() as session:
        marking.mark_address(session, **typed.data, now=clock.now(), actor=g.principal.actor)
    flash(_("The address is marked."), "success")
    return redirect(url_for("site.team", slug=slug))


def shown(slug: str) -> dict[str, Any]:
    """What the page of a team shows to whoever asks; now, or as it stood on the day of ?as_of=."""
    audiences, reading = rules.audiences(g.principal.roles), _reading()
    entry = entries.entry(slug, audiences=audiences, reading=reading)
    return team.team_page(entry, audiences=audiences, viewer=g.principal, reading=reading, now=clock.now())


def _reading() -> Reading:
    """How to read the directory for this request: as of the day in ?as_of=, else as it stands."""
    return versions.reading_of(_word("as_of"), now=clock.now())


def _word(name: str) -> str:
    return "".join(c for c in request.args.get(name, "")[:200] if c.isprintable()).strip()
