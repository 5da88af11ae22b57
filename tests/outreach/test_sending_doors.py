"""Who may send from here, and each door at which it is asked for: what its sender has read first."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import threading
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from pocdir import cli
from pocdir.accounts.actions import create_token, create_workspace
from pocdir.accounts.models import Workspace
from pocdir.db import db, transaction
from pocdir.directory.actions.marking import mark_address
from pocdir.directory.models import Team
from pocdir.ledger.models import LedgerEvent
from pocdir.outreach.queries.projections import differences
from pocdir.outreach.sending.actions import allow
from tests.accounts.made import browser, person
from tests.conftest import NOW, Api
from tests.latency.made import told as logged
from tests.outreach import made
from tests.outreach.conftest import NO_RELAY
from tests.outreach.policies import FAR, WHERE, chosen, work
from tests.outreach.sent import DAY, hand_over, letters, pin, told


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
