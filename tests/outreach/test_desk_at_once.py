"""What a team chooses for the first time while somebody else who answers for it chooses too."""

from __future__ import annotations

import datetime as dt
import threading

import time_machine
from flask import Flask

from pocdir.db import db
from pocdir.outreach.desk.models import Consent
from tests.accounts.made import one
from tests.conftest import Api
from tests.outreach import made
from tests.outreach.test_desk import team_token


def test_a_first_choice_made_several_times_at_once_stands_once(app: Flask, now: dt.datetime) -> None:
    with time_machine.travel(now, tick=False):
        made.teams(now)
        api, theirs = Api(app, None), team_token("cert-at", now)
        together, said = threading.Barrier(4), list[int]()

        def choose() -> None:
            together.wait(timeout=30)
            said.append(api.post("/api/v1/desk/takes", {"takes": ["referral"]}, **theirs).status_code)

        db.session.remove()
        threads = [threading.Thread(target=choose) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert len(set(said)) == 1
        assert said[0] < 300
        assert one(Consent.takes) == ["referral"]
