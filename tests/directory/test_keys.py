"""The keys of teams: brought, agreed to, pinned, refreshed, retired; warned of, expired."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from pocdir.accounts.actions import create_token, create_workspace
from pocdir.accounts.models import User
from pocdir.core.errors import Conflict, Invalid, NotFound
from pocdir.db import db, transaction
from pocdir.directory.keys import actions, jobs, queries
from pocdir.directory.keys.models import TeamKey
from pocdir.directory.keys.rules import warning
from pocdir.directory.merging import actions as merging
from pocdir.directory.office import office
from pocdir.directory.queries.parts import standing_slug
from pocdir.directory.queries.versions import snapshot
from pocdir.directory.rules.steward import by_harm
from pocdir.ledger import queries as ledger
from pocdir.mail.actions import enqueue
from pocdir.mail.models import Mail
from tests.accounts import made as people
from tests.directory import made
from tests.mail import keys

NOW = made.NOW
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
LOCAL = {"kind": "provider"}  # no national team: one steward is enough


def steward(name: str) -> str:
    """The actor that a steward is."""
    return f"user:{people.person(f'{name}@example.org', now=NOW, site_role='steward').ref}"


def bring(key: keys.Made, actor: str = "operator", *, now: dt.datetime = NOW, **more: Any) -> TeamKey:
    given = {"slug": "cert-example", "claimed_by": "steward", **more}
    found = queries.examined(given["slug"], key.data, now=now)
    more_of = {"mail_domain": "pocdir.example", "now": now, "actor": actor}
    with transaction() as session:
        row = actions.propose(session, key=found, **more_of, **given)
        session.flush()
        session.refresh(row)
        session.expunge(row)  # as it was then
        return row


def approve(row: TeamKey, actor: str, *, now: dt.datetime = NOW) -> str:
    with transaction() as session:
        return actions.approve(session, ref=row.ref, now=now, actor=actor).state


def work(now: dt.datetime) -> int:
    done = jobs.look_after_keys(now)
    db.session.expire_all()
    return done


def state(row: TeamKey) -> str:
    db.session.expire_all()
    return queries.key(row.ref).state


def on_lookup() -> tuple[str | None, bool]:
    db.session.remove()
    channel = snapshot().teams[0].channels[0]
    return channel.openpgp_fingerprint, channel.openpgp_pinned


def letters(kind: str) -> list[str]:
    return sorted(mail.to for mail in people.every(Mail) if mail.kind == kind)


def events() -> list[str]:
    found = ledger.events_of_team("cert-example", limit=50)
    return [event.type for event in found if event.type.startswith("key.")][::-1]


def test_a_stewards_key_for_a_team_that_is_not_national_stands_at_once(app):
    made.team(**LOCAL)
    one = steward("one")
    row = bring(keys.key(), one)
    assert row.state == "pinned"
    assert on_lookup() == (keys.key().fingerprint, True)
    assert sorted(events()) == ["key.pinned", "key.proposed"]
    assert letters("key_notice") == []
    assert queries.told(queries.key(row.ref), now=NOW)["usable"]


def test_a_national_teams_key_needs_two_others_who_are_stewards(app):
    made.team(channels=[made.channel(), made.channel("second@cert.example")])
    one, two, three = steward("one"), steward("two"), steward("three")
    row = bring(keys.key(), one)
    assert row.state == "proposed"
    assert on_lookup() == (None, False)
    assert letters("key_notice") == ["cert@cert.example", "second@cert.example"]
    with pytest.raises(Conflict) as refused:
        approve(row, one)
    assert refused.value.code == "key_own"
    assert approve(row, two) == "proposed"
    assert approve(row, two) == "proposed"
    assert approve(row, three) == "pinned"
    assert on_lookup() == (keys.key().fingerprint, True)
    assert sorted(events()) == ["key.approved", "key.approved", "key.pinned", "key.proposed"]


def test_a_lone_stewards_key_for_a_national_team_waits_72_hours_with_notice(app):
    made.team()
    row = bring(keys.key(), steward("one"))
    assert (row.state, row.effective_at) == ("proposed", NOW + 72 * HOUR)
    assert letters("key_notice") == ["cert@cert.example"]
    assert work(NOW + 71 * HOUR) == 0
    assert state(row) == "proposed"
    assert work(NOW + 72 * HOUR) == 1
    assert state(row) == "pinned"
    assert work(NOW + 73 * HOUR) == 0


def test_within_the_delay_a_steward_refuses(app):
    made.team()
    one = steward("one")
    row = bring(keys.key(), one)
    with transaction() as session:
        actions.refuse(session, ref=row.ref, note="not theirs", now=NOW + HOUR, actor=one)
    assert work(NOW + 100 * HOUR) == 0
    assert state(row) == "refused"
    with pytest.raises(Conflict) as refused:
        approve(row, steward("two"))
    assert refused.value.code == "key_decided"


def test_a_token_is_the_person_who_made_it(app):
    made.team()
    one, two, three = steward("one"), steward("two"), steward("three")
    with transaction() as session:
        lab = create_workspace(session, name="lab", now=NOW, actor="operator")
        ones, operators = (
            f"token:{create_token(session, workspace_id=lab.id, now=NOW, actor=who)[0].prefix}"
            for who in (one, "operator")
        )
    row = bring(keys.key(), ones)
    with pytest.raises(Conflict):
        approve(row, one)
    assert approve(row, operators) == "proposed"
    assert approve(row, two) == "proposed"
    assert approve(row, three) == "pinned"


def test_a_team_brings_its_key_and_a_steward_agrees(app):
    made.team(**LOCAL)
    one = steward("one")
    row = bring(keys.key(), "user:somebody", claimed_by="team")
    assert row.state == "proposed"
    assert approve(row, one) == "pinned"


def test_an_expired_key_is_refused_with_its_reason_and_nothing_is_kept(app):
    made.team(**LOCAL)
    with pytest.raises(Invalid) as refused:
        bring(keys.key(expires=keys.CREATED + DAY))
    assert refused.value.code == "key_unusable"
    assert "it has expired" in refused.value.errors["key"]
    assert people.every(TeamKey) == [] and events() == []


def test_a_private_key_is_nowhere_kept(app):
    made.team(**LOCAL)
    with pytest.raises(Invalid) as refused:
        bring(keys.key(private=True))
    assert refused.value.code == "key_secret"
    assert people.every(TeamKey) == []


def test_a_key_serves_an_address_of_an_entry_that_is_part_of_the_team_and_its_notice_goes_there(app):
    made.team()
    made.team("old", kind="academic", channels=[made.channel("old@cert.example")])
    one, two = steward("one"), steward("two")
    for each in (one, two):
        with transaction() as session:
            merging.merge(
                session, slug="old", into="cert-example", reason="a call", now=NOW, actor=each,
                office=office(),
            )  # fmt: skip
    assert standing_slug("old") == "cert-example"
    row = bring(keys.key("Old <old@cert.example>"), two)
    assert row.addresses == ["old@cert.example"]
    assert letters("key_notice") == ["cert@cert.example", "old@cert.example"]


def test_a_key_that_names_no_address_of_the_team_needs_a_word(app):
    made.team(**LOCAL)
    other = keys.key("Desk <desk@elsewhere.example>")
    with pytest.raises(Invalid) as refused:
        bring(other)
    assert refused.value.code == "key_serves_nobody"
    with pytest.raises(Invalid) as refused:
        bring(other, address="nobody@cert.example")
    assert refused.value.code == "key_address_unknown"
    row = bring(other, address="CERT@cert.example")
    assert (row.addresses, row.stated, row.state) == (["cert@cert.example"], "CERT@cert.example", "pinned")


def test_an_unknown_team_has_no_keys(app):
    with pytest.raises(NotFound):
        queries.examined("nobody", keys.key().data, now=NOW)


def test_a_newer_copy_extends_a_key_without_four_eyes(app):
    made.team()
    row = bring(keys.key(expires=NOW + 365 * 60 * DAY), steward("one"))
    work(NOW + 72 * HOUR)
    longer = keys.key(signed=keys.CREATED + DAY, expires=NOW + 365 * 70 * DAY)
    again = bring(longer, steward("two"), now=NOW + 80 * HOUR)
    assert (again.ref, again.state) == (row.ref, "pinned")
    assert again.expires_at == NOW + 365 * 70 * DAY
    assert events()[-1] == "key.refreshed"
    assert len(letters("key_notice")) == 1
    assert bring(longer, now=NOW + 81 * HOUR).revision == again.revision
    with pytest.raises(Conflict) as refused:
        bring(keys.key(expires=NOW + 365 * 60 * DAY), now=NOW + 82 * HOUR)
    assert refused.value.code == "key_older"


def test_a_copy_that_serves_another_address_is_a_new_proposal(app):
    made.team(channels=[made.channel(), made.channel("second@cert.example")])
    row = bring(keys.key(), steward("one"))
    work(NOW + 72 * HOUR)
    more = keys.key("A <cert@cert.example>", "B <second@cert.example>", signed=keys.CREATED + DAY)
    wider = bring(more, f"user:{people.every(User)[0].ref}", now=NOW + 80 * HOUR)
    assert (wider.state, state(row)) == ("proposed", "pinned")
    work(NOW + 160 * HOUR)
    assert (state(wider), state(row)) == ("pinned", "retired")


def test_a_copy_that_is_revoked_retires_the_key(app):
    made.team(**LOCAL)
    one = steward("one")
    row = bring(keys.key(), one)
    bring(keys.key(revoked=True), one, now=NOW + HOUR)
    assert state(row) == "retired"
    assert on_lookup() == (None, False)
    assert events()[-1] == "key.retired"
    assert queries.told(queries.key(row.ref), now=NOW)["codes"] == ["revoked"]
    with pytest.raises(Invalid) as refused:
        bring(keys.key(), one, now=NOW + 2 * HOUR)
    assert refused.value.code == "key_unusable"


def test_a_copy_that_is_revoked_ends_a_proposal(app):
    made.team()
    row = bring(keys.key(), steward("one"))
    bring(keys.key(revoked=True), steward("two"), now=NOW + HOUR)
    assert work(NOW + 100 * HOUR) == 0
    assert state(row) == "refused"


def test_a_new_key_replaces_the_one_that_served_its_address(app):
    made.team(**LOCAL)
    one = steward("one")
    old, new = bring(keys.key(), one), bring(keys.key(seed="new"), one)
    assert (state(old), state(new)) == ("retired", "pinned")
    with transaction() as session:
        actions.retire(session, ref=new.ref, now=NOW, actor=one)
    assert on_lookup() == (None, False)
    with pytest.raises(Conflict), transaction() as session:
        actions.retire(session, ref=old.ref, now=NOW, actor=one)


def test_the_same_key_does_not_wait_twice(app):
    made.team()
    bring(keys.key())
    with pytest.raises(Conflict) as refused:
        bring(keys.key())
    assert refused.value.code == "key_waiting"


def test_what_a_source_says_of_a_key_stays_what_it_is(app):
    made.team(**LOCAL, channels=[made.channel(openpgp_fingerprint="A" * 40)])
    assert on_lookup() == ("A" * 40, False)
    bring(keys.key(), steward("one"))
    assert on_lookup() == (keys.key().fingerprint, True)


def test_the_guard_runs_again_at_use(app):
    made.team(**LOCAL)
    row = bring(keys.key(expires=keys.LATE), steward("one"))
    assert queries.key_for("cert-example", "cert@cert.example", now=NOW)[1] == ()
    found, reasons = queries.key_for("cert-example", "cert@cert.example", now=keys.LATE)
    assert found is not None and found.ref == row.ref and "expired" in reasons
    assert queries.key_for("cert-example", "else@cert.example", now=NOW) == (None, ())


def test_the_team_is_told_once_at_60_30_and_7_days(app):
    made.team(**LOCAL)
    row = bring(keys.key(expires=keys.LATE), steward("one"))
    told = []
    for days in range(70, 0, -1):
        work(keys.LATE - days * DAY)
        work(keys.LATE - days * DAY + HOUR)
        told.append(len(letters("key_expiry")))
    assert [70 - n for n in range(1, 70) if told[n] > told[n - 1]] == [60, 30, 7]
    assert set(letters("key_expiry")) == {"cert@cert.example"}
    assert events().count("key.expiry_told") == 3
    assert work(keys.LATE) == 1
    assert state(row) == "expired"
    assert on_lookup() == (None, False)
    assert work(keys.LATE + DAY) == 0


def test_a_warning_is_of_the_last_threshold_reached():
    assert warning(None, NOW) is None
    assert warning(NOW + 61 * DAY, NOW) is None
    assert warning(NOW + 60 * DAY, NOW) == 60
    assert warning(NOW + 8 * DAY, NOW) == 30
    assert warning(NOW + 1 * DAY, NOW) == 7
    assert warning(NOW, NOW) is None


def test_what_needs_a_steward_stands_on_the_desk(app):
    made.team()
    made.team(
        "cert-other", **LOCAL, country="DE", channels=[made.channel("b@other.example")], responsibilities=[]
    )
    steward("two")
    steward("three")
    other = bring(
        keys.key("B <b@other.example>", seed="b", expires=keys.LATE),
        "user:x",
        slug="cert-other",
        claimed_by="team",
    )
    bring(keys.key(), steward("one"))
    first, second = by_harm(queries.waiting(NOW), NOW)
    assert (first.kind, first.slug, first.what) == ("key_national", "cert-example", "cert@cert.example")
    assert (second.kind, second.slug) == ("key", "cert-other")
    approve(other, steward("four"))
    soon = keys.LATE - 6 * DAY
    first, second = by_harm(queries.waiting(soon), soon)
    assert (first.kind, first.default_at) == ("key_national", None)
    assert (second.kind, second.default_at) == ("key_expiring", keys.LATE)


def test_what_only_time_settles_asks_nobody(app):
    made.team()
    bring(keys.key(), steward("one"))
    assert queries.waiting(NOW) == []


def test_letters_of_keys_keep_within_the_four_a_year(app):
    made.team(**LOCAL)
    bring(keys.key(expires=keys.LATE), steward("one"))
    with transaction() as session:
        for number in range(4):
            enqueue(
                session, kind="confirmation", to="cert@cert.example", subject="x", body="x", key=f"c{number}",
                domain="pocdir.example", now=keys.LATE - 90 * DAY, team="cert-example",
            )  # fmt: skip
    work(keys.LATE - 60 * DAY)
    assert letters("key_expiry") == []
