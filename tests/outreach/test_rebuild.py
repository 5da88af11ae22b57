"""What is kept of a notification beside its events can be made anew from them."""

from __future__ import annotations

import datetime as dt
import json

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text

from pocdir import cli
from pocdir.db import db, transaction
from tests.conftest import Api
from tests.outreach import made


def test_states_are_made_anew_and_what_is_wrong_in_the_record_stays_wrong(
    app: Flask, api: Api, now: dt.datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    with time_machine.travel(now, tick=False):
        made.teams(now)
        first, second = (
            api.post("/api/v1/notifications", {"team": team}).get_json() for team in ("cert-at", "isp")
        )
        api.post(f"/api/v1/notifications/{first['ref']}/events", {"type": "ack.given"})
        before = [api.get(f"/api/v1/notifications/{it['ref']}").get_json() for it in (first, second)]
        with transaction() as session:
            session.execute(text("UPDATE notifications SET response = 'engaged', due = NULL"))
            session.execute(text("DELETE FROM expectations"))
        db.session.remove()
        assert cli.run(["ledger", "verify"]) == 1
        assert "expectations" in capsys.readouterr().out
        assert cli.run(["ledger", "verify", "--rebuild", "--json"]) == 0
        verdict = json.loads(capsys.readouterr().out)
        assert (verdict["rebuilt"], verdict["faults"]) == (2, [])
        assert [api.get(f"/api/v1/notifications/{it['ref']}").get_json() for it in (first, second)] == before
        with transaction() as session:
            session.execute(text("UPDATE notifications SET language = 'fr'"))
        db.session.remove()
        assert cli.run(["ledger", "verify", "--rebuild"]) == 1
        assert "0 states made anew" in capsys.readouterr().out
