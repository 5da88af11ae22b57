"""A person's answer to a follow-up answers the report that it follows, and the other way round."""

from __future__ import annotations

import datetime as dt
import uuid
from itertools import count
from typing import Any

import pytest
import time_machine
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from pocdir.accounts.models import Workspace
from pocdir.db import db
from pocdir.ledger.models import LedgerEvent
from pocdir.ledger.rules.events import Event
from pocdir.outreach.actions.threads import MOST
from pocdir.outreach.queries.projections import differences
from pocdir.outreach.rules.corrections import UNDONE_IN_THREAD
from pocdir.outreach.rules.fold import state_of
from pocdir.outreach.rules.thread import ANSWERED, settle, words
from pocdir.site.queries.ledger import verified
from tests.accounts import made as people
from tests.conftest import Api
from tests.outreach import made
from tests.outreach.browsing import send
from tests.outreach.policies import chosen, work

DAY = dt.timedelta(days=1)
START = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def clock(app: Flask, now: dt.datetime) -> Any:
    with time_machine.travel(now, tick=False) as moved:
        made.teams(now - 30 * DAY)
        yield moved


def logged(api: Api, sent_at: dt.datetime, **more: Any) -> str:
    body = {"team": "cert-at", "sent_at": sent_at.isoformat(), **more}
    return str(api.post("/api/v1/notifications", body).get_json()["ref"])


def said(api: Api, ref: str, type_: str, at: dt.datetime, **payload: Any) -> str:
    fact = {"type": type_, "occurred_at": at.isoformat(), "payload": payload}
    answer = api.post(f"/api/v1/notifications/{ref}/events", fact)
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["id"])


def state(api: Api, ref: str) -> tuple[str, str, str]:
    found = api.get(f"/api/v1/notifications/{ref}").get_json()
    return found["state"]["response"], found["state"]["clock"], found["sent_level"]


def test_an_answer_to_a_follow_up_answers_what_it_follows_until_it_is_taken_back(
    app: Flask, api: Api, now: dt.datetime
) -> None:
    asks = {"expect": [{"of": "answer", "within": "P20D"}]}
    report = logged(api, now - 9 * DAY, **asks)
    follow_up = {"kind": "follow_up", "parent": report, **asks}
    first, second = logged(api, now - 5 * DAY, **follow_up), logged(api, now - 4 * DAY, **follow_up)
    last = logged(api, now - DAY, **follow_up | {"parent": second})
    sample = logged(api, now - 4 * DAY, kind="sample_request", parent=report)
    other = logged(api, now - 4 * DAY, **asks)
    page = api.get(f"/api/v1/notifications/{second}").get_json()["recipient_page"].partition("/r/")[2]
    app.test_client().post(f"/r/{page}", data={"action": "received", "confirmed": "yes"})
    # What the recipient said to one of them proves the sending of no other.
    assert state(api, second) == ("acknowledged", "running", "P4")
    assert {state(api, ref) for ref in (report, first, last)} == {("acknowledged", "running", "P0")}
    assert {state(api, ref)[0] for ref in (sample, other)} == {"awaiting"}

    word = said(api, first, "response.declined", now - 3 * DAY, reason="mandate")
    assert state(api, first)[:2] == ("declined", "stopped")
    assert state(api, report)[:2] == state(api, second)[:2] == ("acknowledged", "stopped")
    assert state(api, last)[1] == "running"  # asked after that
    late = logged(api, now - 4 * DAY, **follow_up)  # written down late
    assert state(api, late)[:2] == ("acknowledged", "stopped")
    events = api.get(f"/api/v1/notifications/{report}/events").get_json()["items"]
    (known,) = [it for it in events if it["type"] == ANSWERED and it["payload"]["answer"] == word]
    assert (known["claimed_by"], known["payload"]["notification"], known["assurance"]) == (
        "service",
        first,
        "S",
    )
    wrong = {"type": "event.corrected", "payload": {"event": known["id"], "why": "not here"}}
    assert api.post(f"/api/v1/notifications/{report}/events", wrong).json["code"] == "event_not_yours"
    said(api, first, "event.corrected", now, event=word, why="another team's mail")
    assert state(api, report)[:2] == state(api, second)[:2] == ("acknowledged", "running")
    assert (list(differences()), verified().faults) == ([], ())


ACTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.booleans(), st.booleans(), st.booleans()),
    min_size=1,
    max_size=8,
)


@given(ACTS, st.randoms())
def test_whatever_is_recorded_first_each_member_has_what_the_others_were_told(
    acts: list[tuple[str, int, bool, bool, bool]], chance: Any
) -> None:
    sent = {"a": START, "b": START + 3 * DAY, "c": START + 6 * DAY}
    answers = [
        (n, ref, max(START + day * DAY, sent[ref]), back, bool(really), robot)
        for n, (ref, day, back, really, robot) in enumerate(acts)
    ]
    chance.shuffle(answers)
    thread: dict[str, list[Event]] = {ref: [] for ref in sent}
    numbers = count(1000)

    def add(ref: str, type_: str, at: dt.datetime, number: int, **payload: Any) -> None:
        by = "service" if type_ == ANSWERED or payload.get("why") == UNDONE_IN_THREAD else "sender"
        about = {"recorded_at": START + 20 * DAY, "actor": "x", "claimed_by": by, "assurance": "S"}
        name = str(uuid.UUID(int=number))
        thread[ref].append(
            Event(id=name, type=type_, occurred_at=at, notification=ref, payload=payload, **about)
        )

    def keep() -> None:
        said_ = {each: words(each, events) for each, events in thread.items()}
        for each, events in thread.items():
            fresh, gone = settle(each, sent[each], events, said_)
            for word in fresh:
                add(each, ANSWERED, word.mark.at, next(numbers), **word.payload)
            for event in gone:
                back = {"event": event.id, "why": UNDONE_IN_THREAD}
                add(each, "event.corrected", START + 20 * DAY, next(numbers), **back)

    for n, (ref, asked) in enumerate((it, at) for it in sent for at in (sent[it], START + 7 * DAY)):
        add(ref, "expectation.set", asked, 500 + n, of="answer", within="P90D", level=n % 2 + 1)
    for n, ref, at, back, really, robot in answers:
        add(ref, "ack.given", at, n, already=really or None, may_be_automatic=robot or None)
        if chance.random() < 0.7:  # else settled with the next, as for many at once
            keep()
        if back:
            add(ref, "event.corrected", START + 20 * DAY, 100 + n, event=str(uuid.UUID(int=n)), why="no")
            keep()
    keep()
    for ref, events in thread.items():
        chance.shuffle(events)
        told = [
            (robot, at, really, really and to != ref)
            for _n, to, at, back, really, robot in answers
            if not back and (to == ref or at >= sent[ref])
        ]
        state_ = state_of(events)
        first = state_.first
        for mark, those in ((first.acknowledgement, told), (first.answer, [it for it in told if it[3]])):
            assert ((mark.may_be_automatic, mark.at) if mark else None) == (min(those)[:2] if those else None)
        assert min((it.at for it in state_.acknowledgements), default=None) == min(
            (it[1] for it in told), default=None
        )
        stops = [
            min((it[1] for it in told if it[2] and it[1] >= asked), default=None)
            for asked in (sent[ref], START + 7 * DAY)
        ]
        assert sorted(map(str, stops)) == sorted(str(it.stopped_at) for it in state_.expectations)


def test_a_thread_is_bounded_and_settled_once_for_many(
    app: Flask, lab: Workspace, api: Api, now: dt.datetime
) -> None:
    chosen(lab, now, {"target": "same_team", "wait": "PT0S"})
    by_phone = {"channel": {"kind": "phone", "value": "+43 1 0000"}}
    refs = [logged(api, now - 9 * DAY, **by_phone)]
    for n in range(MOST):
        parent = refs[-1] if n % 9 else refs[0]
        refs.append(logged(api, now - 8 * DAY, kind="follow_up", parent=parent, **by_phone))
    body = {"team": "cert-at", "kind": "follow_up", "parent": refs[7]}
    refused = api.post("/api/v1/notifications", body)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "thread_full")
    assert list(refused.get_json()["errors"]) == ["parent"]
    assert api.post("/api/v1/notifications", body | {"kind": "sample_request"}).status_code == 201

    # A step that would be one more says so, and is left out with a reason.
    work(app, now)
    owner = people.browser(app, people.person(now=now, workspace="lab"), now=now)
    steps = f"/notifications/{refs[0]}/steps"
    assert "no room for another follow-up" in owner.get(steps).text
    said = send(owner, steps, action="take", level="1")
    assert (said.status_code, "leave the step out and say why" in said.text) == (422, True)
    taken = api.post(f"/api/v1{steps}", {"action": "take", "level": 1})
    assert (taken.status_code, taken.json["code"]) == (422, "thread_full")
    skipped = api.post(f"/api/v1{steps}", {"action": "skip", "level": 1, "note": "by phone again"})
    assert skipped.json["steps"][0]["state"] == "skipped"

    many = {"type": "ack.given", "notifications": refs[:40]}
    assert api.post("/api/v1/events", many).status_code == 200
    drawn = [it for it in db.session.scalars(select(LedgerEvent)) if it.type == ANSWERED]
    # Each that was not answered itself has one word of the forty, the others at most one before theirs.
    assert {it.notification for it in drawn} >= set(refs[40:])
    assert len(drawn) == len({it.notification for it in drawn})
    assert {state(api, ref)[0] for ref in refs[::10]} == {"acknowledged"}
    assert (list(differences()), verified().faults) == ([], ())


def test_what_follows_is_labelled_as_strictly_as_what_it_follows(api: Api) -> None:
    incident = api.post("/api/v1/incidents", {"title": "VICTIM", "tlp": "TLP:GREEN"}).get_json()["ref"]
    first = api.post("/api/v1/notifications", {"team": "cert-at", "tlp": "TLP:RED"}).get_json()["ref"]
    of_incident = {"team": "cert-at", "incident": incident, "tlp": "TLP:AMBER"}
    second = api.post("/api/v1/notifications", of_incident).get_json()["ref"]
    api.patch(f"/api/v1/incidents/{incident}", {"tlp": "TLP:AMBER+STRICT"})
    for parent, floor, lower, more in (
        (first, "TLP:RED", "TLP:AMBER+STRICT", {}),
        (first, "TLP:RED", "TLP:AMBER+STRICT", {"incident": incident}),
        (second, "TLP:AMBER+STRICT", "TLP:AMBER", {}),  # its incident was raised, and is not named
    ):
        for kind, team in (("follow_up", "cert-at"), ("referral", "isp")):
            body = {"team": team, "kind": kind, "parent": parent, **more}
            refused = api.post("/api/v1/notifications", body | {"tlp": lower})
            assert (refused.status_code, refused.get_json()["code"]) == (422, "tlp_lowered")
            assert floor in refused.get_json()["errors"]["tlp"][0]
            assert api.post("/api/v1/notifications", body).get_json()["tlp"] == floor
