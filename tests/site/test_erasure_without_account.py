"""Somebody without an account is erased: mails, letters and words go, what a team publishes stays."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from flask import Flask

from pocdir.db import transaction
from pocdir.ledger.models import LedgerEvent
from pocdir.mail import actions as outbox
from pocdir.mail.models import Mail, Received
from pocdir.outreach.models import Notification
from pocdir.site.queries.ledger import verified
from tests.accounts.made import every
from tests.accounts.test_commands import run
from tests.conftest import Api
from tests.mail.replies import came_in, reply
from tests.outreach import made
from tests.outreach.sent import sent_letter
from tests.site.test_retention import held

JO, TEAMS = "Jo.Private@home.example", "reports@cert.example"
WORDS = "which of Jo's own ports?"


@pytest.fixture
def erase(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """What the command answers, or the words of its refusal."""

    def erased(*given: str) -> Any:
        code, answers, said = run(capsys, "user", "erase", *given)
        return answers[0] if code == 0 else said

    return erased


def queue(to: str, body: str, now: dt.datetime, **more: str) -> str:
    with transaction() as session:
        about = {"kind": "notice", "subject": f"About {to}", "key": f"notice:{to}", "domain": "x.example"}
        return outbox.enqueue(session, to=to, body=body, now=now, **about, **more).ref


def test_who_wrote_or_was_written_to_without_an_account_is_nowhere_afterwards(
    app: Flask, api: Api, erase: Callable[..., Any], now: dt.datetime
) -> None:
    with time_machine.travel(now, tick=False):
        made.teams(now)
        letter = sent_letter(api, now)
    now += dt.timedelta(hours=1)
    with time_machine.travel(now, tick=False):
        raw = reply(letter, f"need: {WORDS}").replace(b"<somebody@cert.example>", f"<{JO}>".encode())
        answered = came_in(raw, now).ref
        encoded = base64.b64encode(f"Ask {JO}, who knows".encode()).decode()
        head = "From: Ann <ann@other.example>\nMIME-Version: 1.0\nContent-Type: text/plain\n"
        came_in(f"{head}Content-Transfer-Encoding: base64\n\n{encoded}\n".encode(), now)
        other = came_in(f"{head}\nAsk x{JO}, who knows\n".encode(), now).ref
        queue(JO, "Dear Jo", now)
        settled = queue("eva@other.example", f"{JO} is gone", now)
        with transaction() as session:
            outbox.mark_sent_by_hand(session, ref=settled, now=now, actor="user:a")
        told = {"team": "isp", "subject": "Hits", "channel": {"kind": "email", "value": JO}}
        assert api.post("/api/v1/notifications", told).status_code == 201
        before = {row.ref: (row.response, row.transport) for row in every(Notification)}
        assert JO in held(app)

        would = erase(JO.lower(), "--dry-run")
        assert would == {
            "person": None, "rows": 0, "letters": 4, "told": 1, "values": 2, "teams": [], "erased": False,
        }  # fmt: skip
        assert WORDS in held(app)
        assert erase(JO) == would | {"erased": True}
        text = held(app).replace(f"x{JO}", "").casefold()
        assert not [words for words in (JO.casefold(), WORDS.casefold(), "dear jo", encoded) if words in text]
        assert f"x{JO}" in held(app)
        rows = {row.ref: row for row in every(Received)}
        assert (rows[answered].raw, rows[answered].result) == (None, "acted")
        assert rows[other].raw is not None
        (event,) = [event for event in every(LedgerEvent) if event.type == "data.erased"]
        assert event.payload == {"class": "person", "count": 7, "reason": "request"}
        redacted = [event.payload["event"] for event in every(LedgerEvent) if event.type == "event.redacted"]
        assert rows[answered].event in redacted
        assert {row.ref: (row.response, row.transport) for row in every(Notification)} == before
        verdict = verified()
        assert (verdict.faults, verdict.erased) == ((), 2)
        assert "nor anything else of it" in erase(JO)


def test_what_a_team_publishes_is_not_erased_with_a_person(
    app: Flask, api: Api, erase: Callable[..., Any], now: dt.datetime
) -> None:
    with time_machine.travel(now, tick=False):
        made.teams(now)
        sent_letter(api, now)
        assert "entry of cert-at in the directory stays" in erase(TEAMS)
        came_in(reply(sent_letter(api, now), "We look").replace(b"somebody@", b"reports@"), now)
        came_in(f"From: ann@other.example\n\nAsk {TEAMS}\n".encode(), now)
        done = erase(TEAMS)
        assert (done["letters"], done["told"], done["teams"]) == (1, 0, ["cert-at"])
        assert [letter.to for letter in every(Mail)] == [TEAMS, TEAMS]
        assert all(row.channel_value == TEAMS for row in every(Notification))
        assert verified().faults == ()
        made.teams(now + dt.timedelta(days=1), channels=[])
        assert TEAMS not in api.get("/api/v1/teams/cert-at").text
        assert "entry of cert-at in the directory stays" in erase(TEAMS)
    assert "a mail address such as" in erase("a")
