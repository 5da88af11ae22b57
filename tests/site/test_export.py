"""A workspace taken out whole: everything of its own, nothing of others, no secret, the same bytes again."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path

import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from pocdir.accounts import actions, queries
from pocdir.accounts.models import ApiToken
from pocdir.cli import pocdir
from pocdir.db import db, transaction
from pocdir.ledger.models import EventValue, LedgerEvent
from tests.accounts import made
from tests.conftest import Api
from tests.outreach.made import teams


@pytest.fixture
def record(app: Flask, api: Api, now, monkeypatch) -> dict[str, str]:
    """The lab has told one team and was answered; rivals have a record of their own."""
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    with time_machine.travel(now, tick=False):
        teams(now)
        incident = api.post(
            "/api/v1/incidents", {"title": '=HYPERLINK("http://x.example")', "tlp": "TLP:RED"}
        )
        ref = incident.get_json()["ref"]
        api.post(f"/api/v1/incidents/{ref}/assets", {"items": [{"kind": "ip", "value": "203.0.113.7"}]})
        window = {
            "method": "sinkhole",
            "window_from": "2026-11-21T00:00:00Z",
            "window_to": "2026-11-22T00:00:00Z",
        }
        seen = [{"value": "203.0.113.7", "seen_at": "2026-11-21T10:00:00Z"}]
        kept = api.post(f"/api/v1/incidents/{ref}/sightings", window | {"items": seen})
        assert kept.status_code in (200, 201), kept.text
        told = api.post(
            "/api/v1/notifications", {"team": "isp", "incident": ref, "subject": "hits"}
        ).get_json()
        answer = {"type": "ack.given", "payload": {"ticket": "INC-7", "note": "we look"}}
        api.post(f"/api/v1/notifications/{told['ref']}/events", answer)
        made.person("ben@example.org", now=now, workspace="rivals", role="owner")
        with transaction() as session:
            rivals = queries.workspace_by_slug(session, "rivals")
            _, text = actions.create_token(session, workspace_id=rivals.id, now=now, actor="operator")
        theirs = Api(app, text)
        other = theirs.post("/api/v1/incidents", {"title": "of the rivals"}).get_json()["ref"]
        foreign = theirs.post("/api/v1/notifications", {"team": "isp", "incident": other}).get_json()
        yield {
            "incident": ref,
            "notification": told["ref"],
            "link": told["recipient_page"],
            "other": other,
            "foreign": foreign["ref"],
        }


def taken(api: Api, **query: str) -> TestResponse:
    """The answer, read to its end."""
    path = "/api/v1/workspace/export"
    return api.client.get(path, query_string=query, headers=api.headers, buffered=True)


def test_everything_of_the_own_workspace_is_in_it_and_nothing_of_another(api: Api, record) -> None:
    first = taken(api)
    assert first.status_code == 200
    assert first.headers["Content-Disposition"] == "attachment; filename=lab.json"
    assert first.headers["Cache-Control"] == "no-store"
    whole = json.loads(first.data)
    assert (whole["format"], whole["version"], whole["workspace"]["slug"]) == ("pocdir-workspace", 1, "lab")
    assert [row["ref"] for row in whole["incidents"]] == [record["incident"]]
    assert [(row["value"], row["port"]) for row in whole["assets"]] == [("203.0.113.7", None)]
    (seen,), (window,) = whole["sightings"], whole["windows"]
    assert (seen["window"], seen["value"], seen["first"]) == (
        window["ref"],
        "203.0.113.7",
        "2026-11-21T10:00:00Z",
    )
    (told,) = whole["notifications"]
    assert (told["ref"], told["team"], told["response"]) == (record["notification"], "isp", "acknowledged")
    assert [row["of"] for row in whole["expectations"]] == ["acknowledgement"]
    types = {row["type"]: row for row in whole["events"]}
    assert {"incident.created", "notification.logged", "expectation.set", "ack.given"} <= set(types)
    assert types["ack.given"]["payload"]["ticket"] == "INC-7"
    assert "hits" in whole["letters"][0]["body"]
    for ref in (record["other"], record["foreign"], "of the rivals"):
        assert ref not in first.text
    assert taken(api).data == first.data


def test_no_secret_is_in_it(api: Api, token: str, record) -> None:
    files = [taken(api).text]
    with zipfile.ZipFile(io.BytesIO(taken(api, format="csv").data)) as archive:
        files += [archive.read(name).decode() for name in archive.namelist()]
    session = db.session()
    secrets = [
        token,
        record["link"],
        record["link"].rpartition("/")[2],
        *session.scalars(select(ApiToken.digest)),
    ]
    salts = [*session.scalars(select(LedgerEvent.salt)), *session.scalars(select(EventValue.salt))]
    secrets += [salt.hex() for salt in salts]
    for text in files:
        assert not [secret for secret in secrets if secret in text]
        assert not re.search(r"argon2|/r/|pocdir_[a-z2-7]{8}_", text)


def test_as_tables_a_formula_is_text_and_the_bytes_stay(api: Api, record) -> None:
    first = taken(api, format="csv")
    assert first.headers["Content-Disposition"] == "attachment; filename=lab.zip"
    with zipfile.ZipFile(io.BytesIO(first.data)) as archive:
        assert archive.testzip() is None
        tables = {
            name.removesuffix(".csv"): list(
                csv.DictReader(io.StringIO(archive.read(name).decode(), newline=""))
            )
            for name in archive.namelist()
        }
    whole = taken(api).get_json()
    assert {name: len(rows) for name, rows in tables.items()} == {name: len(whole[name]) for name in tables}
    assert tables["incidents"][0]["title"] == '\'=HYPERLINK("http://x.example")'
    assert json.loads(tables["events"][-1]["payload"]) == whole["events"][-1]["payload"]
    assert taken(api, format="csv").data == first.data


def test_owners_alone_take_it_out(app: Flask, lab, api: Api, now, record) -> None:
    def asked(*, role: str) -> tuple[int, bool]:
        user = made.person(f"{role}@example.org", now=now, workspace="lab", role=role)
        browser = made.browser(app, user, now=now)
        page = browser.get("/workspace").text
        return browser.get(
            "/workspace/export?format=csv", buffered=True
        ).status_code, "/workspace/export?format=csv" in page

    assert asked(role="owner") == (200, True)
    assert asked(role="researcher") == (403, False)
    with transaction() as session:
        narrow = actions.create_token(
            session, workspace_id=lab.id, scopes=["incident.read"], now=now, actor="operator"
        )[1]
    refused = taken(Api(app, narrow))
    assert (refused.status_code, refused.get_json()["code"]) == (403, "scope_missing")
    assert taken(Api(app, None)).status_code == 401
    assert taken(api, format="xml").status_code == 422


def test_the_command_writes_the_same_bytes_for_its_owner_alone(api: Api, record, tmp_path: Path) -> None:
    file = tmp_path / "lab.zip"
    done = CliRunner().invoke(pocdir, ["workspace", "export", str(file), "--workspace", "lab", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["format"] == "csv"
    assert file.read_bytes() == taken(api, format="csv").data
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["lab.zip"]
    piped = CliRunner().invoke(pocdir, ["workspace", "export", "-", "--workspace", "lab"])
    assert piped.stdout_bytes == taken(api).data
