"""What a notification of each kind asks for by itself, what it may follow, and in which language it is written."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask_babel import force_locale, gettext
from sqlalchemy import update

from pocdir.accounts.actions import create_token, create_workspace
from pocdir.accounts.models import Workspace
from pocdir.core.errors import Invalid
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.ledger.queries import event_count
from pocdir.ledger.rules.vocabulary import NOTIFICATION_KINDS
from pocdir.outreach import jobs
from pocdir.outreach.models import Notification
from pocdir.outreach.rules.expectations import ASKED_BY_KIND
from pocdir.outreach.rules.letter import LANGUAGES
from pocdir.outreach.rules.letter_texts import VARIABLES, load
from tests.conftest import Api
from tests.outreach import made
from tests.outreach.policies import chosen

DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _world(app: Flask, now: dt.datetime) -> Any:
    with time_machine.travel(now, tick=False) as clock:
        made.teams(now)
        yield clock


def posted(api: Api, **more: Any) -> Any:
    return api.post("/api/v1/notifications", {"team": "cert-at", **more})


def logged(api: Api, **more: Any) -> dict[str, Any]:
    response = posted(api, **more)
    assert response.status_code == 201, response.text
    return dict(response.get_json())


def test_each_kind_asks_for_its_own_when_nothing_else_is_said(api: Api, now: dt.datetime) -> None:
    expected = {
        "report": ("acknowledgement", 2 * DAY), "follow_up": ("acknowledgement", 2 * DAY),
        "sample_request": ("sample", DAY), "referral": ("acknowledgement", 2 * DAY),
        "ping": ("acknowledgement", 2 * DAY),
    }  # fmt: skip
    assert set(ASKED_BY_KIND) == set(expected) == set(NOTIFICATION_KINDS)
    for kind, (of, within) in expected.items():
        asked = [(it["of"], it["due_at"]) for it in logged(api, kind=kind)["expect"]]
        assert asked == [(of, isoformat(now + within))]
        assert logged(api, kind=kind, answer_asked=False)["expect"] == []
        chosen = logged(api, kind=kind, expect=[{"of": "remediation", "within": "P9D"}])
        assert [it["of"] for it in chosen["expect"]] == ["remediation"]


def test_a_follow_up_follows_the_workspaces_own_word_to_the_same_team(
    api: Api, app: Flask, now: dt.datetime
) -> None:
    first = logged(api)["ref"]
    elsewhere = logged(api, team="isp")["ref"]
    with transaction() as session:
        other = create_workspace(session, name="other", now=now, actor="operator")
        token = create_token(session, workspace_id=other.id, now=now, actor="operator")[1]
    foreign = logged(Api(app, token))["ref"]
    assert logged(api, kind="follow_up", parent=first)["parent"] == first
    assert logged(api, kind="referral", team="isp", parent=first)["parent"] == first
    db.session.rollback()
    before = event_count()
    unknown = "0192f0c1-7c3a-7d8e-9f01-23456789abcd"
    for kind, parent in (
        ("follow_up", elsewhere), ("follow_up", foreign), ("referral", foreign), ("follow_up", unknown)
    ):  # fmt: skip
        refused = posted(api, kind=kind, parent=parent)
        assert (refused.status_code, refused.get_json()["code"]) == (422, "parent_invalid")
        assert list(refused.get_json()["errors"]) == ["parent"]
    db.session.rollback()
    assert event_count() == before


def letter(api: Api, ref: str, **query: str) -> tuple[str, str]:
    answer = api.get(f"/api/v1/notifications/{ref}/letter", **query)
    assert answer.status_code == 200, answer.text
    return answer.get_json()["subject"], answer.get_json()["body"]


def test_a_follow_up_names_the_first_report_and_a_referral_says_all_that_its_reader_needs(
    api: Api, _world: Any, now: dt.datetime
) -> None:
    told = {"tlp": "TLP:GREEN", "subject": "Sinkhole hits", "assets": ["203.0.113.70", "203.0.113.71"]}
    first = logged(api, team="isp", body="They call our sinkhole.", **told)["ref"]
    _world.move_to(now + DAY)
    api.post(
        f"/api/v1/notifications/{first}/events",
        {"type": "reply.automatic", "payload": {"subclass": "receipt", "ticket": "T-77"}},
    )
    again = logged(api, team="isp", kind="follow_up", parent=first, tlp="TLP:GREEN", subject="Still calling")[
        "ref"
    ]
    subject, body = letter(api, again)
    assert subject == f"[TLP:GREEN] [pocdir {again}] Still calling"
    for words in (
        f"lab wrote to you on {now:%Y-%m-%d %H:%M} UTC, to abuse@isp.example.",
        "About: Sinkhole hits",
        "Addresses or names concerned: 2\n",  # nobody said since when
        "Your ticket number: T-77",
        f"Reference of that report: [pocdir {first}]",
    ):
        assert words in body
    above = logged(api, kind="referral", parent=first, **told)["ref"]
    subject, body = letter(api, above)
    for words in (
        f"lab wrote to ISP abuse desk on {now:%Y-%m-%d %H:%M} UTC, to abuse@isp.example.",
        "We turn to you because you may reach them, or act in their place.",
        "Ticket number of ISP abuse desk: T-77",
        "  203.0.113.71",
    ):
        assert words in body
    assert body.startswith("TLP:GREEN\n\nWe pass this on to you")
    assert "/r/" in body.rstrip().splitlines()[-1]
    subject, body = letter(api, above, content="summary")
    assert ("203.0.113.70" in body, "About: Sinkhole hits" in body, "Subject: Sinkhole hits" in body) == (
        False,
        True,
        True,
    )
    subject, body = letter(api, above, content="reference")
    assert ("Sinkhole" in subject + body, "T-77" in body, "/r/" in body) == (False, True, True)
    assert api.get(f"/api/v1/notifications/{above}/letter", content="all").status_code == 422
    for seen_from, since in (("2026-11-01T00:00:00Z", ", since 2026-11-01 00:00 UTC"), (None, "")):
        case = api.post(
            "/api/v1/incidents", {"title": "C2", "tlp": "TLP:GREEN", "detected_from": seen_from}
        ).get_json()["ref"]
        first = logged(api, team="isp", incident=case, **told)["ref"]
        again = logged(api, team="isp", incident=case, kind="follow_up", parent=first, tlp="TLP:GREEN")["ref"]
        for ref, content in ((first, "full"), (first, "summary"), (again, "summary")):
            lines = letter(api, ref, content=content)[1].splitlines()
            assert [it for it in lines if "oncerned" in it] == [f"Addresses or names concerned: 2{since}"]
    hidden = logged(api, team="isp", subject="Hidden", tlp="TLP:GREEN")["ref"]
    older = logged(api, team="isp", kind="follow_up", parent=hidden, tlp="TLP:GREEN")["ref"]
    assert "Hidden" in letter(api, older)[1]
    with transaction() as session:  # as one that was logged before a lower label was refused
        session.execute(update(Notification).where(Notification.ref == hidden).values(tlp="TLP:AMBER"))
    assert "Hidden" not in letter(api, older)[1]


def test_a_letter_tells_of_an_answer_and_of_what_was_set_against_the_report(
    api: Api, _world: Any, now: dt.datetime
) -> None:
    told = {"tlp": "TLP:GREEN", "expect": [{"of": "sample", "within": "PT24H"}]}
    first = logged(api, team="isp", **told)["ref"]
    _world.move_to(now + DAY / 2)
    contested = {"type": "response.contested", "payload": {"note": "Not ours\nsince 2025"}}
    assert api.post(f"/api/v1/notifications/{first}/events", contested).status_code == 201
    _world.move_to(now + 2 * DAY)
    jobs.record_lapses(now + 2 * DAY)
    at = f"{now + DAY / 2:%Y-%m-%d %H:%M} UTC."
    for kind, team, said in (
        (
            "referral",
            "cert-at",
            [f"ISP abuse desk answered on {at}", "ISP abuse desk objects to that report."],
        ),
        ("follow_up", "isp", [f"You answered on {at}", "You object to that report."]),
    ):
        words = letter(api, logged(api, kind=kind, team=team, parent=first, tlp="TLP:GREEN")["ref"])[1]
        lines = words.splitlines()
        assert [*said, "> Not ours", "> since 2025"] == lines[lines.index(said[0]) :][:4]
        assert "No answer" not in words


def test_no_later_fact_changes_what_a_letter_said_when_it_went(
    api: Api, _world: Any, now: dt.datetime
) -> None:
    told = {"team": "isp", "tlp": "TLP:GREEN"}
    first = logged(api, **told)["ref"]
    _world.move_to(now + 3 * DAY)
    again = logged(api, kind="follow_up", parent=first, **told)["ref"]
    said = letter(api, again)[1]
    assert f"No answer is recorded here by {now + 2 * DAY:%Y-%m-%d %H:%M} UTC" in said
    _world.move_to(now + 4 * DAY)
    jobs.record_lapses(now + 4 * DAY)
    for occurred in (now + DAY, now + 4 * DAY):  # the first had happened by then, and nobody knew of it here
        answer = {"type": "ack.given", "occurred_at": isoformat(occurred), "payload": {"ticket": "BB-1"}}
        assert api.post(f"/api/v1/notifications/{first}/events", answer).status_code == 201
        assert letter(api, again)[1] == said
    now_known = letter(api, logged(api, kind="follow_up", parent=first, **told)["ref"])[1]
    assert "You answered on" in now_known and "Your ticket number: BB-1" in now_known
    late = {"sent_at": isoformat(now + DAY / 2), "kind": "follow_up", "parent": first}  # written down late
    assert "You answered on" not in letter(api, logged(api, **late, **told)["ref"])[1]


def test_a_letter_counts_nothing_where_the_first_report_named_nothing(api: Api) -> None:
    first = logged(api, team="isp", subject="A question")["ref"]
    again = logged(api, team="isp", kind="follow_up", parent=first)["ref"]
    assert "names concerned" not in letter(api, again)[1]


def test_no_subject_says_what_the_label_of_the_incident_forbids_since(api: Api) -> None:
    case = api.post("/api/v1/incidents", {"title": "C2", "tlp": "TLP:GREEN"}).get_json()["ref"]
    about = {"team": "isp", "tlp": "TLP:GREEN", "subject": "Hospital"}
    first = logged(api, incident=case, **about)["ref"]
    again = logged(api, kind="follow_up", parent=first, **(about | {"subject": "Again"}))["ref"]
    assert ("Hospital" in letter(api, first)[0], "Again" in letter(api, again)[0]) == (True, True)
    assert "About: Hospital" in letter(api, again)[1]
    assert api.patch(f"/api/v1/incidents/{case}", {"tlp": "TLP:RED"}).status_code == 200
    for ref in (first, again):
        assert letter(api, ref)[0] == f"[TLP:GREEN] [pocdir {ref}]"
    assert "Hospital" not in letter(api, again)[1]


def test_a_letter_says_where_its_sender_can_be_called(api: Api, lab: Workspace, now: dt.datetime) -> None:
    first = logged(api, team="isp")["ref"]
    chosen(lab, now, {})
    above = letter(api, logged(api, kind="referral", parent=first)["ref"])[1]
    assert "You can call us: Duty desk, +43 1 0000" in above
    assert "lab\nDuty desk, +43 1 0000\n" in letter(api, logged(api)["ref"])[1]


def test_a_sample_request_says_which_sample_and_by_when(api: Api, now: dt.datetime) -> None:
    _subject, body = letter(api, logged(api, kind="sample_request")["ref"])
    assert "a copy of the code from one of the devices concerned" in body
    assert (
        f"- Please send us a sample, or tell us that there is none. Reply asked for {now + DAY:%Y-%m-%d %H:%M} UTC."
        in body
    )


def test_a_letter_is_written_in_the_teams_first_language_that_we_have(api: Api, now: dt.datetime) -> None:
    made.teams(now, languages=["de", "fr-CA", "en"])
    assert logged(api)["language"] == "fr"
    assert logged(api, language="es")["language"] == "es"
    assert "Nous vous signalons" in letter(api, logged(api)["ref"])[1]


def test_a_text_may_use_the_variables_of_the_list_and_no_other(app: Flask) -> None:
    for wrong in ("%(actor)s", "%s", "100 %", "%(count)d"):
        with pytest.raises(Invalid) as refused:
            load(lambda text, wrong=wrong: f"{text} {wrong}")
        assert refused.value.code == "letter_variable_unknown"
    plain = load()
    assert {name for text in plain.values() for name in re.findall(r"%\((\w+)\)s", text)} == set(VARIABLES)
    for language in LANGUAGES:
        with app.test_request_context(), force_locale(language):
            texts = load(gettext)
        assert texts.keys() == plain.keys()
        assert language == "en" or not set(texts.values()) & set(plain.values()) - {"port %(port)s"}
