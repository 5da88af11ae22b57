"""The service sends a notification's letter: who may, how it travels, and what becomes of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import threading
from email import message_from_bytes
from typing import Any, ClassVar

import pysequoia
import pytest
from aiosmtpd.smtp import SMTP
from click.testing import CliRunner, Result
from flask import Flask

from pocdir import cli
from pocdir.accounts.actions import create_token, create_workspace
from pocdir.accounts.models import Workspace
from pocdir.db import db, transaction
from pocdir.directory.actions.marking import mark_address
from pocdir.directory.models import Team
from pocdir.ledger.models import LedgerEvent
from pocdir.ledger.queries import events_of_notification
from pocdir.outreach import jobs as outreach_jobs
from pocdir.outreach.queries.projections import differences
from pocdir.outreach.sending.actions import allow
from tests.accounts.made import browser, person
from tests.conftest import NOW, Api
from tests.latency.made import told as logged
from tests.mail.relay import Relay, serving
from tests.outreach import made
from tests.outreach.conftest import NO_RELAY
from tests.outreach.policies import FAR, WHERE, chosen, work
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


def permission(session: Any, lab: Workspace, allowed: bool) -> None:
    allow(session, session.merge(lab), allowed=allowed, now=NOW, actor="user:steward")


@pytest.mark.usefixtures("relay", "allowed")
def test_what_is_not_sent_from_here_is_refused_and_not_logged(app: Flask, api: Api, lab: Workspace) -> None:
    hour = (NOW - dt.timedelta(hours=1)).isoformat()
    phone = {"kind": "phone", "value": "+43 1 5056416"}
    for given, status, code in (
        ({"sent_at": hour}, 422, "send_dated"),
        ({"send": False, "plain_text": True}, 422, "plain_text_alone"),
        ({"channel": phone}, 422, "send_not_email"),
        ({"channel": {"kind": "email", "value": "anybody@else.example"}}, 422, "address_not_on_record"),
        ({"body_digest": "a" * 64}, 422, "send_without_body"),
        ({"tlp": "TLP:AMBER"}, 422, "key_needed"),
        ({"tlp": "TLP:RED", "plain_text": True}, 422, "key_needed"),
    ):
        answer = told(api, **given)
        assert (answer.status_code, answer.json["code"]) == (status, code)
    before = app.extensions["pocdir"]
    app.extensions["pocdir"] = dataclasses.replace(before, sends_per_day=0)
    assert (told(api).status_code, told(api).json["code"]) == (429, "sends_used_up")
    app.extensions["pocdir"] = dataclasses.replace(before, smtp_url=None)
    assert told(api).json["code"] == "send_unavailable"
    app.extensions["pocdir"] = before
    with transaction() as session:
        permission(session, lab, allowed=False)
    assert (told(api).status_code, told(api).json["code"]) == (403, "sending_not_allowed")
    assert api.get("/api/v1/notifications").json["items"] == letters() == []


@pytest.mark.usefixtures("relay", "allowed")
def test_where_people_may_be_at_risk_nothing_is_sent_without_a_yes_to_this_contact(api: Api) -> None:
    case = api.post("/api/v1/incidents", {"title": "Clinic", "people_at_risk": True, "tlp": "TLP:GREEN"}).json
    assert told(api, incident=case["ref"]).json["code"] == "people_at_risk"
    assert told(api, incident=case["ref"], people_at_risk=True).status_code == 201


@pytest.mark.usefixtures("relay", "allowed")
def test_of_two_who_send_at_once_the_day_has_room_for_one(app: Flask, token: str) -> None:
    before = app.extensions["pocdir"]
    app.extensions["pocdir"] = dataclasses.replace(before, sends_per_day=1)
    together, said = threading.Barrier(2), []

    def run() -> None:
        together.wait(timeout=30)
        said.append(told(Api(app, token)).status_code)

    db.session.remove()
    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    app.extensions["pocdir"] = before
    assert sorted(said) == [201, 429]
    assert len(letters()) == 1


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
def test_an_outsider_sends_nobodys_letter_again(app: Flask, api: Api, clock: Any) -> None:
    ref = told(api).json["ref"]
    hand_over(app, NO_RELAY, NOW + 2 * DAY)
    with transaction() as session:
        other = create_workspace(session, name="other", now=NOW, actor="operator")
        permission(session, other, allowed=True)
        theirs = create_token(session, workspace_id=other.id, now=NOW, actor="operator")[1]
        team_id = session.query(Team).filter_by(slug="cert-at").one().id
        contact = create_token(session, workspace_id=None, team_id=team_id, now=NOW, actor="operator")[1]
    path = f"/api/v1/notifications/{ref}/send"
    assert Api(app, theirs).post(path, {}).status_code == 404
    assert Api(app, contact).post(path, {}).status_code == 403
    # A contact of the team who is a member elsewhere is no sender here.
    both = person("both@other.example", now=NOW, workspace="other", team_id=team_id)
    assert browser(app, both, now=NOW).post(f"/notifications/{ref}/send").status_code == 404
    assert len(letters()) == 1
    logged = api.post("/api/v1/notifications", {"team": "cert-at"}).json["ref"]
    assert api.post(f"/api/v1/notifications/{logged}/send", {}).json["code"] == "not_sent_here"


@pytest.mark.usefixtures("relay")
def test_a_steward_lets_a_workspace_send_once_and_the_record_says_so(app: Flask, lab: Workspace) -> None:
    ref = lab.ref
    auditor = browser(app, person("au@x.example", now=NOW, site_role="auditor"), now=NOW)
    owner = browser(app, person("own@lab.example", now=NOW, workspace="lab", role="owner"), now=NOW)
    for outsider in (auditor, owner):
        assert outsider.get("/sending").status_code == 403
        assert outsider.post("/sending", data={"workspace": "lab", "action": "allow"}).status_code == 403
    steward = browser(app, person("st@x.example", now=NOW, site_role="steward"), now=NOW)
    assert "Let it send" in steward.get("/sending").text
    for _ in range(2):
        said = {"workspace": "lab", "action": "allow", "note": "first campaign read"}
        assert steward.post("/sending", data=said).status_code == 302
    assert steward.post("/sending", data={"workspace": "lab", "action": "stop"}).status_code == 302
    found = db.session.query(LedgerEvent).order_by(LedgerEvent.id)
    events = [it for it in found if it.type.startswith("workspace.sending")]
    assert [it.type for it in events] == ["workspace.sending_allowed", "workspace.sending_stopped"]
    assert all(it.payload["workspace"] == ref for it in events)


@pytest.mark.usefixtures("relay", "allowed")
def test_a_campaign_is_sent_whole_or_not_at_all(api: Api) -> None:
    case = api.post("/api/v1/incidents", {"title": "Sinkhole", "tlp": "TLP:GREEN"}).json["ref"]
    assets = {"items": [{"kind": "ip", "value": value} for value in ("203.0.113.7", "198.51.100.9")]}
    assert api.post(f"/api/v1/incidents/{case}/assets", assets).status_code == 201
    chosen = [each["team"]["slug"] for each in api.post(f"/api/v1/incidents/{case}/plan").json["contacts"]]
    assert chosen
    with transaction() as session:
        mark_address(
            session, kind="email", value="abuse@isp.example", state="bouncing", evidence="test", now=NOW,
            actor="user:steward",
        )  # fmt: skip
    refused = api.post(f"/api/v1/incidents/{case}/notifications", {"choose": ["isp"], "send": True})
    assert (refused.status_code, letters()) == (422, [])
    assert api.get("/api/v1/notifications").json["items"] == []


@pytest.mark.usefixtures("relay", "allowed")
def test_form_plan_and_step_offer_it_where_the_workspace_may_send(
    app: Flask, api: Api, lab: Workspace, clock: Any
) -> None:
    made.carrier(NOW - 9 * DAY)
    chosen(lab, NOW - 9 * DAY, FAR)
    owner = browser(app, person("own@lab.example", now=NOW, workspace="lab", role="owner"), now=NOW)
    assert "Send it from here" in owner.get("/notify").text
    typed = {
        "action": "log",
        "team": "cert-at",
        "tlp": "TLP:GREEN",
        "kind": "report",
        "send": "true",
        "once": "a",
    }
    typed |= {"answer_asked": "true"}
    first = owner.post("/notify", data=typed)
    assert first.status_code == 302
    assert owner.post("/notify", data=typed).location == first.location  # the same press
    assert "waiting in our outbox" in owner.get(first.location).text

    case = api.post("/api/v1/incidents", {"title": "Sinkhole", "tlp": "TLP:GREEN"}).json["ref"]
    assert api.post(f"/api/v1/incidents/{case}/assets", {"items": [WHERE["assets"][0]]}).status_code == 201
    assert "Send them from here" in owner.get(f"/incidents/{case}/plan").text
    planned = {"choose": "isp", "kind": "report", "answer_asked": "true", "action": "log", "send": "true"}
    assert owner.post(f"/incidents/{case}/plan", data=planned).status_code == 302

    ref = logged(lab, at=NOW - 3.5 * DAY, team="isp", tlp="TLP:GREEN", **WHERE)
    work(app, NOW)
    steps = f"/notifications/{ref}/steps"
    assert "Send it from here" in owner.get(steps).text
    took = owner.post(steps, data={"action": "take", "level": "1", "body": "Please look.", "send": "true"})
    assert took.status_code == 302
    assert [mail.to for mail in letters()] == [
        "reports@cert.example",
        "abuse@isp.example",
        "abuse@carrier.example",
    ]
    assert list(differences()) == []
    other = logged(lab, at=NOW - 3.5 * DAY, team="isp", tlp="TLP:GREEN", **WHERE)
    work(app, NOW)
    assert "Send them from here" in owner.get("/steps").text
    assert (
        owner.post("/steps", data={"choose": f"{other}:1", "action": "take", "send": "true"}).status_code
        == 200
    )
    assert len(letters()) == 4


@pytest.mark.usefixtures("relay", "allowed")
def test_the_command_line_sends_and_says_who_may(app: Flask, lab: Workspace, clock: Any) -> None:
    def run(*words: str) -> Result:
        return CliRunner().invoke(cli.pocdir, words, standalone_mode=False)

    tell = ("notify", "--team", "cert-at", "--workspace", "lab", "--send")
    assert "key_needed" in str(getattr(run(*tell).exception, "code", ""))
    sent = run(*tell, "--plain-text", "--json")
    assert json.loads(sent.stdout)["sending"]["state"] == "waiting"
    ref = json.loads(sent.stdout)["ref"]
    assert getattr(run("sending", "again", ref).exception, "code", "") == "sent_already"
    assert (
        getattr(run("mail", "outbox", "sent", letters()[0].ref).exception, "code", "")
        == "mail_of_a_workspace"
    )
    listed = json.loads(run("mail", "outbox", "list", "--json").stdout)
    assert (listed["to"], listed["subject"], listed["state"]) == (None, None, "queued")
    assert (
        getattr(run("mail", "outbox", "show", listed["ref"]).exception, "code", "") == "mail_of_a_workspace"
    )
    assert run("sending", "stop", "lab", "--note", "too many").return_value is None
    [row] = [json.loads(line) for line in run("sending", "list", "--json").stdout.splitlines()]
    assert (row["workspace"], row["allowed"], row["note"]) == ("lab", False, "too many")
    assert run("sending", "allow", "lab").stdout == "lab may send\n"


@pytest.mark.usefixtures("relay", "allowed")
def test_who_asks_for_encrypted_mail_without_a_key_asks_for_what_nobody_could_do(api: Api) -> None:
    with transaction() as session:
        session.query(Team).filter_by(slug="cert-at").update({"profile": {"intake": ["encryption"]}})
    assert told(api).json["rules_not_met"] == []
    pin(NOW)
    assert (
        told(api, plain_text=True).json["rules_not_met"] == []
    )  # a key is there, so it goes encrypted all the same
    assert told(api, send=False).json["rules_not_met"] == ["encryption"]


@pytest.mark.usefixtures("relay", "allowed")
def test_only_who_has_a_web_form_takes_reports_by_it_alone(api: Api) -> None:
    form = {"kind": "form", "value": "https://forms.example/report", "purpose": "incident", "preference": 2}
    mail = {"kind": "email", "value": "abuse@forms.example", "purpose": "incident", "preference": 1}
    one = {"slug": "forms", "name": "Forms", "kind": "provider", "country": "AT", "responsibilities": []}
    made.entered(one | {"channels": [mail, form]}, NOW)
    with transaction() as session:
        session.query(Team).update({"profile": {"intake": ["web-form-only"]}})
    assert told(api).json["rules_not_met"] == []
    assert told(api, team="forms", despite_rules=True).json["rules_not_met"] == ["web-form-only"]


@pytest.mark.usefixtures("relay", "allowed")
def test_what_a_team_asks_for_is_read_before_it_is_sent_something_else(app: Flask, api: Api) -> None:
    with transaction() as session:
        rules = {"profile": {"intake": ["one-address", "feeds"]}}
        session.query(Team).filter_by(slug="cert-at").update(rules)
    two = ["192.0.2.1", "192.0.2.2"]
    refused = told(api, assets=two)
    assert (refused.status_code, refused.json["code"]) == (409, "rules_not_met")
    assert "one address per report; feeds" in refused.json["detail"]
    assert letters() == []
    sent = told(api, assets=two, despite_rules=True)
    assert sent.json["rules_not_met"] == ["one-address", "feeds"]
    assert told(api, assets=two[:1], answer_asked=False).json["rules_not_met"] == []
    assert told(api, assets=two, send=False).json["rules_not_met"] == [
        "one-address",
        "feeds",
    ]  # it was sent already
    member = browser(app, person("anna@lab.example", now=NOW, workspace="lab"), now=NOW)
    typed = {"team": "cert-at", "assets": "\n".join(two), "answer_asked": "true", "action": "log"}
    page = member.post("/notify", data=typed)
    assert page.status_code == 422 and "one address per report" in page.text and "despite_rules" in page.text
    assert member.post("/notify", data={**typed, "despite_rules": "true"}).status_code == 302


@pytest.mark.usefixtures("relay", "allowed")
def test_what_goes_out_despite_the_rules_can_be_tried_again_on_its_page(
    app: Flask, api: Api, clock: Any
) -> None:
    with transaction() as session:
        session.query(Team).filter_by(slug="cert-at").update({"profile": {"intake": ["feeds"]}})
    pin(NOW, expires_at=NOW)
    ref = told(api, despite_rules=True).json["ref"]
    assert letters() == []  # its key has expired
    member = browser(app, person("anna@lab.example", now=NOW, workspace="lab"), now=NOW)
    assert 'name="despite_rules"' in member.get(f"/notifications/{ref}").text
    yes = {"plain_text": "true"}
    member.post(f"/notifications/{ref}/send", data=yes)
    assert letters() == []
    member.post(f"/notifications/{ref}/send", data=yes | {"despite_rules": "true"})
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
