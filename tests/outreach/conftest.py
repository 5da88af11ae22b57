"""A relay, a workspace that may send over it, and a clock that stands still until it is moved."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from pocdir.accounts.models import Workspace
from pocdir.db import transaction
from pocdir.outreach.sending.actions import allow
from tests.accounts import made as people
from tests.latency.made import DAY
from tests.outreach import made
from tests.outreach.by_itself import TWO

NO_RELAY = 1  # a port where nothing listens


@pytest.fixture
def clock(now: dt.datetime) -> Iterator[Any]:
    with time_machine.travel(now, tick=False) as moved:
        yield moved


@pytest.fixture
def relay(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A relay is set up; nothing is handed to it."""
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    before = app.extensions["pocdir"]
    url = f"smtp://127.0.0.1:{NO_RELAY}"
    app.extensions["pocdir"] = dataclasses.replace(before, smtp_url=url, mail_from="pocdir@pocdir.example")
    yield
    app.extensions["pocdir"] = before


@pytest.fixture
def allowed(app: Flask, lab: Workspace, now: dt.datetime) -> None:
    """The lab may send, and there are teams to tell."""
    made.teams(now)
    with transaction() as session:
        allow(session, session.merge(lab), allowed=True, now=now, actor="user:steward")


@pytest.fixture
def three_addresses(app: Flask, lab: Workspace, now: dt.datetime, relay: None) -> Iterator[Any]:
    """Teams, a provider with three addresses, and a workspace that may send."""
    made.teams(now - 400 * DAY)
    made.carrier(now - 400 * DAY)
    provider = {
        "slug": "isp2", "name": "Second ISP", "kind": "provider", "country": "AT", "channels": TWO,
        "responsibilities": [],
    }  # fmt: skip
    made.entered(provider, now - 400 * DAY)
    with transaction() as session:
        allow(session, session.merge(lab), allowed=True, now=now - 300 * DAY, actor="user:steward")
    with time_machine.travel(now, tick=False) as clock:
        yield clock


@pytest.fixture
def teams(app: Flask, clock: Any, now: dt.datetime) -> None:
    """Teams to tell, at a moment that stands still until it is moved."""
    made.teams(now)


@pytest.fixture
def browser(app: Flask, now: dt.datetime) -> FlaskClient:
    """A researcher of the lab, signed in."""
    return people.browser(app, people.person(now=now, workspace="lab"), now=now)
