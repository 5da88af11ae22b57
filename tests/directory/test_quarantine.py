"""The quarantine: what is poisoned changes nothing, shows why, and waits for a steward."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pocdir.accounts.models import User
from pocdir.core.errors import Conflict, Invalid, NotFound
from pocdir.db import db, transaction
from pocdir.directory.actions import edits
from pocdir.directory.actions.rows import source_ids
from pocdir.directory.keys import actions as key_actions
from pocdir.directory.keys import queries as key_queries
from pocdir.directory.quarantine.actions import decide
from pocdir.directory.quarantine.queries import waiting
from pocdir.directory.queries import listings, versions
from pocdir.directory.queries.statements import said_by
from pocdir.ledger import queries as ledger
from pocdir.mail.models import Mail
from tests.accounts import made as people
from tests.conftest import empty_sqlite
from tests.directory import made
from tests.directory.quarantined import (
    DAY,
    EVIL,
    HOUR,
    accept,
    base,
    exported,
    held,
    mark,
    other,
    poisoned,
    refuse,
    team_of,
    values_of,
)
from tests.mail import keys

KEY, OTHER_KEY = "A" * 40, "B" * 40
POISONS = {
    "a confirmed address vanishes": (
        {"channels": [made.channel("evil@other.example")]},
        "cert@cert.example, which the team confirmed, would vanish",
    ),
    "a confirmed address is hidden": (
        {"channels": [made.channel(audience="stewards")]},
        "cert@cert.example, which the team confirmed, would change",
    ),
    "a confirmed address loses its purpose": (
        {"channels": [made.channel(purpose="general"), made.channel("evil@other.example")]},
        "cert@cert.example, which the team confirmed, would change",
    ),
    "another address is put before it": (
        {"channels": [made.channel(preference=2), made.channel("evil@other.example", preference=1)]},
        "evil@other.example would be put before the address that the team confirmed",
    ),
    "the key of a confirmed address changes": (
        {"channels": [made.channel(openpgp_fingerprint=OTHER_KEY, preference=2)]},
        "the OpenPGP key of cert@cert.example would change",
    ),
    "a placeholder appears": (
        {"channels": [made.channel("removed@lacnic.net")]},
        "removed@lacnic.net stands for an address that was removed or never there",
    ),
    "two teams claim one address": (
        {"channels": [made.channel(preference=2), made.channel("o@other.example", preference=3)]},
        "o@other.example is an address of the national team other; where both are one team, accept it and merge them",
    ),
    "a name mixes scripts": (
        {"name": "C\u0415RT Example"},
        "the word C\u0415RT mixes letters of two scripts: \u0415 (Cyrillic)",
    ),
    "a name looks like another": (
        {"name": "\u041e\u0442her CSIRT"},
        "the name \u041e\u0442her CSIRT looks like that of other",
    ),
    "a name holds a sign that nobody sees": (
        {"name": "CERT\u200b Example"},
        "the name CERT\u200b Example holds a sign that nobody sees: U+200B",
    ),
    "a name becomes that of another": ({"name": "Other CSIRT"}, "the name Other CSIRT is that of other"),
}


@pytest.mark.parametrize("poison", POISONS)
def test_a_poisoned_import_changes_nothing_and_shows_why(app, poison):
    base(channels=[made.channel(openpgp_fingerprint=KEY, preference=2)])
    more, reason = POISONS[poison]
    says = {"channels": [made.channel(openpgp_fingerprint=KEY, preference=2)], **more}
    before, version = exported(), versions.directory_version()
    result = made.imported(made.file(made.team_json(kind="provider", **says), other()), now=made.NOW + HOUR)
    assert result.status == "quarantined"
    assert f"cert-example: {reason}" in result.reasons
    assert (exported(), versions.directory_version()) == (before, version)
    (it,) = held()
    assert (it.row.source, it.row.team, it.row.state, it.row.since) == (
        "list",
        "cert-example",
        "held",
        made.NOW + HOUR,
    )
    assert reason in [str(doubt.words) for doubt in it.doubts]


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\u200f", "\u061c"])
def test_a_sign_that_turns_the_reading_direction_is_refused(app, character):
    with pytest.raises(Invalid):
        made.imported(made.file(made.team_json(name=f"CERT {character}elpmaxE")))


def test_a_shrunken_source_is_held_whole(app):
    teams = [made.team_json(f"team-{n}", name=f"Team {n}", channels=[]) for n in range(4)]
    made.imported(made.file(*teams))
    before = exported()
    result = made.imported(made.file({**teams[0], "website": "https://new.example/"}))
    assert (result.status, sorted(result.held)) == ("quarantined", [f"team-{n}" for n in range(4)])
    assert exported() == before


def test_a_doubtful_team_waits_and_the_rest_applies(app):
    base()
    evil = made.team_json(kind="provider", channels=[made.channel("evil@other.example")])
    result = made.imported(
        made.file(
            evil,
            other(website="https://other.example/"),
            made.team_json("fresh", name="Fresh", country="LI", channels=[], responsibilities=[]),
        )
    )
    assert (result.status, list(result.held)) == ("quarantined", ["cert-example"])
    assert values_of() == {"cert@cert.example"}
    assert team_of("other").website == "https://other.example/"
    assert team_of("fresh").name == "Fresh"


def test_a_pinned_key_is_not_changed_by_a_source(app):
    made.imported(made.file(made.team_json(kind="provider")))
    found = key_queries.examined("cert-example", keys.key().data, now=made.NOW)
    steward = people.person("one@example.org", now=made.NOW, site_role="steward")
    with transaction() as session:
        key_actions.propose(
            session, slug="cert-example", key=found, claimed_by="steward", mail_domain="pocdir.example",
            now=made.NOW, actor=f"user:{steward.ref}",
        )  # fmt: skip
    says = made.team_json(kind="provider", channels=[made.channel(openpgp_fingerprint=OTHER_KEY)])
    result = made.imported(made.file(says))
    assert result.reasons == ("cert-example: the OpenPGP key of cert@cert.example would change",)
    same = made.team_json(
        kind="provider", channels=[made.channel(openpgp_fingerprint=keys.key().fingerprint)]
    )
    assert made.imported(made.file(same)).status == "applied"


def test_a_first_import_of_an_unknown_team_applies(app):
    made.imported(made.file(other(kind="provider")))
    shares = made.team_json("fresh", name="Fresh", channels=[made.channel("o@other.example")])
    assert made.imported(made.file(shares), source="second").status == "applied"


def test_an_unknown_team_does_not_take_a_confirmed_address_or_a_name_in_other_letters(app):
    base()
    takes = made.team_json("fresh", name="Fresh")
    fake = made.team_json("fake", name="\u0421\u0415RT Ex\u0430mple", channels=[])
    result = made.imported(made.file(takes, fake), source="second")
    assert sorted(result.held) == ["fake", "fresh"]
    assert {team.slug for team in versions.snapshot().teams} == {"cert-example", "other"}


def test_what_the_source_repeats_is_held_once(app):
    base()
    (first,) = poisoned().held.values()
    events = ledger.event_count()
    again = made.imported(
        made.file(
            made.team_json(**EVIL), other(), source={"name": "list", "url": None, "date": "2026-08-01"}
        ),
        now=made.NOW + DAY,
    )
    assert again.held == {"cert-example": first}
    assert ledger.event_count() == events
    (it,) = held()
    assert (it.row.since, it.row.seen_at) == (made.NOW, made.NOW + DAY)


def test_what_the_source_says_no_longer_is_superseded(app):
    base()
    (first,) = poisoned().held.values()
    made.imported(made.file(made.team_json(kind="provider"), other()))
    assert held() == []
    assert waiting.item(first).row.state == "superseded"


def test_accepting_applies_exactly_what_was_held(app):
    base()
    (ref,) = poisoned().held.values()
    (decided,) = accept(ref, note="a call")
    assert decided.became == "accepted"
    assert values_of() == {"evil@other.example"}
    event = listings.latest("cert-example")[0]
    assert event.sealed["evidence"] == "a call"
    assert event.sealed["forced"] == [f"cert-example: {POISONS['a confirmed address vanishes'][1]}"]
    row = waiting.item(ref).row
    assert (row.state, row.decided_by, row.note) == ("accepted", "operator", "a call")
    assert poisoned().status == "unchanged"


def test_what_a_steward_refused_is_not_held_again_until_it_differs(app):
    base()
    (ref,) = poisoned().held.values()
    refuse(ref, note="not theirs")
    version = versions.directory_version()
    again = poisoned()
    assert (again.status, again.held) == ("unchanged", {})
    assert again.refused == {"cert-example": made.NOW + DAY}
    assert versions.directory_version() == version
    differs = made.file(made.team_json(**EVIL, website="https://evil.example/"), other())
    assert list(made.imported(differs).held) == ["cert-example"]


def test_a_refused_shrinking_does_not_hold_what_comes_later(app):
    teams = [made.team_json(f"team-{n}", name=f"Team {n}", channels=[]) for n in range(4)]
    made.imported(made.file(*teams))
    refuse(*made.imported(made.file(teams[0])).held.values())
    later = made.imported(made.file({**teams[0], "website": "https://new.example/"}))
    assert (later.status, len(later.refused)) == ("applied", 3)
    assert len(versions.snapshot().teams) == 4


def test_what_was_overtaken_is_not_applied_and_is_shown_anew(app):
    base()
    (ref,) = poisoned().held.values()
    with transaction() as session:
        edits.edit_team(session, slug="cert-example", facts={"name": "New"}, now=made.NOW, actor="operator")
    assert accept(ref)[0].became == "stale"
    assert values_of() == {"cert@cert.example"}
    assert accept(ref)[0].became == "accepted"
    assert values_of() == {"evil@other.example"}


def test_who_looked_at_an_older_state_does_not_accept(app):
    base()
    (ref,) = poisoned().held.values()
    assert accept(ref, seen={ref: 0})[0].became == "stale"
    assert values_of() == {"cert@cert.example"}


def test_what_is_decided_stays_decided(app):
    base()
    (ref,) = poisoned().held.values()
    refuse(ref)
    for decides in (accept, refuse):
        with pytest.raises(Conflict) as refusal:
            decides(ref)
        assert refusal.value.code == "quarantine_decided"
    with pytest.raises(NotFound):
        accept("nobody")


def test_the_operator_applies_what_waits_by_importing_it(app):
    base()
    (ref,) = poisoned().held.values()
    assert poisoned(force=True).status == "applied"
    assert values_of() == {"evil@other.example"}
    assert waiting.item(ref).row.state == "superseded"


def national(*stewards):
    made.imported(made.file(made.team_json(), other()))
    mark()
    result = made.imported(made.file(made.team_json(channels=[made.channel("evil@other.example")]), other()))
    refs = [people.person(f"{name}@example.org", now=made.NOW, site_role="steward") for name in stewards]
    return result.held["cert-example"], [f"user:{getattr(ref, 'ref', ref)}" for ref in refs]


def test_a_national_teams_confirmed_address_needs_two_stewards(app):
    ref, (one, two) = national("one", "two")
    assert accept(ref, actor=one)[0][2:4] == ("waits", 1)
    assert accept(ref, actor=one)[0].became == "waits"
    assert values_of() == {"cert@cert.example"}
    assert accept(ref, actor=two)[0].became == "accepted"
    assert values_of() == {"evil@other.example"}


def test_one_steward_alone_waits_72_hours_while_the_team_is_told(app):
    ref, (one,) = national("one")
    (decided,) = accept(ref, actor=one)
    assert (decided.became, decided.missing, decided.until) == ("waits", 0, made.NOW + 4 * DAY)
    assert [letter.to for letter in db.session().query(Mail)] == ["cert@cert.example"]
    for at, settled in ((made.NOW + 3 * DAY, 0), (made.NOW + 4 * DAY, 1)):
        with transaction() as session:
            assert decide.apply_due(session, now=at, mail_domain="pocdir.example") == settled
    assert values_of() == {"evil@other.example"}


def test_when_one_steward_is_left_the_72_hours_run_from_a_new_notice(app):
    ref, (one, _) = national("one", "two")
    accept(ref, actor=one)
    with transaction() as session:
        session.query(User).filter_by(email="two@example.org").one().active = False
    for days, settled in ((10, 0), (12, 0), (13, 1)):
        with transaction() as session:
            now = made.NOW + days * DAY
            assert decide.apply_due(session, now=now, mail_domain="pocdir.example") == settled
        assert db.session().query(Mail).count() == 2
    assert values_of() == {"evil@other.example"}


def test_another_steward_stops_what_one_has_accepted(app):
    ref, (one,) = national("one")
    accept(ref, actor=one)
    refuse(ref)
    with transaction() as session:
        assert decide.apply_due(session, now=made.NOW + 9 * DAY, mail_domain="pocdir.example") == 0
    assert values_of() == {"cert@cert.example"}


SLUGS = st.sampled_from([f"team-{n}" for n in range(4)])
WORDS = st.fixed_dictionaries(
    {
        "slug": SLUGS,
        "mail": st.sampled_from("abc"),
        "website": st.sampled_from([None, "https://a.example/", "https://b.example/"]),
    }
)
IMPORTS = st.lists(
    st.tuples(st.sampled_from(["one", "two"]), st.lists(WORDS, unique_by=lambda it: it["slug"], max_size=4)),
    max_size=6,
)


def rows_of(source):
    """Everything a source says, as the database has it."""
    session = db.session()
    ids = source_ids(session, [], make=False, now=made.NOW)
    said = said_by(session, [ids[source]]) if source in ids else {}
    db.session.rollback()
    return dict(said)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=IMPORTS)
def test_an_import_never_touches_what_others_or_stewards_say(sqlite_app, history):
    with sqlite_app.app_context():
        empty_sqlite(sqlite_app)
        made.team("team-0", name="Team 0", channels=[made.channel("steward@example.org")])
        for step, (source, teams) in enumerate(history):
            others = {name: rows_of(name) for name in ("one", "two", "steward") if name != source}
            records = [
                made.team_json(
                    it["slug"],
                    name=it["slug"],
                    website=it["website"],
                    channels=[made.channel(f"{it['mail']}@{it['slug']}.example")],
                )
                for it in teams
            ]
            made.imported(made.file(*records), source=source, now=made.NOW + step * HOUR)
            assert {name: rows_of(name) for name in others} == others
        db.session.remove()
