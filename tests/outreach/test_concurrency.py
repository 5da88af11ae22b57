"""Two who speak at once about one notification: both are heard, and the row says what the record says."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable

from flask import Flask
from werkzeug.test import TestResponse

from pocdir.accounts.models import Workspace
from pocdir.core import clock
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.ledger.queries import events_of_notification
from pocdir.outreach.actions.bulk import record_for_many
from pocdir.outreach.actions.lapses import tick
from pocdir.outreach.actions.notifications import record_event
from pocdir.outreach.escalation.worklist import to_look_at
from pocdir.outreach.queries.due import due_notifications, held_from_above
from pocdir.outreach.queries.notifications import (
    last_tick,
    lock_threads,
    own_notification_to_change,
)
from pocdir.outreach.queries.projections import differences
from pocdir.outreach.queries.snapshots import snapshot
from pocdir.outreach.sending.actions import allow
from tests.at_once import meanwhile
from tests.conftest import Api
from tests.latency.made import DAY, HOUR, Own, told
from tests.outreach import made
from tests.outreach.policies import chosen

FACTS = ("ack.given", "outcome.remediation_observed")  # each moves an axis of its own: neither may be lost


def speak(
    app: Flask, lab: int, refs: list[str], type_: str, now: dt.datetime, together: threading.Barrier
) -> None:
    """Over a connection of its own: a fact about each, at the moment at which the other one speaks of it."""
    with app.app_context():
        for ref in refs:
            together.wait(timeout=30)
            with transaction() as session:
                record_event(
                    session, own_notification_to_change(ref, Own(lab), session), type=type_, payload={}, now=now,
                    actor="user:a", claimed_by="sender", assurance="S",
                )  # fmt: skip
        db.session.remove()


def test_facts_recorded_at_once_leave_each_row_as_its_fold(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    made.teams(now - 10 * DAY)
    refs = [told(lab, at=now - DAY) for _ in range(20)]
    workspace = lab.id
    db.session.remove()
    together, failed = threading.Barrier(len(FACTS)), []

    def run(type_: str) -> None:
        try:
            speak(app, workspace, refs, type_, now, together)
        except BaseException as error:
            failed.append(error)
            together.abort()

    threads = [threading.Thread(target=run, args=(type_,)) for type_ in FACTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failed == []
    assert list(differences()) == []
    for ref in refs:
        assert {event.type for event in events_of_notification(ref)} >= set(FACTS)
        row = snapshot(ref, Own(workspace)).row
        assert (row.response, row.outcome, row.clock) == ("acknowledged", "observed", "stopped")


def together(app: Flask, *acts: Callable[[int], object], rounds: int) -> list[BaseException]:
    """Each act in a thread of its own, all at the same moment, round after round; what went wrong."""
    start, failed = threading.Barrier(len(acts)), list[BaseException]()

    def run(act: Callable[[int], object]) -> None:
        with app.app_context():
            for number in range(rounds):
                try:
                    start.wait(timeout=30)
                    act(number)
                except BaseException as error:
                    failed.append(error)
            db.session.remove()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=90)
    return failed


def test_facts_about_the_members_of_one_thread_at_once_are_all_taken(
    app: Flask, api: Api, lab: Workspace, now: dt.datetime
) -> None:
    made.teams(now - 10 * DAY)
    report = api.post("/api/v1/notifications", {"team": "isp"}).get_json()["ref"]
    about = {"team": "isp", "kind": "follow_up", "parent": report}
    refs = [report, *(api.post("/api/v1/notifications", about).get_json()["ref"] for _ in range(2))]

    def alone(ref: str) -> Callable[[int], object]:
        return lambda _n: _recorded(api.post(f"/api/v1/notifications/{ref}/events", {"type": "reply.human"}))

    def many(order: int) -> Callable[[int], object]:
        fact = {"type": "reply.human", "notifications": refs[::order]}
        return lambda _n: _recorded(api.post("/api/v1/events", fact))

    assert together(app, *map(alone, refs), many(1), many(-1), rounds=4) == []
    assert list(differences()) == []


def _recorded(answer: TestResponse) -> None:
    assert answer.status_code in (200, 201), answer.text


def test_what_is_answered_while_a_follow_up_is_logged_stands_with_the_follow_up(
    app: Flask, api: Api, lab: Workspace, now: dt.datetime
) -> None:
    made.teams(now - 10 * DAY)
    rounds = 12
    reports = [api.post("/api/v1/notifications", {"team": "isp"}).get_json()["ref"] for _ in range(rounds)]
    logged: dict[int, str] = {}

    def follow(n: int) -> None:
        answer = api.post("/api/v1/notifications", {"team": "isp", "kind": "follow_up", "parent": reports[n]})
        _recorded(answer)
        logged[n] = answer.get_json()["ref"]

    def answered(n: int) -> None:
        at = isoformat(clock.now() + dt.timedelta(minutes=4))  # later than either was sent
        fact = {"type": "ack.given", "occurred_at": at}
        _recorded(api.post(f"/api/v1/notifications/{reports[n]}/events", fact))

    assert together(app, follow, answered, rounds=rounds) == []
    states = {n: api.get(f"/api/v1/notifications/{ref}").get_json()["state"] for n, ref in logged.items()}
    assert {(it["response"], it["clock"]) for it in states.values()} == {("acknowledged", "stopped")}


def test_who_tells_of_a_case_adds_to_it_and_brings_sightings_at_once_waits_for_nobody_for_ever(
    app: Flask, api: Api, lab: Workspace, now: dt.datetime
) -> None:
    made.teams(now - 10 * DAY)
    case = api.post("/api/v1/incidents", {"title": "Case"}).get_json()["ref"]
    device, named = {"kind": "ip", "value": "203.0.113.10"}, ["203.0.113.10"]
    about = {"team": "isp", "incident": case, "assets": named}
    report = api.post("/api/v1/notifications", about).get_json()["ref"]

    def follow(_n: int) -> None:
        _recorded(api.post("/api/v1/notifications", about | {"kind": "follow_up", "parent": report}))

    def watch(n: int) -> None:
        items = [device, {"kind": "ip", "value": f"203.0.113.{20 + n}", "control": True}]
        _recorded(api.post(f"/api/v1/incidents/{case}/assets", {"items": items}))

    def seen(n: int) -> None:
        end = clock.now()
        body = {"method": "scan", "window_from": isoformat(end - (n + 1) * HOUR), "window_to": isoformat(end)}
        _recorded(api.post(f"/api/v1/incidents/{case}/sightings", body | {"items": []}))

    assert together(app, follow, watch, seen, rounds=6) == []
    assert list(differences()) == []


def test_the_worker_leaves_a_follow_up_to_whoever_has_what_it_follows_and_takes_it_then(
    app: Flask, api: Api, lab: Workspace, now: dt.datetime
) -> None:
    made.teams(now - 10 * DAY)
    slug = chosen(lab, now - 10 * DAY, {"wait": "PT1H"})
    report = told(lab, at=now - 9 * DAY, team="isp")
    about = {"team": "isp", "kind": "follow_up", "parent": report, "sent_at": isoformat(now - 8 * DAY)}
    ref = api.post("/api/v1/notifications", about).get_json()["ref"]
    choice = {"policy": slug, "notification": ref}
    assert api.post("/api/v1/policy-choices", choice).status_code == 201

    def hold() -> None:
        lock_threads([report], db.session())

    def look() -> list[str]:
        with transaction() as session:
            found = [
                *due_notifications(session, now=later, limit=9),
                *to_look_at(session, now=later, limit=9),
            ]
            return [row.ref for row in found]

    later = clock.now() + DAY
    free = db.engine.dialect.name == "sqlite"  # there it comes when the other one is done
    assert meanwhile(hold, look) == ([report, ref] * 2 if free else [])
    assert look() == [report, ref] * 2


def test_who_names_a_foreign_notification_among_many_holds_nobody_up(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    made.teams(now - 10 * DAY)
    ref, stranger = told(lab, at=now - DAY), Own(lab.id + 1)

    def name() -> None:
        done = record_for_many(
            db.session(), [ref], stranger, type="ack.given", payload={}, now=now, actor="user:b"
        )
        assert [each.refused and each.refused["code"] for each in done] == ["notification_unknown"]

    def free() -> list[int]:
        with transaction() as session:
            return held_from_above([row], session)

    row = snapshot(ref, Own(lab.id)).row.id
    assert meanwhile(name, free) == [row]


def test_of_two_who_let_a_workspace_send_for_the_first_time_at_once_one_does(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    def allowed() -> bool:
        session = db.session()
        return allow(session, session.get_one(Workspace, workspace), allowed=True, now=now, actor="user:s")

    def again() -> bool:
        with transaction():
            return allowed()

    workspace = lab.id
    assert meanwhile(allowed, again) is False
    assert list(differences()) == []


def test_of_two_requests_at_once_with_one_key_the_first_is_recorded(
    app: Flask, api: Api, lab: Workspace, now: dt.datetime
) -> None:
    made.teams(now - 10 * DAY)
    refs = [told(lab, at=now - DAY) for _ in range(5)]
    db.session.remove()
    together, answers = threading.Barrier(2), dict[tuple[str, str], TestResponse]()

    def run(ticket: str) -> None:
        for ref in refs:
            body = {"type": "ack.given", "notifications": [ref], "payload": {"ticket": ticket}}
            together.wait(timeout=30)
            answers[ref, ticket] = api.post("/api/v1/events", body, **{"Idempotency-Key": ref})

    threads = [threading.Thread(target=run, args=(ticket,)) for ticket in ("T-1", "T-2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    for ref in refs:
        said = {ticket: answers[ref, ticket].status_code for ticket in ("T-1", "T-2")}
        assert sorted(said.values()) == [200, 422]
        tickets = [each.sealed["ticket"] for each in events_of_notification(ref) if each.type == "ack.given"]
        assert tickets == [ticket for ticket, status in said.items() if status == 200]


def test_two_workers_that_go_round_for_the_first_time_at_once_both_say_so(
    app: Flask, now: dt.datetime
) -> None:
    said: list[bool] = []
    first_has_said = threading.Event()

    def go_round(waits: bool) -> None:
        with app.app_context():
            if waits:
                first_has_said.wait(timeout=30)
            with transaction() as session:
                tick(session, now=now)
                first_has_said.set()
                if not waits:
                    time.sleep(0.1)  # not committed yet when the second one speaks
            db.session.remove()
        said.append(waits)

    threads = [threading.Thread(target=go_round, args=(waits,)) for waits in (False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(said) == [False, True]
    assert last_tick() == now
