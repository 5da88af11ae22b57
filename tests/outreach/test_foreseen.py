"""What is said of a step before it goes out by itself, and afterwards, is what happens."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy
from flask import Flask

from pocdir import cli
from pocdir.accounts.models import Workspace
from pocdir.core.refs import new_ref
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.directory.keys.models import TeamKey
from pocdir.directory.models import Team
from pocdir.outreach.actions.notifications import NewNotification, log_notification
from pocdir.outreach.escalation.ahead import ahead
from pocdir.outreach.escalation.deciding import path_shown
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.notifications import notification_to_change
from pocdir.outreach.sending.actions import send as send_letter
from pocdir.routing.queries import index
from tests.accounts import made as people
from tests.conftest import Api
from tests.latency.made import DAY, HOUR, Own, event
from tests.mail.keys import key
from tests.outreach.browsing import send
from tests.outreach.by_itself import STEP, approved, incident_of, reported, steps_of, takes, words
from tests.outreach.policies import chosen, work
from tests.outreach.sent import letters

pytestmark = pytest.mark.usefixtures("three_addresses")
TO = {"channel": ("email", "abuse@isp.example")}
AGAIN = {"target": "same_team", "wait": "PT0S"}  # the provider has one address: nobody is left to write to


def test_a_step_for_which_nobody_is_known_is_looked_through_to_the_letter_that_really_goes(
    app: Flask, lab: Workspace, api: Api, now: dt.datetime
) -> None:
    approved(lab, now - 10 * DAY, AGAIN | {"wait": "P1D"}, STEP)
    takes("carrier", "referral", now=now - 9 * DAY)
    ref = reported(
        lab, now - 2.5 * DAY, **TO
    )  # asked for until half a day ago: step 1 in half a day, nobody's
    [ahead] = api.get("/api/v1/steps", ahead=True).json["items"]
    path = api.get(f"/api/v1/notifications/{ref}/steps").json
    for said in (ahead, path["coming"] | {"by_itself": path["by_itself"]}):
        assert (said["level"], said["due_at"], said["by_itself"]) == (2, isoformat(now + DAY / 2), True)
        assert said["to"]["team"] == "carrier"
        assert said["to"]["channel"]["value"] == "abuse@carrier.example"
    assert [it["may_decide"] for it in path["steps"]] == [True, False]
    browser = people.browser(app, people.person(now=now, workspace="lab", role="owner"), now=now)
    listed = browser.get("/steps?ahead=yes").text
    assert "abuse@carrier.example" in listed and "no mail address" not in listed
    page = browser.get(f"/notifications/{ref}/steps").text
    assert "Step 2 goes out by itself" in page and "nobody is known for step 1" in page
    work(app, now)
    for page in (browser.get("/unanswered").text, browser.get(f"/notifications/{ref}").text):
        assert "oes out by itself" in page and "To be suggested" not in page and "Carrier" in page
    work(app, now + DAY / 2)
    assert sorted(words(ref)) == ["no_working_contact", "step_due", "step_due", "step_skipped", "step_taken"]
    assert [mail.to for mail in letters()] == ["abuse@carrier.example"]
    child = next(e for e in steps_of(ref) if e.type == "escalation.step_taken").payload["notification"]
    told = html.unescape(browser.get(f"/notifications/{ref}").text)
    happened = re.findall(r'class="said">(.*?)</strong>', told)
    assert happened[-5:] == [
        "Next step suggested (step 1)", "No working address left at this step; the next one follows at once",
        "Step left out (step 1)", "Step 2 fell due", "Step 2 went out by itself",
    ]  # fmt: skip
    assert re.search(
        f'href="/notifications/{child}">[^<]*to <bdi>Carrier</bdi></a> <code[^>]*>abuse@carrier', told
    )


def test_a_row_without_a_step_names_what_there_is_to_do_and_nothing_before_its_time(
    lab: Workspace, app: Flask, now: dt.datetime
) -> None:
    late, early = (reported(lab, now - days * DAY, **TO) for days in (5, 1))
    several = reported(lab, now - 5 * DAY, team="isp2", channel=("email", "abuse@isp2.example"))
    work(app, now)
    browser = people.browser(app, people.person(now=now, workspace="lab", role="owner"), now=now)
    page = html.unescape(browser.get("/unanswered").text)
    assert f'href="/notify?kind=referral&parent={late}">No further step known: choose a contact<' in page
    assert f'href="/notify?team=isp2&parent={several}">Try another address<' in page
    running = browser.get("/unanswered?state=running").text
    assert early in running and "Try another" not in running and "choose a contact" not in running
    for number, value in enumerate(("second@isp2.example", "third@isp2.example")):
        again = NewNotification(team="isp2", kind="follow_up", channel=("email", value))
        with transaction() as session:
            log_notification(
                session, again, workspace_id=lab.id, now=now + dt.timedelta(minutes=number), actor="user:a",
                parent=notification_to_change(several, session),
            )  # fmt: skip
        page = html.unescape(browser.get("/unanswered").text)
        assert (f"/notify?team=isp2&parent={several}" in page) == (number == 0)
    assert f'href="/notify?kind=referral&parent={several}">No further step known' in page


def test_where_no_step_finds_anybody_it_says_so_and_promises_nothing(
    lab: Workspace, api: Api, now: dt.datetime
) -> None:
    approved(lab, now - 10 * DAY, AGAIN | {"wait": "P1D"}, AGAIN)
    ref = reported(lab, now - 2.5 * DAY, **TO)
    path = api.get(f"/api/v1/notifications/{ref}/steps").json
    assert (path["coming"], path["by_itself"], path["held"]) == (None, False, "no_mail")


@pytest.mark.parametrize("word", ["response.misdirected", "response.accepted"])
def test_not_for_us_from_whom_a_step_wrote_to_lets_the_next_one_follow_and_any_other_answer_ends_the_path(
    app: Flask, lab: Workspace, api: Api, now: dt.datetime, word: str
) -> None:
    approved(lab, now - 10 * DAY, STEP, STEP | {"target": "national", "wait": "P9D"})
    takes("carrier", "referral", now=now - 9 * DAY)
    ref = reported(lab, now - 3 * DAY, **TO)
    work(app, now)
    child = steps_of(ref)[-1].payload["notification"]
    event(lab, child, word, at=now + HOUR, by=("recipient", "E"))
    path = api.get(f"/api/v1/notifications/{ref}/steps").json
    if word == "response.accepted":
        assert path["state"] == "answered"
        return
    assert path["state"] == "due" or path["coming"]["due_at"] == isoformat(now + HOUR)
    work(app, now + 2 * HOUR)
    assert words(ref)[2:] == ["step_due", "step_held: no_consent"]  # of the national team
    assert api.get(f"/api/v1/notifications/{ref}/steps").json["state"] == "due"


def test_a_teams_rule_is_no_dead_end_among_many_and_the_command_names_its_option(
    app: Flask, lab: Workspace, now: dt.datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen(lab, now - 10 * DAY, STEP | {"content": "full"})
    with transaction() as session:
        session.query(Team).filter_by(slug="carrier").update({"profile": {"intake": ["one-address"]}})
    two = [{"kind": "ip", "value": f"203.0.113.{host}", "port": None} for host in (7, 8)]
    ref = reported(lab, now - 4 * DAY, **TO, assets=two)
    work(app, now)
    browser = people.browser(app, people.person(now=now, workspace="lab", role="owner"), now=now)
    row = {"action": "take", "choose": [f"{ref}:1"], "send": "yes"}
    refused = send(browser, "/steps", **row).text
    assert "rules_not_met" in refused and f'href="/notifications/{ref}/steps">Look at the step<' in refused
    assert 'name="despite_rules"' in refused and f'value="{ref}:1"' in refused and 'name="send"' in refused
    db.session.rollback()
    for command in (["due", "--take", f"{ref}:1"], ["steps", ref, "--take", "1"]):
        assert cli.run(["policy", *command, "--send", "--workspace", "lab"]) == 1
        said = capsys.readouterr().err
        assert "--despite-rules" in said and "despite_rules" not in said
    assert letters() == []
    assert "Logged" in send(browser, "/steps", **row, despite_rules="yes").text
    assert [mail.to for mail in letters()] == ["abuse@carrier.example"]


def test_a_referral_begins_with_whom_the_team_named(app: Flask, lab: Workspace, now: dt.datetime) -> None:
    ref = reported(lab, now - DAY, **TO)
    ask = "Please write to <Second@isp2.example>."  # by their domain alone a lookup leads elsewhere
    event(lab, ref, "response.misdirected", at=now, by=("recipient", "E"), ask=ask)
    browser = people.browser(app, people.person(now=now, workspace="lab", role="owner"), now=now)
    page = html.unescape(browser.get(f"/notifications/{ref}").text)
    [link] = re.findall(r'href="(/notify[?][^"]*)">Log a referral', page)
    form = browser.get(link).text
    for name, value in (("team", "isp2"), ("channel.value", "second@isp2.example")):
        assert re.search(f'value="{value}"[^>]*name="{name}"', form), name
    assert '<option value="email" selected' in form


def test_a_letter_that_was_sent_is_shown_as_written_anew_with_what_is_of_today(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    by_hand, gone = (
        reported(lab, now, team="isp2", channel=("email", "abuse@isp2.example")) for _ in range(2)
    )
    with transaction() as session:
        send_letter(session, ref=gone, now=now, actor="user:a")
        session.merge(lab).name = "Another name"
    browser = people.browser(app, people.person(now=now, workspace="lab", role="owner"), now=now)
    page, other = (browser.get(f"/notifications/{ref}").text for ref in (gone, by_hand))
    assert "Another name" in page and "lab" in (letters()[0].body or "")
    assert "The letter itself is not kept once it is sent: this is written anew." in page
    assert "written anew" not in other


def statements(ask: Callable[[], object]) -> int:
    """How many are sent to the database for this."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        sent.append(statement)

    sqlalchemy.event.listen(db.engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        sqlalchemy.event.remove(db.engine, "before_cursor_execute", note)
    return len(sent)


def test_the_working_list_says_of_many_what_a_page_says_of_one_and_asks_no_more_for_them(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    approved(lab, now - 10 * DAY, AGAIN | {"wait": "P1D"}, STEP)
    takes("carrier", "referral", now=now - 9 * DAY)
    made_anew, at = key("abuse@carrier.example"), now - 2.5 * DAY
    with transaction() as session:
        team = session.query(Team).filter_by(slug="carrier").one().id
        pinned = {"fingerprint": made_anew.fingerprint, "public": made_anew.text, "state": "pinned"}
        session.add(
            TeamKey(
                ref=new_ref(now), team_id=team, algorithm="Ed25519", addresses=["Abuse@carrier.example"],
                actor="user:s", uploaded_at=at, pinned_at=at, **pinned,
            )
        )  # fmt: skip
    risky = incident_of(lab, at, tlp="TLP:GREEN", people_at_risk=True)
    case = incident_of(lab, at, tlp="TLP:GREEN")

    def more(times: int) -> list[str]:
        logged = []
        for _ in range(times):
            first = reported(lab, at, **TO, incident=case)
            second = reported(lab, at, **TO, incident=risky)
            with transaction() as session:  # of its parent's case
                parent = session.query(Notification).filter_by(ref=second).one()
                third = log_notification(
                    session, NewNotification(team="isp2", kind="referral", sent_at=at, **TO), workspace_id=lab.id,
                    now=at, actor="user:a", parent=parent,
                )  # fmt: skip
            logged += [first, second, third, reported(lab, at, **TO, tlp="TLP:RED"), reported(lab, at, **TO)]
        work(app, now)
        return logged

    browser = people.browser(app, people.person(now=now, workspace="lab", role="owner"), now=now)
    refs = more(1)
    assert browser.get("/unanswered").text.count("oes out by itself") >= 1
    few = statements(lambda: browser.get("/unanswered"))
    refs += more(6)
    assert statements(lambda: browser.get("/unanswered")) == few
    known, session = index(), db.session()
    found = ahead(refs, session, workspace_id=lab.id, known=known, now=now)
    for ref in refs:
        one = path_shown(session, Own(lab.id), ref, known=known, now=now)
        assert found[ref] == {name: one[name] for name in ("coming", "by_itself", "held")}
    assert {each["held"] for each in found.values()} >= {None, "people_at_risk"}
