"""The notices of keys and merges: in the team's language, with a link that calls the change off after asking twice."""

from __future__ import annotations

import re

import pytest
import time_machine

from pocdir.accounts.models import User
from pocdir.db import db, transaction
from pocdir.directory.actions.marking import mark_address
from pocdir.directory.keys import actions as key_actions
from pocdir.directory.keys.jobs import look_after_keys
from pocdir.directory.keys.models import TeamKey
from pocdir.directory.merging import actions as merging
from pocdir.directory.merging.jobs import apply_due
from pocdir.directory.models import Pairing
from pocdir.directory.office import office
from pocdir.ledger.queries import events_of_team
from pocdir.mail.models import Mail
from tests.accounts import made as people
from tests.directory import made
from tests.directory.test_keys import bring
from tests.mail import keys

NOW = made.NOW
DAY = key_actions.dt.timedelta(days=1)


@pytest.fixture
def anna(app) -> User:
    return people.person("anna@example.org", now=NOW, site_role="steward")


@pytest.fixture(autouse=True)
def _now(app):
    with time_machine.travel(NOW, tick=False):
        yield


def letter(kind: str, to: str = "cert@cert.example") -> Mail:
    return next(mail for mail in people.every(Mail) if (mail.kind, mail.to) == (kind, to))


def path_in(mail: Mail) -> str:
    found = re.search(r"/proposed/[\w-]+", mail.body or "")
    assert found
    return found[0]


def asked_to_merge(anna: User) -> None:
    with transaction() as session:
        merging.merge(
            session, slug="old", into="cert-example", reason="one", office=office(), now=NOW,
            actor=f"user:{anna.ref}",
        )  # fmt: skip


def test_who_reads_an_address_on_record_calls_a_key_off_after_being_asked_twice(client, anna):
    made.team()
    bring(keys.key(), f"user:{anna.ref}")
    mail = letter("key_notice")
    assert "answer this letter" not in mail.body
    path = path_in(mail)
    page = client.get(path).text
    assert keys.key().fingerprint in page and "changes nothing" in page
    assert "Yes, call it off" in client.post(path).text
    assert people.one(TeamKey).state == "proposed"
    assert "was called off" in client.post(path, data={"confirmed": "yes"}).text
    db.session.expire_all()
    assert people.one(TeamKey).state == "refused"
    told = events_of_team("cert-example", types=["key.refused"])[0]
    assert (told.claimed_by, told.actor) == ("team", "recipient")
    assert "settled already" in client.get(path).text
    assert client.post(path, data={"confirmed": "yes"}).status_code == 409


def test_a_merge_is_called_off_by_either_team(client, anna):
    made.team()
    made.team("old", kind="academic", channels=[made.channel("old@cert.example")], responsibilities=[])
    asked_to_merge(anna)
    path = path_in(letter("merge_notice", "old@cert.example"))
    assert "was called off" in client.post(path, data={"confirmed": "yes"}).text
    assert people.one(Pairing).state == "refused"
    assert events_of_team("old", types=["team.pairing_refused"])[0].claimed_by == "team"


def test_the_link_outlives_its_address_and_a_forged_one_is_none(client, anna):
    made.team()
    bring(keys.key(), f"user:{anna.ref}")
    path = path_in(letter("key_notice"))
    assert client.get(path[:-2] + "AA").status_code == 404
    with transaction() as session:
        mark_address(
            session, kind="email", value="cert@cert.example", state="withdrawn", evidence="gone", now=NOW,
            actor="operator",
        )  # fmt: skip
    assert client.post(path, data={"confirmed": "yes"}).status_code == 200
    db.session.expire_all()
    assert people.one(TeamKey).state == "refused"


def test_the_notices_come_in_the_teams_language(app, anna):
    made.team(languages=["ar"])
    made.team("old", kind="academic", channels=[made.channel("old@cert.example")], responsibilities=[])
    bring(keys.key(), f"user:{anna.ref}")
    asked_to_merge(anna)
    for kind in ("key_notice", "merge_notice"):
        mail = letter(kind)
        assert mail.language == "ar"
        assert not re.search(r"steward|entry|Opening|If it|Whoever|Nothing", mail.body), mail.body
        assert letter("merge_notice", "old@cert.example").language == "en"


def test_a_keys_end_is_told_in_the_teams_language(app):
    made.team(kind="provider", languages=["ar"])
    row = bring(keys.key(), "operator")
    with transaction() as session:
        kept = session.get_one(TeamKey, row.id)
        kept.expires_at = NOW + key_actions.dt.timedelta(days=20)
        assert key_actions.warn(session, now=NOW, mail_domain="pocdir.example") == 1
    mail = letter("key_expiry")
    assert (mail.language, "expires" in mail.body) == ("ar", False)


def test_where_one_steward_is_left_keys_and_merges_wait_72_hours_from_a_new_notice(app, anna):
    ben = people.person("ben@example.org", now=NOW, site_role="steward")
    made.team()
    made.team("old", kind="academic", channels=[made.channel("old@cert.example")], responsibilities=[])
    row = bring(keys.key(), "user:nobody")
    asked_to_merge(anna)
    with transaction() as session:
        key_actions.approve(session, ref=row.ref, now=NOW, actor=f"user:{anna.ref}")
        session.get_one(User, ben.id).active = False
    later = NOW + 10 * DAY
    for moment, done in ((later, 0), (later + 2 * DAY, 0), (later + 3 * DAY, 1)):
        look_after_keys(moment)
        assert apply_due(moment) == done
    db.session.expire_all()
    assert (people.one(TeamKey).state, people.one(Pairing).state) == ("pinned", "applied")
    told = sorted((mail.kind, mail.to) for mail in people.every(Mail))
    assert told == sorted(
        2
        * [
            ("key_notice", "cert@cert.example"),
            ("merge_notice", "cert@cert.example"),
            ("merge_notice", "old@cert.example"),
        ]
    )
