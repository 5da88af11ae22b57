"""Answer times over the API and on the command line: the caller's own, and nothing of anybody else's."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask

from pocdir.accounts.actions import create_token, create_workspace
from pocdir.accounts.models import Workspace
from pocdir.accounts.queries import team_id_of
from pocdir.cli import pocdir
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.directory.actions.rows import bump_version
from pocdir.directory.models import Team
from tests.conftest import Api
from tests.latency.made import DAY, event, told
from tests.outreach import made


@pytest.fixture(autouse=True)
def _today(app: Flask, now: dt.datetime) -> Iterator[None]:
    with time_machine.travel(now, tick=False):
        made.teams(now - 400 * DAY)
        yield


@pytest.fixture
def year(lab: Workspace, now: dt.datetime) -> None:
    """Two answers after one and three days by one team; one of the other's still open after ten."""
    start = now - 40 * DAY
    for answer in (1, 3):
        event(lab, told(lab, at=start), "ack.given", at=start + answer * DAY)
    told(lab, at=now - 10 * DAY, team="isp")
    db.session.remove()


def test_all_together_has_the_whole_shape(api: Api, year: None, now: dt.datetime) -> None:
    answer = api.get("/api/v1/latency").get_json()
    assert answer == {
        "level": "acknowledgement",
        "by": None,
        "sent_level": "P0",
        "rules": "met",
        "left_out": 0,
        "as_known_at": isoformat(now),
        "groups": [
            {
                "key": "all",
                "label": "all",
                "n": 3,
                "events": 2,
                "censored": 1,
                "undated": 0,
                "ended_otherwise": {"undeliverable": 0, "misdirected": 0},
                "median_seconds": 3 * 86_400,
                "band": answer["groups"][0]["band"],
                "quartiles": [86_400, None],
                "within": {"P1D": pytest.approx(1 / 3), "P3D": pytest.approx(2 / 3), "P7D": pytest.approx(2 / 3),
                           "P30D": None},
                "promise": {"n": 0, "share": None, "band": [None, None], "shortest_seconds": None,
                            "longest_seconds": None},
                "states": [],
                "suppressed": False,
            }
        ],
    }  # fmt: skip
    assert len(answer["groups"][0]["band"]) == 2


def test_without_notifications_one_group_says_so(api: Api) -> None:
    (group,) = api.get("/api/v1/latency").get_json()["groups"]
    assert (group["n"], group["median_seconds"], group["within"]["P1D"]) == (0, None, None)
    assert api.get("/api/v1/latency/curve").get_json() == {"items": []}


def test_groups_side_by_side_by_their_keys(api: Api, year: None) -> None:
    groups = api.get("/api/v1/latency", by="team").get_json()["groups"]
    assert [(each["key"], each["n"], each["events"]) for each in groups] == [("cert-at", 2, 2), ("isp", 1, 0)]
    kept = api.get("/api/v1/latency", by="kind", team="isp").get_json()["groups"]
    assert [each["key"] for each in kept] == ["provider"]


def test_beside_a_teams_figures_stands_why_they_say_little(
    api: Api, lab: Workspace, year: None, now: dt.datetime
) -> None:
    event(lab, told(lab, at=now - 9 * DAY), "response.contested", at=now - 8 * DAY)
    told(lab, at=now - 8 * DAY, team="mute")
    with transaction() as session:
        session.query(Team).filter_by(slug="isp").update({"profile": {"intake": ["feeds"]}})
        bump_version(session, now=now)
    groups = api.get("/api/v1/latency", by="team").get_json()["groups"]
    assert {each["key"]: each["states"] for each in groups} == {
        "cert-at": ["disputed"], "isp": ["feeds", "too_few"], "mute": ["no_address", "too_few"],
    }  # fmt: skip


def test_the_curve_steps_down_with_each_answer(api: Api, year: None) -> None:
    items = api.get("/api/v1/latency/curve").get_json()["items"]
    assert [(each["t"], each["at_risk"]) for each in items] == [
        (0, 3),
        (86_400, 3),
        (259_200, 2),
        (864_000, 1),
    ]
    assert [each["s"] for each in items] == pytest.approx([1, 2 / 3, 1 / 3, 1 / 3])
    with_band = [each for each in items if 0 < each["s"] < 1]
    assert with_band
    assert all(each["lo"] < each["s"] < each["hi"] for each in with_band)
    assert all(each["lo"] is each["hi"] is None for each in items if each not in with_band)


def test_figures_as_they_were_known_then(api: Api, year: None, now: dt.datetime) -> None:
    then = isoformat(now - 38 * DAY)
    answer = api.get("/api/v1/latency", as_known_at=then).get_json()
    assert (answer["as_known_at"], answer["groups"][0]["n"], answer["groups"][0]["events"]) == (then, 2, 1)
    later = api.get("/api/v1/latency", as_known_at="2200-01-01T00:00:00Z").get_json()
    assert later["as_known_at"] == isoformat(now)


@pytest.mark.parametrize(
    "query",
    [
        {"by": "colour"},
        {"level": "happiness"},
        {"sent_level": "P9"},
        {"since": "yesterday"},
        {"until": "2026-11-22"},
        {"as_known_at": "0001-01-01T00:00:00+23:59"},
        {"team": "a\u0000b"},
    ],
)
def test_what_it_cannot_mean_is_refused(api: Api, query: dict[str, str]) -> None:
    response = api.get("/api/v1/latency", **query)
    assert (response.status_code, response.get_json()["code"]) == (422, "invalid")


def test_a_team_that_is_none_has_no_zeros(api: Api, year: None) -> None:
    for path in ("/api/v1/latency", "/api/v1/latency/curve"):
        refused = api.get(path, team="zz")
        assert (refused.status_code, refused.get_json()["code"]) == (404, "team_unknown")


def test_a_team_nobody_told_has_no_figure(api: Api, year: None) -> None:
    assert api.get("/api/v1/latency", team="mute", by="team").get_json()["groups"] == []


def test_another_workspace_sees_nothing(app: Flask, year: None, now: dt.datetime) -> None:
    with transaction() as session:
        other = create_workspace(session, name="other", now=now, actor="operator")
        token = create_token(session, workspace_id=other.id, now=now, actor="operator")[1]
    outsider = Api(app, token)
    assert outsider.get("/api/v1/latency").get_json()["groups"][0]["n"] == 0
    assert outsider.get("/api/v1/latency", by="team").get_json()["groups"] == []
    assert Api(app, None).get("/api/v1/latency").status_code == 401


def test_a_team_sees_what_was_sent_to_it(app: Flask, year: None, now: dt.datetime) -> None:
    with transaction() as session:
        team = team_id_of(session, "isp")
        token = create_token(session, workspace_id=None, team_id=team, now=now, actor="operator")[1]
    answer = Api(app, token).get("/api/v1/latency", by="team").get_json()
    assert (answer["sent_level"], answer["groups"]) == (
        "P2",
        [],
    )  # what nobody has proven moves nothing about a team
    groups = Api(app, token).get("/api/v1/latency", by="team", sent_level="P0").get_json()["groups"]
    assert [(each["key"], each["n"]) for each in groups] == [("isp", 1)]


def test_the_command_prints_what_the_api_answers(api: Api, year: None) -> None:
    result = CliRunner().invoke(pocdir, ["latency", "--by", "team", "--json"])
    answer = api.get("/api/v1/latency", by="team").get_json()
    groups = answer.pop("groups")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [answer | group for group in groups]


def test_the_command_reads_as_a_table_in_words(api: Api, year: None) -> None:
    result = CliRunner().invoke(pocdir, ["latency", "--by", "team", "--workspace", "lab"])
    assert result.stdout.splitlines() == [
        "group\tn\tanswered\tstill open\tnot delivered\thalf within\twithin 3 days\twithin promise\tbeside it",
        "CERT.at\t2\t2\t0\t0\t1.0 days\t100%\tnone published\t",
        "ISP abuse desk\t1\t0\t1\t0\tfewer than half so far\t0%\tnone published\ttoo few",
    ]


def test_the_command_says_when_there_is_nothing(api: Api, app: Flask) -> None:
    assert CliRunner().invoke(pocdir, ["latency"], standalone_mode=False).return_value == 1
