"""Bringing the old spreadsheet, and bringing it again after it has grown."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from flask import Flask

from pocdir.accounts.actions import create_workspace
from pocdir.accounts.models import Workspace
from pocdir.core.errors import Conflict
from pocdir.db import db, transaction
from pocdir.incidents.actions import change_incident, open_incident
from pocdir.incidents.models import Incident
from pocdir.ledger.queries import event_count, events_of_notification
from pocdir.ledger.rules.events import Event
from pocdir.outreach.actions.notifications import record_event
from pocdir.outreach.actions.spreadsheet import LineResult, expected, import_spreadsheet, tally
from pocdir.outreach.presentation.timeline import shown_event
from pocdir.outreach.queries.notifications import notification_to_change
from pocdir.outreach.queries.spreadsheet import matched
from pocdir.outreach.rules.spreadsheet import read_spreadsheet
from tests.outreach import made

DAY = dt.timedelta(days=1)
HEADER = "contact,date,bounced,answered,subject,remarks,team"
CERT = "reports@cert.example,2026-10-01"


@pytest.fixture(autouse=True)
def _teams(app: Flask, now: dt.datetime) -> None:
    made.teams(now - 400 * DAY)


def bring(
    lab: Workspace, now: dt.datetime, *rows: str, apply: bool = True, incident: Incident | None = None
) -> list[LineResult]:
    """The results of the rows; what the dry run said of them before is the same."""
    db.session.rollback()
    sheet = read_spreadsheet("\n".join([HEADER, *rows]).encode(), now=now)
    lines = matched(sheet, workspace_id=lab.id, now=now)
    said = expected(lines, incident=incident)
    if not apply:
        return said
    with transaction() as session:
        results = import_spreadsheet(
            session, lines, workspace_id=lab.id, now=now, actor="user:a", incident=incident
        )
    assert [(each.result, each.events) for each in results] == [(each.result, each.events) for each in said]
    return results


def outcome(results: list[LineResult]) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.result, each.events) for each in results]


def events(ref: str | None) -> list[Event]:
    db.session.rollback()
    return events_of_notification(ref or "")


def said(ref: str | None, type_: str) -> list[Any]:
    return [(each.occurred_at, each.precision) for each in events(ref) if each.type == type_]


def test_a_dry_run_changes_nothing_and_says_what_would_be(lab: Workspace, now: dt.datetime) -> None:
    before = event_count()
    results = bring(
        lab, now, f"{CERT},yes,2026-10-03,,,", "nobody@nowhere.example,2026-10-01,,,,,", apply=False
    )
    assert outcome(results) == [("new", ("delivery.failed", "ack.given")), ("refused", ())]
    assert "no team" in results[1].message
    assert event_count() == before


def test_the_note_of_a_row_is_kept_without_an_answer_too(lab: Workspace, now: dt.datetime) -> None:
    (told,) = bring(lab, now, f"{CERT},,,Botnet,wrote twice,")
    (logged,) = [each for each in events(told.ref) if each.type == "notification.logged"]
    assert logged.sealed["note"] == "wrote twice"
    assert "note" not in logged.payload


def test_the_contact_reads_the_subject_and_not_the_note(lab: Workspace, now: dt.datetime) -> None:
    (told,) = bring(lab, now, f"{CERT},,,Botnet,wrote twice,")
    (logged,) = [each for each in events(told.ref) if each.type == "notification.logged"]
    assert shown_event(logged)["payload"]["note"] == "wrote twice"
    to_contact = shown_event(logged, as_contact=True)["payload"]
    assert "note" not in to_contact
    assert to_contact["subject"] == "Botnet"


def test_what_was_filled_in_since_is_added_once(lab: Workspace, now: dt.datetime) -> None:
    (first,) = bring(lab, now, f"{CERT},,,,,")
    row = f"{CERT},2026-10-01,2026-10-05,,,"
    (second,) = bring(lab, now, row)
    assert (second.result, second.ref) == ("gains", first.ref)
    assert second.events == ("delivery.failed", "ack.given")
    assert said(first.ref, "ack.given") == [(dt.datetime(2026, 10, 5, tzinfo=dt.UTC), "day")]
    before = event_count()
    (third,) = bring(lab, now + DAY, row)
    assert outcome([third]) == [("known", ())]
    assert event_count() == before


def test_a_bare_yes_is_known_by_now_and_gives_way_to_a_date(lab: Workspace, now: dt.datetime) -> None:
    (first,) = bring(lab, now, f"{CERT},,yes,,,")
    assert said(first.ref, "ack.given") == [(now, "bounded")]
    assert outcome(bring(lab, now + DAY, f"{CERT},,yes,,,")) == [("known", ())]
    dated = f"{CERT},,2026-10-05,,,"
    assert outcome(bring(lab, now + DAY, dated)) == [("gains", ("ack.given",))]
    assert outcome(bring(lab, now + DAY, dated)) == [("known", ())]
    assert outcome(bring(lab, now + DAY, f"{CERT},,yes,,,")) == [("known", ())]


def test_a_bare_yes_adds_nothing_to_an_answer_recorded_by_hand(lab: Workspace, now: dt.datetime) -> None:
    (first,) = bring(lab, now, f"{CERT},,,,,")
    with transaction() as session:
        row = notification_to_change(first.ref or "", session)
        assert row is not None
        record_event(
            session, row, type="ack.given", payload={}, occurred_at=now - DAY, now=now, actor="user:a",
            claimed_by="sender", assurance="S",
        )  # fmt: skip
    assert outcome(bring(lab, now, f"{CERT},,yes,,,")) == [("known", ())]


def test_an_answer_that_was_taken_back_does_not_come_back(lab: Workspace, now: dt.datetime) -> None:
    (first,) = bring(lab, now, f"{CERT},,yes,,,")
    (ack,) = [each for each in events(first.ref) if each.type == "ack.given"]
    with transaction() as session:
        row = notification_to_change(first.ref or "", session)
        assert row is not None
        record_event(
            session, row, type="event.corrected", payload={"event": ack.id, "why": "the wrong row"}, now=now,
            actor="user:a", claimed_by="sender", assurance="S",
        )  # fmt: skip
    assert outcome(bring(lab, now, f"{CERT},,yes,,,")) == [("known", ())]


def test_the_same_row_twice_in_one_file_is_one_notification(lab: Workspace, now: dt.datetime) -> None:
    results = bring(lab, now, f"{CERT},,,,,", f"{CERT},,yes,,,", f"{CERT},,yes,,,")
    assert outcome(results) == [("new", ()), ("gains", ("ack.given",)), ("known", ())]
    assert len({each.ref for each in results[:2]}) == 1
    assert results[2].message == "the same as line 2"


def test_a_note_that_is_not_recorded_is_said(lab: Workspace, now: dt.datetime) -> None:
    (first,) = bring(lab, now, f"{CERT},,,,wrote,")
    assert bring(lab, now, f"{CERT},,,,wrote,")[0].message == ""
    assert "by hand" in bring(lab, now, f"{CERT},,,,called too,")[0].message
    (gained,) = bring(lab, now, f"{CERT},,2026-10-05,,called too,")
    assert gained.message == ""
    (ack,) = [each for each in events(first.ref) if each.type == "ack.given"]
    assert ack.sealed["note"] == "called too"


def test_a_row_that_names_its_team_is_another(lab: Workspace, now: dt.datetime) -> None:
    bring(lab, now, f"{CERT},,,,,")
    assert outcome(bring(lab, now, f"{CERT},,,,,cert-at", f"{CERT},,,,,isp")) == [("new", ()), ("new", ())]


def test_a_day_that_is_not_over_everywhere_is_the_same_day_tomorrow(lab: Workspace, now: dt.datetime) -> None:
    row = "reports@cert.example,2026-11-23,,,,,"
    assert outcome(bring(lab, now, row)) == [("new", ())]
    assert outcome(bring(lab, now + DAY / 24, row)) == [("known", ())]
    assert outcome(bring(lab, now + DAY, row)) == [("known", ())]


def test_the_channel_is_what_the_contact_is(lab: Workspace, now: dt.datetime) -> None:
    results = bring(
        lab, now, f"{CERT},,,,,", "+43 1 5056416,2026-10-01,,,,,cert-at",
        "https://cert.example/r?to=a@b.example,2026-10-01,,,,,cert-at", "CERT.at,2026-10-01,,,,,",
    )  # fmt: skip
    kinds = [
        event.payload["channel"]
        for each in results
        for event in events(each.ref)
        if event.type == "notification.logged"
    ]
    assert kinds == ["email", "phone", "other", "other"]


def test_two_who_bring_the_same_at_once_log_it_once(lab: Workspace, now: dt.datetime) -> None:
    sheet = read_spreadsheet(f"{HEADER}\n{CERT},,yes,,,\n".encode(), now=now)
    lines = matched(sheet, workspace_id=lab.id, now=now)
    refs = []
    for _ in range(2):
        with transaction() as session:
            (result,) = import_spreadsheet(session, lines, workspace_id=lab.id, now=now, actor="user:a")
        refs.append(result.ref)
    assert refs[0] == refs[1]
    assert len(said(refs[0], "ack.given")) == 1


def test_a_strict_label_keeps_the_note_out_and_a_closed_incident_takes_nothing(
    lab: Workspace, now: dt.datetime
) -> None:
    with transaction() as session:
        case = open_incident(
            session, workspace_id=lab.id, now=now, actor="user:a", given={"title": "x", "tlp": "TLP:RED"}
        )
    (told,) = bring(lab, now, f"{CERT},,,,secret,", incident=case)
    assert "TLP:RED" in told.message
    assert all("note" not in each.sealed for each in events(told.ref))
    with transaction() as session:
        change_incident(session, session.merge(case), now=now, actor="user:a", given={"closed": True})
        case = session.merge(case)
    with pytest.raises(Conflict, match="closed"):
        bring(lab, now, f"{CERT},,,,,", incident=case)


def test_the_tally_says_what_gains_what(lab: Workspace, now: dt.datetime) -> None:
    bring(lab, now, f"{CERT},,,,,", "abuse@isp.example,2026-10-01,,,,,")
    results = bring(
        lab, now, f"{CERT},,yes,,,", "abuse@isp.example,2026-10-01,,,,,", f"{CERT},,,Other,,", "x,,,,,,"
    )
    assert tally(results) == {
        "new": 1, "gains": 1, "answers": 1, "bounces": 0, "known": 1, "refused": 1, "events": 1,
    }  # fmt: skip


def test_another_workspace_knows_nothing_of_it(lab: Workspace, now: dt.datetime) -> None:
    bring(lab, now, f"{CERT},,,,,")
    with transaction() as session:
        other = create_workspace(session, name="other", now=now, actor="operator")
    assert outcome(bring(other, now, f"{CERT},,yes,,,")) == [("new", ("ack.given",))]
