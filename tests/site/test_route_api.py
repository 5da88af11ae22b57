"""A file in, a ZIP archive of parcels out, over HTTP: the counts, the bytes, the refusals, and nothing kept."""

from __future__ import annotations

import dataclasses
import fcntl
import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pocdir.routing.uploads import rules
from pocdir.routing.uploads.child import LOCK
from pocdir.routing.uploads.queries import UPLOADS, folders
from pocdir.web import limits
from tests.conftest import Api

PATH = "/api/v1/route"
FILE = b"""ip;seen;note
203.0.113.70;2026-11-20;=cmd()
203.0.113.10;2026-11-20;plain
38.87.230.9;2026-11-21;plain
10.0.0.1;2026-11-21;inside
no address;2026-11-21;rubbish
"""


@pytest.fixture(autouse=True)
def _today(app: Flask, now: Any) -> Iterator[None]:
    limits.init_app(app)
    with time_machine.travel(now, tick=False):
        yield


def sent(client: FlaskClient, data: Any = FILE, content_type: str = "text/csv", **query: Any) -> TestResponse:
    return client.post(PATH, data=data, content_type=content_type, query_string=query, buffered=True)


def members(response: TestResponse) -> dict[str, bytes]:
    assert response.status_code == 200, response.text
    assert response.content_type == "application/zip"
    assert response.headers["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(response.data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def problem(response: TestResponse, status: int) -> str:
    assert (response.status_code, response.content_type) == (status, "application/problem+json"), (
        response.text
    )
    code: str = response.json["code"]
    return code


def test_every_row_is_in_one_parcel_or_has_its_reason(client: FlaskClient, cases: Path) -> None:
    found = members(sent(client))
    manifest = json.loads(found["manifest.json"])

    assert manifest["rows"] == 5
    assert [manifest[name] for name in ("routed", "no_contact", "not_routable", "invalid")] == [3, 0, 1, 1]
    assert found["tenant.csv"] == b"ip;seen;note\n203.0.113.70;2026-11-20;'=cmd()\n"
    assert found["unrouted.csv"].splitlines()[0] == b'ip;seen;note;"reason"'
    assert set(found) == {"manifest.json", "unrouted.csv"} | {each["file"] for each in manifest["parcels"]}
    assert folders(cases) == []


def test_the_same_file_gives_the_same_bytes_however_it_is_brought(client: FlaskClient, cases: Path) -> None:
    plain = sent(client).data
    form = {"file": (io.BytesIO(FILE), "sinkhole.csv")}

    assert sent(client, form, "multipart/form-data").data == plain
    assert sent(client, gzip.compress(FILE), "application/gzip").data == plain


def test_what_narrows_a_lookup_narrows_a_file(client: FlaskClient, cases: Path) -> None:
    found = members(sent(client, exclude_team=["tenant", "hospital"], raw="true"))

    assert b"203.0.113.70;2026-11-20;=cmd()\n" in found["isp.csv"]
    assert "tenant.csv" not in found


def test_what_goes_with_it_is_refused_before_the_file_is_read(client: FlaskClient, cases: Path) -> None:
    assert problem(sent(client, exclude_team="nobody-here"), 422) == "team_unknown"
    assert problem(sent(client, colour="red"), 422) == "invalid"
    assert folders(cases) == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "report_empty"),
        (b"\x89PNG\r\n" + bytes(100), "report_binary"),
        ("ip,a\n1.2.3.4,b\n".encode("utf-16"), "report_encoding"),
        (b"a,b\nc,d\n", "report_no_address"),
        (b"ip,note\n" + b"x" * 1_100_000, "report_line_too_long"),
    ],
)
def test_what_is_no_table_is_refused_and_not_kept(
    client: FlaskClient, cases: Path, data: bytes, code: str
) -> None:
    assert problem(sent(client, data), 422) == code
    assert folders(cases) == []


def test_a_quote_that_is_not_closed_is_refused_with_its_line(client: FlaskClient, cases: Path) -> None:
    refused = sent(client, b'ip,note\n203.0.113.70,a\n203.0.113.70,"b\n198.51.100.1,c\n')

    assert problem(refused, 422) == "report_malformed"
    assert set(refused.json["errors"]) == {"line 3"}
    assert folders(cases) == []


def test_a_form_without_a_file_or_with_two(client: FlaskClient, cases: Path) -> None:
    two = {"file": [(io.BytesIO(FILE), "a.csv"), (io.BytesIO(FILE), "b.csv")]}

    assert problem(sent(client, two, "multipart/form-data"), 422) == "file_needed"
    assert problem(sent(client, {"file": "text"}, "multipart/form-data"), 422) == "file_needed"


def test_large_files_need_an_account_and_have_an_end(
    app: Flask, client: FlaskClient, api: Api, cases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "STRANGERS_MB", 1)
    settings = dataclasses.replace(app.extensions["pocdir"], upload_mb=2)
    monkeypatch.setitem(app.extensions, "pocdir", settings)
    large, too_large = FILE + b"\n" * 1_200_000, FILE + b"\n" * 2_400_000

    assert problem(sent(client, large), 413) == "too_large"
    form = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + large + b"\r\n--x--\r\n"
    )
    assert problem(sent(client, form, "multipart/form-data; boundary=x"), 413) == "too_large"
    ours = client.post(PATH, data=large, content_type="text/csv", headers=api.headers, buffered=True)
    members(ours)
    refused = client.post(PATH, data=too_large, content_type="text/csv", headers=api.headers)
    assert problem(refused, 413) == "too_large"
    assert folders(cases) == []


def test_one_at_a_time(client: FlaskClient, cases: Path) -> None:
    (cases / UPLOADS).mkdir()
    with (cases / UPLOADS / LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        response = sent(client)

    assert problem(response, 503) == "route_busy"
    assert response.headers["Retry-After"] == "5"
    assert folders(cases) == []


def test_strangers_bring_so_many_an_hour(client: FlaskClient, cases: Path) -> None:
    answers = [
        client.post(PATH, data=b"", environ_overrides={"REMOTE_ADDR": "192.0.2.7"}).status_code
        for _ in range(21)
    ]

    assert answers == [422] * 20 + [429]
