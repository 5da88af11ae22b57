"""Two entries of one team: read as one, told in both histories, and taken apart again without a loss."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
import time_machine

from pocdir.core.errors import Conflict, Invalid, NotFound, Refusal
from pocdir.db import db, transaction
from pocdir.directory.actions import edits
from pocdir.directory.merging import actions, jobs
from pocdir.directory.merging import queries as pairs
from pocdir.directory.presentation import published
from pocdir.directory.queries import entries as queries
from pocdir.directory.queries import listings, parts, sources, versions
from pocdir.mail.models import Mail
from pocdir.routing.queries import index
from tests.accounts import made as people
from tests.conftest import Api
from tests.directory import made
from tests.directory.merged import HOUR, LATER, NEW, OLD, apart, everything, merge, split
from tests.directory.test_pages import send


@pytest.fixture
def two(app):
    made.imported(made.file(OLD, NEW))


@pytest.fixture
def national(app):
    made.imported(made.file(OLD, made.team_json("whole", name="New CERT")))


def test_merged_entries_are_read_as_one_team_with_the_provenance_of_both(two):
    version = versions.directory_version()
    assert merge().became == "applied"
    (team,) = versions.snapshot().teams
    assert (team.slug, {c.value for c in team.channels}) == (
        "whole",
        {"old@cert.example", "cert@cert.example"},
    )
    assert {r.value for r in team.responsibilities} == {"64500", "64501"}
    assert team.name == "New CERT"  # of what one source says alike of both, the one that stays
    assert {(it["field"], it["value"]) for it in sources.facts_of("whole")} >= {
        ("name", "Old CERT"), ("name", "New CERT"),
    }  # fmt: skip
    assert queries.entry("old").team.slug == "whole"
    assert versions.directory_version() != version


def test_what_stood_before_still_shows_two(two):
    before = everything()
    merge()
    assert everything() != before
    assert everything(made.NOW) == before
    then = versions.reading_of(made.NOW.isoformat(), now=LATER)
    assert queries.entry("old", reading=then).team.slug == "old"


def test_a_split_gives_back_what_there_was(two):
    before = everything()
    merge()
    assert split(now=LATER + HOUR).became == "applied"
    assert everything() == before
    assert parts.standing_slug("old") == "old"
    with pytest.raises(Conflict) as refusal:
        split()
    assert refusal.value.code == "not_merged"
    merge(now=LATER + 2 * HOUR)
    assert len(versions.snapshot().teams) == 1


def test_a_team_that_was_merged_with_its_own_parts_is_split_with_them(app):
    others = {"kind": "other", "responsibilities": []}
    teams = [
        made.team_json(slug, name=f"N {slug}", channels=[made.channel(f"{slug}@x.example")], **others)
        for slug in "abc"
    ]
    made.imported(made.file(*teams))
    merge("a", "b")
    merge("b", "c", now=LATER + HOUR)
    assert [parts.standing_slug(slug) for slug in "abc"] == ["c", "c", "c"]
    assert len(queries.entry("a").channels) == 3
    split("b", now=LATER + 2 * HOUR)
    assert [parts.standing_slug(slug) for slug in "abc"] == ["b", "b", "c"]
    assert len(queries.entry("b").channels) == 2
    split("a", now=LATER + 3 * HOUR)
    assert [parts.standing_slug(slug) for slug in "abc"] == ["a", "b", "c"]


def test_imports_go_on_and_land_on_the_team_that_stays(two):
    merge()
    assert made.imported(made.file(OLD, NEW), now=LATER).status == "unchanged"
    other = {**OLD, "channels": [made.channel("newer@cert.example")]}
    assert made.imported(made.file(other, NEW), now=LATER).status == "applied"
    assert {c.value for c in queries.entry("whole").channels} == {"newer@cert.example", "cert@cert.example"}
    for n, named in enumerate(({"slug": "old"}, {"name": "Old CERT"}, {"name": "New CERT"})):
        team = {"kind": "academic", "country": "AT", "channels": [made.channel(f"x{n}@x.example")], **named}
        made.imported(made.file(team), source=f"other list {n}", now=LATER)
        (only,) = versions.snapshot().teams
        assert f"x{n}@x.example" in {c.value for c in only.channels}


def test_a_steward_edits_the_whole_and_withdraws_what_is_said_of_the_part(two):
    merge()
    revision = queries.entry("whole").team.revision
    with transaction() as session:
        edits.edit_team(
            session,
            slug="old",
            facts={"name": "One CERT"},
            channels=[],
            revision=revision,
            now=LATER,
            actor="operator",
        )
    assert queries.entry("whole").team.name == "One CERT"
    assert queries.entry("whole").channels == []
    made.imported(made.file({**OLD, "name": "Older CERT"}, NEW), now=LATER + HOUR)
    assert queries.entry("whole").team.revision > revision + 1


def test_lookups_by_the_old_slug_and_name_answer_with_the_team_that_stays(two, app, client):
    merge()
    api = Api(app, None)
    for asked in ("old", "Old CERT", "AS64500"):
        answer = api.get("/api/v1/lookup", q=asked).json
        assert [contact["team"]["slug"] for contact in answer["contacts"]] == ["whole"], asked
    assert api.get("/api/v1/lookup", q="AS64500", exclude_team="old").json["status"] == "no_contact"
    assert api.get("/api/v1/teams/old").json["slug"] == "whole"
    assert api.get("/api/v1/teams", q="old@cert.example").json["items"][0]["slug"] == "whole"
    assert api.get("/api/v1/teams", q="Old CERT").json["items"][0]["slug"] == "whole"
    moved = client.get("/teams/old")
    assert (moved.status_code, moved.headers["Location"]) == (301, "/teams/whole")
    assert index().indexed_team("old").team.slug == "whole"


def test_notifications_of_both_show_on_one_team(two, app, api):
    with time_machine.travel(LATER, tick=False):
        for slug in ("old", "whole"):
            assert api.post("/api/v1/notifications", {"team": slug}).status_code == 201
        merge()
        assert api.post("/api/v1/notifications", {"team": "old"}).json["team"] == "whole"
        told = [it["team"] for it in api.get("/api/v1/notifications").json["items"]]
        assert told == ["whole"] * 3
        groups = api.get("/api/v1/latency", by="team").json["groups"]
        assert [(it["key"], it["n"]) for it in groups] == [("whole", 3)]
        for team in ("old", "whole"):
            assert api.get("/api/v1/latency", team=team).json["groups"][0]["n"] == 3
        split(now=LATER + HOUR)
        told = [it["team"] for it in api.get("/api/v1/notifications").json["items"]]
        assert told == ["old", "whole", "whole"]


def test_the_history_of_both_stands_on_one_page_and_tells_of_the_merge_once(two):
    merge()
    entry = queries.entry("whole")
    told = listings.happened(listings.latest("whole"), entry, queries.EVERYBODY)
    assert [it["type"] for it in told] == ["team.merged", "contact.changed", "contact.changed"]
    assert told[0]["changes"][0]["of"] == ["old", "whole"]
    split(now=LATER + HOUR)
    of_old = listings.happened(listings.latest("old"), queries.entry("old"), queries.EVERYBODY)
    assert [it["type"] for it in of_old] == ["team.split", "team.merged", "contact.changed"]


def test_the_history_gives_the_reason_of_a_merge_to_stewards_alone_and_a_split_does_not_read_like_one(
    two, app
):
    merge()
    for audiences, reason in ((queries.EVERYBODY, "a call"), (queries.PUBLIC, None)):
        entry = queries.entry("whole", audiences=audiences)
        assert listings.happened(listings.latest("whole"), entry, audiences)[0]["reason"] == reason
    assert "old</bdi> → <bdi" in app.test_client().get("/teams/whole").text
    split(now=LATER + HOUR)
    page = app.test_client().get("/teams/old").text
    assert "old</bdi> | <bdi" in page


@pytest.mark.parametrize(
    ("slug", "into", "kind", "code"),
    [
        ("old", "nobody", NotFound, "team_unknown"), ("nobody", "old", NotFound, "team_unknown"),
        ("old", "old", Invalid, "same_team"),
    ],
)  # fmt: skip
def test_a_merge_that_cannot_be_is_refused(two, slug, into, kind, code):
    version = versions.directory_version()
    with pytest.raises(kind) as refusal:
        merge(slug, into)
    assert (refusal.value.code, versions.directory_version()) == (code, version)


def test_what_is_merged_already_retired_or_stands_above_is_refused(app):
    made.imported(
        made.file(
            OLD, NEW, made.team_json("below", name="B", kind="other", parent="whole", responsibilities=[])
        )
    )
    made.imported(made.file(made.team_json("gone", name="G", kind="other")), source="other")
    made.imported(made.file(made.team_json("gone-2", name="G2", kind="other")), source="other", force=True)
    codes = []
    for slug, into in (("old", "gone"), ("below", "whole")):
        with pytest.raises(Refusal) as refusal:
            merge(slug, into)
        codes.append(refusal.value.code)
    merge()
    for slug, into in (("old", "below"), ("gone-2", "old")):
        with pytest.raises(Refusal) as refusal:
            merge(slug, into)
        codes.append(refusal.value.code)
    assert codes == ["team_retired", "parent_circle", "team_merged", "team_merged"]


def test_two_merges_that_cross_each_other_leave_one_team(two, app):
    become, starting = [], threading.Barrier(2)

    def cross(slug, into):
        with app.app_context():
            starting.wait()
            try:
                become.append(merge(slug, into).became)
            except Conflict as refusal:
                become.append(refusal.code)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=cross, args=args) for args in (("old", "whole"), ("whole", "old"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(become) == ["applied", "team_merged"]
    assert len(versions.snapshot().teams) == 1


def test_a_national_team_needs_two_stewards(national):
    one, two_ = (people.person(f"{n}@example.org", now=made.NOW, site_role="steward") for n in "ab")
    first = merge(actor=f"user:{one.ref}")
    assert (first.became, first.missing) == ("waits", 1)
    assert merge(actor=f"user:{one.ref}").became == "waits"
    assert len(versions.snapshot().teams) == 2
    letters = db.session.query(Mail).filter_by(kind="merge_notice").all()
    assert sorted(it.to for it in letters) == ["cert@cert.example", "old@cert.example"]
    with pytest.raises(Conflict) as refusal:
        merge("whole", "old", actor=f"user:{two_.ref}")
    assert refusal.value.code == "merge_open"
    assert merge(actor=f"user:{two_.ref}").became == "applied"
    assert len(versions.snapshot().teams) == 1
    assert split(actor=f"user:{one.ref}", now=LATER + HOUR).became == "waits"
    told = [it.to for it in db.session.query(Mail).filter_by(kind="merge_notice")]
    assert sorted(told) == 2 * ["cert@cert.example"] + 2 * ["old@cert.example"], (
        "each once for each of the two"
    )
    assert split(actor=f"user:{two_.ref}", now=LATER + HOUR).became == "applied"


def test_one_steward_alone_waits_72_hours_and_may_still_refuse(national):
    alone = people.person("a@example.org", now=made.NOW, site_role="steward")
    first = merge(actor=f"user:{alone.ref}")
    assert (first.became, first.missing, first.until) == ("waits", 0, LATER + 72 * HOUR)
    assert jobs.apply_due(LATER + 71 * HOUR) == 0
    with transaction() as session:
        actions.refuse(session, ref=first.ref, now=LATER, actor=f"user:{alone.ref}")
        with pytest.raises(Conflict) as refusal:
            actions.refuse(session, ref=first.ref, now=LATER, actor="operator")
    assert refusal.value.code == "pairing_settled"
    assert jobs.apply_due(LATER + 73 * HOUR) == 0
    merge(actor=f"user:{alone.ref}", now=LATER + HOUR)
    assert jobs.apply_due(LATER + 73 * HOUR) == 1
    assert len(versions.snapshot().teams) == 1


def test_what_nobody_agrees_on_comes_to_its_end(national):
    one, _ = (people.person(f"{n}@example.org", now=made.NOW, site_role="steward") for n in "ab")
    merge(actor=f"user:{one.ref}")
    assert [it.slug for it in pairs.waiting(LATER)] == ["whole"]
    assert jobs.apply_due(LATER + dt.timedelta(days=89)) == 0
    assert jobs.apply_due(LATER + dt.timedelta(days=91)) == 1
    assert pairs.waiting(LATER) == pairs.pairings(state="open") == []
    assert len(versions.snapshot().teams) == 2


def test_said_to_be_two_is_remembered(app):
    made.imported(
        made.file(OLD, made.team_json("old-2", name="CSIRT Old", kind="academic", responsibilities=[]))
    )
    assert [(it.one, it.other) for it in pairs.suggested()] == [("old", "old-2")]
    apart("old", "old-2")
    apart("old-2", "old")
    assert pairs.suggested() == []
    told = listings.happened(listings.latest("old"), queries.entry("old"), queries.EVERYBODY)
    assert [it["type"] for it in told] == ["team.apart", "contact.changed"]
    merge("old", "old-2")  # a steward may think again
    with pytest.raises(Conflict):
        apart("old", "old-2")


def test_stewards_merge_and_split_in_the_browser(two, app):
    with time_machine.travel(LATER, tick=False):
        steward = people.browser(app, people.person(now=LATER, site_role="steward"), now=LATER)
        path = "/directory/duplicates/old/whole"
        page = steward.get(path).text
        assert "old@cert.example" in page
        assert steward.post(path, data={"what": "merge", "reason": "a call"}).status_code == 422
        assert steward.post(path, data={"what": "merge", "keep": "whole"}).status_code == 422
        sent = send(steward, path, what="merge", keep="whole", reason="a call")
        assert (sent.status_code, sent.headers["Location"]) == (302, "/teams/whole")
        assert steward.get(path).headers["Location"] == "/teams/whole"
        assert "/directory/duplicates/old/split" in steward.get("/directory/duplicates").text
        sent = send(steward, "/directory/duplicates/old/split", reason="no")
        assert sent.status_code == 302
        assert len(versions.snapshot().teams) == 2
        assert steward.get("/directory/duplicates/old/split").status_code == 409
        assert send(steward, path, what="apart", reason="two").status_code == 302
        assert "Said to be two teams" in steward.get("/directory/duplicates").text


def test_a_merged_teams_page_names_what_was_merged_and_a_steward_splits_it_from_there(two, app, client):
    assert "Merged into it" not in client.get("/teams/whole").text
    merge()
    page = client.get("/teams/whole").text
    assert "Merged into it" in page and "Old CERT" in page
    split_page = "/directory/duplicates/old/split"
    assert split_page not in page
    steward = people.browser(app, people.person(now=LATER, site_role="steward"), now=LATER)
    assert split_page in steward.get("/teams/whole").text


def test_others_neither_see_nor_do_it(two, app, client):
    paths = ("/directory/duplicates", "/directory/duplicates/old/whole", "/directory/duplicates/old/split")
    with time_machine.travel(LATER, tick=False):
        outsider = people.browser(
            app, people.person("rita@example.org", now=LATER, workspace="lab"), now=LATER
        )
        for path in paths:
            assert "/login" in client.get(path).headers["Location"]
            assert outsider.get(path).status_code == 403
        data = {"what": "merge", "keep": "whole", "reason": "x"}
        assert outsider.post(paths[1], data=data).status_code in (
            403,
            422,
        )  # no token against cross-site requests either
    assert len(versions.snapshot().teams) == 2


def test_the_commands_list_merge_and_split(pocdir, two):
    assert "domain +2 (cert.example)" in pocdir("directory", "duplicates")[1]
    apart()
    assert pocdir("directory", "duplicates")[0] == 1
    code, out, _ = pocdir("directory", "merge", "old", "whole", "--reason", "a call", "--json")
    assert (code, '"status":"applied"' in out) == (0, True)
    assert pocdir("directory", "merge", "old", "whole", "--reason", "a call")[0] == 1
    assert pocdir("directory", "split", "old", "--reason", "no")[1] == "old and whole are two now\n"
    made.imported(made.file({**OLD, "slug": "old-2", "name": "CSIRT Old"}), source="other")
    code, out, _ = pocdir("directory", "duplicates", "--json")
    assert (code, '"one":"old"' in out) == (0, True)


def test_the_dump_and_the_shapes_hold_the_team_once(two, app):
    merge()
    shapes, _ = published.first_shapes(published.published())
    assert [it["id"] for it in shapes] == ["whole"]
    assert shapes[0]["email"] == "cert@cert.example, old@cert.example"
