"""Many at once, as people do it: bring a file, wait, take the parcels; nothing half done looks whole."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from pocdir.routing.uploads import child, jobs, queries, rules
from pocdir.web import limits
from tests.accounts import made as people
from tests.conftest import Api
from tests.site.test_lookup_page import AVOIDED, read

FILE = b"""ip,note
203.0.113.70,=cmd()
203.0.113.10,plain
38.87.230.9,plain
10.0.0.1,inside
no address,rubbish
"""


@pytest.fixture(autouse=True)
def _today(app: Flask, now: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    limits.init_app(app)
    with time_machine.travel(now, tick=False):
        yield


@pytest.fixture
def nobody_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process begins by itself."""
    monkeypatch.setattr(child, "go_on", lambda _settings: False)


def bring(client: FlaskClient, data: bytes = FILE, **typed: Any) -> TestResponse:
    form = {"file": FileStorage(io.BytesIO(data), "sinkhole.csv")} | typed
    boundary, body = encode_multipart(form)
    return client.post("/route", data=body, content_type=f"multipart/form-data; boundary={boundary}")


def brought(client: FlaskClient, data: bytes = FILE) -> str:
    """The address of a file's page."""
    response = bring(client, data)
    assert response.status_code == 303, response.text
    return str(response.location)


def done(folder: Path) -> None:
    while any(each.state in ("waiting", "working") for each in queries.uploads(folder)):
        time.sleep(0.05)


def take(client: FlaskClient, path: str, method: str = "GET") -> TestResponse:
    response = client.open(path, method=method, buffered=True)
    assert response.headers["Cache-Control"] == "no-store"
    return response


def test_a_file_is_split_and_its_counts_add_up(client: FlaskClient, cases: Path) -> None:
    page = brought(client)
    done(cases)
    response = client.get(page)
    text = read(response)

    assert "sinkhole.csv" in text
    assert "Every row is counted once: 3 + 0 + 1 + 1 = 5." in text
    assert "1 cell that a spreadsheet would take for a formula got an apostrophe." in text
    assert "tenant@tenant.example" in text and "not routable" in text
    assert "Refresh" not in response.headers
    assert not any(word in text.lower() for word in AVOIDED)
    assert not (queries.uploads(cases)[0].folder / rules.BROUGHT).exists()

    parcel = take(client, f"{page}/parcels/tenant.csv")
    assert parcel.data == b"ip,note\n203.0.113.70,'=cmd()\n"
    assert take(client, f"{page}/parcels/manifest.json").status_code == 404
    assert take(client, f"{page}/parcels/..%2f..%2fasked.json").status_code == 404

    kept = take(client, f"{page}/parcels.zip")
    last = take(client, f"{page}/parcels.zip", "POST")
    assert kept.data == last.data
    with zipfile.ZipFile(io.BytesIO(kept.data)) as archive:
        assert json.loads(archive.read("manifest.json"))["rows"] == 5
    assert client.get(page).status_code == 404
    assert queries.folders(cases) == []


def test_one_process_works_however_often_somebody_looks_for_work(
    app: Flask, client: FlaskClient, cases: Path
) -> None:
    brought(client)  # which begins it

    assert [child.go_on(app.extensions["pocdir"]) for _ in range(3)] == [False] * 3
    done(cases)


@pytest.mark.usefixtures("nobody_works")
def test_what_it_is_shows_before_anything_is_counted(client: FlaskClient, cases: Path) -> None:
    page = brought(client)
    response = client.get(page)

    assert "Table · rows belong where this says: ip" in read(response)
    assert response.headers["Refresh"] == "3"
    assert "Refresh" not in client.get(page + "?still=1").headers
    assert take(client, f"{page}/parcels.zip").status_code == 404
    pages = [page, brought(client)]
    both = "".join(read(client.get(each)) for each in pages)
    assert both.count("1 file comes first.") == 1, "of two brought at once"


@pytest.mark.usefixtures("nobody_works")
def test_what_was_cut_off_is_begun_anew(app: Flask, client: FlaskClient, cases: Path) -> None:
    page = brought(client)
    found = queries.uploads(cases)[0]
    (found.folder / rules.PROGRESS).write_text('{"rows": 3, "bytes": 40}')
    (found.folder / ".result.x.new").mkdir()
    assert "Being split" in read(client.get(page))
    assert take(client, f"{page}/parcels.zip").status_code == 404

    _work(app)
    assert "= 5." in read(client.get(page))


def _work(app: Flask) -> None:
    """What the process does, in this one."""
    data = app.extensions["pocdir"].data
    while found := queries.waiting(data):
        child.do(found[0], app.extensions["pocdir"], lambda *_: None)


@pytest.mark.usefixtures("nobody_works")
def test_a_file_at_which_the_work_dies_twice_is_given_up(
    app: Flask, client: FlaskClient, cases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any, **__: Any) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("pocdir.routing.bulk.file.route_file", dies)
    page = brought(client)
    _work(app)

    assert "This file could not be split." in read(client.get(page))


@pytest.mark.usefixtures("nobody_works")
def test_a_row_without_end_is_refused_when_it_is_met(app: Flask, client: FlaskClient, cases: Path) -> None:
    page = brought(client, b"ip,note\n" + b"203.0.113.70,x\n" * 200_000 + b"\0" * 12_000_000)
    _work(app)

    assert "This file could not be split." in read(client.get(page))
    assert take(client, f"{page}/parcels.zip").status_code == 404


def test_a_wrong_file_stands_beside_its_box(client: FlaskClient, cases: Path) -> None:
    response = bring(client, b"a,b\nc,d\n")

    assert response.status_code == 422
    assert "no column holds an address" in read(response)
    assert bring(client, exclude_team="nobody-here").status_code == 422
    assert client.post("/route", data={}).status_code == 422
    assert queries.folders(cases) == []


@pytest.mark.usefixtures("nobody_works")
def test_after_a_day_nothing_is_left(client: FlaskClient, cases: Path, now: dt.datetime) -> None:
    page = brought(client)
    (cases / queries.UPLOADS / "half").mkdir()

    jobs.forget_old(now + dt.timedelta(hours=23))
    assert client.get(page).status_code == 200
    jobs.forget_old(now + dt.timedelta(hours=24))
    assert client.get(page).status_code == 404
    jobs.forget_old(now + dt.timedelta(days=3000))
    assert queries.folders(cases) == []


@pytest.mark.usefixtures("nobody_works")
def test_a_workspace_alone_sees_what_it_brought(
    app: Flask, client: FlaskClient, cases: Path, now: dt.datetime
) -> None:
    anna = people.person(now=now, workspace="lab", role="researcher", password=False)
    ben = people.person("ben@example.org", now=now, workspace="rivals", role="owner", password=False)
    ours, theirs = people.browser(app, anna, now=now), people.browser(app, ben, now=now)
    page = brought(ours)

    assert ours.get(page).status_code == 200
    assert (theirs.get(page).status_code, client.get(page).status_code) == (404, 404)
    assert theirs.post(f"{page}/delete").status_code == 404
    assert ours.post(f"{page}/delete").status_code == 302
    assert ours.get(page).status_code == 404


@pytest.mark.usefixtures("nobody_works")
def test_so_many_wait_and_no_more(client: FlaskClient, cases: Path) -> None:
    for _ in range(rules.MOST_WAITING):
        brought(client)

    response = bring(client)
    assert (response.status_code, "Retry-After" in response.headers) == (503, True)


@pytest.mark.usefixtures("nobody_works")
@pytest.mark.parametrize(
    "rows", [b"203.0.113.70,plain\n" * 100_000, b"1,\n" * 60_000], ids=["packed", "reasons"]
)
def test_of_a_file_not_more_comes_than_may_and_a_members_may_be_larger(
    app: Flask,
    client: FlaskClient,
    cases: Path,
    now: dt.datetime,
    monkeypatch: pytest.MonkeyPatch,
    rows: bytes,
) -> None:
    monkeypatch.setattr(rules, "STRANGERS_MADE_MB", 1)
    anna = people.browser(app, people.person(now=now, workspace="lab", password=False), now=now)
    data = gzip.compress(b"ip,note\n" + rows)
    refused, split = brought(client, data), brought(anna, data)
    (queries.uploads(cases)[0].folder / ".result.x.new").mkdir()  # of a process that died
    _work(app)

    assert "larger than 1 MB" in read(client.get(refused))
    assert "Every row is counted once" in read(anna.get(split))
    strangers = next(each for each in queries.uploads(cases) if each.asked.workspace is None)
    assert queries.size(strangers.folder) < 20_000
    assert not list(strangers.folder.glob(".*"))

    monkeypatch.setattr(rules, "MADE_TIMES", 0)
    refused = brought(anna, data)
    _work(app)
    assert "larger than 0 MB" in read(anna.get(refused))


@pytest.mark.usefixtures("nobody_works")
def test_strangers_together_hold_so_much_and_then_somebody_with_an_account_goes_on(
    app: Flask, client: FlaskClient, api: Api, cases: Path, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        app.extensions, "pocdir", dataclasses.replace(app.extensions["pocdir"], strangers_mb=1)
    )
    data = b"ip,note\n" + b"203.0.113.70,plain\n" * 20_000
    pages = [brought(client, data), brought(client, data)]
    full = bring(client, data)
    assert (full.status_code, "Retry-After" in full.headers) == (503, True), "its bytes have no room"
    assert len(queries.folders(cases)) == 2
    _work(app)

    assert "hold all that is kept for them" in read(client.get(pages[0])), "nor have its parcels"
    held = sum(queries.size(folder) for folder in queries.folders(cases))
    assert held <= 1024**2
    answer = client.post("/api/v1/route", data=data, content_type="text/csv")
    assert (answer.status_code, answer.json["code"]) == (503, "uploads_full")
    ours = people.browser(app, people.person(now=now, workspace="lab", password=False), now=now)
    assert bring(ours, data).status_code == 303
    jobs.forget_old(now + dt.timedelta(hours=25))
    assert brought(client, data)


@pytest.mark.usefixtures("nobody_works")
def test_a_workspace_holds_so_much_and_another_one_goes_on(
    app: Flask, cases: Path, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "HELD_TIMES", 1)
    small = dataclasses.replace(app.extensions["pocdir"], upload_mb=1)
    monkeypatch.setitem(app.extensions, "pocdir", small)
    data = b"ip,note\n" + b"203.0.113.70,plain\n" * 30_000
    ours = people.browser(app, people.person(now=now, workspace="lab", password=False), now=now)
    brought(ours, data)
    full = bring(ours, data)
    assert (full.status_code, "your workspace" in read(full)) == (503, True)
    other = people.person("b@other.example", now=now, workspace="other", password=False)
    assert bring(people.browser(app, other, now=now), data).status_code == 303


def test_the_link_cannot_be_guessed_and_its_folder_does_not_tell_it(client: FlaskClient, cases: Path) -> None:
    token = rules.new_token()

    assert re.fullmatch(r"[\w-]{27}", token)
    assert token not in rules.folder_of(token)
    assert client.get(f"/route/{token}").status_code == 404


def test_an_incident_is_opened_from_a_file_and_a_second_file_added(
    app: Flask, client: FlaskClient, cases: Path, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "go_on", lambda _settings: False)
    anna = people.person(now=now, workspace="lab", role="researcher", password=False)
    browser = people.browser(app, anna, now=now)
    page = brought(browser)
    _work(app)
    assert "Open an incident from this file" in read(browser.get(page))
    assert client.post("/incidents/from-file", data={"file": page[7:]}).location.startswith("/login")

    opened = browser.post("/incidents/from-file", data={"file": page[7:], "title": "Sinkhole"})
    assert opened.status_code == 302, opened.text
    plan = read(browser.get(opened.location))
    assert "A file goes with it: tenant.csv , 1 row" in plan
    chosen = {"choose": ["tenant", "isp"], "within": "P2D"}
    logged = browser.post(opened.location, data=chosen)
    assert logged.status_code == 302, logged.text
    shown = browser.get(logged.location).text
    refs = set(re.findall(r"/notifications/([0-9a-f-]{36})", shown))
    assert len(refs) == 2
    files = [
        take(browser, path).data
        for ref in refs
        for path in re.findall(
            r"/notifications/[0-9a-f-]{36}/parcels/[0-9a-f-]{36}", browser.get(f"/notifications/{ref}").text
        )
    ]
    assert sorted(files) == [b"ip,note\n203.0.113.10,plain\n", b"ip,note\n203.0.113.70,'=cmd()\n"]

    ref = opened.location.split("/")[2]
    again = browser.post("/incidents/from-file", data={"file": page[7:], "incident": ref})
    assert again.location == opened.location
    assert "0 parcels attached." in read(browser.get(again.location))
