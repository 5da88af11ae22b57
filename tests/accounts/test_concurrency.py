"""Two who use one link at once: one joins, the others are told that it was used."""

from __future__ import annotations

import datetime as dt
from functools import partial

from flask import Flask

from pocdir.accounts import actions
from pocdir.accounts.models import Membership, User
from pocdir.core.errors import Refusal
from pocdir.db import db, transaction
from tests.accounts import made
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
