"""Notifications over HTTP: log one, add a fact, read the letter, see what is still open."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from typing import Any

from flask import Response, g, request, url_for

from pocdir.accounts.guards import guard
from pocdir.accounts.queries import team_id_of
from pocdir.core import clock
from pocdir.core.errors import Invalid, NotFound
from pocdir.core.json_text import json_text
from pocdir.core.times import duration
from pocdir.db import db, transaction
from pocdir.incidents import queries as incident_queries
from pocdir.incidents.api import given_assets
from pocdir.incidents.schemas import AssetsAdded, AssetsSchema
from pocdir.ledger import queries as ledger_queries
from pocdir.ledger.rules.events import Event
from pocdir.outreach import campaigns, schemas
from pocdir.outreach.actions import assets as asset_actions
from pocdir.outreach.actions.bulk import record_for_many
from pocdir.outreach.actions.facts import record_fact
from pocdir.outreach.actions.parcels import keep
from pocdir.outreach.presentation.feed import atom
from pocdir.outreach.presentation.letter import letter_of
from pocdir.outreach.presentation.notification import (
    handed_over,
    listed_notifications,
    parcel_file,
    shown_notification,
)
from pocdir.outreach.presentation.plan import shown_plan
from pocdir.outreach.presentation.timeline import for_contact, shown_event
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries import parcels, snapshots
from pocdir.outreach.queries.feed import Reader
from pocdir.outreach.queries.plans import plan_of, routed
from pocdir.outreach.queries.snapshots import Snapshot, snapshot
from pocdir.outreach.queries.tickets import with_ticket
from pocdir.outreach.rules.parcels import MOST_BYTES
from pocdir.outreach.rules.plan import Choices
from pocdir.outreach.rules.posting import claim_of
from pocdir.outreach.sending.telling import tell
from pocdir.web.api import Blueprint, documented
from pocdir.web.files import takes_files
from pocdir.web.idempotency import once, row_key
from pocdir.web.paging import page
from pocdir.web.schemas import PageQuery

blueprint = Blueprint(
    "outreach_api", __name__, url_prefix="/api/v1", description="Who was told, who answered"
)
_BINARY = {"type": "string", "format": "binary"}
_notification = schemas.NotificationAnswer()


@blueprint.route("/incidents/<ref>/assets", methods=["POST"])
@guard("incident.write")
@blueprint.doc(
    requestBody={
        "required": True,
        "content": {
            "application/json": {"schema": AssetsSchema},
            "text/csv": {"schema": {"type": "string"}},
        },
    }
)
@blueprint.response(201, AssetsAdded)
def add_assets(ref: str) -> Any:
    """Add assets, as JSON or as CSV with a column of addresses."""
    given = given_assets()
    with transaction() as session:
        incident = incident_queries.incident(ref, workspace_id=g.principal.workspace_id, session=session)
        added = asset_actions.add_assets(session, incident, given, now=clock.now())
        total = incident_queries.asset_count(incident)
    return {"added": added, "total": total}, {"Location": url_for("incidents_api.assets", ref=ref)}


@blueprint.route("/incidents/<ref>/plan", methods=["POST"])
@guard("incident.read")
@blueprint.response(200, schemas.PlanAnswer)
def plan(ref: str) -> Any:
    """Preview whom the incident's assets concern, grouped per contact. Nothing is logged."""
    incident = incident_queries.incident(ref, workspace_id=g.principal.workspace_id)
    return shown_plan(plan_of(incident, on=clock.now().date()))


@blueprint.route("/notifications")
@guard("notification.read")
@blueprint.arguments(schemas.NotificationQuery(), location="query")
@blueprint.response(200, schemas.NotificationPage)
def notifications(query: dict[str, Any]) -> Any:
    """The workspace's notifications (for a team's token: those addressed to it)."""
    incident = str(query["incident"]) if query["incident"] else None
    found = snapshots.notifications(
        g.principal, limit=query["limit"], cursor=query["cursor"], incident=incident
    )
    return _listed(found, query["limit"])


@blueprint.route("/notifications", methods=["POST"])
@guard("notification.log")
@blueprint.arguments(schemas.NotificationSchema())
@blueprint.response(201, schemas.NotificationAnswer)
def log_notification(given: dict[str, Any]) -> Any:
    """Log that a team was told."""
    principal, now = g.principal, clock.now()
    found = routed(given, workspace_id=principal.workspace_id, on=now.date())
    with transaction() as session:

        def act() -> str:
            return tell(
                session,
                given,
                routed=found,
                workspace_id=principal.workspace_id,
                now=now,
                actor=principal.actor,
            )

        ref = once(session, scope=f"workspace:{principal.workspace_id}", now=now, act=act)
        shown = shown_notification(snapshot(ref, principal, session))
    return _created(_notification.dumps(shown), url_for("outreach_api.notification", ref=ref))


@blueprint.route("/notifications/<ref>")
@guard("notification.read")
@blueprint.response(200, schemas.NotificationAnswer)
def notification(ref: str) -> Any:
    """One notification as it stands."""
    found = snapshot(ref, g.principal)
    return shown_notification(found, as_contact=queries.poster_of(g.principal, found.row) == "contact")


@blueprint.route("/notifications/<ref>/events")
@guard("notification.read")
@blueprint.arguments(PageQuery(), location="query")
@blueprint.response(200, schemas.EventPage)
def events(query: dict[str, Any], ref: str) -> Any:
    """Everything recorded about a notification, oldest recorded first."""
    as_contact = queries.poster_of(g.principal, snapshot(ref, g.principal).row) == "contact"
    recorded: Iterable[Event] = ledger_queries.events_of_notification(ref)
    if as_contact:
        recorded = for_contact(recorded)
    found = sorted(recorded, key=lambda each: (each.recorded_at, each.id))
    if query["cursor"] is not None:
        seen = next((i for i, each in enumerate(found) if each.id == query["cursor"]), None)
        if seen is None:
            raise Invalid("cursor_unknown", "this cursor is not one of this list", where="cursor")
        found = found[seen + 1 :]
    listed = page(found[: query["limit"] + 1], query["limit"], lambda each: each.id)
    return listed | {"items": [shown_event(each, as_contact=as_contact) for each in listed["items"]]}


@blueprint.route("/notifications/<ref>/events", methods=["POST"])
@guard("notification.answer")
@blueprint.arguments(schemas.EventSchema())
@blueprint.response(201, schemas.EventAnswer)
def add_event(given: dict[str, Any], ref: str) -> Any:
    """Add a fact: what the sender knows, or what the notified team's contact says."""
    principal, now = g.principal, clock.now()
    with transaction() as session:
        notification = queries.own_notification_to_record(ref, principal, session)
        poster = queries.poster_of(principal, notification) or ""
        claimed_by, assurance = claim_of(given["type"], poster)
        recorded: list[Event] = []

        def act() -> str:
            event = record_fact(
                session, notification, type=given["type"], payload=given["payload"], now=now,
                actor=principal.actor, claimed_by=claimed_by, assurance=assurance,
                occurred_at=given["occurred_at"], precision=given["precision"],
                evidence_digest=given["evidence_digest"],
            )  # fmt: skip
            recorded.append(ledger_queries.as_read(event))
            return event.id

        ref_of_event = once(session, scope=f"events:{principal.actor}", now=now, act=act)
        event = recorded[0] if recorded else ledger_queries.event_by_id(ref_of_event, session)
    assert event is not None  # noqa: S101 - recorded in this transaction, or before
    return _created(json_text(shown_event(event)), request.script_root + request.path)


@blueprint.route("/events", methods=["POST"])
@guard("notification.answer")
@blueprint.arguments(schemas.ManyFacts())
@blueprint.response(200, schemas.RecordedRows)
def add_events(given: dict[str, Any]) -> Any:
    """Add the same fact to many notifications; each is recorded or refused by itself.

    With `for_ticket` and `team`, to all that the team keeps under this number of its own.
    With an `Idempotency-Key` a row that was recorded before names the event that stands.
    """
    principal, now = g.principal, clock.now()
    refs, number, team = (given.pop(name) for name in ("notifications", "for_ticket", "team"))
    if number:
        refs = with_ticket(principal, number, team=team)
    with transaction() as session:
        once_each = row_key(session, scope=f"events:{principal.actor}", now=now)
        done = record_for_many(
            session, refs, principal, **given, now=now, actor=principal.actor, once=once_each
        )
    return {"items": [each.as_dict() for each in done]}


@blueprint.route("/notifications/<ref>/letter")
@guard("notification.read")
@blueprint.arguments(schemas.LetterQuery(), location="query")
@blueprint.response(200, schemas.LetterAnswer)
def letter(query: dict[str, Any], ref: str) -> Any:
    """The letter to copy into a mail program; the recipient's link is its last line."""
    return letter_of(snapshot(ref, g.principal), content=query["content"])


@blueprint.route("/unanswered")
@guard("notification.read")
@blueprint.arguments(schemas.UnansweredQuery(), location="query")
@blueprint.response(200, schemas.NotificationPage)
def unanswered(query: dict[str, Any]) -> Any:
    """Notifications with a recorded lapse that still stands: no answer recorded here by its time.

    `state` asks for another list: running (its time has not come), paused, undeliverable. `step`: how the next step
    stands; `sort`: another order than the oldest recorded first.
    """
    if query["team"] is not None:
        team_id_of(db.session(), query["team"])
    found = snapshots.waiting(
        g.principal,
        now=clock.now(),
        limit=query["limit"],
        cursor=query["cursor"],
        older_than=duration(query["older_than"]) if query["older_than"] else None,
        team=query["team"],
        state=query["state"],
        incident=str(query["incident"]) if query["incident"] else None,
        due_before=query["due_before"],
        step=query["step"],
        sort=query["sort"],
    )
    return _listed(found, query["limit"])


@blueprint.route("/unanswered.atom")
@guard("notification.read")
@blueprint.arguments(schemas.FeedQuery(), location="query")
@documented(blueprint, {"type": "string"}, "application/atom+xml")
def unanswered_feed(query: dict[str, Any]) -> Response:
    """The same as an Atom feed of the workspace, for a reader that sends a token."""
    principal, older = g.principal, query.pop("older_than")
    if principal.workspace_id is None:
        raise NotFound("feed_unknown", "a team has no feed: its list stands at /api/v1/told")
    if query["team"] is not None:
        team_id_of(db.session(), query["team"])
    workspace = queries.workspace_by_id(principal.workspace_id)
    reader = Reader(workspace.id, workspace.ref, workspace.name)
    incident = str(query["incident"]) if query["incident"] else None
    narrowed = query | {"older_than": duration(older) if older else None, "incident": incident}
    of_the_page = {name: value for name, value in request.args.items() if name != "due_before"}
    return atom(reader, narrowed, of_the_page, now=clock.now())


def _listed(found: list[Snapshot], limit: int) -> dict[str, Any]:
    listed = page(found, limit, lambda each: each.row.ref)
    as_contact = g.principal.workspace_id is None
    return listed | {"items": listed_notifications(listed["items"], as_contact=as_contact)}


def _created(body: str, location: str) -> Response:
    return Response(body, 201, {"Location": location}, content_type="application/json")


def most_parcels() -> int:
    """How large an archive of parcels may be."""
    return MOST_BYTES


@blueprint.route("/incidents/<ref>/parcels", methods=["POST"])
@guard("incident.write")
@takes_files(most_parcels)
@blueprint.doc(requestBody={"required": True, "content": {"application/zip": {"schema": _BINARY}}})
@blueprint.response(201, schemas.ParcelsAnswer)
def keep_parcels(ref: str) -> Any:
    """Keep the parcels of a split file with an incident: the body is what POST /api/v1/route answered."""
    principal, now = g.principal, clock.now()
    incident_queries.incident(ref, workspace_id=principal.workspace_id)
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(request.stream, file)
        brought = parcels.in_archive(file)
    with transaction() as session:
        incident = incident_queries.incident(
            ref, workspace_id=principal.workspace_id, session=session, lock=True
        )
        added = keep(session, incident, brought, now=now, actor=principal.actor)
    held = parcels.held(incident)
    shown = {"added": added, "items": [parcels.shown(each) for each in held]}
    return shown, {"Location": url_for("outreach_api.plan", ref=ref)}


@blueprint.route("/incidents/<ref>/notifications", methods=["POST"])
@guard("notification.log")
@blueprint.arguments(schemas.PlanChosen())
@blueprint.response(201, schemas.PlanLogged)
def log_plan(given: dict[str, Any], ref: str) -> Any:
    """Log one notification for each chosen contact of the incident's plan, each with its own parcel: all, or none."""
    principal, now = g.principal, clock.now()
    incident = incident_queries.incident(ref, workspace_id=principal.workspace_id)
    planned = plan_of(incident, on=now.date())
    with transaction() as session:
        once_each = row_key(session, scope=f"workspace:{principal.workspace_id}", now=now)
        incident = incident_queries.incident(ref, workspace_id=principal.workspace_id, session=session)
        logged = campaigns.tell(
            session,
            incident,
            Choices(**given),
            plan=planned,
            workspace_id=principal.workspace_id,
            now=now,
            actor=principal.actor,
            once=once_each,
        )
    return {"items": logged}, {"Location": url_for("outreach_api.notifications", incident=ref)}


@blueprint.route("/incidents/<ref>/letters", methods=["POST"])
@guard("notification.log")
@blueprint.arguments(schemas.PlanChosen())
@blueprint.response(200, schemas.CampaignLetters)
def preview_letters(given: dict[str, Any], ref: str) -> Any:
    """The letters that logging the chosen contacts would make, refused for the same. Nothing is logged."""
    principal, now = g.principal, clock.now()
    incident = incident_queries.incident(ref, workspace_id=principal.workspace_id)
    planned, chosen = plan_of(incident, on=now.date()), Choices(**given)
    with transaction() as session:
        incident = incident_queries.incident(ref, workspace_id=principal.workspace_id, session=session)
        shown = campaigns.letters(session, incident, chosen, plan=planned, principal=principal, now=now)
    return {"items": shown, "chosen": len(chosen.slugs)}


@blueprint.route("/notifications/<ref>/parcels")
@guard("notification.read")
@blueprint.response(200, schemas.ParcelList)
def notification_parcels(ref: str) -> Any:
    """The files that went with a notification."""
    return {"items": handed_over(snapshot(ref, g.principal)), "next": None}


@blueprint.route("/notifications/<ref>/parcels/<parcel>")
@guard("notification.read")
@documented(blueprint, _BINARY, "text/csv")
def notification_parcel(ref: str, parcel: str) -> Response:
    """One of them, byte for byte."""
    snapshot(ref, g.principal)
    return parcel_file(parcels.handed_over(parcel, ref))
