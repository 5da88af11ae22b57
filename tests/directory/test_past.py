"""What stood at a time is read back exactly, whatever was imported, edited or marked since."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from pocdir.core.errors import Invalid, NotFound
from pocdir.db import db, transaction
from pocdir.directory.actions import edits, marking
from pocdir.directory.formats import pocdir_json, records
from pocdir.directory.queries import dates, exports, listings, sources, versions
from pocdir.directory.queries import entries as directory
from pocdir.directory.queries.reading import reading as reading_at
from pocdir.directory.rules import record as rules
from pocdir.ledger.actions import append
from pocdir.ledger.rules.vocabulary import TEAM_FACTS
from tests.accounts import made as people
from tests.conftest import Api
from tests.directory import made
from tests.directory.checking import Anybody

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
SLUGS = ("one", "two", "three")

_teams = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["Eins", "Zwei"]),
        "website": st.sampled_from([None, "https://a.example/", "https://b.example/"]),
        "opt_outs": st.sampled_from([[], ["fraud"]]),
        "host_kind": st.sampled_from([None, "ministry", "company"]),
        "host_declared_by": st.sampled_from([None, "self"]),
        "confidence": st.sampled_from([None, "low", "high"]),
        "channels": st.lists(st.sampled_from("ab"), unique=True).map(
            lambda some: [made.channel(f"{it}@cert.example") for it in some]
        ),
        "responsibilities": st.sampled_from([[], [made.responsibility()]]),
    }
)
_imports = st.tuples(
    st.just("import"),
    st.sampled_from(["first", "second"]),
    st.sampled_from(["2026-01-01", "2026-02-02"]),
    st.dictionaries(st.sampled_from(SLUGS), _teams, max_size=3),
)
_edits = st.tuples(
    st.just("edit"),
    st.sampled_from(SLUGS),
    st.sampled_from([{"name": "Ours"}, {"website": None}]),
    st.booleans(),
)
_marks = st.tuples(st.just("mark"), st.sampled_from("ab"), st.sampled_from(["verified", "bouncing"]))


def step(act, at):
    """One change of the directory, as somebody makes it; what is refused changes nothing."""
    kind, *given_ = act
    try:
        if kind == "import":
            source, date, teams = given_
            data = made.file(
                *(made.team_json(slug, **team) for slug, team in teams.items()),
                source={"name": source, "url": None, "date": date},
            )
            made.imported(data, now=at, force=True)
        elif kind == "edit":
            slug, facts, lists = given_
            with transaction() as session:
                edits.edit_team(
                    session, slug=slug, facts=facts, channels=[] if lists else None, now=at, actor="operator"
                )
        else:
            with transaction() as session:
                marking.mark_address(
                    session, kind="email", value=f"{given_[0]}@cert.example", state=given_[1], evidence="x",
                    now=at, actor="operator",
                )  # fmt: skip
    except NotFound:
        pass


def told(at=None):
    """The export, and the state of every address, as they stand or stood."""
    teams, as_of = exports.exported(at)
    entries = directory.entries(reading=reading_at(at))
    states = {(it.team.slug, c.value): (c.state, c.since) for it in entries for c in it.channels}
    return pocdir_json.write(teams, as_of), states, [it.team.lead for it in entries]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.one_of(_imports, _edits, _marks), min_size=1, max_size=7))
def test_what_stood_after_each_step_is_read_as_it_was_exported_then(app, acts):
    start = made.NOW + DAY * test_what_stood_after_each_step_is_read_as_it_was_exported_then.runs
    test_what_stood_after_each_step_is_read_as_it_was_exported_then.runs += 1
    seen = {}
    for n, act in enumerate(acts):
        at = start + HOUR * n
        step(act, at)
        seen[at] = told()
    for at, then in seen.items():
        assert told(at) == then
        assert told(at + HOUR / 2) == then


test_what_stood_after_each_step_is_read_as_it_was_exported_then.runs = 0


def test_a_row_that_never_stood_leaves_nothing_behind(app):
    made.imported(made.file(made.team_json(website="https://a.example/")))
    made.imported(made.file(made.team_json(website="https://b.example/")))
    count = db.session.execute(text("SELECT count(*) FROM past_team_facts")).scalar_one()
    assert count == 0


def test_since_when_a_source_says_it_outlives_a_newer_date_of_the_same_words(app):
    made.imported(made.file(made.team_json()))
    newer = {"name": "list", "url": None, "date": "2026-07-01"}
    made.imported(made.file(made.team_json(), source=newer), now=made.NOW + DAY)
    (name,) = (fact for fact in sources.facts_of("cert-example") if fact["field"] == "name")
    assert (name["since"], name["recorded_at"]) == (made.NOW, made.NOW + DAY)
    made.imported(made.file(made.team_json(name="New"), source=newer), now=made.NOW + 2 * DAY)
    (name,) = (fact for fact in sources.facts_of("cert-example") if fact["field"] == "name")
    assert name["since"] == made.NOW + 2 * DAY


@pytest.fixture
def changed(app):
    """A team that was renamed and got another address, two days after it came."""
    made.imported(made.file(made.team_json()))
    new = made.team_json(name="Renamed", channels=[made.channel("new@cert.example")])
    made.imported(made.file(new), now=made.NOW + 2 * DAY)
    with time_machine.travel(made.NOW + 3 * DAY, tick=False):
        yield


def test_the_page_and_the_api_say_what_stood_on_a_day(app, client, changed):
    anybody = Api(app, None)
    for as_of in ("2026-11-23", "2026-11-22T12:00:00Z"):
        team = anybody.get("/api/v1/teams/cert-example", as_of=as_of)
        assert team.json["name"] == "CERT Example"
        assert [c["value"] for c in team.json["channels"]] == ["cert@cert.example"]
        assert "ETag" not in team.headers
        assert [it["name"] for it in anybody.get("/api/v1/teams", as_of=as_of).json["items"]] == [
            "CERT Example"
        ]
        page = client.get(f"/teams/cert-example?as_of={as_of}").text
        assert "cert@cert.example" in page
        assert "new@cert.example" not in page
        assert "CERT Example" in client.get(f"/teams?as_of={as_of}").text
    assert anybody.get("/api/v1/teams/cert-example").json["name"] == "Renamed"
    assert anybody.get("/api/v1/teams/cert-example", as_of="2026-11-24").json["name"] == "Renamed"
    assert anybody.get("/api/v1/teams/cert-example", as_of="2026-11-21").status_code == 404
    assert anybody.get("/api/v1/teams", as_of="2026-11-21").json["items"] == []


@pytest.mark.parametrize(
    "as_of", ["yesterday", "2026-13-01", "2026-11-24T00:00:00", "2026-11-26", "2030-01-01"]
)
def test_what_is_no_day_of_the_past_is_refused(app, client, changed, as_of):
    answer = Api(app, None).get("/api/v1/teams", as_of=as_of)
    assert (answer.status_code, answer.json["code"]) == (422, "as_of_invalid")
    assert client.get(f"/teams/cert-example?as_of={as_of}").status_code == 422


def test_before_what_was_kept_nothing_is_claimed(app, changed):
    with transaction() as session:
        session.execute(text("UPDATE directory_version SET kept_from = '2026-11-23 00:00:00.000000'"))
    with pytest.raises(Invalid, match="not kept"):
        versions.reading_of("2026-11-22T12:30:00Z", now=made.NOW + 3 * DAY)
    assert versions.reading_of("2026-11-23", now=made.NOW + 3 * DAY).at is not None


def test_an_address_that_is_inner_today_is_not_shown_under_an_older_date(app, client):
    made.imported(made.file(made.team_json()))
    inner = made.team_json(channels=[made.channel(audience="members")])
    made.imported(made.file(inner), now=made.NOW + 2 * DAY)
    with time_machine.travel(made.NOW + 3 * DAY, tick=False):
        assert "cert@cert.example" not in client.get("/teams/cert-example?as_of=2026-11-22").text
        assert "cert@cert.example" not in Api(app, None).get("/api/v1/teams", as_of="2026-11-22").text
        found = Api(app, None).get("/api/v1/teams", as_of="2026-11-22", q="cert@cert.example")
        assert found.json["items"] == []
        member = people.browser(
            app, people.person("rita@example.org", now=made.NOW, workspace="lab"), now=made.NOW + 3 * DAY
        )
        assert "cert@cert.example" in member.get("/teams/cert-example?as_of=2026-11-22").text


def test_no_team_stands_above_itself(app):
    made.imported(made.file(made.team_json("a", parent="b"), made.team_json("b", parent="c")))
    assert directory.family(directory.entry("b").team)[1][0].slug == "a"
    for slug, parent in (("c", "a"), ("b", "b")):
        before = versions.directory_version()
        with pytest.raises(Invalid) as refusal:
            made.imported(made.file(made.team_json(slug, parent=parent, channels=[])), source="a better one")
        assert refusal.value.code == "parent_circle"
        assert versions.directory_version() == before


def test_who_declares_it_is_never_paired_with_another_sources_word(app):
    made.imported(made.file(made.team_json(host_kind="police", confidence="high")), source="good")
    made.imported(made.file(made.team_json(host_kind="ministry", host_declared_by="self")), source="other")
    team = exports.exported()[0][0]
    assert (team["host_kind"], team["host_declared_by"]) == ("police", None)
    with transaction() as session:
        edits.edit_team(
            session,
            slug="cert-example",
            facts={"host_declared_by": "the law"},
            now=made.NOW,
            actor="operator",
        )
    assert exports.exported()[0][0]["host_declared_by"] == "the law"


def test_lookups_know_what_a_team_takes_and_promises(app):
    profile = {
        "opt_outs": ["fraud"], "intake": ["evidence"], "encryption_required": True, "accepts_samples": False,
        "promise": {"acknowledgement": "PT24H"}, "parent": "above", "business_hours": "Mo-Fr 08:00-16:00",
        "tlp": ["AMBER"],
    }  # fmt: skip
    made.imported(made.file(made.team_json(**profile)))
    (team,) = versions.snapshot().teams
    assert (team.opt_outs, team.parent, team.business_hours) == (("fraud",), "above", "Mo-Fr 08:00-16:00")
    assert team.reception == rules.Reception(
        encryption_required=True, accepts_samples=False, tlp=("TLP:AMBER",),
        intake=("evidence", "encryption"), promise={"acknowledgement": "PT24H"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("business_hours", "nine to five"), ("misp_uuid", "1"), ("ripe_org", "EX1"), ("intake", ["politely"]),
        ("promise", {"acknowledgement": "soon"}), ("promise", {"thanks": "P1D"}), ("opt_outs", ["love-letters"]),
        ("tlp", ["TLP:PINK"]), ("accepts_abroad", "perhaps"), ("names", [{"name": "x"}]), ("size_limit", 0),
        ("line", "third"), ("law_enforcement", "never"), ("parent", "No Slug"), ("established", "long ago"),
    ],
)  # fmt: skip
def test_a_value_that_is_none_is_refused_with_its_path(field, value):
    with pytest.raises(Invalid) as refusal:
        records.team_record(made.team_json(**{field: value}))
    assert refusal.value.where == field


def test_the_three_dates_are_apart_and_answers_are_the_teams_to_see(app, client):
    made.imported(made.file(made.team_json()))
    entry = directory.entry("cert-example")
    with transaction() as session:
        for type_, notification, claimed_by, days in (
            ("contact.confirmed", None, "team", 1),
            ("ack.given", "n1", "recipient", 2),
            ("ack.given", "n1", "sender", 3),
            ("outcome.remediation_observed", "n1", "sender", 4),
        ):
            told_ = (
                {"kind": "email", "value": "cert@cert.example", "state": "verified", "before": "due"}
                if claimed_by == "team"
                else {}
            )
            append(
                session, type=type_, now=made.NOW + 5 * DAY, occurred_at=made.NOW + days * DAY, actor="service",
                claimed_by=claimed_by, team="cert-example", notification=notification, payload=told_,
            )  # fmt: skip
    with time_machine.travel(made.NOW + 6 * DAY, tick=False):
        seen = Api(app, None).get("/api/v1/teams/cert-example").json["dates"]
        assert seen == {
            "confirmed": "2026-11-23T12:00:00Z", "reachable": "2026-11-23T12:00:00Z", "outcome": None,
        }  # fmt: skip
        steward = people.browser(
            app, people.person(now=made.NOW, site_role="steward"), now=made.NOW + 6 * DAY
        )
        page = steward.get("/teams/cert-example").text
        for day in ("2026-11-23", "2026-11-24", "2026-11-26"):
            assert f'class="figure"><time datetime="{day}T12:00:00Z"' in page
        assert "2026-11-26" not in client.get("/teams/cert-example").text
    assert listings.latest(entry.team.slug)[0].type == "contact.confirmed"


def test_a_steward_enters_what_a_team_says_of_itself(app):
    from tests.directory.test_pages import form_of

    made.imported(made.file(made.team_json(memberships=[{"name": "FIRST", "since": "2009"}])))
    with time_machine.travel(made.NOW + DAY, tick=False):
        steward = people.browser(app, people.person(now=made.NOW, site_role="steward"), now=made.NOW + DAY)
        typed = form_of(steward, "/teams/cert-example/edit") | {
            "evidence": "their page", "names": "ÉQUIPE | fr", "memberships": "FIRST | 2009\nTF-CSIRT",
            "host_kind": "ministry", "host_declared_by": "self", "accepts_private": "yes", "accepts_abroad": "no",
            "tlp": ["TLP:GREEN", "TLP:AMBER+STRICT"], "intake": "one-address", "promise.answer": "P3D",
            "size_limit": "1000000", "channels.0.hours": "24/7",
        }  # fmt: skip
        assert steward.post("/teams/cert-example/edit", data=typed).status_code == 302
        team = exports.exported()[0][0]
        assert team["names"] == [{"language": "fr", "name": "ÉQUIPE"}]
        assert [it["name"] for it in team["memberships"]] == ["FIRST", "TF-CSIRT"]
        assert (team["accepts_private"], team["accepts_abroad"]) == (True, False)
        assert (team["tlp"], team["intake"]) == (["TLP:GREEN", "TLP:AMBER+STRICT"], ["one-address"])
        assert (team["promise"], team["size_limit"]) == ({"answer": "P3D"}, 1_000_000)
        assert team["channels"][0]["hours"] == "24/7"
        page = steward.get("/teams/cert-example").text
        for said in ("self-declared", "one address per report", "ÉQUIPE", "here since", "1 other source"):
            assert said in page
        wrong = typed | {"promise.answer": "soon", "revision": "2"}
        refused = steward.post("/teams/cert-example/edit", data=wrong)
        assert refused.status_code == 422
        assert "no length of time" in refused.text


def test_the_ledger_knows_every_field_of_a_team():
    assert set(TEAM_FACTS) == set(records.FACTS)


def test_when_a_team_was_last_reachable_is_told_also_of_an_address_that_was_withdrawn_since(app):
    made.imported(made.file(made.team_json()))
    for days, state in ((1, "verified"), (3, "withdrawn")):
        with transaction() as session:
            now = made.NOW + dt.timedelta(days=days)
            marking.mark_address(
                session, kind="email", value="cert@cert.example", state=state, evidence="a call", now=now,
                actor="operator",
            )  # fmt: skip
    for on, reachable in (("", made.NOW + DAY), ("2026-11-26", made.NOW + DAY), ("2026-11-22", None)):
        reading = versions.reading_of(on, now=made.NOW + 9 * DAY)
        team = directory.entry("cert-example", reading=reading).team
        assert dates.of_teams([team], Anybody(), reading=reading)["cert-example"]["reachable"] == reachable
