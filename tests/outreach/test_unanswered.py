"""What is still open as a working list: filters in the address, one fact about many rows, and a feed."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask

from pocdir import cli
from pocdir.accounts import actions, queries
from pocdir.core.refs import new_ref
from pocdir.db import transaction
from pocdir.outreach import jobs
from pocdir.site.queries.ledger import verified
from tests.accounts import made
from tests.conftest import Api
from tests.outreach.browsing import event_count
from tests.outreach.made import teams

DAY = dt.timedelta(days=1)
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def world(app: Flask, api: Api, now: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict]:
    """Three that were told ten days ago and have not answered, one of them RED; rivals have one too."""
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    with time_machine.travel(now - 10 * DAY, tick=False) as travel:
        teams(now - 10 * DAY)
        incident = api.post("/api/v1/incidents", {"title": "a sinkhole"}).get_json()["ref"]
        bodies = (
            {"team": "isp", "incident": incident, "subject": "not for the feed"},
            {"team": "cert-at", "expect": [{"of": "acknowledgement", "within": "P9D"}]},
            {"team": "cert-at", "tlp": "TLP:RED"},
        )
        refs = [api.post("/api/v1/notifications", body).get_json()["ref"] for body in bodies]
        ben = made.person("ben@example.org", now=now, workspace="rivals", role="owner")
        with transaction() as session:
            rivals = queries.workspace_by_slug(session, "rivals")
            _, text = actions.create_token(session, workspace_id=rivals.id, now=now, actor="operator")
        theirs = Api(app, text).post("/api/v1/notifications", {"team": "isp"}).get_json()["ref"]
        travel.move_to(now)
        jobs.record_lapses(now)
        anna = made.person(now=now, workspace="lab", role="researcher")
        yield {
            "incident": incident,
            "refs": refs,
            "theirs": theirs,
            "anna": made.browser(app, anna, now=now),
            "clock": travel,
            "ben": made.browser(app, ben, now=now),
        }


def listed(api: Api, **query: object) -> list[str]:
    return [item["ref"] for item in api.get("/api/v1/unanswered", **query).get_json()["items"]]


def test_the_list_is_narrowed_by_team_incident_age_and_due(api: Api, world, now) -> None:
    first, second, third = world["refs"]
    assert listed(api) == [first, second, third]
    assert listed(api, incident=world["incident"]) == [first]
    assert listed(api, team="cert-at") == [second, third]
    assert listed(api, due_before=(now - 5 * DAY).isoformat()) == [first, third]
    assert listed(api, older_than="P30D") == []
    page = (
        world["anna"].get(f"/unanswered?due_ago=P7D&team=isp&incident={world['incident']}&sort=incident").text
    )
    assert first in page
    assert second not in page
    assert world["anna"].get(f"/unanswered?incident={new_ref(now)}").text.count('name="choose"') == 0
    done = CliRunner().invoke(
        cli.pocdir, ["unanswered", "--incident", world["incident"], "--workspace", "lab", "--json"]
    )
    assert [json.loads(line)["ref"] for line in done.stdout.splitlines()] == [first]


def test_the_list_goes_by_each_order_page_for_page_and_the_feed_keeps_its_filter(
    app: Flask, api: Api, world, now, capsys
) -> None:
    first, second, third = world["refs"]
    fact = {
        "type": "expectation.set",
        "payload": {"of": "sample", "within": "P8D"},
        "occurred_at": "2026-11-13T12:00:00Z",
    }
    assert api.post(f"/api/v1/notifications/{third}/events", fact).status_code == 201
    for sort in ("team", "sent", "incident", "due", "step"):
        for sign in ("", "-"):
            paged, cursor = [], {}
            while True:
                part = api.get("/api/v1/unanswered", sort=sign + sort, limit=1, **cursor).get_json()
                paged += [each["ref"] for each in part["items"]]
                if part["next"] is None:
                    break
                cursor = {"cursor": part["next"]}
            assert paged == listed(api, sort=sign + sort)
            assert sorted(paged) == sorted(world["refs"])
    assert listed(api, sort="-due")[0] == second
    assert listed(api, sort="team") == [second, third, first]
    assert (
        api.get("/api/v1/unanswered", sort="-due", cursor=world["theirs"]).get_json()["code"]
        == "cursor_unknown"
    )
    assert (listed(api, step="none"), listed(api, step="due")) == ([first, second, third], [])
    assert [api.get("/api/v1/unanswered", **{name: "x"}).status_code for name in ("sort", "step")] == [
        422,
        422,
    ]
    assert cli.run(["unanswered", "--sort", "-due", "--step", "none", "--workspace", "lab", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["ref"] == second
    page = world["anna"].get("/unanswered?team=isp&step=none&older_than=P1D&sort=team").text
    link = re.search(r'href="(/feed/[^"]+)"', page)[1].replace("&amp;", "&")
    feed = app.test_client().get(link)
    assert [ref in feed.text for ref in world["refs"]] == [True, False, False]
    root = ElementTree.fromstring(feed.data)
    back = next(it.get("href") for it in root.iter(f"{ATOM}link") if "/unanswered" in it.get("href"))
    assert world["anna"].get(back.partition("localhost:8000")[2]).status_code == 200
    assert first not in app.test_client().get(link.replace("step=none", "step=due")).text
    assert app.test_client().get(link + "&nonsense=1").status_code == 422


def test_one_fact_about_many_rows_each_with_its_own_refusal(api: Api, world) -> None:
    first, second, _third = world["refs"]
    body = {"type": "expectation.paused", "notifications": [first, world["theirs"], second, first]}
    items = api.post("/api/v1/events", body, **{"Idempotency-Key": "once"}).get_json()["items"]
    assert [item["ref"] for item in items] == [first, world["theirs"], second]
    assert items[1]["refused"]["code"] == "notification_unknown"
    assert items[0]["event"] and items[2]["event"]
    assert api.post("/api/v1/events", body, **{"Idempotency-Key": "once"}).get_json()["items"] == items
    for other in (
        {"notifications": [first]},
        {"payload": {"note": "another"}},
        {"type": "expectation.resumed"},
    ):
        answer = api.post("/api/v1/events", body | other, **{"Idempotency-Key": "once"})
        assert (answer.status_code, answer.get_json()["code"]) == (422, "idempotency_mismatch")
    stood = event_count()
    again = api.post("/api/v1/events", body).get_json()["items"]
    assert [(item["refused"] or {}).get("code") for item in again] == [
        "clock_not_running",
        "notification_unknown",
        "clock_not_running",
    ]
    assert listed(api, state="paused") == [first, second]
    assert event_count() == stood
    world["clock"].shift(60)
    done = cli.run(["record", "expectation.resumed", first, second, "--workspace", "lab"])
    assert (done, listed(api, state="paused")) == (0, [])
    assert cli.run(["record", "escalation.exhausted", first, "--workspace", "lab"]) == 1
    assert api.post("/api/v1/events", {"type": "ack.given", "notifications": []}).status_code == 422
    assert verified().faults == ()


def test_the_command_records_any_fact_with_what_it_says_through_the_same_check(api: Api, world) -> None:
    first, second, _third = world["refs"]

    def record(type_: str, *named: str, ref: str = first) -> int:
        payload = [word for each in named for word in ("--payload", each)]
        return cli.run(["record", type_, ref, "--workspace", "lab", *payload])

    assert record("response.passed_on", "count=31", "to=operators, by mail") == 0
    assert record("expectation.set", "of=sample", "within=PT24H", ref=second) == 0
    asked = api.get(f"/api/v1/notifications/{second}/events").get_json()["items"]
    [asked] = [
        each["id"]
        for each in asked
        if each["type"] == "expectation.set" and each["payload"]["of"] == "sample"
    ]
    assert record("expectation.changed", f"expectation={asked}", "within=P3D", ref=second) == 0
    assert record("reply.automatic", "subclass=receipt", 'ticket="31"') == 0
    events = api.get(f"/api/v1/notifications/{first}/events").get_json()["items"]
    said = {each["type"]: each for each in events}
    assert (said["response.passed_on"]["payload"]["count"], said["reply.automatic"]["payload"]["ticket"]) == (
        31,
        "31",
    )
    passed = said["response.passed_on"]["id"]
    assert record("event.corrected", f"event={passed}", "why=32 it was") == 0
    assert [record("response.passed_on", each) for each in ("count=NaN", "count=many", "nonsense=1")] == [
        1,
        1,
        1,
    ]
    assert [record("ack.given", *each) for each in (["count"], ["ticket=1", "ticket=2"])] == [2, 2]
    assert record("expectation.lapsed", "of=sample") == 1


def test_that_a_sample_came_is_said_by_page_for_many_rows_and_by_command_without_an_id(
    api: Api, world
) -> None:
    reported, anna, word = world["refs"][0], world["anna"], "The sample came, or there is none"
    asks = {"team": "isp", "kind": "sample_request"}
    one, two, three, four = (api.post("/api/v1/notifications", asks).get_json()["ref"] for _ in range(4))
    twice = {"type": "expectation.set", "payload": {"of": "sample", "within": "P8D"}}
    assert api.post(f"/api/v1/notifications/{two}/events", twice).status_code == 201
    world["clock"].shift(2 * DAY)
    jobs.record_lapses(dt.datetime.now(dt.UTC))
    assert {one, three} <= set(listed(api))

    path = f"/notifications/{one}"
    assert word in anna.get(path).text and word not in anna.get(f"/notifications/{reported}").text
    fact = {"type": "expectation.changed", "precision": "minute", "payload.note": "by courier"}
    assert anna.post(f"{path}/facts", data=fact).status_code == 302
    again = anna.post(f"{path}/facts", data=fact)
    assert again.status_code == 422 and "No sample is asked for here" in again.text
    assert word not in again.text and "What was asked for came" in again.text

    ticked = {"choose": [two, reported], "act": "expectation.changed"}
    assert (
        word in anna.get("/unanswered").text and word in anna.post("/unanswered/selected", data=ticked).text
    )
    done = anna.post("/unanswered/selected", data=ticked | {"confirmed": "yes"}).text
    assert (done.count("recorded</td>"), done.count("no_sample_asked")) == (1, 1)
    command = ["record", "expectation.changed", three, "--payload", "state=met", "--workspace", "lab"]
    assert [cli.run(command), cli.run(command)] == [0, 1]
    said = {"type": "expectation.changed", "payload": {"state": "met"}, "notifications": [four]}
    again = [api.post("/api/v1/events", said, **{"Idempotency-Key": "came"}).get_json() for _ in range(2)]
    assert again[0] == again[1] and again[0]["items"][0]["event"]
    for ref in (one, two, three, four):
        shown = api.get(f"/api/v1/notifications/{ref}").get_json()
        assert {(it["of"], it["state"]) for it in shown["expect"]} == {("sample", "stopped")}
    assert listed(api, team="isp") == [reported]
    assert api.get(f"/api/v1/notifications/{reported}").get_json()["state"]["clock"] == "lapsed"
    assert verified().faults == ()


def test_one_answer_to_a_ticket_is_an_answer_to_all_that_the_team_keeps_under_it(api: Api, world) -> None:
    first, second, third = world["refs"]
    for ref in (first, second, third):  # the number of another team is another ticket
        receipt = {"type": "reply.automatic", "payload": {"subclass": "receipt", "ticket": "INC-7"}}
        assert api.post(f"/api/v1/notifications/{ref}/events", receipt).status_code == 201
    answered = ["record", "ack.given", "--workspace", "lab", "--for-ticket", "INC-7"]
    said = {"type": "response.accepted", "for_ticket": "INC-7", "team": "cert-at"}
    done = api.post("/api/v1/events", said).get_json()["items"]
    assert [(each["ref"], each["refused"]) for each in done] == [(second, None), (third, None)]
    for wrong, where in (
        ({"notifications": [first]}, "notifications"),
        ({"for_ticket": None}, "notifications"),
    ):
        assert where in api.post("/api/v1/events", said | wrong).get_json()["errors"]
    unknown = api.post("/api/v1/events", said | {"team": "nobody"})
    assert (unknown.status_code, unknown.get_json()["code"]) == (404, "team_unknown")
    del said["team"]
    assert "team" in api.post("/api/v1/events", said).get_json()["errors"]
    assert cli.run([*answered, "--team", "cert-at"]) == 0
    assert listed(api) == [first]
    assert cli.run([*answered[:-1], "INC-8", "--team", "cert-at"]) == 1
    assert cli.run(answered) == 2


def test_on_the_page_it_is_asked_once_more(api: Api, world) -> None:
    first, second, third = world["refs"]
    ticked = {"act": "ack.given", "choose": [first, second, world["theirs"]]}
    asked = world["anna"].post("/unanswered/selected", data=ticked)
    assert (asked.status_code, len(listed(api))) == (200, 3)
    assert asked.text.count('name="choose"') == 3
    turned = {"confirmed": "yes", "note": "by \u202eenohp"}
    assert "payload_invalid" in world["anna"].post("/unanswered/selected", data=ticked | turned).text
    assert len(listed(api)) == 3
    done = world["anna"].post("/unanswered/selected", data=ticked | {"confirmed": "yes", "note": "by phone"})
    assert "notification_unknown" in done.text
    assert listed(api) == [third]
    assert "by phone" in api.get(f"/api/v1/notifications/{first}/events").text
    none = world["anna"].post("/unanswered/selected?sort=team&older_than=P1D", data={"act": "reply.human"})
    assert none.status_code == 422
    assert "Choose at least one row" in none.text
    assert 'action="/unanswered/selected?sort=team&amp;older_than=P1D"' in none.text
    assert 'href="/unanswered?' in none.text and 'href="?sort' not in none.text
    assert f'value="{third}"' in none.text and '<option value="reply.human" selected>' in none.text
    wrong = ticked | {"act": "expectation.lapsed", "confirmed": "yes"}
    assert world["anna"].post("/unanswered/selected", data=wrong).status_code == 422


def test_the_feed_says_for_whom_one_waits_and_nothing_of_what_it_is_about(
    app: Flask, api: Api, world, now, capsys
) -> None:
    first, _second, third = world["refs"]
    link = re.search(r'href="(/feed/[^"]+)"', world["anna"].get("/unanswered").text)[1]
    answer = app.test_client().get(link)
    assert (answer.status_code, answer.mimetype) == (200, "application/atom+xml")
    entries = {
        each.findtext(f"{ATOM}id"): each for each in ElementTree.fromstring(answer.data).iter(f"{ATOM}entry")
    }
    assert cli.run(["feed", "anna@example.org", "--workspace", "lab"]) == 0
    assert capsys.readouterr().out.strip().endswith(link)
    assert cli.run(["feed", "ben@example.org", "--workspace", "lab"]) == 1
    assert set(entries) == {f"urn:uuid:{ref}" for ref in world["refs"]}
    assert "ISP abuse desk" in entries[f"urn:uuid:{first}"].findtext(f"{ATOM}title")
    assert "CERT.at" not in entries[f"urn:uuid:{third}"].findtext(f"{ATOM}title")
    for kept_out in ("not for the feed", "a sinkhole", "/feed/"):
        assert kept_out not in answer.text
    by_api = api.get("/api/v1/unanswered.atom")
    assert (by_api.mimetype, by_api.data) == (answer.mimetype, answer.data)
    assert api.get("/api/v1/unanswered.atom", team="nobody").status_code == 404
    theirs = re.search(r'href="(/feed/[^"]+)"', world["ben"].get("/unanswered").text)[1]
    assert theirs != link
    assert first not in app.test_client().get(theirs).text

    for wrong in (link[:-1] + ("A" if link[-1] != "A" else "B"), "/feed/x", "/feed/" + "A" * 67):
        assert app.test_client().get(wrong).status_code == 404
    with transaction() as session:
        anna = queries.user_by_email(session, "anna@example.org")
        actions.set_password(session, user=anna, password_hash=made.HASH, now=now, actor="operator")
    assert app.test_client().get(link).status_code == 404
