"""The directory in the browser: anybody reads, stewards write."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape

import pytest
import time_machine

from pocdir.db import transaction
from pocdir.directory.actions import edits
from pocdir.directory.checks.actions import confirm
from pocdir.directory.formats import records
from pocdir.directory.pages import teams as pages
from pocdir.directory.queries import listings, versions
from tests.accounts import made as people
from tests.directory import made

LATER = made.NOW + dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _now(app):
    with time_machine.travel(LATER, tick=False):
        yield


@pytest.fixture
def steward(app):
    return people.browser(app, people.person(now=LATER, site_role="steward"), now=LATER)


@pytest.fixture
def researcher(app):
    return people.browser(app, people.person("rita@example.org", now=LATER, workspace="lab"), now=LATER)


def form_of(client, path):
    """Every box of the page's last form, as a browser would send it."""
    page = client.get(path)
    assert page.status_code == 200, page.text
    return boxes_of(page.text)


def boxes_of(text):
    form = text[text.rindex("<form") : text.rindex("</form>")]
    boxes = {}
    for box in re.findall(r"<input[^>]*>", form):
        given = dict(re.findall(r'([a-z]+)="([^"]*)"', box))
        if given.get("type") not in ("checkbox", "radio"):
            boxes[given["name"]] = unescape(given.get("value", ""))
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        boxes[name] = chosen[1]
    return boxes


def send(client, path, read=None, **typed):
    return client.post(path, data=form_of(client, read or path) | typed)


def test_anybody_browses_and_searches(client):
    made.imported(
        made.file(made.team_json(), made.team_json("other", name="Other", country="DE", channels=[]))
    )
    page = client.get("/teams").text
    assert "CERT Example" in page
    assert "Other" in page
    assert "not verified" in page
    found = client.get("/teams?q=cert@cert.example&sort=-name&page=1&lang=en").text
    assert "CERT Example" in found
    assert ">Other<" not in found
    assert "No team like that" in client.get("/teams?country=FR").text


@pytest.mark.parametrize(
    "query", ["page=0", "page=99999999999", "page=x", "sort=x", "kind=", "q=%00%25", "country="]
)
def test_strange_questions_are_answered_all_the_same(client, query):
    assert client.get(f"/teams?{query}").status_code == 200


@pytest.mark.parametrize(
    ("address", "right"),
    [
        ("/teams?country=ZZ", "AT"),
        ("/teams?kind=x", "national"),
        ("/teams?state=x", "bouncing"),
        ("/coverage?status=x", "answered"),
    ],
)
def test_a_filter_that_is_none_is_refused_with_what_is_right(client, address, right):
    refused = client.get(address)
    assert refused.status_code == 422
    assert right in refused.text.partition("The address of this page says ")[2]


def test_many_teams_come_in_pages(client):
    made.imported(
        made.file(*(made.team_json(f"t{n:03}", name=f"Team {n:03}", channels=[]) for n in range(60)))
    )
    first, second = client.get("/teams").text, client.get("/teams?page=2").text
    assert "Team 049" in first
    assert "Team 050" not in first
    assert "Team 050" in second
    assert "51 to 60 of 60" in second


def test_the_page_of_a_team_says_who_says_so(client):
    made.imported(made.file(made.team_json(website="https://cert.example/", timezone="Europe/Vienna")))
    page = client.get("/teams/cert-example").text
    for said in (
        "cert@cert.example",
        "https://list.example/",
        "2026-06-17",
        "there it is 14:00",
        "What was changed",
    ):
        assert said in page
    assert "Edit" not in re.findall(r"<a[^>]*>([^<]*)</a>", page)


def facts_on(page, card):
    """Of a card of facts: [(name, its words without markup)]."""
    inside = page[page.index(f'id="h-{card}"') :]
    inside = inside[: inside.index("</section>")]
    return [
        (name, " ".join(re.sub(r"<[^>]+>", " ", words).split()))
        for name, words in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", inside, re.S)
    ]


def test_name_kind_and_country_say_who_says_so_and_since_when_too(client):
    made.imported(made.file(made.team_json()))
    other = made.file(made.team_json(name="CERT Other", country="DE"))
    made.imported(other, source="second list", now=made.NOW + dt.timedelta(minutes=1))
    facts = dict(facts_on(client.get("/teams/cert-example").text, "about"))
    for name in ("Name", "Kind", "Country"):
        assert "2026-06-17 · here since 2026-11-22" in facts[name]
        assert "1 other source" in facts[name]
    assert "CERT Other" in facts["Name"]
    assert "second list" in facts["Country"]


def test_each_membership_stands_once_with_everybody_who_says_it(client):
    one = made.team_json(memberships=[{"name": "FIRST", "since": "2010-01-01"}, {"name": "TI Listed"}])
    two = made.team_json(memberships=[{"name": "TI Listed"}, {"name": "EGC"}])
    made.imported(made.file(one))
    made.imported(made.file(two), source="second list")
    told = [words for name, words in facts_on(client.get("/teams/cert-example").text, "about")
            if name == "Memberships"]  # fmt: skip
    assert [words.split()[0] for words in told] == ["EGC", "FIRST", "TI"]
    assert all("here since 2026-11-22" in words for words in told)
    assert "second list" in told[0]
    assert "other source" not in told[0] + told[1]
    assert "1 other source" in told[2]


def test_what_the_team_has_confirmed_is_no_unverified_lead_any_more(client):
    low = made.channel(confidence="low"), made.channel("+43 1 5056416", kind="phone", confidence="low")
    weak = made.responsibility(confidence="low")
    team = made.team_json(confidence="low", channels=list(low), responsibilities=[weak])
    made.imported(made.file(team))
    assert client.get("/teams/cert-example").text.count("unverified lead") > 4
    with transaction() as session:
        confirm(
            session, slug="cert-example", kind="email", value="cert@cert.example", via="phone", now=LATER,
            actor="operator", claimed_by="steward", evidence="a call",
        )  # fmt: skip
    page = client.get("/teams/cert-example").text
    assert "unverified lead" not in page
    assert "nobody has checked" not in page
    assert "unverified lead" not in client.get("/teams").text.split("<tbody>")[1]


def test_a_retired_entry_says_so_and_offers_nothing_that_is_refused(steward, researcher):
    made.imported(made.file(made.team_json(), made.team_json("other", name="Other", channels=[])))
    made.imported(made.file(made.team_json("other", name="Other", channels=[])), now=LATER, force=True)
    for client in (steward, researcher):
        page = client.get("/teams/cert-example").text
        assert "No source names this team any more, since" in page
        assert "ours to find" not in page
        assert "Log a notification" not in page


def test_everything_that_was_changed_is_read_page_by_page(client, monkeypatch):
    monkeypatch.setattr(pages, "EVENTS_ON_A_PAGE", 2)
    made.team()
    for n, audience, preference in ((1, "public", 1), (1, "public", 7), (2, "stewards", 1)):
        desk = records.channel(
            made.channel(f"desk{n}@cert.example", audience=audience, preference=preference)
        )
        with transaction() as session:
            edits.edit_team(session, slug="cert-example", channels=[desk], now=LATER, actor="user:x")
    assert "/teams/cert-example/history" in client.get("/teams/cert-example").text
    path, seen = "/teams/cert-example/history", ""
    for _ in range(2):
        page = client.get(path).text
        seen += page
        older = re.search(r'rel="next" href="([^"]+)"', page)
        path = unescape(older[1]) if older else path
    assert older is None and "Newest" in page
    assert "cert@cert.example" in seen and "desk1@cert.example" in seen and "desk2@" not in seen
    assert re.search(r"Preference</span>\s*<bdi dir=\"ltr\">1</bdi> → <bdi dir=\"ltr\">7</bdi>", seen)


def test_an_unknown_team_is_not_found(client):
    assert client.get("/teams/nobody").status_code == 404


def test_coverage_shows_every_code(client):
    made.imported(made.file(made.team_json()))
    page = client.get("/coverage").text
    assert "no national PoC known" in page
    assert "CERT Example" in page
    assert "CERT Example" not in client.get("/coverage?status=none_known").text


def test_a_steward_enters_a_team(steward):
    response = send(
        steward,
        "/teams/new",
        name="CERT New",
        kind="national",
        country="aut",
        languages="de, en",
        evidence="a call on 20 November",
        **{
            "channels.0.value": "cert@new.example",
            "responsibilities.0.key": "country",
            "responsibilities.0.value": "AT",
            "responsibilities.0.role": "national",
        },
    )
    assert (response.status_code, response.headers["Location"]) == (302, "/teams/cert-new")
    team = versions.snapshot().teams[0]
    assert (team.country, team.languages) == ("AT", ("de", "en"))
    assert (team.channels[0].value, team.channels[0].origin) == ("cert@new.example", "manual")
    assert [(r.key, r.value) for r in team.responsibilities] == [("country", "AT")]
    (event,) = listings.latest("cert-new")
    assert event.sealed["evidence"] == "a call on 20 November"
    assert event.actor.startswith("user:")


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_saved(steward):
    response = send(
        steward,
        "/teams/new",
        name="CERT New",
        kind="national",
        country="QQ",
        evidence="x",
        **{"channels.1.value": "no address"},
    )
    assert response.status_code == 422
    assert 'id="f-channels-1-value-error"' in response.text
    assert "no address" in response.text
    response = send(steward, "/teams/new", name="CERT New", kind="national", country="QQ", evidence="x")
    assert 'id="f-country-error"' in response.text
    assert versions.snapshot().teams == ()


def test_a_slug_that_is_taken_is_told_beside_it(steward):
    made.team()
    response = send(steward, "/teams/new", name="X", slug="cert-example", kind="national", evidence="x")
    assert response.status_code == 422
    assert 'id="f-slug-error"' in response.text


def test_saving_an_untouched_form_changes_nothing(steward):
    made.imported(
        made.file(
            made.team_json(website="https://cert.example/", memberships=[{"name": "FIRST", "since": None}])
        )
    )
    before = versions.directory_version()
    assert send(steward, "/teams/cert-example/edit", evidence="looked").status_code == 302
    assert versions.directory_version() == before


def test_a_steward_changes_withdraws_and_adds(steward):
    channels = [made.channel(), made.channel("old@cert.example", preference=2, audience="members")]
    made.imported(made.file(made.team_json(channels=channels)))
    response = send(
        steward,
        "/teams/cert-example/edit",
        name="CERT Renamed",
        evidence="their mail of 21 November",
        **{"channels.1.remove": "true", "channels.2.value": "new@cert.example"},
    )
    assert response.status_code == 302
    team = versions.snapshot().teams[0]
    assert team.name == "CERT Renamed"
    assert [(c.value, c.origin) for c in team.channels] == [
        ("new@cert.example", "manual"),
        ("cert@cert.example", "imported"),
    ]
    # The import says it again; the steward's word stands.
    made.imported(made.file(made.team_json(channels=channels)))
    assert "old@cert.example" not in {c.value for c in versions.snapshot().teams[0].channels}


def test_a_value_that_is_typed_over_replaces_the_row(steward):
    made.imported(made.file(made.team_json()))
    send(steward, "/teams/cert-example/edit", evidence="x", **{"channels.0.value": "fixed@cert.example"})
    assert [c.value for c in versions.snapshot().teams[0].channels] == ["fixed@cert.example"]


def test_who_read_an_older_state_does_not_overwrite(steward):
    made.imported(made.file(made.team_json()))
    typed = form_of(steward, "/teams/cert-example/edit") | {"name": "Mine", "evidence": "x"}
    made.imported(made.file(made.team_json(name="Theirs")))
    response = steward.post("/teams/cert-example/edit", data=typed)
    assert response.status_code == 409
    assert "it was changed since you opened this form" in response.text
    assert 'value="Theirs"' in response.text
    assert "Mine" in response.text
    assert versions.snapshot().teams[0].name == "Theirs"


def test_a_stale_form_shows_what_stands_and_may_be_sent_again(steward):
    made.imported(made.file(made.team_json()))
    typed = form_of(steward, "/teams/cert-example/edit") | {"name": "Mine", "evidence": "looked"}
    made.imported(made.file(made.team_json(name="Theirs")))
    shown = boxes_of(steward.post("/teams/cert-example/edit", data=typed).text)
    assert (shown["name"], shown["channels.0.value"]) == ("Theirs", "cert@cert.example")
    again = steward.post("/teams/cert-example/edit", data=shown | {"name": "Mine", "evidence": "looked"})
    assert again.status_code == 302
    assert versions.snapshot().teams[0].name == "Mine"


def test_a_steward_marks_an_address(steward):
    made.imported(made.file(made.team_json()))
    typed = {"kind": "email", "value": "cert@cert.example", "state": "bouncing", "evidence": "5.1.1"}
    csrf = form_of(steward, "/teams/cert-example")["csrf_token"]
    response = steward.post("/teams/cert-example/mark", data=typed | {"csrf_token": csrf})
    assert response.status_code == 302
    assert "mail bounces" in steward.get("/teams/cert-example").text
    assert "Mail to a national team bounces" in steward.get("/steward").text


def test_nothing_needs_a_person_in_an_empty_directory(steward):
    assert steward.get("/steward").status_code == 200


@pytest.mark.parametrize("path", ["/teams/new", "/teams/cert-example/edit", "/steward"])
def test_others_do_not_get_the_stewards_pages(client, researcher, path):
    made.imported(made.file(made.team_json()))
    assert client.get(path).status_code == 302
    assert researcher.get(path).status_code == 403


def test_others_do_not_write(client, researcher):
    made.imported(made.file(made.team_json()))
    token = re.search(r'name="csrf_token" value="([^"]+)"', researcher.get("/account").text)[1]
    for path in ("/teams/new", "/teams/cert-example/edit", "/teams/cert-example/mark"):
        assert researcher.post(path, data={"csrf_token": token, "name": "Mine"}).status_code == 403
    assert versions.snapshot().teams[0].name == "CERT Example"


def test_a_visitor_sees_no_inner_address(client, researcher):
    made.imported(
        made.file(made.team_json(channels=[made.channel("inner@cert.example", audience="members")]))
    )
    assert "inner@" not in client.get("/teams/cert-example").text
    assert "inner@" in researcher.get("/teams/cert-example").text
