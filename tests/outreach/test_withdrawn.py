"""What was sent by evidence is no mistake that never happened, at whatever door it is withdrawn."""

from __future__ import annotations

import datetime as dt

from flask import Flask

from pocdir.accounts.models import Workspace
from tests.accounts import made as people
from tests.conftest import Api
from tests.latency.made import DAY, event, told
from tests.outreach import made
from tests.outreach.browsing import send


def test_what_was_sent_by_evidence_is_not_withdrawn_as_a_mistake_but_for_another_reason(
    app: Flask, lab: Workspace, api: Api, now: dt.datetime
) -> None:
    made.teams(now - 400 * DAY)
    by_word, *gone = (told(lab, at=now - DAY) for _ in range(4))
    for ref in gone:
        event(lab, ref, "message.submitted", at=now - DAY, by=("service", "S"), hop="relay", attempt=1)
    path = f"/api/v1/notifications/{gone[0]}/events"
    for payload in ({"reason": "mistake"}, {}):
        refused = api.post(path, {"type": "notification.withdrawn", "payload": payload})
        assert (refused.status_code, refused.json["code"]) == (409, "was_sent")
    browser = people.browser(app, people.person(now=now, workspace="lab", role="owner"), now=now)
    assert 'value="mistake" checked' in browser.get(f"/notifications/{by_word}/withdraw").text
    page = f"/notifications/{gone[1]}/withdraw"
    shown = browser.get(page).text
    assert 'value="mistake"' not in shown and 'value="resolved"' in shown
    kept = send(browser, page, reason="mistake")
    assert (kept.status_code, "evidence that it was sent" in kept.text) == (409, True)
    assert send(browser, page, reason="resolved").status_code == 302

    many = {"act": "notification.withdrawn", "choose": [gone[0], gone[2]]}
    asked = send(browser, "/unanswered/selected", "/unanswered", **many).text
    assert 'value="mistake"' not in asked and 'value="superseded"' in asked
    said = {"confirmed": "yes", "choose": [by_word, gone[0]]}
    mixed = send(browser, "/unanswered/selected", "/unanswered", **many | said, reason="mistake").text
    assert (mixed.count("was_sent"), mixed.count(">recorded<")) == (1, 1)
    done = send(browser, "/unanswered/selected", "/unanswered", **many, confirmed="yes", reason="superseded")
    assert done.text.count(">recorded<") == 2
