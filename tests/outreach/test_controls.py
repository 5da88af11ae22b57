"""A control is told to nobody, whichever door a notification comes in by, and what was told becomes none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import update

from pocdir.accounts.models import Workspace
from pocdir.cli import pocdir
from pocdir.db import db, transaction
from pocdir.incidents.models import Asset
from pocdir.incidents.queries import incident as incident_of
from pocdir.incidents.rules.assets import AssetValue
from pocdir.outreach.actions.assets import add_assets
from pocdir.outreach.actions.notifications import NewNotification, log_notification
from pocdir.outreach.rules import parcels as rules
from tests.accounts import made as people
from tests.at_once import meanwhile
from tests.conftest import Api
from tests.outreach.browsing import send
from tests.outreach.made import teams
from tests.outreach.test_parcels import attached, incident

CONTROL, TOLD = "203.0.113.70", "203.0.113.10"


@pytest.fixture(autouse=True)
def _today(app: Flask, now: dt.datetime) -> Iterator[None]:
    teams(now)
    with time_machine.travel(now, tick=False):
        yield


def watched(api: Api, *controls: str | tuple[str, int], **more: str) -> str:
    """An incident with these controls, and one ordinary asset."""
    ref = incident(api, **more)
    items = [{"kind": "ip", "value": TOLD}]
    for each in controls:
        value, port = each if isinstance(each, tuple) else (each, None)
        items.append({"kind": "ip", "value": value, "port": port, "control": True})
    assert api.post(f"/api/v1/incidents/{ref}/assets", {"items": items}).status_code == 201
    return ref


def told(api: Api, ref: str, *assets: str | dict[str, object], **more: object) -> tuple[int, str]:
    body = {"team": "isp", "incident": ref, "assets": list(assets) or None} | more
    answer = api.post("/api/v1/notifications", body)
    return answer.status_code, answer.json.get("code") or answer.json["ref"]


def test_a_notification_that_names_a_control_is_refused_and_leaves_nothing(api: Api) -> None:
    ref = watched(api, CONTROL, ("203.0.113.71", 80))
    assert told(api, ref, TOLD, CONTROL) == (409, "control_told")
    assert told(api, ref, {"kind": "ip", "value": CONTROL, "port": 443})[1] == "control_told"
    assert told(api, ref, "203.0.113.71")[1] == "control_told"  # all of its ports are meant
    assert api.get("/api/v1/notifications").json["items"] == []

    assert told(api, ref, {"kind": "ip", "value": "203.0.113.71", "port": 443})[0] == 201
    status, first = told(api, ref, TOLD)
    assert status == 201
    follow = {"kind": "follow_up", "parent": first, "incident": None}
    assert told(api, ref, CONTROL, **follow)[1] == "control_told"  # of the incident of what it follows
    found = api.get(f"/api/v1/incidents/{ref}/outcome").json
    assert (found["assets"]["all"], found["controls"]["all"]) == (1, 2)


def test_rows_of_a_control_are_not_kept_to_be_handed_over(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = watched(api, CONTROL)
    refused = attached(api, ref)
    assert (refused.status_code, refused.json["code"]) == (409, "control_told")
    assert "isp.csv" in refused.text

    monkeypatch.setattr(rules, "MOST_ASSETS", 2)  # its addresses stay in its parcels
    assert attached(api, ref).json["code"] == "control_told"
    assert api.get(f"/api/v1/incidents/{ref}/assets").json["items"][-1]["value"] == CONTROL


def test_what_was_told_becomes_no_control_by_api_page_or_command(
    app: Flask, api: Api, now: dt.datetime, tmp_path: Path
) -> None:
    ref = watched(api)
    status, first = told(api, ref, "203.0.113.70")  # no asset of the incident
    assert status == 201
    path, item = f"/api/v1/incidents/{ref}/assets", {"kind": "ip", "value": CONTROL, "control": True}
    refused = api.post(path, {"items": [item]})
    assert (refused.status_code, refused.json["code"]) == (409, "asset_told")
    browser = people.browser(app, people.person(now=now, workspace="lab"), now=now)
    page = send(browser, f"/incidents/{ref}/assets", assets=CONTROL, control="true")
    assert page.status_code == 409 and "was told to a team already" in page.text
    (tmp_path / "more.csv").write_text(f"ip\n{CONTROL}\n")
    command = ["incident", "assets", ref, str(tmp_path / "more.csv"), "--control"]
    assert getattr(CliRunner().invoke(pocdir, command).exception, "code", None) == "asset_told"

    api.post(f"/api/v1/notifications/{first}/events", {"type": "notification.withdrawn"})
    assert api.post(path, {"items": [item]}).status_code == 201


def test_a_control_that_was_told_all_the_same_is_no_baseline(api: Api) -> None:
    ref = watched(api)
    told(api, ref, TOLD)
    with transaction() as session:  # from before it was refused
        session.execute(update(Asset).where(Asset.value == TOLD).values(control=True))
    found = api.get(f"/api/v1/incidents/{ref}/outcome").json
    assert (found["assets"]["all"], found["controls"]["all"]) == (1, 0)


def test_what_becomes_a_control_while_it_is_told_is_refused_on_whichever_side_comes_second(
    app: Flask, api: Api, lab: Workspace, now: dt.datetime
) -> None:
    workspace, cases = lab.id, [watched(api) for _ in range(2)]
    item = {"kind": "ip", "value": CONTROL, "port": None}
    new = NewNotification(team="isp", channel=("email", "abuse@isp.example"), assets=[item])

    def logged() -> None:
        case = incident_of(cases[0], workspace_id=workspace)
        log_notification(db.session(), new, workspace_id=workspace, now=now, actor="user:a", incident=case)

    def added() -> None:
        case = incident_of(cases[1], workspace_id=workspace)
        add_assets(db.session(), case, [AssetValue("ip", CONTROL, 0, True)], now=now)

    def watch() -> tuple[int, str]:
        answer = api.post(f"/api/v1/incidents/{cases[0]}/assets", {"items": [item | {"control": True}]})
        return answer.status_code, answer.json.get("code", "")

    assert meanwhile(logged, watch) == (409, "asset_told")
    assert meanwhile(added, lambda: told(api, cases[1], CONTROL)) == (409, "control_told")
