"""Consents, permissions to send, and what followed returned letters: as the events say, and as the rows do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import select

from pocdir.accounts.models import Workspace
from pocdir.db import Line, db, table_of
from pocdir.directory.models import Team
from pocdir.ledger.models import LedgerEvent
from pocdir.ledger.queries import events_of_notification
from pocdir.outreach.desk.models import Consent
from pocdir.outreach.escalation.models import OtherChannel
from pocdir.outreach.models import Notification
from pocdir.outreach.rules.fold import state_of
from pocdir.outreach.sending.models import SendingPermission

CHOSEN = "desk.automatic_chosen"
ALLOWED, STOPPED = "workspace.sending_allowed", "workspace.sending_stopped"
LED_TO, HELD, NONE_LEFT = (
    "escalation.other_channel", "escalation.step_held", "escalation.no_working_contact",
)  # fmt: skip
_L, _N, _O = (table_of(model).c for model in (LedgerEvent, Notification, OtherChannel))


class Unlike(NamedTuple):
    """A row that is not as its events say."""

    table: type[Any]
    key: int  # of the team, workspace or notification
    event: Line | None  # the last that speaks of it; None: none does, and the row has no right to be
    words: str


def unlike() -> Iterator[Unlike]:
    """Every consent, permission and follow-up of a returned letter whose row differs from its events."""
    yield from _consents()
    yield from _permissions()
    yield from _followed()


def _events(*types: str) -> list[Line]:
    columns = (_L.type, _L.notification, _L.team, _L.payload, _L.recorded_at, _L.actor)
    return list(db.session.execute(select(*columns).where(_L.type.in_(types)).order_by(_L.id)))


def _consents() -> Iterator[Unlike]:
    said = {each.team: each for each in _events(CHOSEN)}
    kept = {row.team_id: row.takes for row in db.session.execute(select(Consent.team_id, Consent.takes))}
    teams = (
        select(Team.id, Team.slug)
        .where(Team.slug.in_(list(said)) | Team.id.in_(list(kept)))
        .order_by(Team.id)
    )
    for team in db.session.execute(teams):
        event = said.get(team.slug)
        if sorted(kept.get(team.id, [])) != sorted(event.payload["takes"] if event else []):
            words = f"team {team.slug}: takes other letters by themselves than its events say"
            yield Unlike(Consent, team.id, event, words)


def _permissions() -> Iterator[Unlike]:
    said = {each.payload["workspace"]: each for each in _events(ALLOWED, STOPPED)}
    rows = select(SendingPermission.workspace_id, SendingPermission.allowed)
    kept = {row.workspace_id: row.allowed for row in db.session.execute(rows)}
    places = select(Workspace.id, Workspace.ref, Workspace.slug)
    places = places.where(Workspace.ref.in_(list(said)) | Workspace.id.in_(list(kept))).order_by(Workspace.id)
    for place in db.session.execute(places):
        event = said.get(place.ref)
        if kept.get(place.id, False) != (event is not None and event.type == ALLOWED):
            words = f"workspace {place.slug}: whether it may send is not as its events say"
            yield Unlike(SendingPermission, place.id, event, words)


def _followed() -> Iterator[Unlike]:
    """Held back by itself is a step too, of a policy: that speaks of no returned letter."""
    events = [each for each in _events(LED_TO, HELD, NONE_LEFT) if "policy" not in each.payload]
    none_left = {each.notification for each in events if each.type == NONE_LEFT}
    said = {each.notification: each for each in events if each.type != NONE_LEFT}
    columns = (_N.id, _N.ref, _O.led_to, _O.reason, _O.decided_at)
    rows = select(*columns).select_from(table_of(Notification).outerjoin(table_of(OtherChannel)))
    spoken_of = select(_L.notification).where(_L.type.in_((LED_TO, HELD)))
    rows = rows.where(_O.notification_id.is_not(None) | _N.ref.in_(spoken_of)).order_by(_N.id)
    for row in db.session.execute(rows):
        event = said.get(row.ref)
        if event is None:
            stands = row.decided_at is None or _is_so(row, none_left)
        else:
            stands = (row.led_to, row.reason) == decided(event)
        if not stands:
            words = f"notification {row.ref}: what followed its returned letter is not as its events say"
            yield Unlike(OtherChannel, row.id, event, words)


def decided(event: Line) -> tuple[str | None, str | None]:
    """What followed a returned letter, as its event says: the notification made, or why none was."""
    if event.type == LED_TO:
        return event.payload["notification"], None
    return None, event.payload["reason"]


def _is_so(row: Line, none_left: set[str]) -> bool:
    """Why nothing followed, where the report itself says it: it was answered by then, or no address is left."""
    first = db.session.get_one(Notification, row.id)
    while first.kind == "follow_up" and first.parent is not None:
        first = first.parent
    if row.reason != "answered":
        return row.reason == "no_mail" and first.ref in none_left
    known = [each for each in events_of_notification(first.ref) if each.recorded_at <= row.decided_at]
    state = state_of(known)
    return state.withdrawn_at is not None or state.response not in ("awaiting", "receipt")
