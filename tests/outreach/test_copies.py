"""A copy of a member's own mail: evidence that it was sent, where our own mail server has checked its signature."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator

import pytest
import time_machine
from flask import Flask

from pocdir.ledger.queries import events_of_notification
from tests.accounts import made as people
from tests.conftest import Api
from tests.mail.replies import came_in, result
from tests.outreach import made

HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _clock(app: Flask, now: dt.datetime) -> Iterator[None]:
    with time_machine.travel(now, tick=False):
        made.teams(now)
        yield


@pytest.fixture
def later(now: dt.datetime) -> Iterator[dt.datetime]:
    with time_machine.travel(now + HOUR, tick=False):
        yield now + HOUR


CHECKED = "Authentication-Results: mx.lab.example; dkim=pass header.d=lab.example header.s=a"


def copied(ref: str, *, checked: str = CHECKED, **more: str) -> bytes:
    """A member's own mail to the team, as it reached us."""
    head = {
        "From": "Anna <anna@lab.example>", "To": "reports@cert.example", "Subject": f"[pocdir {ref}] Hits",
        "Date": "Sun, 22 Nov 2026 12:00:30 +0000", "Message-ID": "<1@lab.example>",
    } | more  # fmt: skip
    return "\n".join(
        [checked, *(f"{name}: {value}" for name, value in head.items()), "", "Hello", ""]
    ).encode()


@pytest.fixture
def trusted(app: Flask, api: Api, now: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    given = dataclasses.replace(app.extensions["pocdir"], authserv_id="mx.lab.example")
    monkeypatch.setitem(app.extensions, "pocdir", given)
    people.person("anna@lab.example", now=now, workspace="lab")


def logged(api: Api) -> str:
    answer = api.post("/api/v1/notifications", {"team": "cert-at", "subject": "Hits"})
    return str(answer.get_json()["ref"])


@pytest.mark.usefixtures("trusted")
def test_a_copy_of_a_members_signed_mail_raises_the_level_and_moves_nothing_else(
    api: Api, later: dt.datetime
) -> None:
    ref = logged(api)
    for again in "12":
        assert result(came_in(copied(ref, **{"X-Again": again}), later))[0] == "acted"
    copies = [it for it in events_of_notification(ref) if it.type == "message.copied"]
    assert [(it.claimed_by, it.assurance, it.sealed["rule"]) for it in copies] == [("service", None, "dkim")]
    shown = api.get(f"/api/v1/notifications/{ref}").get_json()
    assert (shown["sent_level"], shown["state"]["response"]) == ("P1", "awaiting")


FORGED = "Authentication-Results: mx.evil.example; dkim=fail\n" + CHECKED


UNCHECKED = (
    "X-None: 1", FORGED, CHECKED.replace("pass", "fail"), CHECKED.replace("mx.lab", "mx.other"),
    CHECKED.replace("d=lab", "d=evil"), CHECKED.replace("dkim=pass", "spf=pass (dkim=pass)"),
    CHECKED.replace("dkim=pass", "dkim=none; x-dkim=pass"), CHECKED + "\nFrom: anna@lab.example",
    "Authentication-Results: mx.lab.example; spf=pass (a (b); dkim=pass header.d=lab.example )",
    'Authentication-Results: mx.lab.example; dkim=fail reason="; dkim=pass header.d=lab.example "',
)  # fmt: skip


@pytest.mark.usefixtures("trusted")
def test_what_our_own_mail_server_has_not_checked_raises_nothing(api: Api, later: dt.datetime) -> None:
    ref = logged(api)
    changes = [{"checked": each} for each in UNCHECKED] + [
        {"From": "Eve <eve@lab.example>"}, {"From": "eve@lab.example (<anna@lab.example>)"},
        {"From": "Anna <anna@lab.example>, e@lab.example"},
        {"To": "other@cert.example"}, {"Subject": "no reference"},
        {"Subject": "[pocdir 019a5c1e-7d00-7a10-9f00-0242ac120002]"},
    ]  # fmt: skip
    for change in changes:
        row = came_in(copied(ref, **change), later)
        assert result(row)[0] in ("unmatched", "kept"), change
        assert [it.type for it in events_of_notification(ref) if it.type.startswith("message.")] == [], change


def test_without_the_setting_a_copy_moves_nothing(api: Api, now: dt.datetime, later: dt.datetime) -> None:
    people.person("anna@lab.example", now=now, workspace="lab")
    assert result(came_in(copied(logged(api)), later))[0] == "unmatched"
