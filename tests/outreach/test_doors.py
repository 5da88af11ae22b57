"""What binds a sending and a record of one at every door: API, page, command, plan, step and a letter once more."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from pocdir.accounts.models import Workspace
from pocdir.cli import pocdir
from pocdir.core.times import isoformat
from pocdir.db import transaction
from pocdir.directory.models import Team
from pocdir.incidents import queries as incidents
from tests.accounts.made import browser, person
from tests.conftest import NOW, Api
from tests.latency.made import told as logged
from tests.outreach import made
from tests.outreach.by_itself import TWO
from tests.outreach.policies import FAR, chosen, work
from tests.outreach.sent import SECOND, letters, pin, told

pytestmark = pytest.mark.usefixtures("relay", "allowed", "clock")
DAY, YES = dt.timedelta(days=1), {"despite_opt_out": True}


def declines(slug: str, *kinds: str) -> None:
    with transaction() as session:
        session.query(Team).filter_by(slug=slug).update({"profile": {"opt_outs": list(kinds)}})


def case(api: Api, **more: Any) -> str:
    """An incident with an address of the provider's."""
    given = {"title": "Hits", "tlp": "TLP:GREEN"} | more
    ref = str(api.post("/api/v1/incidents", given).json["ref"])
    item = {"kind": "ip", "value": "203.0.113.70"}
    assert api.post(f"/api/v1/incidents/{ref}/assets", {"items": [item]}).status_code == 201
    return ref


def run(*words: str) -> Result:
    return CliRunner().invoke(pocdir, [*words, "--workspace", "lab"], standalone_mode=False)


def code(result: Result) -> str:
    return str(getattr(result.exception, "code", result.exception or ""))


def test_what_a_team_does_not_take_is_sent_on_the_senders_word_alone(app: Flask, api: Api) -> None:
    declines("cert-at", "report", "fraud", "malicious-code/c2-server")
    refused = told(api)
    assert (refused.status_code, refused.json["code"]) == (409, "opted_out")
    assert told(api, send=False).status_code == 201  # its sender has told them, and the record says so
    about = {
        "kind": "sample_request",
        "incident": case(api, **{"class": "malicious-code", "type": "c2-server"}),
    }
    assert "malicious-code/c2-server" in told(api, **about).json["detail"]
    other = {"kind": "sample_request", "incident": case(api, **{"class": "malicious-code"})}
    first = told(api, **other)
    assert first.status_code == 201
    follow = {"kind": "follow_up", "parent": told(api, **about, **YES).json["ref"]}
    assert told(api, **follow).json["code"] == "opted_out"  # about the same, though it names no incident
    assert len(letters()) == 2

    member = browser(app, person("anna@lab.example", now=NOW, workspace="lab"), now=NOW)
    typed = {"team": "cert-at", "kind": "report", "answer_asked": "true", "action": "log", "send": "true"}
    typed |= {"tlp": "TLP:GREEN"}
    page = member.post("/notify", data=typed)
    assert page.status_code == 422 and 'name="despite_opt_out"' in page.text
    assert member.post("/notify", data=typed | {"despite_opt_out": "true"}).status_code == 302
    assert code(run("notify", "--team", "cert-at", "--tlp", "TLP:GREEN", "--send")) == "opted_out"
    assert code(run("notify", "--team", "cert-at", "--tlp", "TLP:GREEN", "--send", "--despite-opt-out")) == ""
    assert len(letters()) == 4


def test_a_plan_sends_to_nobody_who_declines_without_the_senders_word(api: Api) -> None:
    declines("isp", "referral")
    ref = case(api)
    plan, choice = f"/api/v1/incidents/{ref}/notifications", {"choose": ["isp"], "send": True}
    assert api.post(plan, choice | {"kind": "referral"}).json["code"] == "opted_out"
    assert api.get("/api/v1/notifications").json["items"] == []
    nobody = run("incident", "plan", ref, "--log", "--send", "--kind", "referral")
    assert code(nobody) == "not_in_plan"
    named = ("incident", "plan", ref, "--log", "--send", "--kind", "referral", "--to", "isp")
    assert (code(run(*named)), code(run(*named, "--despite-opt-out"))) == ("opted_out", "")
    assert [mail.to for mail in letters()] == ["abuse@isp.example"]


def test_a_step_and_a_letter_once_more_ask_for_the_same_word(app: Flask, api: Api, lab: Workspace) -> None:
    provider = {"slug": "isp2", "name": "Second", "kind": "provider", "country": "AT", "responsibilities": []}
    made.entered(provider | {"channels": TWO}, NOW - 9 * DAY)
    chosen(lab, NOW - 9 * DAY, FAR | {"target": "same_team"})
    ref = api.post("/api/v1/incidents", {"title": "Hits", "tlp": "TLP:GREEN", "class": "fraud"}).json["ref"]
    incident = incidents.incident(ref, workspace_id=lab.id)
    ref = logged(lab, at=NOW - 3.5 * DAY, team="isp2", incident=incident)
    work(app, NOW)
    declines("isp2", "fraud")
    steps, act = f"/api/v1/notifications/{ref}/steps", {"action": "take", "level": 1, "send": True}
    assert api.post(steps, act).json["code"] == "opted_out"
    many = {"action": "take", "send": True, "steps": [{"ref": ref, "level": 1}]}
    assert api.post("/api/v1/steps", many).json["items"][0]["refused"]["code"] == "opted_out"
    assert code(run("policy", "steps", ref, "--take", "1", "--send")) == "opted_out"
    assert api.post(steps, act | YES).status_code == 201
    assert len(letters()) == 1

    pin(NOW, expires_at=NOW)
    declines("cert-at")
    sent = told(api).json["ref"]
    assert len(letters()) == 1  # its key has expired
    declines("cert-at", "report")
    again = f"/api/v1/notifications/{sent}/send"
    assert api.post(again, {"plain_text": True}).json["code"] == "opted_out"
    member = browser(app, person("anna@lab.example", now=NOW, workspace="lab"), now=NOW)
    assert 'name="despite_opt_out"' in member.get(f"/notifications/{sent}").text
    assert api.post(again, {"plain_text": True} | YES).status_code == 200
    assert [mail.to for mail in letters()] == ["abuse@isp2.example", "reports@cert.example"]


def test_where_people_may_be_at_risk_no_letter_is_handed_out_before_a_yes(app: Flask, api: Api) -> None:
    ref = case(api, people_at_risk=True)
    told_of, path = {"team": "isp", "incident": ref}, "/api/v1/notifications"
    refused = api.post(path, told_of)
    assert (refused.status_code, refused.json["code"]) == (409, "people_at_risk")
    assert api.post(path, told_of | {"sent_at": isoformat(NOW - 300 * SECOND)}).status_code == 409
    assert code(run("notify", "--team", "isp", "--incident", ref)) == "people_at_risk"
    member = browser(app, person("anna@lab.example", now=NOW, workspace="lab"), now=NOW)
    typed = told_of | {"kind": "report", "answer_asked": "true", "action": "log"}
    page = member.post("/notify", data=typed)
    assert page.status_code == 422 and 'name="people_at_risk"' in page.text
    assert 'name="people_at_risk"' in member.get("/notify").text
    assert api.get(path).json["items"] == []

    assert member.post("/notify", data=typed | {"people_at_risk": "true"}).status_code == 302
    assert code(run("notify", "--team", "isp", "--incident", ref, "--people-at-risk")) == ""
    first = api.post(path, told_of | {"people_at_risk": True}).json["ref"]
    past = api.post(path, told_of | {"sent_at": isoformat(NOW - 301 * SECOND)})  # that cannot be undone
    assert past.status_code == 201
    follow = {"team": "isp", "kind": "follow_up", "parent": first}  # names no incident
    assert api.post(path, follow).json["code"] == "people_at_risk"
    assert api.post(path, follow | {"send": True}).json["code"] == "people_at_risk"
    assert api.post(path, follow | {"people_at_risk": True}).status_code == 201
    assert letters() == []
