"""Two who use one link at once: one joins, the others are told that it was used."""

from __future__ import annotations

import datetime as dt
from functools import partial

import time_machine
from flask import Flask
from flask_security.utils import verify_password
from werkzeug.test import TestResponse

from pocdir.accounts import actions, sign_in
from pocdir.accounts.models import Membership, User
from pocdir.core.errors import Refusal
from pocdir.db import db, transaction
from tests.accounts import made
from tests.accounts.browsing import csrf, path_of
from tests.at_once import at_once


def joined_at_once(app: Flask, refs: list[str], now: dt.datetime) -> list[str]:
    """What each is told who joins as ben@example.org at the same moment, each over a connection of its own."""

    def join(ref: str) -> str:
        with app.app_context():
            try:
                with transaction() as session:
                    actions.join_as_new(
                        session, ref=ref, email="ben@example.org", password_hash=made.HASH, now=now
                    )
                return "joined"
            except Refusal as refusal:
                return refusal.code
            finally:
                db.session.remove()

    return sorted(at_once([partial(join, ref) for ref in refs]))


def invitation(workspace: str, now: dt.datetime) -> str:
    owner = made.person(f"{workspace}@example.org", now=now, workspace=workspace, role="owner")
    with transaction() as session:
        member = session.scalars(db.select(Membership).where(Membership.user_id == owner.id)).one()
        return actions.invite(
            session, workspace_id=member.workspace_id, email="ben@example.org", role="researcher", now=now,
            actor="operator",
        ).ref  # fmt: skip


def test_of_many_who_use_one_link_at_once_one_joins(app: Flask, now: dt.datetime) -> None:
    ref = invitation("lab", now)
    assert joined_at_once(app, [ref] * 4, now) == ["joined", "link_used", "link_used", "link_used"]
    assert sorted(made.every(User.email)) == ["ben@example.org", "lab@example.org"]


def test_of_two_links_to_one_address_used_at_once_one_makes_the_account(app: Flask, now: dt.datetime) -> None:
    refs = [invitation(workspace, now) for workspace in ("lab", "rivals")]
    assert joined_at_once(app, refs, now) == ["joined", "user_exists"]


def test_a_button_pressed_twice_sets_the_password_once_and_the_other_page_says_that_it_holds(
    app: Flask, now: dt.datetime
) -> None:
    path = path_of(sign_in.welcome_link(made.person(now=now, password=False), now))

    def press(password: str) -> TestResponse:
        client = app.test_client()
        typed = {"password": password, "again": password, "csrf_token": csrf(client.get(path))}
        return client.post(path, data=typed)

    with time_machine.travel(now):
        passwords = ["a new sentence for me", "another sentence for me"]
        pressed = dict(zip(passwords, at_once([partial(press, each) for each in passwords]), strict=True))
        assert sorted(each.status_code for each in pressed.values()) == [302, 410]
        for password, answer in pressed.items():
            assert verify_password(password, made.one(User.password)) == (answer.status_code == 302)
            assert answer.status_code == 302 or "sign in with that" in answer.text
