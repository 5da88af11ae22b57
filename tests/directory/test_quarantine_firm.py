"""What a team has confirmed stands firm: whichever source, row, date or part would move it, a person looks first."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pocdir.db import db, transaction
from pocdir.directory.actions import edits, marking
from pocdir.directory.merging import actions as merging
from pocdir.directory.office import office
from pocdir.directory.quarantine.actions import decide
from pocdir.directory.quarantine.queries import waiting
from pocdir.directory.queries import entries, parts, versions
from pocdir.directory.queries.wholes import whole_team
from pocdir.mail.models import Mail
from tests.accounts import made as people
from tests.conftest import empty_sqlite
from tests.directory import made
from tests.directory.quarantined import DAY, HOUR, accept, exported, held, mark, team_of


def first(slug="cert-example"):
    return team_of(slug).channels[0].value


def firm(state="verified", **more):
    """A national team whose address, at second place, it confirmed, and has since then come to this state."""
    made.imported(made.file(made.team_json(channels=[made.channel(preference=2)], **more)))
    mark()
    if state != "verified":
        mark(state=state)


def says(*channels, source="other", origin="imported", **more):
    return made.imported(
        made.file(made.team_json(channels=list(channels), **more), origin=origin),
        source=source, now=made.NOW + HOUR,
    )  # fmt: skip


EVIL = made.channel("aaa@evil.example", preference=2)
MOVES = {
    "another source puts one beside it": ({}, [EVIL]),
    "its own source moves both": (
        {"source": "list"},
        [made.channel(preference=900), made.channel("aaa@evil.example", preference=3)],
    ),
    "another source hides it": ({"origin": "manual"}, [made.channel(preference=2, audience="stewards")]),
    "another source takes another purpose": (
        {},
        [made.channel("aaa@evil.example", purpose="emergency", preference=1)],
    ),
    "another source takes its kind by hand": ({"origin": "manual", "kind": "other"}, []),
}


@pytest.mark.parametrize("state", ["verified", "due", "in-check", "unresponsive"])
@pytest.mark.parametrize("move", MOVES)
def test_no_source_moves_what_a_team_confirmed_however_long_ago(app, move, state):
    firm(state)
    before = exported()
    more, channels = MOVES[move]
    assert says(*channels, **more).status == "quarantined"
    assert exported() == before


@pytest.mark.parametrize("state", ["bouncing", "withdrawn"])
def test_what_bounces_or_was_withdrawn_may_be_replaced(app, state):
    firm()
    mark(state=state, claimed_by="service")
    assert says(EVIL).status == "applied"


@pytest.mark.parametrize("state", ["bouncing", "withdrawn"])
def test_what_a_steward_takes_out_of_use_stays_guarded_and_the_team_is_told(app, state):
    firm()
    says(made.channel("second@cert.example", preference=5), origin="manual")
    mark(state=state)
    mark(state=state)
    (to, body), (other, _) = sorted((it.to, it.body) for it in db.session().query(Mail))
    assert (to, other) == ("cert@cert.example", "second@cert.example")
    assert "/teams/cert-example" in body and "answer this letter" in body
    assert says(EVIL, source="third").reasons == (
        "cert-example: aaa@evil.example would be put before the address that the team confirmed",
    )
    mark(state="unverified")
    assert first() == "cert@cert.example"


@pytest.mark.parametrize("more", [{"origin": "manual"}, {"role": "holder"}, {}])
@pytest.mark.parametrize("state", ["verified", "unresponsive"])
def test_nobody_unconfirmed_answers_for_the_code_of_a_team_that_has_confirmed(app, state, more):
    firm(state)
    role = more.get("role", "national")

    def comes(code="AT", slug="second", **other):
        answers = [made.responsibility(value=code, role=role)]
        data = made.team_json(
            slug,
            name=f"Second {slug}",
            channels=[made.channel(f"{slug}@evil.example")],
            responsibilities=answers,
        )
        return made.imported(
            made.file(data, origin=more.get("origin", "imported")), now=made.NOW + HOUR, **other
        )

    found = comes(source="other")
    assert found.reasons == (
        "second: it would answer for AT beside cert-example, which has confirmed its entry",
    )
    assert [it.slug for it in versions.snapshot().teams] == ["cert-example"]
    assert comes("LI", "third", source="more").status == "applied"
    ref = held()[0].row.ref
    assert (accept(ref)[0].became, accept(ref)[0].missing) == ("waits", 0), "one steward, and 72 hours"
    (mail,) = db.session().query(Mail)
    assert mail.to == "cert@cert.example" and "says of Second second, an entry beside yours" in mail.body
    assert "Another team is to answer for AT" in mail.subject
    db.session.rollback()
    with transaction() as session:
        assert decide.apply_due(session, now=made.NOW + 4 * DAY, mail_domain="pocdir.example") == 1
    assert [it.slug for it in versions.snapshot().teams] == ["cert-example", "second", "third"]


def test_no_list_ends_for_which_code_a_confirmed_team_answers(app):
    firm()
    ended = [made.responsibility(valid_to="2026-01-01")]
    for more in ({"responsibilities": []}, {"responsibilities": ended}):
        found = says(made.channel(preference=2), source="list", **more)
        assert found.reasons == ("cert-example: it would no longer answer for AT as it does",)
    assert says(origin="manual", responsibilities=ended).status == "quarantined", (
        "over the other source's word"
    )
    refs = [it.row.ref for it in held() if it.row.source == "list"]
    assert [it.became for it in accept(*refs)] == ["waits"], "two stewards, or 72 hours"
    assert [row.value for row in team_of().responsibilities] == ["AT"]
    assert says(source="third").status == "applied"
    gone = says(made.channel(preference=2), source="list", responsibilities=[])
    assert gone.status == "applied", "another source says it too"


def test_a_code_for_which_nobody_confirmed_and_who_answers_already_are_no_matter(app):
    made.imported(
        made.file(made.team_json(), made.team_json("b", name="B", channels=[made.channel("b@b.example")]))
    )
    mark()
    again = made.team_json("b", name="B", channels=[made.channel("b@b.example")])
    assert made.imported(made.file(again), source="other", now=made.NOW + HOUR).status == "applied"


def test_other_teams_and_leads_are_not_written_to_about_a_mark(app):
    made.imported(made.file(made.team_json()))
    mark(state="bouncing")
    made.imported(made.file(made.team_json(kind="academic")))
    mark()
    mark(state="bouncing")
    assert db.session().query(Mail).count() == 0


def test_a_confirmed_address_is_put_behind_only_where_there_is_another(app):
    firm()
    assert says(made.channel(preference=900), origin="manual").status == "applied"
    assert says(EVIL, source="third").status == "quarantined"


def test_a_newer_date_alone_does_not_take_the_kind_away(app):
    def other(day):
        source = {"name": "zzz", "url": None, "date": day}
        return made.imported(made.file(made.team_json(kind="other", channels=[]), source=source))

    made.imported(made.file(made.team_json()))
    other("2026-01-01")
    mark()
    result = other("2026-11-01")
    assert (result.status, result.reasons) == (
        "quarantined", ("cert-example: it would no longer be a national team",),
    )  # fmt: skip
    assert team_of().kind == "national"
    (ref,) = result.held.values()
    assert other("2026-11-02").held == {"cert-example": ref}
    assert accept(ref)[0].became == "waits"


def merged(into="cert-example", part="acad"):
    """An academic entry that was found to be part of a national team."""
    steward = [people.person(f"{name}@example.org", now=made.NOW, site_role="steward") for name in ("m", "n")]
    for each in steward:
        with transaction() as session:
            merging.merge(
                session, slug=part, into=into, reason="the same", office=office(),
                now=made.NOW, actor=f"user:{each.ref}",
            )  # fmt: skip
    db.session.rollback()
    assert parts.standing_slug(part) == into
    return [f"user:{it.ref}" for it in steward]


def acad(*channels):
    return made.imported(
        made.file(
            made.team_json(
                "acad", name="ACAD", kind="academic", channels=list(channels), responsibilities=[]
            ),
            source={"name": "universities", "url": None, "date": "2026-06-17"},
        ),
        now=made.NOW + HOUR,
    )


def test_what_is_said_of_a_part_is_judged_by_the_whole_and_needs_its_two_stewards(app):
    firm()
    acad(made.channel("desk@acad.example", preference=3))
    one, two = merged()
    before = exported()
    result = acad(made.channel("desk@acad.example", preference=3), EVIL)
    assert result.held.keys() == {"acad"}
    assert exported() == before
    (it,) = held()
    assert (it.row.kind, it.is_national) == ("national", True)
    assert accept(it.row.ref, actor=one)[0].became == "waits"
    assert accept(it.row.ref, actor=two)[0].became == "accepted"


def test_what_became_doubtful_while_it_waited_is_shown_anew_and_needs_two_stewards(app):
    made.imported(made.file(made.team_json()))
    evil = made.team_json(name="C\u0415RT Example", channels=[made.channel("evil@evil.example")])
    (ref,) = made.imported(made.file(evil)).held.values()
    assert [it.code for it in held()[0].doubts] == ["mixed"]
    mark()
    one, two = (
        f"user:{people.person(f'{name}@example.org', now=made.NOW, site_role='steward').ref}" for name in "mn"
    )
    assert [it.code for it in held()[0].doubts] == ["vanishes", "mixed"]
    assert accept(ref, actor=one)[0].became == "stale"
    assert accept(ref, actor=one)[0].became == "waits"
    assert first() == "cert@cert.example"
    assert accept(ref, actor=two)[0].became == "accepted"
    assert first() == "evil@evil.example"


def test_what_was_accepted_before_it_became_doubtful_does_not_take_effect_by_itself(app):
    made.imported(
        made.file(made.team_json(kind="national", channels=[made.channel(), made.channel("b@b.example")]))
    )
    mark("b@b.example")
    (ref,) = made.imported(made.file(made.team_json(channels=[made.channel()]))).held.values()
    one = people.person("m@example.org", now=made.NOW, site_role="steward")
    assert accept(ref, actor=f"user:{one.ref}")[0].became == "waits"
    db.session.rollback()
    with transaction() as session:
        marking.mark_address(
            session, kind="email", value="b@b.example", state="bouncing", evidence="5.1.1", now=made.NOW,
            actor="operator",
        )  # fmt: skip
    made.imported(
        made.file(made.team_json(channels=[made.channel("x@cert.example", preference=2)])), source="zzz"
    )
    with transaction() as session:
        assert decide.apply_due(session, now=made.NOW + 9 * DAY, mail_domain="pocdir.example") == 1
    db.session.rollback()
    row = waiting.item(ref).row
    assert (row.state, row.approvals) == ("held", {})


def test_two_changes_of_one_team_are_not_accepted_at_once(app):
    firm()
    one = says(made.channel("b@evil.example")).held["cert-example"]
    two = says(made.channel("c@evil.example"), source="third").held["cert-example"]
    assert [it.became for it in accept(one, two)] == ["waits", "waits"]


def test_nobody_new_takes_the_address_of_a_national_team(app):
    made.imported(made.file(made.team_json()))
    thief = made.team_json("thief", name="Stealer Networks", kind="provider")
    result = made.imported(made.file(thief), source="second")
    why = "is an address of the national team cert-example; where both are one team, accept it and merge them"
    assert result.reasons == (f"thief: cert@cert.example {why}",)
    assert result.status == "quarantined"
    assert [it.became for it in accept(result.held["thief"])] == ["accepted"], "one steward, one click"
    assert entries.entry("thief").channels[0].value == "cert@cert.example"


def test_a_team_is_national_when_an_entry_that_is_part_of_it_is(app):
    """The entry that stays calls itself academic: the other one's being national guards both all the same."""
    made.imported(made.file(made.team_json()))
    ours = made.team_json("acad", name="ACAD", kind="academic", channels=[made.channel("desk@acad.example")])
    made.imported(made.file(ours, origin="manual"), source="by hand")
    one, two = merged(into="acad", part="cert-example")
    assert entries.team_by_slug("acad").kind == "academic"
    mark("desk@acad.example")
    assert "national team acad" in made.imported(made.file(made.team_json("thief")), source="x").reasons[0]
    result = acad(made.channel("evil@acad.example"))
    (it,) = held(team="acad")
    assert (it.is_national, result.status) == (True, "quarantined")
    assert accept(it.row.ref, actor=one)[0].became == "waits"
    assert accept(it.row.ref, actor=two)[0].became == "accepted"


def test_that_part_of_a_team_is_no_longer_national_is_held(app):
    made.imported(made.file(made.team_json()))
    ours = made.team_json("acad", name="ACAD", kind="academic", channels=[made.channel("desk@acad.example")])
    made.imported(made.file(ours, origin="manual"), source="by hand")
    merged(into="acad", part="cert-example")
    mark("desk@acad.example")
    result = made.imported(made.file(made.team_json(kind="other")))
    assert result.reasons == (
        "cert-example: it would no longer be a national team",
        "cert-example: it would no longer answer for AT as it does",
    )


def test_who_answers_for_a_code_is_guarded_whatever_kind_it_calls_itself(app):
    gov = made.team_json("gov", name="GOV", kind="governmental", responsibilities=[made.responsibility()])
    made.imported(made.file(gov))
    mark()
    assert made.imported(made.file(made.team_json("thief", kind="provider")), source="x").reasons == (
        "thief: cert@cert.example is an address of the national team gov; where both are one team, accept it and"
        " merge them",
    )
    found = made.imported(made.file(gov | {"channels": [EVIL]}), now=made.NOW + HOUR)
    assert accept(found.held["gov"])[0].became == "waits"
    with transaction() as session:
        team = entries.team_by_slug("gov", session)
        assert whole_team(session, team.id).must_be_proposed({"address"})
        edits.edit_team(session, slug="gov", responsibilities=[], now=made.NOW, actor="user:x")
        assert not whole_team(session, team.id).must_be_proposed({"address"}), "nobody says so any more"


CHANNELS = st.lists(
    st.builds(
        made.channel,
        st.sampled_from([f"{name}@cert.example" for name in ("a", "cert", "z")]),
        purpose=st.sampled_from(["incident", "general"]),
        preference=st.integers(1, 3),
        audience=st.sampled_from(["public", "stewards"]),
    ),
    max_size=3,
    unique_by=lambda it: (it["value"], it["purpose"]),
)
IMPORTS = st.lists(
    st.tuples(
        st.sampled_from(["list", "other"]),
        st.sampled_from(["imported", "manual"]),
        st.sampled_from(["national", "other"]),
        CHANNELS,
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=IMPORTS)
def test_whatever_imports_hold_the_first_confirmed_address_of_a_national_team_stays_first(
    sqlite_app, history
):
    with sqlite_app.app_context():
        empty_sqlite(sqlite_app)
        firm()
        for source, origin, kind, channels in history:
            says(*channels, source=source, origin=origin, kind=kind)
            team = team_of()
            seen = [it for it in team.channels if it.audience == "public"]
            # Where a team names none for incidents, its general ones are tried.
            public = [it for it in seen if it.purpose == "incident"] or seen
            assert (team.kind, public[0].value) == ("national", "cert@cert.example")
        db.session.remove()
