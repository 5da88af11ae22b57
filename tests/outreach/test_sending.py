"""The service sends a notification's letter: how it travels, and what becomes of it."""

from __future__ import annotations

import re
from email import message_from_bytes
from typing import Any, ClassVar

import pysequoia
import pytest
from aiosmtpd.smtp import SMTP
from flask import Flask

from pocdir.accounts.models import Workspace
from pocdir.db import transaction
from pocdir.directory.actions.marking import mark_address
from pocdir.ledger.queries import events_of_notification
from pocdir.outreach import jobs as outreach_jobs
from tests.accounts.made import browser, person
from tests.conftest import NOW, Api
from tests.mail.relay import Relay, serving
from tests.outreach.conftest import NO_RELAY
from tests.outreach.sent import DAY, SECOND, hand_over, keys_are, letters, pin, told


@pytest.mark.usefixtures("relay", "allowed")
def test_a_notification_is_recorded_and_its_letter_queued_in_one(api: Api) -> None:
    answer = told(api)
    assert answer.status_code == 201, answer.json
    ref = answer.json["ref"]
    [mail] = letters()
    assert (mail.kind, mail.notification, mail.to) == ("notification", ref, "reports@cert.example")
    assert mail.confidential and not mail.automatic
    assert answer.json["recipient_page"] in (mail.body or "")
    types = {event.type for event in events_of_notification(ref)}
    assert types == {"notification.logged", "expectation.set", "message.queued"}
    assert answer.json["state"]["transport"] == "queued"
    assert (answer.json["sent_level"], answer.json["state"]["clock"]) == ("P0", "running")


@pytest.mark.usefixtures("relay", "allowed")
def test_a_letter_goes_encrypted_and_signed_to_the_pinned_key(app: Flask, api: Api, clock: Any) -> None:
    theirs, now = pin(NOW), NOW
    ref = told(api, tlp="TLP:AMBER", body="These devices call our sinkhole.").json["ref"]
    relay = Relay()
    with serving(relay) as port:
        hand_over(app, port, now + SECOND)
    [taken] = relay.taken
    mail = message_from_bytes(taken.data)
    assert mail.get_content_type() == "multipart/encrypted"
    assert mail.get_param("protocol") == "application/pgp-encrypted"
    assert re.fullmatch(rf"\[TLP:AMBER\] \[pocdir {ref}\.[a-z2-7]{{13}}\]", mail["Subject"])
    assert b"sinkhole" not in taken.data
    version, sealed = mail.get_payload()
    assert version.get_payload().strip() == "Version: 1"
    own = pysequoia.Cert.from_bytes(app.test_client().get("/openpgp.asc").data)
    opened = pysequoia.decrypt(
        sealed.get_payload(decode=True), decryptor=theirs.decryptor(), store=lambda _ids: [own]
    )
    assert [str(sig.certificate) for sig in opened.valid_sigs] == [str(own.fingerprint)]
    inner = message_from_bytes(bytes(opened.bytes))
    assert inner.get_content_type() == "text/plain"
    assert "These devices call our sinkhole." in inner.get_payload(decode=True).decode()
    shown = api.get(f"/api/v1/notifications/{ref}").json
    assert (shown["state"]["transport"], shown["sent_level"]) == ("submitted", "P1")
    assert letters()[0].body is None
    assert shown["sending"]["fingerprint"] == str(theirs.extract_certificate().fingerprint).upper()


@pytest.mark.usefixtures("relay", "allowed")
def test_a_letter_whose_key_became_unusable_is_not_sent_and_runs_no_clock(
    app: Flask, api: Api, clock: Any
) -> None:
    pin(NOW)
    ref = told(api, tlp="TLP:AMBER", plain_text=True).json["ref"]
    keys_are(expires_at=NOW)
    relay = Relay()
    with serving(relay) as port:
        hand_over(app, port, NOW + SECOND)
    assert relay.seen == []
    shown = api.get(f"/api/v1/notifications/{ref}").json
    assert (shown["state"]["transport"], shown["state"]["clock"], shown["due"]) == ("stale", "paused", None)
    assert letters()[0].last_error == (
        "key problem: the OpenPGP key for this address must not be used: it has expired"
    )
    assert outreach_jobs.record_lapses(NOW + 30 * DAY) == 0


@pytest.mark.usefixtures("relay", "allowed")
def test_where_people_may_be_at_risk_nothing_is_sent_without_a_yes_to_this_contact(api: Api) -> None:
    case = api.post("/api/v1/incidents", {"title": "Clinic", "people_at_risk": True, "tlp": "TLP:GREEN"}).json
    assert told(api, incident=case["ref"]).json["code"] == "people_at_risk"
    assert told(api, incident=case["ref"], people_at_risk=True).status_code == 201


class Reporting(Relay):
    """A relay that can report what becomes of a mail (RFC 3461)."""

    async def handle_EHLO(self, server: SMTP, session: Any, envelope: Any, name: str, said: list[str]) -> Any:
        session.host_name = name
        return [said[0], "250-DSN", *said[1:]]


class WithReports(SMTP):
    """The server of such a one; aiosmtpd knows nothing of its words."""

    asked: ClassVar[list[str]] = []

    async def smtp_MAIL(self, arg: str) -> None:
        self.asked.append(arg)
        await super().smtp_MAIL(arg.split(" ")[0])

    async def smtp_RCPT(self, arg: str) -> None:
        self.asked.append(arg)
        await super().smtp_RCPT(arg.split(" ")[0])


@pytest.mark.usefixtures("relay", "allowed")
def test_below_amber_it_goes_in_plain_text_and_reports_are_asked_for(
    app: Flask, api: Api, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(api)
    relay = Reporting()
    monkeypatch.setattr(
        "tests.mail.relay._Controller.factory", lambda it: WithReports(it.handler, **it.SMTP_kwargs)
    )
    WithReports.asked.clear()
    with serving(relay) as port:
        hand_over(app, port, NOW + SECOND)
    assert b"Sinkhole hits" in relay.taken[0].data
    sender, to = WithReports.asked
    assert f"ENVID={letters()[0].ref}" in sender and "RET=HDRS" in sender
    assert to.endswith("NOTIFY=SUCCESS,FAILURE,DELAY")


@pytest.mark.usefixtures("relay", "allowed")
def test_a_recipient_that_the_relay_refuses_bounces_and_nobody_is_waited_for(
    app: Flask, api: Api, clock: Any
) -> None:
    ref = told(api).json["ref"]
    relay = Relay()
    relay.at_rcpt = ["550 5.1.1 no such user"]
    with serving(relay) as port:
        hand_over(app, port, NOW + SECOND)
    shown = api.get(f"/api/v1/notifications/{ref}").json
    assert shown["state"] == {
        "transport": "failed", "response": "awaiting", "outcome": "unknown", "clock": "paused",
    }  # fmt: skip
    assert (shown["sent_level"], shown["sending"]["state"]) == ("P0", "refused")
    assert "550 5.1.1 no such user" in shown["sending"]["reason"]
    [failed] = [event for event in events_of_notification(ref) if event.type == "delivery.failed"]
    assert (failed.claimed_by, failed.payload["status"]) == ("service", "5.1.1")
    [channel] = api.get("/api/v1/teams/cert-at/channels").json["items"]
    assert channel["state"] == "bouncing"
    assert outreach_jobs.record_lapses(NOW + 30 * DAY) == 0
    assert api.post(f"/api/v1/notifications/{ref}/send", {}).json["code"] == "address_not_on_record"


@pytest.mark.usefixtures("relay", "allowed")
def test_what_waits_too_long_goes_stale_and_its_clock_starts_when_it_leaves_at_last(
    app: Flask, api: Api, clock: Any
) -> None:
    ref = told(api, expect=[{"of": "acknowledgement", "within": "PT24H"}]).json["ref"]
    assert outreach_jobs.record_lapses(NOW + 1.5 * DAY) == 0  # it waits still
    hand_over(app, NO_RELAY, NOW + 2 * DAY)
    shown = api.get(f"/api/v1/notifications/{ref}").json
    assert (shown["state"]["transport"], shown["state"]["clock"]) == ("stale", "paused")
    assert shown["sending"]["state"] == "not_sent" and shown["sending"]["may_try_again"]
    assert api.get("/api/v1/latency").json["groups"][0]["n"] == 0  # nobody could read it
    assert len(api.get("/api/v1/unanswered", state="undeliverable").json["items"]) == 1
    clock.move_to(NOW + 3 * DAY)
    again = api.post(f"/api/v1/notifications/{ref}/send", {}).json
    assert (again["state"]["transport"], again["sending"]["attempt"]) == ("queued", 2)
    assert api.post(f"/api/v1/notifications/{ref}/send", {}).json["code"] == "sent_already"
    with serving(Relay()) as port:
        hand_over(app, port, NOW + 3 * DAY + SECOND)
    shown = api.get(f"/api/v1/notifications/{ref}").json
    assert (shown["state"]["clock"], shown["due"]) == ("running", "2026-11-26T12:00:01Z")
    assert outreach_jobs.record_lapses(NOW + 5 * DAY) == 1


@pytest.mark.usefixtures("relay", "allowed")
def test_a_letter_whose_address_the_directory_lost_meanwhile_does_not_leave(
    app: Flask, api: Api, clock: Any
) -> None:
    ref = told(api).json["ref"]
    with transaction() as session:
        mark_address(
            session, kind="email", value="reports@cert.example", state="withdrawn", evidence="a steward", now=NOW,
            actor="user:steward", claimed_by="steward",
        )  # fmt: skip
    relay = Relay()
    with serving(relay) as port:
        hand_over(app, port, NOW + SECOND)
    shown = api.get(f"/api/v1/notifications/{ref}").json
    assert (relay.seen, shown["state"]["transport"], shown["state"]["clock"]) == ([], "stale", "paused")
    assert "no such working mail address" in shown["sending"]["reason"]
    [stale] = [event for event in events_of_notification(ref) if event.type == "message.stale"]
    assert stale.payload["reason"] == "address"


@pytest.mark.usefixtures("relay", "allowed")
def test_a_withdrawn_notification_takes_its_waiting_letter_back(app: Flask, api: Api, clock: Any) -> None:
    ref = told(api).json["ref"]
    withdrawn = {"type": "notification.withdrawn", "payload": {"reason": "mistake"}}
    assert api.post(f"/api/v1/notifications/{ref}/events", withdrawn).status_code == 201
    relay = Relay()
    with serving(relay) as port:
        hand_over(app, port, NOW + SECOND)
    assert relay.seen == []
    [mail] = letters()
    assert (mail.state, mail.body) == ("withdrawn", None)
    shown = api.get(f"/api/v1/notifications/{ref}").json
    assert (shown["sending"]["state"], shown["sending"]["may_try_again"]) == ("withdrawn", False)
    assert api.post(f"/api/v1/notifications/{ref}/send", {}).json["code"] == "withdrawn_already"


@pytest.mark.usefixtures("relay", "allowed")
def test_a_key_that_must_not_be_used_is_said_at_once_and_the_sender_decides(
    app: Flask, api: Api, lab: Workspace, clock: Any
) -> None:
    pin(NOW, expires_at=NOW)
    ref = told(api).json["ref"]
    shown = api.get(f"/api/v1/notifications/{ref}").json
    assert (letters(), shown["state"]["transport"], shown["due"]) == ([], "stale", None)
    words = "key problem: the OpenPGP key for this address must not be used: it has expired"
    assert (shown["sending"]["state"], shown["sending"]["reason"]) == ("not_sent", words)
    member = browser(app, person("anna@lab.example", now=NOW, workspace="lab"), now=NOW)
    page = member.get(f"/notifications/{ref}").text
    assert words in page and "Try again" in page
    assert member.post(f"/notifications/{ref}/send", data={"plain_text": "true"}).status_code == 302
    assert [mail.protection for mail in letters()] == ["plain_text"]


@pytest.mark.usefixtures("relay", "allowed")
def test_a_label_that_is_raised_while_the_letter_waits_keeps_it_from_plain_text(
    app: Flask, api: Api, clock: Any
) -> None:
    case = api.post("/api/v1/incidents", {"title": "Sinkhole", "tlp": "TLP:GREEN"}).json
    ref = told(api, incident=case["ref"]).json["ref"]
    raised = api.patch(
        f"/api/v1/incidents/{case['ref']}", {"tlp": "TLP:AMBER"}, **{"If-Match": case_tag(api, case)}
    )
    assert raised.status_code == 200, raised.json
    relay = Relay()
    with serving(relay) as port:
        hand_over(app, port, NOW + SECOND)
    assert relay.seen == []
    shown = api.get(f"/api/v1/notifications/{ref}").json["sending"]
    assert (shown["state"], shown["reason"]) == (
        "not_sent", "key problem: no OpenPGP key is pinned for this address",
    )  # fmt: skip
    assert api.post(f"/api/v1/notifications/{ref}/send", {}).json["code"] == "key_needed"


def case_tag(api: Api, case: dict[str, Any]) -> str:
    return str(api.get(f"/api/v1/incidents/{case['ref']}").headers["ETag"])
