"""What is kept of a notification beside its events can be made anew from them."""

from __future__ import annotations

import datetime as dt
import json

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text

from pocdir import cli
from pocdir.accounts.models import Workspace
from pocdir.accounts.queries import team_id_of
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.ledger.queries import events_of_notification
from pocdir.outreach.desk.actions import choose_automatic
from pocdir.outreach.desk.queries import takes_of
from pocdir.outreach.queries.projections import differences
from pocdir.outreach.sending.actions import allow
from tests.conftest import Api
from tests.latency.made import DAY, told
from tests.outreach import made
from tests.outreach.policies import chosen, work


def test_states_are_made_anew_and_what_is_wrong_in_the_record_stays_wrong(
    app: Flask, api: Api, now: dt.datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    with time_machine.travel(now, tick=False):
        made.teams(now)
        first, second = (
            api.post("/api/v1/notifications", {"team": team}).get_json() for team in ("cert-at", "isp")
        )
        api.post(f"/api/v1/notifications/{first['ref']}/events", {"type": "ack.given"})
        before = [api.get(f"/api/v1/notifications/{it['ref']}").get_json() for it in (first, second)]
        with transaction() as session:
            session.execute(text("UPDATE notifications SET response = 'engaged', due = NULL"))
            session.execute(text("DELETE FROM expectations"))
        db.session.remove()
        assert cli.run(["ledger", "verify"]) == 1
        assert "expectations" in capsys.readouterr().out
        assert cli.run(["ledger", "verify", "--rebuild", "--json"]) == 0
        verdict = json.loads(capsys.readouterr().out)
        assert (verdict["rebuilt"], verdict["faults"]) == (2, [])
        assert [api.get(f"/api/v1/notifications/{it['ref']}").get_json() for it in (first, second)] == before
        with transaction() as session:
            session.execute(text("UPDATE notifications SET language = 'fr'"))
        db.session.remove()
        assert cli.run(["ledger", "verify", "--rebuild"]) == 1
        assert "0 states made anew" in capsys.readouterr().out


def forged(*statements: str) -> list[str]:
    """What the record says of rows that somebody changed past it."""
    with transaction() as session:
        for each in statements:
            session.execute(text(each))
    db.session.remove()
    return list(differences())


def test_a_path_that_was_made_to_wait_for_ever_is_found_and_walks_on(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    made.teams(now - 90 * DAY)
    chosen(lab, now - 90 * DAY, {}, {"clock": "working"}, rest="P1D")
    ref = told(lab, at=now - 40 * DAY, team="isp")
    work(app, now - 37 * DAY)
    astray = [f"notification {ref}: differs from its events in path"]
    assert list(differences()) == []
    for change in (
        "look_at = NULL",
        "look_at = '2099-01-01 00:00:00+00'",
        "not_before = '2099-01-01 00:00:00+00'",
    ):
        assert forged(f"UPDATE notification_paths SET {change}") == astray
        kept = "look_at = '2000-01-01 00:00:00+00', not_before = NULL"
        assert forged(f"UPDATE notification_paths SET {kept}") == []
    assert forged("UPDATE notification_paths SET not_before = '2099-01-01 00:00:00+00'") == astray
    assert cli.run(["ledger", "verify", "--rebuild"]) == 0
    assert work(app, now - 37 * DAY) == 0
    assert forged("UPDATE notification_paths SET state = 'exhausted', look_at = NULL") == astray
    assert cli.run(["ledger", "verify", "--rebuild"]) == 0
    work(app, now)
    assert [e.type for e in events_of_notification(ref)].count("escalation.exhausted") == 1
    assert list(differences()) == []
    assert forged("UPDATE notification_paths SET state = 'due'") == astray


def test_a_path_is_held_back_again_until_when_its_sender_said(
    lab: Workspace, api: Api, now: dt.datetime
) -> None:
    made.teams(now - 90 * DAY)
    slug = chosen(lab, now - 90 * DAY, {})
    ref = told(lab, at=now - DAY, team="isp")
    choice = {"policy": slug, "notification": ref, "not_before": isoformat(now + 900 * DAY)}
    assert api.post("/api/v1/policy-choices", choice).status_code == 201
    before = api.get(f"/api/v1/notifications/{ref}/steps").json
    assert forged("UPDATE notification_paths SET not_before = NULL") != []
    assert cli.run(["ledger", "verify", "--rebuild"]) == 0
    assert api.get(f"/api/v1/notifications/{ref}/steps").json == before


def test_who_may_be_written_to_by_itself_and_who_may_send_is_what_the_record_says(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    made.teams(now - 90 * DAY)
    with transaction() as session:
        allow(session, session.merge(lab), allowed=True, now=now - DAY, actor="user:s")
        team = team_id_of(session, "isp")
        choose_automatic(session, team, ["follow_up"], now=now - DAY, actor="user:b")
    assert list(differences()) == []
    takes = "team isp: takes other letters by themselves than its events say"
    sends = "workspace lab: whether it may send is not as its events say"
    assert forged(
        """UPDATE team_consents SET takes = '["referral"]'""",
        "UPDATE sending_permissions SET allowed = false",
    ) == [takes, sends]
    assert cli.run(["ledger", "verify", "--rebuild"]) == 0
    assert takes_of(team) == ["follow_up"]
    assert forged("DELETE FROM team_consents", "DELETE FROM sending_permissions") == [takes, sends]
    assert cli.run(["ledger", "verify", "--rebuild"]) == 0
    with transaction() as session:
        choose_automatic(session, team, [], now=now, actor="user:b")
        allow(session, session.merge(lab), allowed=False, now=now, actor="user:s")
    assert forged(
        f"""UPDATE team_consents SET takes = '["referral"]' WHERE team_id = {team}""",
        "UPDATE sending_permissions SET allowed = true",
    ) == [takes, sends]


def test_what_followed_a_returned_letter_is_what_the_record_says(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    made.teams(now - 90 * DAY)
    ref = told(lab, at=now - DAY, team="isp")
    astray = [f"notification {ref}: what followed its returned letter is not as its events say"]
    row = f"SELECT id, '{now.isoformat(sep=' ')}', NULL, '%s' FROM notifications"
    for reason in ("answered", "no_mail", "closed", "opted_out", "other"):
        insert = f"INSERT INTO other_channels (notification_id, decided_at, led_to, reason) {row % reason}"
        assert forged(insert.replace("NULL", "CAST(NULL AS VARCHAR)")) == astray
        assert cli.run(["ledger", "verify", "--rebuild"]) == 0
        assert list(differences()) == []
