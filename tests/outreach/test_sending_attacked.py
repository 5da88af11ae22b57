"""What happens between queueing and handing over, and what others could learn from what comes back."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine
from flask import Flask

from pocdir import running
from pocdir.db import Base, db, transaction
from pocdir.ledger.queries import events_of_notification
from pocdir.mail import actions as outbox
from pocdir.mail.models import Mail
from pocdir.mail.rules.envelope import envelope_sender
from pocdir.outreach.replies import actions
from pocdir.outreach.sending import jobs
from tests.conftest import NOW, Api
from tests.mail.relay import Relay, serving
from tests.mail.replies import OURS, came_in, reply, report
from tests.outreach.sent import SECOND, hand_over, letters, pin, told

pytestmark = pytest.mark.usefixtures("relay", "allowed")
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def handed_over(app: Flask, at: dt.datetime, *, answer: str | None = None) -> Relay:
    server = Relay()
    if answer:
        server.at_rcpt = [answer]
    with serving(server) as port:
        hand_over(app, port, at)
    return server


def incident(api: Api) -> str:
    return str(api.post("/api/v1/incidents", {"title": "The case", "tlp": "TLP:GREEN"}).get_json()["ref"])


def test_a_label_that_was_raised_since_holds_what_would_go_in_plain_text(
    app: Flask, api: Api, clock: Any
) -> None:
    case = incident(api)
    green, said = told(api, incident=case).json["ref"], told(api, incident=case, plain_text=True).json["ref"]
    api.patch(f"/api/v1/incidents/{case}", {"tlp": "TLP:RED"})
    assert handed_over(app, NOW + SECOND).taken == []
    for ref in (green, said):
        sending = api.get(f"/api/v1/notifications/{ref}").json["sending"]
        assert (sending["state"], sending["reason"][:11]) == ("not_sent", "key problem")


def test_a_label_that_was_raised_since_lets_what_is_encrypted_go(app: Flask, api: Api, clock: Any) -> None:
    case = incident(api)
    pin(NOW)
    told(api, incident=case)
    api.patch(f"/api/v1/incidents/{case}", {"tlp": "TLP:RED"})
    [taken] = handed_over(app, NOW + SECOND).taken
    assert b"multipart/encrypted" in taken.data and b"Sinkhole hits" not in taken.data


def test_what_was_withdrawn_while_it_was_handed_over_is_not_tried_again(
    app: Flask, api: Api, clock: Any
) -> None:
    ref = told(api).json["ref"]
    with transaction() as session:
        claimed = outbox.claim(session, now=NOW + SECOND, lease=HOUR)
        assert claimed is not None
        mail, attempt = claimed.ref, claimed.attempts
    withdrawn = {"type": "notification.withdrawn", "payload": {"reason": "mistake"}}
    assert api.post(f"/api/v1/notifications/{ref}/events", withdrawn).status_code == 201
    with transaction() as session:
        outbox.defer(session, ref=mail, attempt=attempt, reason="try later", now=NOW + SECOND)
    assert handed_over(app, NOW + DAY).taken == []
    [stale] = [event for event in events_of_notification(ref) if event.type == "message.stale"]
    assert stale.payload["reason"] == "withdrawn"


def test_a_server_that_names_the_link_it_refuses_does_not_spread_it(app: Flask, api: Api, clock: Any) -> None:
    page = told(api).json["recipient_page"]
    handed_over(app, NOW + SECOND, answer=f"550 5.7.1 {page} is on a list of bad links")
    token = page.rsplit("/", 1)[1]
    db.session.expire_all()
    kept = {
        table.name
        for table in Base.metadata.sorted_tables
        for row in db.session.execute(table.select())
        if any(token in str(value) for value in row)
    }
    assert kept == set()
    assert "is on a list of bad links" in (letters()[0].last_error or "")


def test_whoever_reads_a_report_cannot_write_one(app: Flask, api: Api, clock: Any) -> None:
    ref = told(api).json["ref"]
    handed_over(app, NOW + SECOND)
    [mail] = letters()
    with time_machine.travel(NOW + HOUR, tick=False):
        came_in(report(mail, action="delayed", status="4.4.1"), NOW + HOUR)
        [row] = api.get(f"/api/v1/notifications/{ref}/mail").json["items"]
        raw = api.get(f"/api/v1/notifications/{ref}/mail/{row['ref']}/raw").data
    assert row["proven"] and b"Action: delayed" in raw
    assert envelope(mail).encode() not in raw and envelope(mail) not in str(row)


def envelope(mail: Mail) -> str:
    return envelope_sender(running.secret(), OURS, mail.ref).partition("@")[0].removeprefix("pocdir+")


def test_what_the_relay_has_against_us_says_nothing_of_the_recipient(
    app: Flask, api: Api, clock: Any
) -> None:
    ref = told(api).json["ref"]
    handed_over(app, NOW + SECOND, answer="554 5.7.1 <reports@cert.example>: Relay access denied")
    assert letters()[0].state == "queued"
    assert not [event for event in events_of_notification(ref) if event.type == "delivery.failed"]
    assert len(handed_over(app, NOW + HOUR).taken) == 1


def test_a_clock_that_went_back_stops_no_other_letter(app: Flask, api: Api, clock: Any) -> None:
    told(api)
    with transaction() as session:
        [mail] = session.query(Mail)
        outbox.withdraw(session, ref=mail.ref, now=NOW - SECOND, actor="user:steward")
    assert jobs.note_letters(NOW) == 1


def test_of_a_storm_of_mails_on_one_letter_the_first_are_recorded(
    app: Flask, api: Api, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "MOST_MAILS", 3)
    monkeypatch.setattr(actions, "MOST_SAID", 2)
    ref = told(api).json["ref"]
    handed_over(app, NOW + SECOND)
    [mail] = letters()
    block = b"Final-Recipient: rfc822; reports@cert.example\nAction: delayed\nLast-Attempt-Date: %d\n\n"
    raw = report(mail, action="failed", status="4.4.7").replace(
        b"Final-", b"".join(block % n for n in range(9)) + b"Final-", 1
    )
    with time_machine.travel(NOW + HOUR, tick=False):
        came_in(raw, NOW + HOUR)
        for number in range(4):
            head = f"Auto-Submitted: auto-replied\nX-Number: {number}"
            came_in(reply(mail, "away", head=head), NOW + HOUR)
        came_in(reply(mail, "We look into it"), NOW + HOUR)
    types = [event.type for event in events_of_notification(ref)]
    assert types.count("delivery.failed") == types.count("delivery.delayed") == 1
    assert (types.count("reply.automatic"), types.count("reply.human")) == (2, 0)
    said = api.get(f"/api/v1/notifications/{ref}/mail").json["items"][-1]
    assert (said["result"], said["reason"]) == ("waits", "more mails came on this letter than are recorded")
