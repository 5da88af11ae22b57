"""Notifications in the browser: log one, add a fact, take one back, see what is still open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pocdir import running
from pocdir.accounts.guards import guard
from pocdir.core import clock, tlp
from pocdir.core.errors import Conflict, Invalid, NotFound, Refusal
from pocdir.core.refs import new_ref
from pocdir.db import db, transaction
from pocdir.incidents import queries as incident_queries
from pocdir.ledger import queries as ledger_queries
from pocdir.outreach import schemas
from pocdir.outreach.actions.facts import record_fact
from pocdir.outreach.escalation.deciding import path_shown
from pocdir.outreach.outcome import presentation as measuring
from pocdir.outreach.outcome.queries import outcome_of_one
from pocdir.outreach.pages.blueprint import blueprint
from pocdir.outreach.presentation.letter import letter_of
from pocdir.outreach.presentation.notification import described, handed_over
from pocdir.outreach.presentation.timeline import led_to, shown_event, timeline_of
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries.plans import opted_out_kinds_of, routed
from pocdir.outreach.queries.redirects import asked_instead
from pocdir.outreach.queries.snapshots import Snapshot, snapshot, some
from pocdir.outreach.replies.presentation import mails
from pocdir.outreach.rules.letter import CONTENTS
from pocdir.outreach.rules.letter import LANGUAGES as LETTERS
from pocdir.outreach.rules.met import MET
from pocdir.outreach.rules.posting import POSTED_BY, check_readable, claim_of
from pocdir.outreach.sending.means import means
from pocdir.outreach.sending.queries import opted_out_by_ref
from pocdir.outreach.sending.telling import is_offered, require_rules_read, tell
from pocdir.routing.queries import index
from pocdir.web import filters
from pocdir.web.forms import Form, form, press, utc_moments
from pocdir.web.i18n import LANGUAGES

LETTER_LANGUAGES = [(tag, LANGUAGES[tag]) for tag in LETTERS]
PAGE = 100
# What a person adds by hand, the frequent first; the API takes the whole vocabulary.
FACTS = (
    "ack.given", "reply.human", "response.accepted", "response.passed_on", "response.info_requested",
    "response.misdirected", "response.declined", "response.contested", "outcome.remediation_claimed",
    "outcome.remediation_observed", "outcome.relapsed", "delivery.failed", "delivery.delayed",
    "delivery.delivered", *MET,
)  # fmt: skip


@blueprint.get("/notify")
@guard("notification.log")
def notify() -> str:
    given = {
        name: request.args[name]
        for name in ("team", "incident", "parent", "assets", "kind", "channel.kind", "channel.value")
        if name in request.args
    }
    if "parent" in given:
        followed = snapshot(given["parent"], g.principal).row
        label = tlp.strictest(followed.tlp, followed.incident_tlp or followed.tlp)
        known = {"kind": "follow_up", "incident": followed.incident_ref, "tlp": label}
        given = {name: value for name, value in known.items() if value} | given
    return _notify(Form(values=given))


@blueprint.post("/notify")
@guard("notification.log")
def log() -> Any:
    if request.form.get("action") == "prefill":
        return _notify(Form(values=request.form))
    typed = form(schemas.NotificationForm(), utc_moments(request.form, ["sent_at"]))
    if typed.valid:
        now, principal = clock.now(), g.principal
        try:
            given = schemas.as_notification(typed.data)
            found = routed(given, workspace_id=principal.workspace_id, on=now.date())
            with transaction() as session:
                ref = tell(
                    session,
                    given,
                    routed=found,
                    workspace_id=principal.workspace_id,
                    now=now,
                    actor=principal.actor,
                    key=press(request.form),
                )
                require_rules_read(session, ref, given)
            said = _("Recorded. How its letter stands is below.") if given["send"] else None
            flash(said or _("Logged. The letter to copy is below."), "success")
            return redirect(url_for("outreach.notification", ref=ref))
        except Refusal as refusal:
            typed.refuse(refusal)
    return _notify(typed), 422


def _notify(typed: Form) -> str:
    slug = str(typed.values.get("team", ""))
    indexed = index().indexed_team(slug)
    incidents = incident_queries.incidents(workspace_id=g.principal.workspace_id, limit=PAGE, is_open=True)
    return render_template(
        "outreach/notify.html",
        form=typed,
        once=typed.values.get("once") or new_ref(clock.now()),
        team=indexed.team if indexed else None,
        opted_out=opted_out_kinds_of(slug),
        channels=[channel for channel in indexed.team.channels if channel.audience == "public"]
        if indexed
        else [],
        incidents=[(incident.ref, incident.title) for incident in incidents],
        at_risk=any(incident.people_at_risk for incident in incidents),
        labels=tlp.LABELS,
        may_send=is_offered(g.principal.workspace_id),
        relay=means().can_send,
        only_here=running.settings().is_only_here,
        languages_of_letters=LETTER_LANGUAGES,
    )


@blueprint.get("/notifications/<ref>")
@guard("notification.read")
def notification(ref: str) -> Any:
    found = snapshot(ref, g.principal)
    if _poster(found) == "contact":  # what a sender does with it is not theirs to do
        return redirect(url_for("outreach.told_report", ref=ref))
    return _notification(found, Form())


@blueprint.post("/notifications/<ref>/facts")
@guard("notification.answer")
def add_fact(ref: str) -> Any:
    typed = form(schemas.EventSchema(), utc_moments(request.form, ["occurred_at"]))
    if typed.valid:
        try:
            said = MET.get(typed.data["type"], {})
            _record(ref, typed.data | {"payload": {**said, **typed.data["payload"]}})
            return redirect(url_for("outreach.notification", ref=ref))
        except NotFound:
            raise
        except Refusal as refusal:
            typed.refuse(refusal)
    return _notification(snapshot(ref, g.principal), typed), 422


@blueprint.get("/notifications/<ref>/events/<id>/correct")
@guard("notification.answer")
def correct(ref: str, id: str) -> str:
    return _correct(ref, id, Form())


@blueprint.post("/notifications/<ref>/events/<id>/correct")
@guard("notification.answer")
def take_back_event(ref: str, id: str) -> Any:
    why = request.form.get("why", "").strip()
    try:
        _record(ref, {"type": "event.corrected", "payload": {"event": id, "why": why}})
    except Invalid as refusal:
        return _correct(ref, id, Form(values=request.form, errors={"why": [refusal.message]})), 422
    return redirect(url_for("outreach.notification", ref=ref))


def _correct(ref: str, event_id: str, typed: Form) -> str:
    found = snapshot(ref, g.principal)
    shown = described(found, as_contact=_poster(found) == "contact")
    event = next((it for it in ledger_queries.events_of_notification(ref) if it.id == event_id), None)
    if event is None:
        raise NotFound("event_not_found", _("This notification has no such event."))
    return render_template(
        "outreach/correct.html",
        notification=shown,
        event=shown_event(event, as_contact=_poster(found) == "contact"),
        as_contact=_poster(found) == "contact",
        form=typed,
    )


@blueprint.get("/notifications/<ref>/withdraw")
@guard("notification.log")
def withdraw(ref: str) -> str:
    shown = described(snapshot(ref, g.principal))
    return render_template("outreach/withdraw.html", notification=shown, form=Form())


@blueprint.post("/notifications/<ref>/withdraw")
@guard("notification.log")
def take_back(ref: str) -> Any:
    payload = {name: request.form[name] for name in ("reason", "note") if request.form.get(name)}
    try:
        _record(ref, {"type": "notification.withdrawn", "payload": payload})
    except (Invalid, Conflict) as refusal:
        typed = Form(values=request.form)
        typed.errors = {(refusal.where or "form").removeprefix("payload."): [refusal.message]}
        shown = described(snapshot(ref, g.principal))
        return render_template("outreach/withdraw.html", notification=shown, form=typed), refusal.status
    flash(_("Withdrawn. It stays in the record."), "success")
    return redirect(url_for("outreach.notification", ref=ref))


def _record(ref: str, given: Mapping[str, Any]) -> None:
    now, principal = clock.now(), g.principal
    check_readable(given["payload"])
    with transaction() as session:
        row = queries.own_notification_to_change(ref, principal, session)
        claimed_by, assurance = claim_of(given["type"], queries.poster_of(principal, row) or "")
        record_fact(
            session,
            row,
            type=given["type"],
            payload=given["payload"],
            now=now,
            actor=principal.actor,
            claimed_by=claimed_by,
            assurance=assurance,
            occurred_at=given.get("occurred_at"),
            precision=given.get("precision", "exact"),
        )


def _poster(found: Snapshot) -> str:
    return queries.poster_of(g.principal, found.row) or ""


def _as_measured(found: Snapshot) -> dict[str, Any]:
    """With what the sensors say of its assets, as the page of its incident lists it."""
    shown, ref = described(found, as_contact=_poster(found) == "contact"), found.row.incident_ref
    if ref is None or found.row.withdrawn_at is not None:
        return shown
    incident = incident_queries.incident(ref, workspace_id=g.principal.workspace_id)
    return measuring.with_outcome(shown, outcome_of_one(incident, found))


def _notification(found: Snapshot, typed: Form) -> str:
    poster = _poster(found)
    events = ledger_queries.events_of_notification(found.row.ref)
    content = filters.chosen("content", CONTENTS) or None
    shown = _as_measured(found)
    asks_sample = any(it.of == "sample" and it.state != "stopped" for it in found.expectations)
    may_try_again = bool(shown["sending"] and shown["sending"]["may_try_again"])
    return render_template(
        "outreach/notification.html",
        notification=shown,
        parcels=handed_over(found),
        mails=mails(found.row.ref) if poster == "member" else [],
        events=timeline_of(
            events, [found, *some(g.principal, led_to(events))], as_contact=poster == "contact"
        ),
        letter=None if found.row.withdrawn_at else letter_of(found, content=content),
        content=content,
        opted_out=opted_out_by_ref(found.row.ref) if may_try_again else [],
        instead=asked_instead(events, own=found.row.team_slug, on=clock.now().date()),
        only_here=running.settings().is_only_here,
        event_form=typed,
        event_types=[
            type_ for type_ in FACTS if poster in POSTED_BY[type_] and (asks_sample or type_ not in MET)
        ],
        path=path_shown(db.session(), g.principal, found.row.ref, known=index(), now=clock.now()),
    )
