"""This is your team? A link to an address on record lets its staff in, once, and tells whom it should."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Iterator

import pysequoia
import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from pocdir.accounts.models import TeamContact, User
from pocdir.core.errors import Conflict, Gone, Invalid, NotFound
from pocdir.core.refs import new_ref
from pocdir.db import transaction
from pocdir.directory.actions import edits, marking
from pocdir.directory.claims import actions, queries, rules
from pocdir.directory.claims.models import Claim
from pocdir.directory.keys.models import TeamKey
from pocdir.directory.keys.rules import PINNED
from pocdir.directory.models import Address
from pocdir.directory.office import office
from pocdir.directory.queries import entries
from pocdir.ledger.queries import events_of_team
from pocdir.mail.models import Mail
from pocdir.web import limits
from tests.accounts.made import PASSWORD, browser, every, one, person
from tests.conftest import NOW
from tests.directory import made

DAY = dt.timedelta(days=1)
HIDDEN = "duty@cert.example"


@pytest.fixture(autouse=True)
def _today(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    limits.init_app(app)
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def slug(app: Flask) -> str:
    """A team with an address for everybody and one for members."""
    return made.team(channels=[made.channel(), made.channel(HIDDEN, audience="members")])


def asked(slug: str, value: str = "cert@cert.example", now: dt.datetime = NOW) -> bool:
    choice = rules.choice_of(office().secret, slug, value)
    with transaction() as session:
        return actions.ask(session, slug=slug, choice=choice, office=office(), now=now)


def letters(kind: str = "claim") -> list[Mail]:
    return [mail for mail in every(Mail) if mail.kind == kind]


def token_in(mail: Mail) -> str:
    found = re.search(r"/claim/([\w-]+)", mail.body or "")
    assert found
    return found[1]


def proven(token: str, user: User, now: dt.datetime = NOW) -> None:
    with transaction() as session:
        kept = session.get_one(User, user.id)
        actions.prove(session, token=token, user=kept, office=office(), now=now)


def test_the_link_goes_to_the_address_on_record_and_makes_a_contact(slug: str) -> None:
    assert asked(slug)
    (mail,) = letters()
    assert (mail.to, mail.team, mail.confidential) == ("cert@cert.example", slug, True)
    anna = person("anna@cert.example", now=NOW)
    proven(token_in(mail), anna)
    assert one(TeamContact).user_id == anna.id
    assert {it.type for it in events_of_team(slug)} >= {
        "contact.claim_asked",
        "contact.claimed",
        "contact.marked",
    }
    state = {it.value: it.state for it in every(Address)}
    assert state["cert@cert.example"] == "verified"


def test_the_link_works_once(slug: str) -> None:
    asked(slug)
    token = token_in(letters()[0])
    proven(token, person("anna@cert.example", now=NOW))
    letter = letters()[0]
    assert (letter.state, letter.last_error) == ("withdrawn", "its link was used")
    with pytest.raises(Gone) as refused:
        proven(token, person("eve@cert.example", now=NOW))
    assert refused.value.code == "link_used"


def test_the_link_dies_with_time_and_with_its_address(slug: str) -> None:
    asked(slug)
    token, anna = token_in(letters()[0]), person("anna@cert.example", now=NOW)
    with pytest.raises(Gone) as old:
        proven(token, anna, now=NOW + 7 * DAY)
    assert old.value.code == "link_expired"
    with transaction() as session:
        marking.mark_address(
            session, kind="email", value="cert@cert.example", state="withdrawn", evidence="a call", now=NOW,
            actor="user:x",
        )  # fmt: skip
    with pytest.raises(NotFound):
        proven(token, anna)


def test_the_link_dies_when_the_address_leaves_the_entry(slug: str) -> None:
    asked(slug)
    with transaction() as session:
        edits.edit_team(session, slug=slug, channels=[], now=NOW, actor="user:x")
    with pytest.raises(NotFound):
        proven(token_in(letters()[0]), person("anna@cert.example", now=NOW))


def test_a_forged_link_is_none(slug: str) -> None:
    asked(slug)
    token = token_in(letters()[0])
    for wrong in ("", "x", token[:-2] + "AA", token + "A"):
        with pytest.raises(NotFound):
            actions.claimed(None, wrong, office=office(), now=NOW)


def test_one_link_a_day_goes_to_an_address_whichever_team_it_is_asked_for(slug: str) -> None:
    other = made.team("cert-other")
    assert asked(slug)
    assert not asked(slug)
    assert not asked(other)
    assert len(letters()) == 1
    assert asked(slug, now=NOW + DAY)


def test_only_an_address_on_record_is_written_to(slug: str) -> None:
    with pytest.raises(Invalid):
        asked(slug, "eve@elsewhere.example")
    with transaction() as session:
        marking.mark_address(
            session, kind="email", value="cert@cert.example", state="bouncing", evidence="a bounce", now=NOW,
            actor="user:x",
        )  # fmt: skip
    with pytest.raises(Invalid):
        asked(slug)
    assert letters() == []


def test_a_second_contact_is_told_to_the_addresses_of_both(slug: str) -> None:
    asked(slug)
    asked(slug, HIDDEN)
    first, second = letters()
    proven(token_in(first), person("anna@cert.example", now=NOW))
    assert letters("claim_again") == []
    proven(token_in(second), person("ben@cert.example", now=NOW))
    assert sorted(mail.to for mail in letters("claim_again")) == ["cert@cert.example", HIDDEN]
    again = [it.payload["again"] for it in events_of_team(slug, types=["contact.claimed"])]
    assert sorted(again) == [False, True]


def test_a_person_answers_for_one_team(slug: str) -> None:
    other = made.team("cert-other", channels=[made.channel("desk@other.example")])
    asked(slug)
    asked(other, "desk@other.example")
    anna = person("anna@cert.example", now=NOW)
    first, second = letters()
    proven(token_in(first), anna)
    with pytest.raises(Conflict):
        proven(token_in(second), anna)
    assert {it.proven_at for it in every(Claim)} == {NOW, None}


def test_an_old_lists_address_is_offered_only_where_nothing_surer_is_known(slug: str) -> None:
    made.imported(made.file(made.team_json(channels=[made.channel("old@cert.example", confidence="low")])))
    assert "old@cert.example" not in {it["value"] for it in queries.claimable(slug)}
    lead = made.team("lead", channels=[made.channel("old@lead.example", confidence="low")])
    assert [it["value"] for it in queries.claimable(lead)] == ["old@lead.example"]


# in the browser


def sent_from(client: FlaskClient, slug: str, value: str = "cert@cert.example") -> str:
    choice = rules.choice_of(office().secret, slug, value)
    answer = client.post(f"/teams/{slug}/claim", data={"address": choice})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_what_is_not_public_is_masked_on_the_page(client: FlaskClient, slug: str) -> None:
    page = client.get(f"/teams/{slug}/claim").text
    assert "cert@cert.example" in page
    assert HIDDEN not in page and "d•••@c•••.example" in page
    assert "Is this your team?" in client.get(f"/teams/{slug}").text


def test_a_new_person_comes_in_by_the_link_with_an_own_account(client: FlaskClient, slug: str) -> None:
    sent_from(client, slug)
    path = f"/claim/{token_in(letters()[0])}"
    assert "changes nothing" in client.get(path).text
    assert every(TeamContact) == []
    assert 'name="email" value="cert@cert.example"' in client.get(path).text
    typed = {"email": "Cert@cert.example", "password": PASSWORD, "again": PASSWORD}
    answer = client.post(path, data=typed)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/teams/{slug}")
    assert "Propose a change" in client.get(f"/teams/{slug}").text
    assert client.get(path).status_code == 410


def test_a_short_password_or_an_account_that_is_there_is_refused_and_the_link_lives(
    client: FlaskClient, slug: str
) -> None:
    person("cert@cert.example", now=NOW)
    sent_from(client, slug)
    path = f"/claim/{token_in(letters()[0])}"
    for password, status in (("short", 422), (PASSWORD, 409)):
        typed = {"email": "cert@cert.example", "password": password, "again": password}
        assert client.post(path, data=typed).status_code == status
    assert every(TeamContact) == []
    assert client.get(path).status_code == 200


def test_no_account_is_made_under_an_address_that_the_link_does_not_prove(
    client: FlaskClient, slug: str
) -> None:
    sent_from(client, slug)
    path = f"/claim/{token_in(letters()[0])}"
    for email in ("director@bund.example", HIDDEN):
        answer = client.post(path, data={"email": email, "password": PASSWORD, "again": PASSWORD})
        assert (answer.status_code, "bears the address" in answer.text) == (422, True)
    assert every(User) == []


def test_a_signed_in_person_says_yes_with_that_account(app: Flask, client: FlaskClient, slug: str) -> None:
    sent_from(client, slug)
    anna = person("anna@cert.example", now=NOW)
    assert browser(app, anna, now=NOW).post(f"/claim/{token_in(letters()[0])}").status_code == 302
    assert one(TeamContact).user_id == anna.id


def test_asking_too_often_is_slowed_down(client: FlaskClient, slug: str) -> None:
    for _ in range(5):
        sent_from(client, slug)
    choice = rules.choice_of(office().secret, slug, HIDDEN)
    assert client.post(f"/teams/{slug}/claim", data={"address": choice}).status_code == 429
    assert len(letters()) == 1


def test_requests_that_send_no_letter_lock_nobody_out(app: Flask, client: FlaskClient, slug: str) -> None:
    for number in range(12):
        nonsense = {"address": "nonsense"} if number % 2 else {"signed": "nonsense"}
        door = "/claim" if number % 2 else "/claim/key"
        place = {"REMOTE_ADDR": f"192.0.2.{number}"}
        answer = client.post(f"/teams/{slug}{door}", data=nonsense, environ_base=place)
        assert answer.status_code == 422
    sent_from(client, slug)
    assert len(letters()) == 1


def test_each_leaves_by_themself_and_a_steward_ends_it_for_anybody(app: Flask, slug: str) -> None:
    asked(slug)
    asked(slug, HIDDEN)
    anna, ben = (person(f"{name}@cert.example", now=NOW) for name in ("anna", "ben"))
    for mail, user in zip(letters(), (anna, ben), strict=True):
        proven(token_in(mail), user)
    steward = person("steward@example.org", now=NOW, site_role="steward")
    outsider = person("eve@example.org", now=NOW, workspace="lab")
    path = f"/teams/{slug}/contacts"
    assert browser(app, outsider, now=NOW).get(path).status_code == 403
    hers = browser(app, anna, now=NOW)
    assert "ben@cert.example" in hers.get(path).text
    assert hers.post(f"{path}/release", data={"person": ben.ref}).status_code == 404
    assert hers.post(f"{path}/release", data={"person": anna.ref}).status_code == 302
    assert browser(app, steward, now=NOW).post(f"{path}/release", data={"person": ben.ref}).status_code == 302
    assert every(TeamContact) == []


def test_the_page_of_the_link_comes_in_arabic(client: FlaskClient, slug: str) -> None:
    sent_from(client, slug)
    page = client.get(f"/claim/{token_in(letters()[0])}", headers={"Accept-Language": "ar"}).text
    assert '<html lang="ar" dir="rtl">' in page
    assert "هل أنتم مسؤولون عن" in page


def test_nobody_is_asked_for_a_team_that_is_not_there(client: FlaskClient) -> None:
    assert client.get("/teams/nobody/claim").status_code == 404
    assert client.post("/teams/nobody/claim", data={"address": "x"}).status_code == 404


# by the team's pinned key


def pinned_key(slug: str) -> pysequoia.Tsk:
    """A key that is pinned for the team, with its secret part."""
    secret = pysequoia.Tsk.generate("Desk <cert@cert.example>")
    public = secret.extract_certificate()
    with transaction() as session:
        session.add(
            TeamKey(
                ref=new_ref(NOW), team_id=entries.team_by_slug(slug, session).id,
                fingerprint=str(public.fingerprint).upper(), algorithm="EdDSA", public=str(public),
                addresses=["cert@cert.example"], actor="user:x", uploaded_at=NOW, state=PINNED, pinned_at=NOW,
            )
        )  # fmt: skip
    return secret


def signed(by: pysequoia.Tsk, text: str) -> str:
    return pysequoia.sign(by.signer(), text.encode(), mode=pysequoia.SignatureMode.CLEAR).decode()


def line_on(client: FlaskClient, slug: str) -> str:
    found = re.search(r"I answer for [^<]+", client.get(f"/teams/{slug}/claim").text)
    assert found
    return html.unescape(found[0])


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> Iterator[dt.datetime]:
    """The library reads the machine's clock: the key must be valid by ours too."""
    now = time_machine.escape_hatch.datetime.datetime.now(dt.UTC)
    with time_machine.travel(now, tick=True):
        yield now


def test_a_line_signed_by_the_pinned_key_lets_a_person_in_once(
    client: FlaskClient, slug: str, today: dt.datetime
) -> None:
    key = pinned_key(slug)
    message = signed(key, line_on(client, slug))
    answer = client.post(f"/teams/{slug}/claim/key", data={"signed": message})
    assert answer.status_code == 302, answer.text
    typed = {"email": "cert@cert.example", "password": PASSWORD, "again": PASSWORD}
    assert client.post(answer.headers["Location"], data=typed).status_code == 302
    claimed = events_of_team(slug, types=["contact.claimed"])[0]
    assert claimed.payload["proof"] == "key"
    assert claimed.sealed["fingerprint"] == str(key.extract_certificate().fingerprint).upper()
    assert client.post(f"/teams/{slug}/claim/key", data={"signed": message}).status_code == 410


def test_another_key_another_line_and_another_teams_line_are_refused(
    client: FlaskClient, slug: str, today: dt.datetime
) -> None:
    key, other = pinned_key(slug), made.team("cert-other")
    theirs = pinned_key(other)
    line = line_on(client, slug)
    for message in (
        signed(theirs, line),
        signed(key, "I answer for everybody."),
        signed(key, line_on(client, other)),
        signed(key, line[:-2] + "AA"),
        line,
    ):
        answer = client.post(f"/teams/{slug}/claim/key", data={"signed": message})
        assert answer.status_code == 422
        limits.init_app(client.application)
    assert every(Claim) == []


def test_no_line_is_shown_where_no_key_is_pinned(client: FlaskClient, slug: str) -> None:
    assert "I answer for" not in client.get(f"/teams/{slug}/claim").text
