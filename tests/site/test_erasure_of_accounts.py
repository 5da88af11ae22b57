"""A person is erased: nothing leads to them any more, and the record stands."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from pocdir.accounts import actions, queries
from pocdir.accounts.models import Invitation, Membership
from pocdir.db import Base, db, transaction
from pocdir.ledger.actions import append
from pocdir.ledger.models import LedgerEvent
from pocdir.mail.actions import enqueue
from pocdir.mail.models import Mail
from pocdir.site.queries.ledger import verified
from tests.accounts import made
from tests.accounts.browsing import post
from tests.accounts.test_commands import run
from tests.conftest import Api
from tests.mail.replies import came_in

ANNA = "anna@example.org"


@pytest.fixture
def anna(app: Flask, now: dt.datetime):
    """An owner who is in the record, with a session, an invitation and a letter that waits."""
    with time_machine.travel(now, tick=False):
        user = made.person(ANNA, now=now, workspace="lab", role="owner", site_role="steward")
        made.browser(app, user, now=now)
        with transaction() as session:
            lab = queries.workspace_by_slug(session, "lab")
            given = {"now": now, "actor": f"user:{user.ref}"}
            actions.invite(session, workspace_id=lab.id, email=ANNA, role="researcher", **given)
            append(
                session,
                type="contact.released",
                team="cert-at",
                payload={"note": f"{ANNA} has left"},
                claimed_by="steward",
                **given,
            )
            enqueue(
                session,
                kind="notice",
                to=ANNA,
                subject="hello",
                body="Anna,",
                key="1",
                domain="x.example",
                now=now,
            )
        yield user


def everything() -> str:
    db.session.remove()
    with db.engine.connect() as connection:
        return "".join(str(connection.execute(select(table)).all()) for table in Base.metadata.sorted_tables)


def test_an_erased_person_is_nowhere_and_the_record_still_verifies(app: Flask, anna, now, capsys) -> None:
    for number, line in enumerate((f"Anna <{ANNA.upper()}>", f"{ANNA} (Anna)", f'"A, B" <{ANNA}>')):
        came_in(f"From: {line}\nSubject: {ANNA}\n\nI am {ANNA} {number}".encode(), now)
    other = came_in(f"From: j{ANNA}\n\nI am Joanna".encode(), now)
    assert other.sender == f"j{ANNA}"
    code, (would,), _ = run(capsys, "user", "erase", ANNA, "--dry-run")
    assert (code, would["erased"], would["letters"], would["values"]) == (0, False, 4, 1)
    assert ANNA in everything()

    code, (done,), _ = run(capsys, "user", "erase", ANNA)
    assert (code, done) == (0, would | {"erased": True, "person": anna.ref})
    assert f"j{ANNA}" in everything()
    assert ANNA not in everything().replace(f"j{ANNA}", "")
    assert made.every(Membership) == made.every(Invitation) == []
    (letter,) = made.every(Mail)
    assert (letter.state, letter.body) == ("withdrawn", None)
    kept = {event.type: event for event in made.every(LedgerEvent)}
    assert kept["contact.released"].actor == f"user:{anna.ref}"
    assert kept["event.redacted"].payload["event"] == kept["contact.released"].id
    said = {"class": "person", "count": would["rows"] + 5, "reason": "request", "person": anna.ref}
    assert kept["data.erased"].payload == said
    verdict = verified()
    assert (verdict.faults, verdict.erased) == ((), 1)

    code, _, said = run(capsys, "user", "erase", ANNA)
    assert (code, "there is no account" in said) == (1, True)
    run(capsys, "user", "create", "ben@example.org", "--workspace", "lab")
    assert made.one(Membership).role == "owner"


def test_a_person_erases_the_own_account_with_its_password_and_leaves_nobody_without_an_owner(
    app: Flask, anna, now
) -> None:
    with time_machine.travel(now, tick=False):
        ben = made.person("ben@example.org", now=now, workspace="lab", site_role="admin")
        browser = made.browser(app, anna, now=now)
        assert "/account/erase" in browser.get("/account").text
        assert post(browser, "/account/erase", present="wrong").status_code == 422
        refused = post(browser, "/account/erase", present=made.PASSWORD)
        assert (refused.status_code, "make somebody else an owner first" in refused.text) == (409, True)
        with transaction() as session:
            lab = queries.workspace_by_slug(session, "lab")
            actions.set_member_role(
                session, workspace_id=lab.id, user_ref=ben.ref, role="owner", actor="operator"
            )
        refused = post(browser, "/account/erase", present=made.PASSWORD)
        assert (refused.status_code, "first make another: pocdir user create" in refused.text) == (409, True)
        made.person("ida@example.org", now=now, site_role="steward")
        assert post(browser, "/account/erase", present=made.PASSWORD).status_code == 302
        assert ANNA not in everything()
        assert browser.get("/account").status_code == 302
        assert verified().faults == ()
        bens = made.browser(app, ben, now=now)
        refused = post(bens, "/account/erase", present=made.PASSWORD)
        assert (refused.status_code, "make somebody else an admin first" in refused.text) == (409, True)
        made.person("eva@example.org", now=now, site_role="admin")
        assert (
            post(bens, "/account/erase", present=made.PASSWORD).status_code == 302
        )  # in the lab he was alone


def test_who_was_invited_by_somebody_elses_address_erases_nothing_of_others(app: Flask, now) -> None:
    address = "reports@cert.example"
    with time_machine.travel(now, tick=False):
        thief = made.person(address, now=now, workspace="theirs", role="owner")
        note = f"told {address}, not x{address} or {address}.test"
        given = {"now": now, "claimed_by": "steward", "team": "cert-at", "type": "contact.released"}
        with transaction() as session:
            append(session, payload={"note": note}, actor="user:somebody", **given)
            append(
                session, payload={"note": f"x{address} {address}.test"}, actor=f"user:{thief.ref}", **given
            )
            enqueue(
                session, kind="claim", team="cert-at", to=address, subject="A claim", body="Yes or no?",
                key="1", domain="x.example", now=now,
            )  # fmt: skip
        browser = made.browser(app, thief, now=now)
        assert post(browser, "/account/erase", present=made.PASSWORD).status_code == 302
        (letter,) = made.every(Mail)
        assert (letter.state, letter.to, letter.body) == ("queued", address, "Yes or no?\n")
        verdict = verified()
        assert (verdict.faults, verdict.erased) == ((), 0)


def test_somebody_else_is_erased_by_a_token_that_the_operator_made_for_it(app: Flask, anna, now) -> None:
    def token(*scopes: str, actor: str = "operator") -> Api:
        with transaction() as session:
            lab = queries.workspace_by_slug(session, "lab")
            given = {"workspace_id": lab.id, "scopes": scopes, "now": now, "actor": actor}
            return Api(app, actions.create_token(session, **given)[1])

    asked, path = {"email": ANNA, "reason": "order"}, "/api/v1/people/erase"
    with time_machine.travel(now, tick=False):
        for other in (token(), token("workspace.read"), token("person.erase", actor=f"user:{anna.ref}")):
            assert other.post(path, asked).status_code == 403
        erasing = token("person.erase")
        assert erasing.get("/api/v1/incidents").json["code"] == "scope_missing"
        assert erasing.post(path, asked | {"email": "nobody@example.org"}).json["code"] == "user_unknown"
        dry = erasing.post(path, asked | {"dry_run": True})
        assert (dry.status_code, dry.json["person"], dry.json["erased"]) == (200, anna.ref, False)
        assert erasing.post(path, asked).json["code"] == "last_steward"
        made.person("ben@example.org", now=now, workspace="lab", role="owner", site_role="steward")
        done = erasing.post(path, asked)
        assert done.json == dry.json | {"erased": True}
        assert erasing.post(path, asked).status_code == 404
    assert ANNA not in everything()
