"""Imports: what a source says replaces what it said, and nothing else."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from pocdir.core.errors import Invalid
from pocdir.db import db, transaction
from pocdir.directory.actions import edits, imports, marking
from pocdir.directory.models import Import, TeamFact
from pocdir.directory.queries import entries, exports, listings, versions
from pocdir.ledger import queries as ledger
from tests.directory import made

HOUR = dt.timedelta(hours=1)


def team_of(slug="cert-example"):
    return next(team for team in versions.snapshot().teams if team.slug == slug)


def values_of(slug="cert-example"):
    return {channel.value for channel in team_of(slug).channels}


def test_a_first_import_makes_the_team_with_its_provenance(app):
    result = made.imported(made.file(made.team_json(website="https://cert.example/")))
    assert result.status == "applied"
    team = team_of()
    assert (team.name, team.kind, team.country) == ("CERT Example", "national", "AT")
    assert team.website == "https://cert.example/"
    channel = team.channels[0]
    assert (channel.value, channel.state, channel.origin) == ("cert@cert.example", "unverified", "imported")
    assert (channel.source, channel.as_of) == ("list", "2026-06-17")
    assert [(r.key, r.value, r.role) for r in team.responsibilities] == [("country", "AT", "national")]


def test_the_same_import_twice_changes_nothing(app):
    data = made.file(made.team_json(), made.team_json("other", name="Other"))
    made.imported(data)
    version, events = versions.directory_version(), ledger.event_count()
    assert made.imported(data).status == "unchanged"
    assert versions.directory_version() == version
    assert ledger.event_count() == events


def test_a_team_without_a_slug_is_found_again_by_its_name(app):
    nameless = made.team_json(name="Zürich CERT")
    del nameless["slug"]
    made.imported(made.file(nameless))
    assert made.imported(made.file(nameless)).status == "unchanged"
    assert [team.slug for team in versions.snapshot().teams] == ["zurich-cert"]


def test_a_team_without_a_slug_is_found_again_after_a_steward_renamed_it(app):
    nameless = made.team_json()
    del nameless["slug"]
    made.imported(made.file(nameless))
    with transaction() as session:
        edits.edit_team(session, slug="cert-example", facts={"name": "New"}, now=made.NOW, actor="operator")
    assert made.imported(made.file(nameless)).status == "unchanged"


def test_the_same_name_in_another_country_is_another_team(app):
    teams = [made.team_json(country=code, channels=[]) for code in ("AT", "DE")]
    for team in teams:
        del team["slug"]
    made.imported(made.file(*teams))
    assert [team.slug for team in versions.snapshot().teams] == ["cert-example", "cert-example-de"]


def test_a_changed_row_is_changed_and_told_in_the_history(app):
    made.imported(made.file(made.team_json()))
    other = made.team_json(channels=[made.channel("new@cert.example")])
    assert made.imported(made.file(other), now=made.NOW + HOUR).status == "applied"
    assert values_of() == {"new@cert.example"}
    _, second = listings.history("cert-example", after=None, limit=10)
    assert (second.type, second.claimed_by) == ("contact.changed", "steward")
    assert second.payload == {"origin": "imported", "fields": ["channel"]}
    assert second.sealed["source"] == "list"
    of = {change["of"][1]: (change["before"], change["after"]) for change in second.sealed["changes"]}
    assert of["cert@cert.example"][1] is None
    assert of["new@cert.example"][0] is None


def test_a_newer_date_of_the_same_words_is_no_event(app):
    made.imported(made.file(made.team_json()))
    events, version = ledger.event_count(), versions.directory_version()
    newer = made.file(made.team_json(), source={"name": "list", "url": None, "date": "2026-07-01"})
    assert made.imported(newer).status == "applied"
    assert team_of().channels[0].as_of == "2026-07-01"
    assert ledger.event_count() == events
    assert versions.directory_version() != version


def test_a_team_of_which_nobody_speaks_any_more_is_retired_and_comes_back(app):
    both = made.file(made.team_json(), made.team_json("gone", name="Gone"))
    made.imported(both)
    made.imported(made.file(made.team_json()))
    assert [team.slug for team in versions.snapshot().teams] == ["cert-example"]
    assert entries.entry("gone").team.retired_at is not None
    made.imported(both)
    assert entries.entry("gone").team.retired_at is None


def test_an_import_leaves_the_rows_of_another_source(app):
    made.imported(made.file(made.team_json()))
    made.imported(made.file(made.team_json(channels=[made.channel("b@cert.example")])), source="second")
    assert values_of() == {"cert@cert.example", "b@cert.example"}
    made.imported(made.file(made.team_json(channels=[made.channel("c@cert.example")])), source="second")
    assert values_of() == {"cert@cert.example", "c@cert.example"}


def test_an_import_leaves_manual_rows(app):
    made.team(channels=[made.channel("steward@cert.example")])
    made.imported(made.file(made.team_json(name="Other name")))
    assert team_of().name == "CERT Example"
    assert values_of() == {"steward@cert.example", "cert@cert.example"}
    made.imported(made.file(made.team_json(name="Other name", channels=[])))
    assert values_of() == {"steward@cert.example"}


def test_manual_and_imported_rows_of_one_source_stand_side_by_side(app):
    manual = made.team_json(responsibilities=[made.responsibility("prefix", "203.0.0.0/16")])
    imported = made.team_json(responsibilities=[made.responsibility("prefix", "203.0.113.0/24")])
    made.imported(made.file(imported))
    made.imported(made.file(manual, origin="manual"))
    assert [(r.value, r.origin) for r in team_of().responsibilities] == [
        ("203.0.0.0/16", "manual"),
        ("203.0.113.0/24", "imported"),
    ]


def test_a_better_source_decides_a_fact(app):
    made.imported(made.file(made.team_json(name="Old name", confidence="low")), source="old")
    made.imported(made.file(made.team_json(name="Good name", confidence="high")), source="good")
    made.imported(made.file(made.team_json(name="Newest name", confidence="low")), source="newest")
    assert team_of().name == "Good name"


def test_a_team_of_low_confidence_alone_is_a_lead(app):
    made.imported(made.file(made.team_json(confidence="low")))
    assert entries.entry("cert-example").team.lead
    made.imported(made.file(made.team_json()), source="second")
    assert not entries.entry("cert-example").team.lead


def test_a_dry_run_tells_and_changes_nothing(app):
    data = made.file(made.team_json())
    parsed = made.FORMATS["pocdir-json"](data, made.NOW)
    result = imports.import_records(
        db.session(),
        records=parsed.teams,
        source=parsed.source,
        origin="imported",
        now=made.NOW,
        actor="operator",
        apply=False,
    )
    assert result.status == "dry-run"
    assert ("channel", "cert-example", "email", "cert@cert.example", "incident") in result.diff.added
    assert versions.snapshot().teams == ()


def test_a_source_that_shrinks_by_more_than_half_is_quarantined(app):
    teams = [made.team_json(f"team-{n}", name=f"Team {n}") for n in range(4)]
    made.imported(made.file(*teams))
    version = versions.directory_version()
    result = made.imported(made.file(teams[0]))
    assert result.status == "quarantined"
    assert result.reasons == ("the source shrinks from 12 rows to 3",)
    assert versions.directory_version() == version
    assert len(versions.snapshot().teams) == 4
    noted = listings.last_imports()[0]
    assert (noted.applied, noted.reasons) == (False, list(result.reasons))


def test_a_quarantined_import_applies_when_the_operator_says_so(app):
    teams = [made.team_json(f"team-{n}", name=f"Team {n}") for n in range(4)]
    made.imported(made.file(*teams))
    assert made.imported(made.file(teams[0]), force=True, now=made.NOW + HOUR).status == "applied"
    assert len(versions.snapshot().teams) == 1
    event = listings.history("team-1", after=None, limit=10)[-1]
    assert event.sealed["forced"] == ["the source shrinks from 12 rows to 3"]


def mark(state):
    with transaction() as session:
        marking.mark_address(
            session,
            kind="email",
            value="cert@cert.example",
            state=state,
            evidence="the team confirmed it",
            now=made.NOW,
            actor="operator",
        )


def test_an_address_that_the_team_confirmed_does_not_vanish_by_an_import(app):
    made.imported(made.file(made.team_json()))
    mark("verified")
    poisoned = made.file(made.team_json(channels=[made.channel("evil@other.example")]))
    result = made.imported(poisoned)
    assert result.status == "quarantined"
    assert result.reasons == ("cert-example: cert@cert.example, which the team confirmed, would vanish",)
    assert values_of() == {"cert@cert.example"}


def test_a_confirmed_address_that_another_source_gives_too_may_go(app):
    data = made.file(made.team_json())
    made.imported(data)
    made.imported(data, source="second")
    mark("verified")
    assert (
        made.imported(
            made.file(made.team_json(channels=[made.channel("b@cert.example", preference=2)]))
        ).status
        == "applied"
    )
    assert values_of() == {"cert@cert.example", "b@cert.example"}


@pytest.mark.parametrize("name", ["", "steward"])
def test_a_source_needs_a_name_of_its_own(app, name):
    data = made.file(made.team_json(), source={"name": name, "url": None, "date": None})
    with pytest.raises(Invalid) as refusal:
        made.imported(data)
    assert refusal.value.code == "source_invalid"


def test_two_records_of_one_team_are_refused_and_nothing_is_written(app):
    with pytest.raises(Invalid) as refusal:
        made.imported(made.file(made.team_json(), made.team_json()))
    assert refusal.value.where == "teams[1]"
    assert db.session.query(TeamFact).count() == db.session.query(Import).count() == 0


def test_cidr_csv_makes_a_team_for_each_organisation(app):
    data = (
        b"as_or_cidr,organization,comment,contact\n"
        b"AS64500,Example ISP,,abuse@isp.example\n"
        b"203.0.113.0/24,Example ISP,the old net,abuse@isp.example; noc@isp.example\n"
        b"2001:db8::/32,Example Hoster,,https://hoster.example/abuse\n"
    )
    assert made.imported(data, name="cidr-csv", source="isps").status == "applied"
    assert made.imported(data, name="cidr-csv", source="isps").status == "unchanged"
    team = team_of("example-isp")
    assert (team.name, team.kind, team.country) == ("Example ISP", "other", None)
    assert [(r.key, r.value, r.role) for r in team.responsibilities] == [
        ("asn", "64500", "holder"),
        ("prefix", "203.0.113.0/24", "holder"),
    ]
    assert [channel.value for channel in team.channels] == ["abuse@isp.example", "noc@isp.example"]


def test_a_directory_exported_and_imported_into_an_empty_database_is_equal(app, request):
    from pocdir.directory.formats import pocdir_csv, pocdir_json

    made.imported(
        made.file(
            made.team_json(
                memberships=[{"name": "FIRST", "since": "2009"}],
                languages=["de", "en"],
                timezone="Europe/Vienna",
                channels=[
                    made.channel(openpgp_fingerprint="AB" * 20, audience="members"),
                    made.channel("+43 1 5056416", kind="phone", purpose="emergency", preference=2),
                ],
                responsibilities=[
                    made.responsibility(valid_to="2027-01-01"),
                    made.responsibility("prefix", "203.0.113.0-203.0.113.9", confidence="low"),
                ],
            ),
            made.team_json(
                "b", name="'=B", country=None, kind="coordinator", channels=[], responsibilities=[]
            ),
        )
    )
    made.team("c", name="Ç", channels=[made.channel("c@c.example")])
    teams, as_of = exports.exported()
    as_json, as_csv = pocdir_json.write(teams, as_of), pocdir_csv.write(teams)
    assert json.loads(as_json)["source"]["date"] == as_of == "2026-11-22"
    parameter = request.node.callspec.params["app"]
    from tests import conftest

    for data, name in ((as_json, "pocdir-json"), (as_csv, "pocdir-csv")):
        db.session.remove()
        (conftest.empty_sqlite if parameter == "sqlite" else conftest.empty_postgresql)(app)
        made.imported(data, name=name, source="copy")
        teams, _ = exports.exported()
        assert pocdir_json.write(teams, as_of) == as_json
        assert pocdir_csv.write(teams) == as_csv
