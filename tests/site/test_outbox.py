"""The outbox in the browser and on the command line: where a person is the relay."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from pocdir import cli
from pocdir.core.refs import new_ref
from pocdir.db import db, transaction
from pocdir.ledger.queries import events_of_team
from pocdir.mail import queries
from pocdir.mail.actions import claim, refuse
from tests.accounts import made
from tests.mail.made import queued
from tests.mail.relay import Relay, serving


@pytest.fixture
def steward(app: Flask, now: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    return made.browser(app, made.person(now=now, site_role="steward", password=False), now=now)


@pytest.fixture
def with_relay(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"smtp_url": "smtp://u:hunter2@mail.example.org", "mail_from": "pocdir@example.org"}
    settings = dataclasses.replace(app.extensions["pocdir"], **given)
    monkeypatch.setitem(app.extensions, "pocdir", settings)


def state(ref: str) -> str:
    db.session.remove()
    return queries.mail(ref).state


def failed(now: dt.datetime, **given: object) -> str:
    ref = queued(now, **given).ref
    with transaction() as session:
        claim(session, now=now, lease=dt.timedelta(minutes=1))
        refuse(session, ref=ref, attempt=1, reason="RCPT: 550 no <b>such</b> user", now=now)
    return ref


def test_without_a_relay_the_page_shows_the_letter_and_a_person_sends_it(
    steward: FlaskClient, now: dt.datetime
) -> None:
    ref = queued(now, kind="digest", body="Dear <b>colleagues</b>\n").ref
    listed = steward.get("/outbox").text
    assert "No mail relay is set up" in listed
    assert f"/outbox/{ref}" in listed
    shown = steward.get(f"/outbox/{ref}").text
    assert "Dear &lt;b&gt;colleagues&lt;/b&gt;" in shown
    assert "mailto:cert@example.org?subject=" in shown
    assert "Try again now" not in shown
    assert steward.post(f"/outbox/{ref}/sent").status_code == 302
    assert state(ref) == "sent"
    assert f"/outbox/{ref}" in steward.get("/outbox?state=sent").text
    assert "by hand" in steward.get(f"/outbox/{ref}").text
    assert steward.post(f"/outbox/{ref}/sent").status_code == 409
    assert steward.post(f"/outbox/{ref}/withdraw").status_code == 409


def test_what_failed_shows_its_reason_and_is_tried_again(
    steward: FlaskClient, now: dt.datetime, with_relay: None
) -> None:
    ref = failed(now)
    listed = steward.get("/outbox?state=unsent").text
    assert "RCPT: 550 no &lt;b&gt;such&lt;/b&gt; user" in listed
    assert "hunter2" not in listed
    assert "mail.example.org:587, STARTTLS" in listed
    assert "Try again now" in steward.get(f"/outbox/{ref}").text
    assert steward.post(f"/outbox/{ref}/retry").status_code == 302
    assert state(ref) == "queued"


def test_a_letter_is_taken_back_with_the_reason(steward: FlaskClient, now: dt.datetime) -> None:
    ref = queued(now).ref
    assert steward.post(f"/outbox/{ref}/withdraw", data={"reason": "wrong\r\nteam"}).status_code == 302
    assert state(ref) == "withdrawn"
    assert "wrong team" in steward.get("/outbox?state=withdrawn").text
    assert steward.post(f"/outbox/{ref}/retry").status_code == 409


def test_a_one_time_link_is_shown_to_nobody_but_where_a_person_has_to_send_it(
    steward: FlaskClient, now: dt.datetime, request: pytest.FixtureRequest
) -> None:
    ref = queued(now, kind="claim", body="https://pocdir.example/claim/secret\n", confidential=True).ref
    shown = steward.get(f"/outbox/{ref}").text
    assert "claim/secret" not in shown and "is recorded" in shown
    assert events_of_team("cert") == []
    assert "claim/secret" in steward.post(f"/outbox/{ref}/read").text
    db.session.rollback()
    (told,) = events_of_team("cert")
    assert (told.type, told.claimed_by) == ("contact.letter_read", "steward")
    assert told.sealed == {"letter": ref, "kind": "claim", "address": "cert@example.org"}
    request.getfixturevalue("with_relay")
    assert "claim/secret" not in steward.get(f"/outbox/{ref}").text
    assert steward.post(f"/outbox/{ref}/read").status_code == 403


def test_a_notice_of_a_guarded_change_is_not_kept_from_its_readers(
    steward: FlaskClient, now: dt.datetime, request: pytest.FixtureRequest
) -> None:
    ref = queued(now, kind="proposal_notice", confidential=True).ref
    assert steward.post(f"/outbox/{ref}/withdraw").status_code == 403
    request.getfixturevalue("with_relay")
    assert steward.post(f"/outbox/{ref}/sent").status_code == 403
    assert "Withdraw it" not in steward.get(f"/outbox/{ref}").text
    assert state(ref) == "queued"


def test_a_letter_about_the_entry_is_the_services_own_although_it_has_a_reference(
    steward: FlaskClient, now: dt.datetime, request: pytest.FixtureRequest
) -> None:
    ref = queued(now, kind="ping", notification=new_ref(now), body="https://pocdir.example/r/entry/x\n").ref
    assert "Please confirm your entry" in steward.get("/outbox").text
    shown = steward.get(f"/outbox/{ref}").text
    assert "/r/entry/x" not in shown and "mailto:" not in shown and "is recorded" in shown
    assert "It belongs to a notification" not in shown
    shown = steward.post(f"/outbox/{ref}/read").text
    assert "/r/entry/x" in shown and "mailto:cert@example.org" in shown
    db.session.rollback()
    assert [told.type for told in events_of_team("cert")] == ["contact.letter_read"]
    request.getfixturevalue("with_relay")
    assert "/r/entry/x" not in steward.get(f"/outbox/{ref}").text
    assert steward.post(f"/outbox/{ref}/sent").status_code == 302
    assert state(ref) == "sent"


def test_a_workspaces_letter_is_its_own(steward: FlaskClient, now: dt.datetime) -> None:
    secret = {"subject": "Secret matter", "body": "Secret words\n"}
    ref = failed(now, kind="notification", notification=new_ref(now), **secret)
    for page in (steward.get("/outbox?state=unsent").text, steward.get(f"/outbox/{ref}").text):
        assert "Secret" not in page
        assert "cert@example.org" not in page
        assert "no &lt;b&gt;such" not in page
    for act in ("sent", "withdraw", "retry"):
        assert steward.post(f"/outbox/{ref}/{act}").status_code == 409


def test_a_letter_that_is_not_there(steward: FlaskClient, now: dt.datetime) -> None:
    assert steward.get(f"/outbox/{new_ref(now)}").status_code == 404
    assert steward.post(f"/outbox/{new_ref(now)}/retry").status_code == 404
    assert steward.get("/outbox?page=99999999999").status_code == 200
    assert steward.get("/outbox?state=odd").status_code == 422


def test_an_admin_may_and_a_researcher_may_not(app: Flask, now: dt.datetime) -> None:
    ref = queued(now).ref
    admin = made.person("adam@example.org", now=now, site_role="admin", password=False)
    assert made.browser(app, admin, now=now).get(f"/outbox/{ref}").status_code == 200
    anna = made.person("anna@example.org", now=now, workspace="lab", password=False)
    assert made.browser(app, anna, now=now).get(f"/outbox/{ref}").status_code == 403
    assert app.test_client().get(f"/outbox/{ref}").headers["Location"].startswith("/login")


def run(*arguments: str) -> str:
    done = CliRunner().invoke(cli.pocdir, ["mail", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_same_on_the_command_line(app: Flask, now: dt.datetime) -> None:
    first, second, third = (queued(now, key=key).ref for key in "abc")
    assert len(run("outbox", "list").splitlines()) == 4  # with the head
    run("outbox", "sent", first)
    run("outbox", "withdraw", second, "--reason", "no")
    run("outbox", "retry", third)
    assert (state(first), state(second), state(third)) == ("sent", "withdrawn", "queued")
    (line,) = run("outbox", "list", "--json", "--state", "withdrawn").splitlines()
    shown = json.loads(line)
    assert (shown["ref"], shown["last_error"], shown["settled_by"]) == (second, "no", "operator")
    assert "is this still right?" in run("outbox", "show", third)
    assert json.loads(run("outbox", "show", third, "--json"))["body"].startswith("Dear")


def test_one_letter_to_see_whether_the_relay_takes_it(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = Relay()
    with serving(relay) as port:
        given = {"smtp_url": f"smtp://127.0.0.1:{port}", "mail_from": "pocdir@example.org"}
        monkeypatch.setitem(app.extensions, "pocdir", dataclasses.replace(app.extensions["pocdir"], **given))
        assert "took it: 250" in run("test", "you@example.org")
        relay.at_rcpt = ["550 no"]
        assert cli.run(["mail", "test", "you@example.org"]) == 1
    assert [taken.to for taken in relay.taken] == [["you@example.org"]]


def test_without_a_relay_there_is_nothing_to_test(app: Flask) -> None:
    assert cli.run(["mail", "test", "you@example.org"]) == 1
