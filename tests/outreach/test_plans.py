"""Whom an incident's assets concern, as the plan's page and API tell it, and what choosing logs."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from pocdir import cli
from pocdir.accounts.actions import create_token, create_workspace
from pocdir.accounts.models import Workspace
from pocdir.core import clock as time
from pocdir.core.errors import Conflict
from pocdir.db import db, transaction
from pocdir.incidents import queries as incident_queries
from pocdir.incidents.actions import change_incident
from pocdir.outreach.actions.chosen import log_chosen
from pocdir.outreach.queries.plans import plan_of
from pocdir.outreach.rules.plan import Choices
from pocdir.routing import queries as routing
from tests.accounts import made as people
from tests.conftest import Api
from tests.outreach import made
from tests.outreach.browsing import event_count, send


@pytest.fixture(autouse=True)
def clock(app: Flask, now: dt.datetime) -> Iterator[Any]:
    with time_machine.travel(now, tick=False) as moved:
        made.teams(now)
        made.carrier(now)
        yield moved


@pytest.fixture
def browser(app: Flask, now: dt.datetime) -> FlaskClient:
    """A researcher of the lab, signed in."""
    return people.browser(app, people.person(now=now, workspace="lab"), now=now)


@pytest.fixture
def foreign(app: Flask, now: dt.datetime) -> Api:
    """Another workspace's programs."""
    with transaction() as session:
        other = create_workspace(session, name="other lab", now=now, actor="operator")
        return Api(app, create_token(session, workspace_id=other.id, now=now, actor="operator")[1])


def opened(client: FlaskClient, **typed: Any) -> str:
    """The path of an incident's page: one address of the provider's, one name under .at."""
    typed = {"title": "Sinkhole", "assets": "203.0.113.70\nexample.at"} | typed
    response = send(client, "/incidents/new", **typed)
    assert response.status_code == 302, response.text
    return response.headers["Location"]


def ticked(page: str) -> list[str]:
    return re.findall(r'name="choose" value="([\w-]+)" checked', page)


def offered(page: str) -> list[str]:
    return re.findall(r'name="choose" value="([\w-]+)"', page)


def planned(api: Api, *assets: str, **incident: Any) -> dict[str, Any]:
    ref = api.post("/api/v1/incidents", {"title": "Sinkhole", **incident}).get_json()["ref"]
    items = [{"kind": "ip" if it[0].isdecimal() else "domain", "value": it} for it in assets]
    assert api.post(f"/api/v1/incidents/{ref}/assets", {"items": items}).status_code == 201
    response = api.post(f"/api/v1/incidents/{ref}/plan", {})
    assert response.status_code == 200, response.text
    return response.get_json()


def roles(plan: dict[str, Any]) -> list[tuple[str, str, bool, int]]:
    return [
        (it["team"]["slug"], it["role"], it["answer_asked"], len(it["assets"])) for it in plan["contacts"]
    ]


def test_those_to_write_to_are_asked_and_a_copy_is_for_information(api: Api) -> None:
    plan = planned(api, "203.0.113.70", "203.0.113.71", "198.51.100.7")
    assert roles(plan) == [("isp", "to", True, 2), ("carrier", "to", True, 1), ("cert-at", "cc", False, 1)]


def test_who_is_written_to_for_one_asset_is_so_for_the_parcel(api: Api) -> None:
    plan = planned(api, "198.51.100.7", "example.at")
    assert roles(plan) == [("cert-at", "to", True, 2), ("carrier", "to", True, 1)]
    national = plan["contacts"][0]
    assert (national["basis"]["key"], national["reasons"], national["copies"]) == ("tld", ["by TLD only"], 1)


def test_a_plan_answers_as_a_lookup_does(api: Api) -> None:
    for asset in ("203.0.113.70", "198.51.100.7", "example.at", "example.org", "10.0.0.1"):
        asked = {"q": asset, "kind_of_report": "information-content-security/data-leak"}
        answer = api.client.get("/api/v1/lookup", query_string=asked).get_json()
        plan = planned(api, asset, **{"class": "information-content-security", "type": "data-leak"})
        told = [
            (it["team"]["slug"], it["basis"], it["reasons"])
            for it in answer["contacts"]
            if it["role"] in ("to", "cc")
        ]
        assert [(it["team"]["slug"], it["basis"], it["reasons"]) for it in plan["contacts"]] == told
        assert [it["reason"] for it in plan["unrouted"]] == ([] if told else [answer["status"]])


def test_the_same_country_decides_as_in_a_lookup(app: Flask, now: dt.datetime) -> None:
    known = routing.index()
    assert routing.question(known, on=now.date()).country_by == app.extensions["pocdir"].registry_country


def test_only_those_to_write_to_are_chosen_for_the_person(browser: FlaskClient) -> None:
    page = browser.get(opened(browser, assets="198.51.100.7") + "/plan").text
    assert offered(page) == ["carrier", "cert-at"]
    assert ticked(page) == ["carrier"]


@pytest.mark.parametrize(
    ("answer_asked", "clocks"),
    [
        ("true", {"carrier": "running", "cert-at": "none"}),
        ("all", {"carrier": "running", "cert-at": "running"}),
        ("false", {"carrier": "none", "cert-at": "none"}),
    ],
)
def test_a_chosen_copy_is_told_for_information_unless_asked_too(
    api: Api, browser: FlaskClient, answer_asked: str, clocks: dict[str, str]
) -> None:
    path = opened(browser, assets="198.51.100.7")
    typed = {"choose": ["carrier", "cert-at"], "within": "P7D", "answer_asked": answer_asked}
    assert send(browser, path + "/plan", action="log", **typed).status_code == 302
    logged = api.get("/api/v1/notifications").get_json()["items"]
    assert {it["team"]: it["state"]["clock"] for it in logged} == clocks


def test_each_letter_is_read_before_any_is_logged_by_page_program_and_command(
    api: Api, browser: FlaskClient, foreign: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    path = opened(browser, assets="198.51.100.7\n203.0.113.70")
    ref, before = path.rpartition("/")[2], event_count()
    chosen = {"choose": ["carrier", "cert-at"], "message": "Please look.", "within": "P7D"}
    page = send(browser, path + "/plan", action="preview", **chosen)
    assert (page.status_code, page.text.count("Please look.") - 1, ticked(page.text)) == (
        200, 2, ["carrier", "cert-at"],
    )  # fmt: skip
    answered = api.post(f"/api/v1/incidents/{ref}/letters", chosen).get_json()
    first, second = answered["items"]
    assert (answered["chosen"], first["team"], first["to"]) == (2, "carrier", "abuse@carrier.example")
    assert "198.51.100.7" in first["body"] and "/r/" not in first["body"]
    assert (first["due"], second["due"]) == ("2026-11-29T12:00:00Z", None)  # a copy is for information
    assert api.post(f"/api/v1/incidents/{ref}/letters", {"choose": ["nobody"]}).json["code"] == "not_in_plan"
    assert foreign.post(f"/api/v1/incidents/{ref}/letters", chosen).status_code == 404

    db.session.rollback()
    command = ["incident", "plan", ref, "--workspace", "lab", "--json"]
    assert cli.run(command) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(it["team"]["slug"], it["told"]) for it in listed] == [
        ("carrier", None), ("isp", None), ("cert-at", None),
    ]  # fmt: skip
    words = ["--to", "carrier", "--message", "Please look.", "--within", "P7D"]
    assert cli.run([*command, *words, "--letters"]) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert event_count() == before
    assert cli.run([*command, *words, "--log"]) == 0
    logged = json.loads(capsys.readouterr().out)
    letter = api.get(f"/api/v1/notifications/{logged['notification']}/letter").get_json()
    assert letter["body"].startswith(first["body"].partition("00000000")[0])
    assert (cli.run([*command, "--log"]), capsys.readouterr().out.count('"isp"')) == (0, 1)
    assert [cli.run([*command, *more]) for more in (["--log"], ["--log", "--letters"])] == [1, 2]
    capsys.readouterr()
    assert (cli.run([*command, "--within", "2days"]), "'--within'" in capsys.readouterr().err) == (2, True)
    for more in ([], ["--letters"], ["--log"]):
        assert cli.run([*command, "--to", "isp", "--to", "nope", *more]) == 1
        assert "no contact of this plan: nope; it has carrier, isp, cert-at" in capsys.readouterr().err


def test_one_page_logs_a_contact_once_however_often_its_button_is_pressed(
    api: Api, browser: FlaskClient
) -> None:
    path = opened(browser, assets="198.51.100.7")
    once = re.search(r'name="once" value="([\w-]+)"', browser.get(path + "/plan").text)
    assert once
    for chosen in (["carrier"], ["carrier"], ["carrier", "cert-at"]):
        assert send(browser, path + "/plan", action="log", once=once[1], choose=chosen).status_code == 302
    logged = api.get("/api/v1/notifications").get_json()["items"]
    assert sorted(it["team"] for it in logged) == ["carrier", "cert-at"]


def test_who_was_told_already_is_not_chosen_again_unless_that_was_withdrawn(browser: FlaskClient) -> None:
    path = opened(browser, assets="203.0.113.70")
    assert send(browser, path + "/plan", action="log", choose=["isp"]).status_code == 302
    assert ticked(browser.get(path + "/plan").text) == []
    link = re.search(r"/notifications/[\w-]+", browser.get(path).text)
    assert link
    assert send(browser, link[0] + "/withdraw", reason="mistake").status_code == 302
    assert ticked(browser.get(path + "/plan").text) == ["isp"]


def test_a_follow_up_of_a_plan_follows_the_last_report_to_its_team_or_is_refused(
    api: Api, browser: FlaskClient, clock: Any
) -> None:
    path = opened(browser)
    case = path.rpartition("/")[2]
    first = {"team": "isp", "incident": case}
    older, newest, taken_back = (api.post("/api/v1/notifications", first).get_json()["ref"] for _ in range(3))
    mistake = {"type": "notification.withdrawn", "payload": {"reason": "mistake"}}
    assert api.post(f"/api/v1/notifications/{taken_back}/events", mistake).status_code == 201
    clock.shift(dt.timedelta(days=3))
    api.post("/api/v1/notifications", first | {"kind": "follow_up", "parent": older})
    before = event_count()
    refused = send(browser, path + "/plan", action="log", kind="follow_up", choose=["isp", "cert-at"])
    assert (refused.status_code, event_count()) == (422, before)
    assert "Nothing was reported in this incident to cert-at:" in refused.text
    api.post(f"/api/v1/notifications/{newest}/events", {"type": "ack.given", "payload": {"ticket": "T-7"}})
    given = {"kind": "follow_up", "choose": ["isp"]}
    assert newest in api.post(f"/api/v1/incidents/{case}/letters", given).get_json()["items"][0]["body"]
    assert cli.run(["incident", "plan", case, "--kind", "follow_up", "--log", "--workspace", "lab"]) == 0
    logged = api.get("/api/v1/notifications").get_json()["items"][-1]
    assert (logged["team"], logged["kind"], logged["parent"]) == ("isp", "follow_up", newest)
    clock.shift(60)
    api.post(f"/api/v1/notifications/{newest}/events", {"type": "response.accepted"})
    followed = api.get(f"/api/v1/notifications/{logged['ref']}").get_json()
    assert followed["state"]["clock"] == "stopped"  # one thread


def test_the_plan_says_when_to_try_the_next_one_and_who_is_told_without_detail(api: Api) -> None:
    def said(*assets: str, **incident: Any) -> list[tuple[str, str | None, bool]]:
        contacts = planned(api, *assets, **incident)["contacts"]
        return [(it["team"]["slug"], it["try_next_after"], it["without_detail"]) for it in contacts]

    assert said("203.0.113.70") == [("isp", "P2D", False)]
    leak = {"class": "information-content-security", "type": "data-leak"}
    assert said("203.0.113.70", "example.at", **leak) == [("cert-at", None, False), ("isp", "P1D", True)]


def test_where_people_may_be_at_risk_each_contact_waits_for_a_yes(api: Api, browser: FlaskClient) -> None:
    plan = planned(api, "203.0.113.70", people_at_risk=True)
    assert [it["held"] for it in plan["contacts"]] == [True]
    path = opened(browser, people_at_risk="true")
    page = browser.get(path + "/plan").text
    assert offered(page) == ["cert-at", "isp"]
    assert ticked(page) == []
    typed = {"action": "log", "people_at_risk": "true"}
    before = event_count()
    refused = send(browser, path + "/plan", sent_at="2026-11-02T14:05", **typed)
    assert refused.status_code == 422
    assert re.search(r'type="datetime-local" value="2026-11-02T14:05"', refused.text)
    assert event_count() == before
    assert send(browser, path + "/plan", choose=["isp"], **typed).status_code == 302
    assert event_count() == before + 2


def test_a_choice_made_before_people_were_at_risk_is_no_yes(browser: FlaskClient) -> None:
    path = opened(browser)
    assert ticked(browser.get(path + "/plan").text) == ["cert-at", "isp"]
    at_risk(path)
    before = event_count()
    refused = send(browser, path + "/plan", action="log", choose=["cert-at", "isp"])
    assert refused.status_code == 422
    assert "say yes to each contact again" in refused.text
    assert ticked(refused.text) == []
    assert event_count() == before


def test_what_changed_since_the_plan_was_made_is_seen_where_it_is_written(
    app: Flask, lab: Workspace, browser: FlaskClient, now: dt.datetime
) -> None:
    ref = opened(browser).rpartition("/")[2]
    incident = incident_queries.incident(ref, workspace_id=lab.id)
    plan = plan_of(incident, on=now.date())
    for given, code in (({"people_at_risk": True}, "people_at_risk"), ({"closed": True}, "incident_closed")):
        changed(ref, lab, given)
        with pytest.raises(Conflict) as refused, transaction() as session:
            again = incident_queries.incident(ref, workspace_id=lab.id, session=session)
            log_chosen(
                session,
                again,
                Choices(choose=["isp"]),
                plan=plan,
                workspace_id=lab.id,
                now=now,
                actor="user:a",
            )
        assert refused.value.code == code


def test_an_incident_closed_since_takes_no_notification(api: Api) -> None:
    ref = planned(api, "203.0.113.70")["incident"]
    etag = api.get(f"/api/v1/incidents/{ref}").headers["ETag"]
    api.client.patch(
        f"/api/v1/incidents/{ref}", json={"closed": True}, headers={**api.headers, "If-Match": etag}
    )
    before = event_count()
    refused = api.post("/api/v1/notifications", {"team": "isp", "incident": ref})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "incident_closed")
    assert event_count() == before


def test_a_team_to_try_next_gets_the_assets_that_concern_it(api: Api) -> None:
    ref = planned(api, "203.0.113.70", "198.51.100.7")["incident"]
    answer = api.post("/api/v1/notifications", {"team": "carrier", "incident": ref}).get_json()
    assert [it["value"] for it in answer["assets"]] == ["203.0.113.70", "198.51.100.7"]


def test_the_parcel_of_a_foreign_incident_is_not_looked_for(api: Api, foreign: Api) -> None:
    ref = planned(api, "203.0.113.70")["incident"]
    refused = foreign.post("/api/v1/notifications", {"team": "isp", "incident": ref})
    assert (refused.status_code, refused.get_json()["code"]) == (404, "incident_unknown")


def at_risk(path: str) -> None:
    workspace = db.session.query(Workspace).one()
    changed(path.rpartition("/")[2], workspace, {"people_at_risk": True})


def changed(ref: str, workspace: Workspace, given: dict[str, Any]) -> None:
    with transaction() as session:
        incident = incident_queries.incident(ref, workspace_id=workspace.id, session=session)
        change_incident(session, incident, now=time.now(), actor="user:b", given=given)
