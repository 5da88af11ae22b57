"""What a team chooses for the first time while somebody else who answers for it chooses too."""

from __future__ import annotations

import datetime as dt

import time_machine
from flask import Flask

from pocdir.outreach.desk.models import Consent
from tests.accounts.made import one
from tests.at_once import at_once
from tests.conftest import Api
from tests.outreach import made
from tests.outreach.made import team_token


def test_a_first_choice_made_several_times_at_once_stands_once(app: Flask, now: dt.datetime) -> None:
    with time_machine.travel(now, tick=False):
        made.teams(now)
        api, theirs = Api(app, None), team_token("cert-at", now)

        def choose() -> int:
            return api.post("/api/v1/desk/takes", {"takes": ["referral"]}, **theirs).status_code

        (said,) = set(at_once([choose] * 4))
        assert said < 300
        assert one(Consent.takes) == ["referral"]
