"""From a split file to notifications, each with its own parcel, for sender and recipient byte for byte."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from pocdir.cli import pocdir
from pocdir.core.errors import Invalid, Refusal
from pocdir.db import transaction
from pocdir.incidents.models import Incident
from pocdir.ledger.queries import events_of_notification
from pocdir.outreach.rules import parcels as rules
from pocdir.site.actions.retention import erase_assets
from tests.conftest import Api
from tests.outreach.made import teams

AT, ISP = b"ip,note\r\n203.0.113.10,a\r\n203.0.113.11,b\r\n", b"ip,note\r\n203.0.113.70,c\r\n"
FILES = {"cert-at.csv": AT, "isp.csv": ISP}


@pytest.fixture(autouse=True)
def _today(app: Flask, now: dt.datetime) -> Iterator[None]:
    teams(now)
    with time_machine.travel(now + dt.timedelta(microseconds=123_457), tick=False):
        yield


def manifest(files: dict[str, bytes] = FILES) -> dict[str, Any]:
    told = [
        {
            "team": name.removesuffix(".csv"),
            "file": name,
            "rows": data.count(b"\n") - 1,
            "sha256": hashlib.sha256(data).hexdigest(),
            "basis": {"key": "country", "value": "AT", "origin": "manual", "source": "", "as_of": ""},
        }
        for name, data in files.items()
    ]
    return {"rows": 3, "routed": sum(each["rows"] for each in told), "parcels": told}


def archive(files: dict[str, bytes] = FILES, told: dict[str, Any] | None = None) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packing:
        packing.writestr("manifest.json", json.dumps(told or manifest(files)))
        for name, data in files.items():
            packing.writestr(name, data)
    return made.getvalue()


def incident(api: Api, **more: Any) -> str:
    ref: str = api.post("/api/v1/incidents", {"title": "Sinkhole"} | more).json["ref"]
    return ref


def attached(api: Api, ref: str, data: bytes | None = None) -> TestResponse:
    return api.client.post(
        f"/api/v1/incidents/{ref}/parcels",
        data=data or archive(),
        content_type="application/zip",
        headers=api.headers,
    )


def logged(api: Api, ref: str, **more: Any) -> TestResponse:
    return api.post(f"/api/v1/incidents/{ref}/notifications", {"choose": ["cert-at", "isp"]} | more)


def test_each_contact_gets_its_own_parcel_byte_for_byte(api: Api) -> None:
    ref = incident(api)
    kept = attached(api, ref)
    assert (kept.status_code, kept.json["added"]) == (201, 2), kept.text
    plan = api.post(f"/api/v1/incidents/{ref}/plan").json
    rows = {each["team"]["slug"]: [it["rows"] for it in each["parcels"]] for each in plan["contacts"]}
    assert (rows["cert-at"], rows["isp"]) == ([2], [1])

    done = logged(api, ref)
    assert done.status_code == 201, done.text
    for notification, data in zip(done.json["items"], (AT, ISP), strict=True):
        path = f"/api/v1/notifications/{notification}"
        (told,) = api.get(f"{path}/parcels").json["items"]
        assert told["sha256"] == hashlib.sha256(data).hexdigest()
        assert api.get(f"{path}/parcels/{told['ref']}").data == data
        link = urlsplit(api.get(path).json["recipient_page"]).path
        page = api.client.get(link).text
        assert told["sha256"] in page
        taken = api.client.get(f"{link}/parcels/{told['ref']}")
        assert (taken.data, taken.content_type) == (data, "text/csv")
        assert taken.headers["Content-Disposition"] == f"attachment; filename={told['name']}"
        assert taken.headers["Cache-Control"] == "no-store"
        letter = api.get(f"{path}/letter").json["body"]
        assert f"{told['name']}, rows: {told['rows']}\n  SHA-256 {told['sha256']}\n" in letter
        (event,) = [each for each in events_of_notification(notification) if each.type == "parcel.attached"]
        assert event.payload == {"rows": told["rows"]}
        assert set(event.sealed) == {"name", "digest"}
    assert not any(each["parcels"] for each in api.post(f"/api/v1/incidents/{ref}/plan").json["contacts"])


def test_the_same_parcels_are_kept_once_and_their_addresses_are_assets(api: Api) -> None:
    ref = incident(api)
    attached(api, ref)

    assert attached(api, ref).json["added"] == 0
    found = api.get(f"/api/v1/incidents/{ref}/assets").json["items"]
    assert [each["value"] for each in found] == ["203.0.113.10", "203.0.113.11", "203.0.113.70"]


def test_a_large_files_addresses_stay_in_its_parcels(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_ASSETS", 2)
    ref = incident(api)
    attached(api, ref)

    assert api.get(f"/api/v1/incidents/{ref}/assets").json["items"] == []
    assert logged(api, ref).status_code == 201


def test_what_bears_red_leaves_its_count_alone_in_the_record(api: Api) -> None:
    ref = incident(api, tlp="TLP:RED")
    attached(api, ref)
    first = logged(api, ref).json["items"][0]

    (event,) = [each for each in events_of_notification(first) if each.type == "parcel.attached"]
    assert (dict(event.payload), dict(event.sealed)) == ({"rows": 2}, {})


def test_where_people_may_be_at_risk_nobody_is_told_without_a_yes(api: Api) -> None:
    ref = incident(api, people_at_risk=True)
    attached(api, ref)
    held = {each["held"] for each in api.post(f"/api/v1/incidents/{ref}/plan").json["contacts"]}

    assert held == {True}
    assert logged(api, ref).json["code"] == "people_at_risk"
    assert logged(api, ref, people_at_risk=True).status_code == 201


@pytest.mark.parametrize(
    "data",
    [
        b"no archive",
        archive(told={"parcels": [{}]}),
        archive(told=manifest({"cert-at.csv": ISP})),
        archive({"cert-at.csv": AT}, manifest()),
        archive(told=manifest() | {"parcels": []}),
        archive({"../x.csv": AT}),
    ],
)
def test_what_routing_did_not_make_is_refused(api: Api, data: bytes) -> None:
    refused = attached(api, incident(api), data)

    assert (refused.status_code, refused.json["code"]) == (422, "parcels_invalid")


def test_parcels_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_BYTES", 50)
    with pytest.raises(Invalid) as refusal:
        rules.parcels_of(rules.listed_in(manifest()), lambda name: io.BytesIO(FILES[name]))
    assert refusal.value.code == "parcels_too_large"


def test_rows_that_retention_has_erased_are_gone_until_the_same_ones_are_brought_again(
    api: Api, now: dt.datetime
) -> None:
    ref = incident(api)
    attached(api, ref)
    one = logged(api, ref, choose=["cert-at"]).json["items"][0]
    (told,) = api.get(f"/api/v1/notifications/{one}/parcels").json["items"]
    with transaction() as session:
        row = session.execute(select(Incident.id, Incident.ref).where(Incident.ref == ref)).one()
        erase_assets(session, row, now=now)

    gone = api.get(f"/api/v1/notifications/{one}/parcels/{told['ref']}")
    assert (gone.status_code, gone.json["code"]) == (410, "parcel_erased")
    link = urlsplit(api.get(f"/api/v1/notifications/{one}").json["recipient_page"]).path
    assert api.client.get(f"{link}/parcels/{told['ref']}").status_code == 410
    assert api.post(f"/api/v1/incidents/{ref}/plan").json["contacts"] == []

    assert attached(api, ref).json["added"] == 2, "the same bytes may be brought again"
    assert api.client.get(f"{link}/parcels/{told['ref']}").data == AT
    waiting = api.post(f"/api/v1/incidents/{ref}/plan").json["contacts"]
    assert [it["team"]["slug"] for it in waiting if it["parcels"]] == ["isp"], "nobody is handed one twice"
    assert attached(api, ref).json["added"] == 0


def test_nobody_else_reads_them(app: Flask, api: Api, now: dt.datetime) -> None:
    ref = incident(api)
    attached(api, ref)
    one, other = logged(api, ref).json["items"]
    parcel = api.get(f"/api/v1/notifications/{one}/parcels").json["items"][0]["ref"]

    assert api.get(f"/api/v1/notifications/{other}/parcels/{parcel}").status_code == 404
    link = urlsplit(api.get(f"/api/v1/notifications/{other}").json["recipient_page"]).path
    assert api.client.get(f"{link}/parcels/{parcel}").status_code == 404
    assert api.client.get(f"/api/v1/notifications/{one}/parcels/{parcel}").status_code == 401


def command(words: list[str]) -> Any:
    return CliRunner().invoke(pocdir, words, standalone_mode=False)


def folder_of(path: Path) -> None:
    """As `pocdir route` leaves it; nobody knows an address of the third team."""
    files = FILES | {"mute.csv": b"ip,note\r\n203.0.113.99,d\r\n"}
    for name, data in (files | {"manifest.json": json.dumps(manifest(files)).encode()}).items():
        (path / name).write_bytes(data)


def nothing_of(api: Api, ref: str) -> bool:
    """Whether neither a notification nor anything of the folder is recorded."""
    plan = api.post(f"/api/v1/incidents/{ref}/plan").json
    return not (api.get("/api/v1/notifications").json["items"] or plan["contacts"] or plan["unrouted"])


@pytest.mark.parametrize("way", ["api", "command"])
def test_a_team_that_is_told_by_itself_gets_its_parcel_too(api: Api, way: str) -> None:
    ref = incident(api)
    attached(api, ref)
    if way == "api":
        answer = api.post("/api/v1/notifications", {"team": "isp", "incident": ref})
        one = answer.json["ref"]
    else:
        one = json.loads(command(["notify", "--team", "isp", "--incident", ref, "--json"]).output)["ref"]
    (told,) = api.get(f"/api/v1/notifications/{one}/parcels").json["items"]
    assert (told["team"], told["sha256"]) == ("isp", hashlib.sha256(ISP).hexdigest())
    assert "parcel.attached" in [each.type for each in events_of_notification(one)]

    narrowed = api.post(
        "/api/v1/notifications",
        {"team": "cert-at", "incident": ref, "assets": [{"kind": "ip", "value": "203.0.113.10"}]},
    ).json["ref"]
    assert api.get(f"/api/v1/notifications/{narrowed}/parcels").json["items"] == [], "assets were named"
    waiting = api.post(f"/api/v1/incidents/{ref}/plan").json["contacts"]
    assert [it["team"]["slug"] for it in waiting if it["parcels"]] == ["cert-at"]


def test_the_command_does_the_same(api: Api, tmp_path: Path) -> None:
    ref = incident(api)
    folder_of(tmp_path)
    words = ["notify", "--routed", str(tmp_path), "--incident", ref, "--json"]
    dry = [json.loads(line) for line in command([*words, "--dry-run"]).output.splitlines()]
    shown = [(it["team"], it["channel"], it["rows"], it["notification"]) for it in dry]
    assert shown == [
        ("isp", "abuse@isp.example", 1, None),
        ("cert-at", "reports@cert.example", 2, None),
        ("mute", None, 1, None),
    ]
    assert nothing_of(api, ref)
    done = [json.loads(line) for line in command(words).output.splitlines()]
    assert [it | {"notification": None} for it in done] == dry
    refs = [it["notification"] for it in done]
    assert refs[2] is None
    assert [len(api.get(f"/api/v1/notifications/{each}/parcels").json["items"]) for each in refs[:2]] == [
        1,
        1,
    ]
    again = command(words)
    assert (again.exit_code, getattr(again.exception, "code", "")) == (1, "not_in_plan")


@pytest.mark.parametrize(
    ("more", "code"),
    [(["--sent-at", "2030-01-01T00:00:00Z"], "sent_in_future"), (["--to", "mute"], "not_in_plan")],
)
def test_what_cannot_be_logged_leaves_no_parcel_and_a_dry_run_says_so(
    api: Api, tmp_path: Path, more: list[str], code: str
) -> None:
    ref = incident(api)
    folder_of(tmp_path)
    for dry in ([], ["--dry-run"]):
        done = command(["notify", "--routed", str(tmp_path), "--incident", ref, *more, *dry])
        assert isinstance(done.exception, Refusal)
        assert done.exception.code == code
        assert nothing_of(api, ref)


def test_people_at_risk_are_told_of_by_name_alone(api: Api, tmp_path: Path) -> None:
    ref = incident(api, people_at_risk=True)
    folder_of(tmp_path)
    words = ["notify", "--routed", str(tmp_path), "--incident", ref, "--json"]
    for dry in ([], ["--dry-run"]):
        assert isinstance(command([*words, *dry]).exception, Refusal)
    assert nothing_of(api, ref)
    done = command([*words, "--to", "isp"])
    assert [json.loads(line)["team"] for line in done.output.splitlines()] == ["isp"]
