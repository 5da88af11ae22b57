"""One mail a day at most to a team that asked for it: who told it something, and where to read it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from pocdir.db import db, transaction
from pocdir.directory.models import Team
from pocdir.ledger.models import LedgerEvent
from pocdir.mail.models import Mail
from pocdir.outreach.desk import rules
from pocdir.outreach.desk.jobs import send_digests
from pocdir.outreach.jobs import record_lapses
from tests.accounts import made as people
from tests.conftest import Api
from tests.outreach import made
from tests.outreach.browsing import send
from tests.outreach.made import contact, team_token
from tests.outreach.test_desk import logged

HOUR = dt.timedelta(hours=1)
ADDRESS = "reports@cert.example"


@pytest.fixture(autouse=True)
def clock(app: Flask, now: dt.datetime) -> Iterator[Any]:
    settings = app.extensions["pocdir"]
    app.extensions["pocdir"] = dataclasses.replace(
        settings, smtp_url="smtp://localhost:1", mail_from="pocdir@service.example"
    )
    with time_machine.travel(now, tick=False) as moved:
        made.teams(now, timezone="Europe/Vienna", languages=["en"])
        yield moved
    app.extensions["pocdir"] = settings


def mails() -> list[Mail]:
    return [it for it in people.every(Mail) if it.kind == "digest"]


def test_a_day_has_one_mail_and_only_where_something_new_came(
    app: Flask, api: Api, now: dt.datetime, clock: Any
) -> None:
    desk = contact(app, now)  # 12:00 UTC is 13:00 in Vienna
    old = logged(api, subject="Before it was asked for")
    assert send(desk, "/desk/digest", "/desk", hour="14", address=ADDRESS).location == "/desk"
    clock.shift(2 * HOUR)
    assert send_digests(now + 2 * HOUR) == 0  # nothing new came since the team sat at its desk
    plain = logged(api, subject="A name that stays here", tlp="TLP:GREEN")
    red = logged(api, subject="Secret", tlp="TLP:RED")
    assert send_digests(now + 3 * HOUR) == 0
    for _ in range(2):  # and two workers send it once
        send_digests(now + 26 * HOUR)
    (mail,) = mails()
    assert (mail.to, mail.team, mail.confidential) == (ADDRESS, "cert-at", True)
    for ref in (old, plain, red):
        assert f"/told/{ref}" in mail.body
    assert mail.body.count("lab") == 2  # who sent what is TLP:RED stays out of a mail
    assert "A name that stays here" not in mail.body and "Secret" not in mail.body
    clock.shift(26 * HOUR)
    logged(api)
    send(
        desk, "/desk/digest", "/desk", hour="18", address=ADDRESS
    )  # another hour makes no second mail of a day
    send_digests(now + 30 * HOUR)
    assert len(mails()) == 1
    send_digests(now + 54 * HOUR)
    assert len(mails()) == 2
    assert send(desk, "/desk/digest", "/desk", hour="").status_code == 302
    logged(api)
    send_digests(now + 99 * HOUR)
    assert len(mails()) == 2
    chosen = [it for it in people.every(LedgerEvent) if it.type == "desk.digest_chosen"]
    assert [it.claimed_by for it in chosen] == ["team"] * 3


def test_it_reminds_of_what_was_answered_and_has_no_outcome(
    app: Flask, api: Api, now: dt.datetime, clock: Any
) -> None:
    desk = contact(app, now)
    asked = [{"of": "acknowledgement", "within": "PT12H"}, {"of": "remediation", "within": "PT20H"}]
    ref = logged(api, expect=asked)
    send(desk, "/desk/digest", "/desk", hour="14", address=ADDRESS)
    api.post(f"/api/v1/notifications/{ref}/events", {"type": "ack.given"})
    assert send_digests(now + 2 * HOUR) == 0
    clock.shift(22 * HOUR)
    record_lapses(now + 22 * HOUR)
    send_digests(now + 26 * HOUR)
    send_digests(now + 50 * HOUR)
    (mail,) = mails()
    assert "it was asked what became of it, and nothing is recorded. Number: 1." in mail.body
    assert "without a word of yours" not in mail.body


def test_what_lapsed_during_an_outage_is_in_the_first_mail_after_it_was_written_down(
    app: Flask, api: Api, now: dt.datetime, clock: Any
) -> None:
    desk = contact(app, now)
    asked = [{"of": "acknowledgement", "within": "PT12H"}, {"of": "remediation", "within": "PT20H"}]
    ref = logged(api, expect=asked)
    api.post(f"/api/v1/notifications/{ref}/events", {"type": "ack.given"})
    clock.shift(25 * HOUR)  # no worker has written down yet what fell due
    send(desk, "/desk/digest", "/desk", hour="14", address=ADDRESS)
    record_lapses(now + 26 * HOUR)
    send_digests(now + 50 * HOUR)
    (mail,) = mails()
    assert "it was asked what became of it, and nothing is recorded. Number: 1." in mail.body


def test_it_goes_to_an_address_of_the_entry_alone(
    app: Flask, api: Api, client: Any, now: dt.datetime
) -> None:
    theirs = team_token("cert-at", now)
    asked = {"hour": 8, "address": "somebody@else.example"}
    refused = client.post("/api/v1/desk/digest", json=asked, headers=theirs)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "address_not_on_record")
    page = send(contact(app, now), "/desk/digest", "/desk", hour="8", address="somebody@else.example")
    assert page.status_code == 422 and "one of the mail addresses" in page.text.lower()
    kept = client.post("/api/v1/desk/digest", json=asked | {"address": ADDRESS}, headers=theirs).get_json()
    assert kept["digest"] == {"hour": 8, "address": ADDRESS}
    assert client.get("/api/v1/desk", headers=theirs).get_json() == kept
    assert api.get("/api/v1/desk").get_json()["code"] == "forbidden"
    logged(api)
    with transaction() as session:
        team = session.scalar(db.select(Team).where(Team.slug == "cert-at"))
        assert team is not None
        team.retired_at = now
    send_digests(now + 48 * HOUR)
    assert mails() == []


def test_without_a_relay_nobody_else_comes_to_read_it(app: Flask, api: Api, now: dt.datetime) -> None:
    app.extensions["pocdir"] = dataclasses.replace(app.extensions["pocdir"], smtp_url=None)
    send(contact(app, now), "/desk/digest", "/desk", hour="8", address=ADDRESS)
    logged(api)
    assert (send_digests(now + 48 * HOUR), mails()) == (0, [])


UNKNOWN = (None, "localtime", "Mars/Base")  # stored by an older version, or gone from the database of zones


@given(
    st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2028, 12, 31), timezones=st.just(dt.UTC)),
    st.integers(0, 23),
    st.sampled_from([*UNKNOWN, "Europe/Vienna", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"]),
)
def test_the_next_hour_is_later_and_within_a_day(now: dt.datetime, hour: int, zone: str | None) -> None:
    at = rules.next_look(now, hour, zone)
    assert now < at <= now + 26 * HOUR
    there = at.astimezone(ZoneInfo("UTC" if zone in UNKNOWN else zone))
    assert there.hour == hour or there.dst() != (there - HOUR).dst()  # an hour that a day has not
