"""The synthetic year: marked, apart, repeatable, and with the talk's case in it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from sqlalchemy import select

from pocdir.accounts.models import User, Workspace
from pocdir.app import create_app
from pocdir.config import Settings, look
from pocdir.core import clock
from pocdir.core.errors import Conflict, Invalid
from pocdir.db import db
from pocdir.incidents.models import Incident
from pocdir.latency.queries import cases, figures
from pocdir.latency.rules import verdict_matrix
from pocdir.ledger.queries import events_of_notification, stored, values_of
from pocdir.ledger.rules.admission import check_event
from pocdir.ledger.rules.vocabulary import VOCABULARY
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.notifications import Own
from pocdir.outreach.rules.fold import state_of
from pocdir.site.actions import demo as actions
from pocdir.site.commands import demo
from pocdir.site.queries.ledger import verification
from pocdir.site.rules.demo import EMAIL, TALK, YEAR, Case, year
from tests.accounts import made as people
from tests.conftest import settings_for
from tests.site.service import environment, running

SIZE = {"notifications": 120, "incidents": 5, "teams": 20}
UNTIL = dt.datetime(2026, 6, 17, tzinfo=dt.UTC)
TEAMS = [f"team-{n}" for n in range(30)]
DOCUMENTATION = [
    ipaddress.ip_network(block)
    for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]


def told(seed: int = 1, **more: Any) -> list[Case]:
    sizes = {"notifications": 300, "incidents": 12, "until": UNTIL} | more
    return list(year(seed, TEAMS, "team-3", **sizes))


def test_the_same_seed_gives_the_same_year() -> None:
    assert told(1) == told(1)
    assert told(1) != told(2)


def test_the_year_has_as_many_cases_and_notifications_as_asked_for() -> None:
    cases = told()
    assert (len(cases), sum(len(case.notices) for case in cases)) == (12, 300)
    assert sum(len(case.notices) for case in told(notifications=3000, incidents=40)) == 3000


def test_everything_lies_in_the_year_and_follows_its_sending() -> None:
    for case in told():
        assert case.opened_at >= UNTIL - YEAR
        for notice in case.notices:
            assert case.opened_at <= notice.sent_at < UNTIL
            assert all(notice.sent_at <= fact.at < UNTIL for fact in notice.facts)


def test_addresses_are_of_the_documentation_blocks_only() -> None:
    for case in told():
        for notice in case.notices:
            assert (
                notice.channel[1].endswith((".example", ".example/report")) or "555 01" in notice.channel[1]
            )
            for value in notice.assets:
                address = ipaddress.ip_address(value)
                assert any(address in block for block in DOCUMENTATION)


def test_a_team_behaves_by_its_slug_and_the_seed_alone() -> None:
    """Whoever else is there, and in whatever order they come."""
    more = list(year(1, [*TEAMS[::-1], "team-x"], "team-3", notifications=300, incidents=12, until=UNTIL))
    channels = [{n.team: n.channel for case in cases for n in case.notices} for cases in (told(), more)]
    assert all(channels[1].get(team, channel) == channel for team, channel in channels[0].items())


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("real")
    (folder / "demo").mkdir()
    (folder / "pocdir.db").write_bytes(b"the real one")
    return settings_for(folder / "demo", f"sqlite:///{folder / 'demo' / 'pocdir.db'}")


@pytest.fixture(scope="module")
def made(settings: Settings) -> dict[str, Any]:
    return demo.make(settings, seed=1, until=UNTIL.date(), say=lambda _line: None, **SIZE)


@pytest.fixture
def database(settings: Settings, made: dict[str, Any]) -> Iterator[None]:
    with actions.database_of(settings):
        yield


def test_it_is_as_large_as_asked_for_and_its_owner_gets_a_link(made: dict[str, Any], database: None) -> None:
    assert (made["notifications"], made["incidents"], made["teams"]) == (120, 5, 20)
    assert made["link"].startswith("http://localhost:8000/welcome/")
    assert len(db.session.execute(select(Notification.id)).all()) == 120
    assert len(db.session.execute(select(Incident.id)).all()) == 5


def test_its_owner_keeps_the_directory_too_and_finds_something_to_decide(
    settings: Settings, made: dict[str, Any]
) -> None:
    app = create_app(replace(settings, demo=True))
    with app.app_context():
        owner = db.session.scalars(select(User).where(User.email == EMAIL)).one()
        reader = people.browser(app, owner, now=clock.now())
        assert reader.get("/steward").status_code == 200
        waiting = reader.get("/directory/quarantine").text
        assert waiting.count("An invented list") == 1
        assert "Cedar Cable (invented)" in reader.get("/directory/duplicates").text
        (held,) = set(re.findall(r"/directory/quarantine/[0-9a-f-]{36}", waiting))
        text = reader.get(held).text
        assert "B\u0456rch Hosting" in text
        assert "Elm Telecom" in text
        db.engine.dispose()


def test_the_real_database_is_untouched(settings: Settings, made: dict[str, Any]) -> None:
    assert (settings.data.parent / "pocdir.db").read_bytes() == b"the real one"
    assert made["database"] == str(settings.data / "pocdir.db")


def test_the_talks_case_is_there_and_can_be_counted(made: dict[str, Any], database: None) -> None:
    incident = db.session.scalars(select(Incident).where(Incident.title == TALK)).one()
    report, request = db.session.scalars(
        select(Notification).where(Notification.incident_id == incident.id).order_by(Notification.id)
    )
    assert (report.response, report.outcome, report.clock) == ("awaiting", "observed", "lapsed")
    assert (request.kind, request.parent_id, request.clock) == ("sample_request", report.id, "lapsed")
    lapses = {
        event.payload["of"]: event.occurred_at - row.sent_at
        for row in (report, request)
        for event in events_of_notification(row.ref)
        if event.type == "expectation.lapsed"
    }
    assert lapses == {"acknowledgement": dt.timedelta(hours=48), "sample": dt.timedelta(hours=24)}
    (gone,) = (e for e in events_of_notification(report.ref) if e.type == "outcome.remediation_observed")
    assert gone.occurred_at - report.sent_at < dt.timedelta(hours=48)
    workspace = db.session.scalars(select(Workspace)).one()
    found = cases(Own(workspace.id), level="acknowledgement", now=UNTIL, team=made["talk_team"])
    of_the_talk = [each for each in found if each.ref in (report.ref, request.ref)]
    assert [each.answered for each in of_the_talk] == [False, False]
    assert verdict_matrix(each.verdict for each in of_the_talk)["no_answer"]["observed"] == 1


def test_every_page_says_that_it_is_a_demonstration(settings: Settings, made: dict[str, Any]) -> None:
    for demo_, said in ((True, 1), (False, 0)):
        app = create_app(replace(settings, demo=demo_))
        assert app.test_client().get("/methods").text.count("Every notification and every answer") == said
        with app.app_context():
            db.engine.dispose()


def test_figures_have_something_to_show(made: dict[str, Any], database: None) -> None:
    workspace = db.session.scalars(select(Workspace)).one()
    found = cases(Own(workspace.id), level="acknowledgement", now=UNTIL)
    (all_,) = figures(found, None)
    assert 0.2 * all_.n < all_.events < all_.n
    assert sum(each.n > 0 for each in figures(found, "month")) >= 2
    assert len(Counter(each.verdict for each in found)) >= 4


def test_every_state_is_the_fold_of_its_events(made: dict[str, Any], database: None) -> None:
    for row in db.session.scalars(select(Notification)):
        state = state_of(events_of_notification(row.ref))
        assert (row.transport, row.response, row.outcome, row.clock, row.sent_level, row.due) == (
            state.transport, state.response, state.outcome, state.clock, state.sent_level, state.due,
        )  # fmt: skip


def test_every_event_keeps_to_the_vocabulary_and_the_record_verifies(
    made: dict[str, Any], database: None
) -> None:
    kept = values_of(row.id for row in stored())
    for row in stored():
        sealed = {name: value for name, (_, value) in kept.get(row.id, {}).items()}
        assert check_event(row.type, row.payload | sealed) == (row.payload, sealed)
        assert row.claimed_by in VOCABULARY[row.type].claimed_by
    assert verification().faults == ()


def test_nothing_due_is_left_unrecorded(made: dict[str, Any], database: None) -> None:
    assert all(
        row.due is None or row.due > UNTIL - dt.timedelta(seconds=5)
        for row in db.session.scalars(select(Notification))
    )


def test_a_database_that_was_not_made_here_stays(tmp_path: Path) -> None:
    (tmp_path / "pocdir.db").write_bytes(b"somebody's")
    with pytest.raises(Conflict, match="not made by"):
        demo.make(
            settings_for(tmp_path, f"sqlite:///{tmp_path / 'pocdir.db'}"),
            seed=1,
            until=UNTIL.date(),
            say=print,
            **SIZE,
        )
    assert (tmp_path / "pocdir.db").read_bytes() == b"somebody's"


def test_a_year_that_is_not_over_is_refused(settings: Settings, now: dt.datetime) -> None:
    with time_machine.travel(now), pytest.raises(Invalid, match="to come"):
        demo.make(settings, seed=1, until=dt.date(2026, 11, 23), say=print, **SIZE)


def test_it_is_known_by_its_mark_whatever_the_environment_says(
    settings: Settings, made: dict[str, Any]
) -> None:
    assert look({"POCDIR_DATA": str(settings.data)}).demo
    assert not look({"POCDIR_DATA": str(settings.data.parent)}).demo


def test_one_link_leads_to_the_filled_workspace_and_none_to_an_empty_one(tmp_path: Path) -> None:
    sizes = ("--notifications", "100", "--incidents", "2", "--teams", "10")
    environ = environment(tmp_path)
    with running(tmp_path, "demo", "--up", *sizes, environ=environ) as service:
        said, logged = service.said, service.logged
        links = re.findall(r"http://\S+/welcome/\S+", said)
        assert len(links) == 1
        assert said.rstrip().endswith(links[0])
        assert EMAIL in service.get(urlsplit(links[0]).path)[1]
        assert service.stop() == 0
    assert "100 %" not in logged.splitlines()[1], "it says how far it is, not only that it is done"
    assert "All 100 notifications are recorded." in logged
    with running(tmp_path, "up", environ=environment(tmp_path / "demo")) as service:
        assert "The demonstration's one-time link" in service.said
        assert "No admin" not in service.said
        assert "Every notification and every answer" in service.get("/methods")[1]
        assert service.stop() == 0


def test_its_settings_lead_nowhere_near_the_real_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {
        "DATA": str(tmp_path),
        "DATABASE_URL": "postgresql://real/pocdir",
        "SMTP_URL": "smtp://mail.example",
        "SECRET_KEY": "s" * 40,
    }.items():
        monkeypatch.setenv(f"POCDIR_{name}", value)
    found = demo.demo_settings()
    assert found.demo
    assert (found.data, found.sqlite_path) == (tmp_path / "demo", tmp_path / "demo" / "pocdir.db")
    assert found.smtp_url is None
    assert found.secret_key != "s" * 40
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
