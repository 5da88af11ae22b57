"""Webhooks that are changed at the same moment: each change counts, and nothing is said that is not so."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator, Sequence

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from pocdir.accounts.models import Workspace
from pocdir.db import transaction
from pocdir.ledger.models import EventReader
from pocdir.mail.models import Mail
from pocdir.outreach.webhooks import actions, rules
from pocdir.outreach.webhooks.models import Delivery, Webhook
from tests.accounts import made
from tests.at_once import at_once
from tests.conftest import Api

URL = "https://hooks.example.org/"


@pytest.fixture(autouse=True)
def _on(app: Flask, now: dt.datetime) -> Iterator[None]:
    settings = app.extensions["pocdir"]
    app.extensions["pocdir"] = dataclasses.replace(settings, webhooks="https")
    with time_machine.travel(now, tick=False):
        yield
    app.extensions["pocdir"] = settings


def statuses(acts: Sequence[Callable[[], TestResponse]]) -> list[int]:
    """Of these requests, all sent at the same moment."""
    return sorted(each.status_code for each in at_once(acts))


def hook(api: Api) -> str:
    return str(api.post("/api/v1/webhooks", {"url": URL}).get_json()["ref"])


def test_webhooks_made_at_once_are_made_up_to_the_limit(api: Api) -> None:
    for _ in range(rules.MOST - 4):
        hook(api)
    said = statuses([lambda: api.post("/api/v1/webhooks", {"url": URL})] * 6)
    assert said == [201] * 4 + [409] * 2
    assert len(made.every(Webhook)) == rules.MOST
    assert len(made.every(EventReader)) == 1


def test_the_ledger_knows_that_somebody_listens_whoever_switches_on_and_off_at_once(api: Api) -> None:
    refs = [hook(api) for _ in range(4)]
    for wanted in (False, True):
        acts = [
            lambda ref=ref, wanted=wanted: api.patch(f"/api/v1/webhooks/{ref}", {"enabled": wanted})
            for ref in refs
        ]
        assert statuses(acts) == [200] * 4
        assert len(made.every(EventReader)) == wanted
    acts = [lambda ref=ref: api.client.delete(f"/api/v1/webhooks/{ref}", headers=api.headers) for ref in refs]
    assert statuses(acts + acts) == [204] * 4 + [404] * 4
    assert made.every(EventReader) == []


def test_each_of_many_renewals_at_once_gives_a_secret_of_its_own(api: Api) -> None:
    path, secrets = f"/api/v1/webhooks/{hook(api)}/secret", set[str]()

    def renew() -> TestResponse:
        answer = api.post(path)
        secrets.add(answer.get_json()["secret"])
        return answer

    assert statuses([renew] * 5) == [201] * 5
    assert len(secrets) == 5
    assert made.one(Webhook.generation) == 6


@pytest.mark.parametrize("on_again", [False, True])
def test_who_switches_a_webhook_off_while_a_message_is_under_way_gets_no_letter(
    api: Api, lab: Workspace, now: dt.datetime, on_again: bool
) -> None:
    made.person(now=now, workspace="lab", role="owner")
    ref = hook(api)
    api.post(f"/api/v1/webhooks/{ref}/test")
    with transaction() as session:
        claimed = actions.claim(session, now=now)
        assert claimed is not None
        message = claimed.id
    api.patch(f"/api/v1/webhooks/{ref}", {"enabled": False})
    if on_again:
        api.patch(f"/api/v1/webhooks/{ref}", {"enabled": True})
    with transaction() as session:
        kept = session.get_one(Delivery, message)
        actions.settle(session, kept, status=503, error="answered 503", domain="pocdir.example", now=now)
    assert made.one(Delivery.state) == "dead"
    assert made.every(Mail) == []
