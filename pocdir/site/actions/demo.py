"""Writing a synthetic year down through the same actions that record a real one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from heapq import heapify, heappop, heappush
from itertools import count
from random import Random

from flask import Flask
from sqlalchemy.orm import Session

from pocdir import db
from pocdir.accounts import actions as accounts
from pocdir.accounts.models import User, Workspace
from pocdir.config import Settings
from pocdir.core.times import isoformat
from pocdir.directory.actions.imports import Given, import_records
from pocdir.directory.formats.records import Provenance, team_record
from pocdir.directory.models import Team
from pocdir.incidents.actions import add_assets, change_incident, open_incident
from pocdir.incidents.models import Incident
from pocdir.incidents.rules.assets import asset
from pocdir.incidents.rules.sightings import Row, Window, read
from pocdir.incidents.sightings.queries import asset_ids
from pocdir.outreach.actions import notifications as outreach
from pocdir.outreach.actions.lapses import record_lapses
from pocdir.outreach.actions.notifications import NewNotification
from pocdir.outreach.models import Notification
from pocdir.outreach.outcome.actions import bring_sightings
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries.due import due_notifications
from pocdir.outreach.rules.expectations import Expected
from pocdir.site.rules.demo import EMAIL, Case, Fact, Notice, Watch
from pocdir.site.rules.demo_lists import FIRST_LIST, LIST, SECOND_LIST

WORKSPACE = "Demonstration"
LATE = dt.timedelta(seconds=3)  # the worker's, after something fell due
_What = Fact | Watch | None  # None: the worker looks what fell due
_Step = tuple[dt.datetime, int, int, Notice | _What]  # when, in which order, of which notice


@contextmanager
def database_of(settings: Settings) -> Iterator[Flask]:
    """An application that has these settings and this database, and nothing of the service's own."""
    app = Flask("pocdir", static_folder=None)
    app.extensions["pocdir"] = settings
    app.config["SECRET_KEY"] = settings.secret_key
    db.init_app(app, settings.database_url)
    with app.app_context():
        try:
            yield app
        finally:
            db.db.session.remove()
            db.db.engine.dispose()


def owner(session: Session, *, now: dt.datetime) -> tuple[User, Workspace]:
    """The workspace of the demonstration and the person who owns it."""
    workspace = accounts.create_workspace(session, name=WORKSPACE, now=now, actor="operator")
    user = accounts.create_user(session, email=EMAIL, now=now, actor="operator")
    accounts.add_member(session, user=user, workspace=workspace, role="owner", now=now, actor="operator")
    accounts.set_site_role(session, user=user, role="steward", actor="operator")
    return user, workspace


def bring_lists(session: Session, *, until: dt.datetime) -> None:
    """An invented list that comes twice, the second time with what a steward has to look at."""
    for records, at in ((FIRST_LIST, until - dt.timedelta(days=30)), (SECOND_LIST, until)):
        import_records(
            session,
            records=[team_record(each) for each in records],
            source=Provenance(LIST, as_of=at.date().isoformat()),
            origin="imported",
            now=at,
            actor="operator",
            given=Given("pocdir-json"),
        )


def chosen_teams(session: Session, *, seed: int, count: int) -> tuple[list[str], str]:
    """Slugs of so many teams of the directory, and a national one among them for the talk's case.

    Drawn by the seed from all of them, whoever they are.
    """
    rows = session.query(Team.slug, Team.kind).filter(Team.retired_at.is_(None)).order_by(Team.slug).all()
    draw = Random(f"pocdir demo teams {seed}")  # noqa: S311 - repeatable on purpose, and no secret
    national = draw.choice([slug for slug, kind in rows if kind == "national"])
    others = draw.sample([slug for slug, _ in rows if slug != national], min(count, len(rows)) - 1)
    return sorted([national, *others]), national


def record_case(session: Session, case: Case, *, workspace_id: int, actor: str, until: dt.datetime) -> int:
    """Record an incident with all that came of it up to `until`; returns its number of notifications."""
    class_, type_ = case.kind
    given = {
        "title": case.title, "rsit_class": class_, "rsit_type": type_, "detected_from": case.opened_at,
        "description": "Invented for the demonstration.",
    }  # fmt: skip
    incident = open_incident(session, workspace_id=workspace_id, now=case.opened_at, actor=actor, given=given)
    told = sorted({value for notice in case.notices for value in notice.assets})
    add_assets(session, incident, [asset("ip", value) for value in told], now=case.opened_at)
    controls = [asset("ip", value, control=True) for value in case.controls]
    add_assets(session, incident, controls, now=case.opened_at)
    logged: dict[int, Notification] = {}
    order = count()
    waits: list[_Step] = [(each.sent_at, next(order), n, each) for n, each in enumerate(case.notices)]
    heapify(waits)
    while waits:  # in time, as it would have come: nothing is told before what it follows
        at, _place, number, step = heappop(waits)
        if isinstance(step, Notice):
            parent = None if step.parent is None else logged[step.parent]
            kept = _log(session, step, incident, parent, workspace_id, actor)
            logged[number] = kept
            for when, what in _coming(step, kept, until):
                heappush(waits, (when, next(order), number, what))
        elif isinstance(step, Watch):
            _bring(session, incident, step, actor)
        else:
            _came(session, logged[number], step, at, actor)
    if case.closed_at:
        change_incident(session, incident, now=case.closed_at, actor=actor, given={"closed": True})
    return len(logged)


def _coming(notice: Notice, kept: Notification, until: dt.datetime) -> list[tuple[dt.datetime, _What]]:
    """What came of it, and the times at which the worker looks (None)."""
    coming: list[tuple[dt.datetime, _What]] = [(fact.at, fact) for fact in notice.facts]
    coming += [(each.end, each) for each in notice.watched]
    coming += [(each.due_at + LATE, None) for each in kept.expectations if each.due_at + LATE <= until]
    return sorted(coming, key=lambda each: each[0])


def _log(
    session: Session,
    notice: Notice,
    incident: Incident,
    parent: Notification | None,
    workspace_id: int,
    actor: str,
) -> Notification:
    expect = None if notice.expect is None else tuple(Expected(of, within) for of, within in notice.expect)
    new = NewNotification(
        team=notice.team, channel=notice.channel, kind=notice.kind, sent_at=notice.sent_at,
        subject=incident.title, assets=[{"kind": "ip", "value": value} for value in notice.assets],
        answer_asked=notice.answer_asked, expect=expect,
    )  # fmt: skip
    ref = outreach.log_notification(
        session,
        new,
        workspace_id=workspace_id,
        now=notice.sent_at,
        actor=actor,
        incident=incident,
        parent=parent,
    )
    return queries.own_notification_to_change(ref, queries.Own(workspace_id), session)


def _came(session: Session, kept: Notification, fact: Fact | None, at: dt.datetime, actor: str) -> None:
    if fact is None:
        due = due_notifications(session, now=at, limit=len(kept.expectations))
        if due:
            record_lapses(session, due, now=at)
            session.refresh(kept)
        return
    claimed_by, assurance = fact.by
    outreach.record_event(
        session, kept, type=fact.type, payload=fact.payload, now=at, actor=_actor(claimed_by, actor),
        claimed_by=claimed_by, assurance=assurance,
    )  # fmt: skip


def _bring(session: Session, incident: Incident, watch: Watch, actor: str) -> None:
    window = Window("sinkhole", watch.begin, watch.end)
    rows = (Row(value, value, isoformat(at)) for value, at in watch.seen)
    found = read(rows, window, asset_ids(incident, session))
    bring_sightings(session, incident, window, found, now=watch.end, actor=actor)


def _actor(claimed_by: str, sender: str) -> str:
    return {"sender": sender, "recipient": "recipient"}.get(claimed_by, "service")
