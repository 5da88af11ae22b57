"""A list that a steward brings in the browser."""

from __future__ import annotations

import base64
import io
import re
import zlib
from html import unescape

import pytest
import time_machine

from pocdir.db import db
from pocdir.directory.bringing import pages
from pocdir.directory.models import Import
from pocdir.directory.queries import entries, versions
from tests.accounts import made as people
from tests.directory import made
from tests.directory.quarantined import held, mark

PAGE = "/directory/import"


@pytest.fixture(autouse=True)
def _now(app):
    with time_machine.travel(made.NOW, tick=False):
        yield


@pytest.fixture
def steward(app):
    return people.browser(
        app, people.person("steward@example.org", now=made.NOW, site_role="steward"), now=made.NOW
    )


def csrf(client):
    return re.search(r'name="csrf_token" value="([^"]+)"', client.get(PAGE).text)[1]


def look(client, content, format="pocdir-json", name="members.json", **typed):
    data = {"csrf_token": csrf(client), "what": "look", "format": format, **typed}
    return client.post(PAGE, data=data | {"file": (io.BytesIO(content), name)})


def bring(client, page, **more):
    """Press *Bring it in* on the page that has shown what would change."""
    form = re.search(r'<form method="post" class="actions"(.+?)</form>', page.text, re.DOTALL)[1]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', unescape(form)))
    return client.post(PAGE, data=fields | {"what": "bring"} | more)


def imports():
    db.session.rollback()
    return db.session().query(Import).count()


def listed(*teams):
    return made.file(*teams)


def test_a_list_is_looked_at_first_and_brought_in_then_and_twice_is_nothing(steward):
    page = look(steward, listed(made.team_json()))
    assert page.status_code == 200
    assert "The file names 1 team." in page.text and "reports@" not in page.text
    assert "cert@cert.example" in page.text
    assert versions.snapshot().teams == () and imports() == 0
    assert bring(steward, page).headers["Location"] == "/steward"
    db.session.rollback()
    assert entries.entry("cert-example").channels[0].source == "list"
    again = look(steward, listed(made.team_json()))
    assert "Nothing would change." in again.text and 'value="bring"' not in again.text


def test_what_is_doubtful_is_named_and_waits(steward):
    made.imported(made.file(made.team_json()))
    mark()
    page = look(steward, listed(made.team_json(channels=[made.channel("evil@other.example")])))
    assert "cert@cert.example, which the team confirmed, would vanish" in page.text
    assert "Would wait for a steward" in page.text
    assert bring(steward, page).headers["Location"] == "/directory/quarantine"
    assert [it.row.team for it in held()] == ["cert-example"]
    assert entries.entry("cert-example").channels[0].value == "cert@cert.example"


@pytest.mark.parametrize(
    ("content", "format", "typed", "says"),
    [
        (b"<!DOCTYPE html><html></html>", "first", {}, "this is an HTML page"),
        (b"", "certbund", {}, "the file is empty"),
        (b"AT", "pocdir-csv", {}, "line 1"),
        (listed(made.team_json(kind="nonsense")), "pocdir-json", {}, "teams[0].kind"),
        (listed(made.team_json()), "pocdir-json", {"source": "the team itself"}, "source"),
        (listed(made.team_json()), "pocdir-json", {"team": "No Slug"}, "small letters"),
        (b"x" * 10_001, "ti", {}, "over 4 MB"),
    ],
)
def test_what_is_no_list_is_refused_on_the_page_and_nothing_is_kept(
    steward, content, format, typed, says, monkeypatch
):
    monkeypatch.setattr(pages, "MOST_BYTES", 10_000)
    page = look(steward, content, format, **typed)
    assert page.status_code == 422
    assert says in unescape(page.text)
    assert imports() == 0


def test_what_comes_back_is_what_was_looked_at_or_nothing(steward):
    page = look(steward, listed(made.team_json()))
    bomb = base64.b64encode(zlib.compress(b" " * 5_000_000)).decode()
    for kept in ("nonsense", bomb, base64.b64encode(b"x").decode()):
        refused = bring(steward, page, kept=kept)
        assert (refused.status_code, "bring the file again" in refused.text) == (422, True)
    assert imports() == 0


def test_only_stewards_bring_lists(app, client):
    assert client.get(PAGE).headers["Location"].startswith("/login")
    member = people.browser(app, people.person(now=made.NOW, workspace="lab"), now=made.NOW)
    assert member.get(PAGE).status_code == 403
