"""Which notifications stand behind a figure, and how long each took."""

from __future__ import annotations

import datetime as dt

import pytest
from flask import Flask
from sqlalchemy import text, update

from pocdir.accounts.actions import create_workspace
from pocdir.accounts.models import Workspace
from pocdir.accounts.queries import team_id_of
from pocdir.db import transaction
from pocdir.directory.models import Team
from pocdir.incidents.actions import change_incident, open_incident
from pocdir.incidents.models import Incident
from pocdir.latency import queries
from pocdir.latency.queries import cases, figures
from pocdir.latency.rules import WINDOWS, became_by, verdict_matrix
from tests.latency.made import DAY, HOUR, Own, days, event, figure, told
from tests.outreach import made


@pytest.fixture(autouse=True)
def _teams(app: Flask, now: dt.datetime) -> None:
    made.teams(now - 400 * DAY)


@pytest.fixture
def start(now: dt.datetime) -> dt.datetime:
    return now - 100 * DAY


def test_an_answer_ends_the_clock_and_what_is_open_counts_until_now(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    answered = told(lab, at=start)
    told(lab, at=start + 90 * DAY, team="isp")
    event(lab, answered, "ack.given", at=start + 3 * DAY)
    assert days(figure(lab, now)) == [(3, True), (10, False)]


def test_figures_are_those_of_a_calculation_by_hand(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    # 1, 2, 4 days answered, one withdrawn after 3 days: S = 3/4, 1/2, then 0 at 4 days (one left at risk).
    for answer in (1, 2, 4):
        event(lab, told(lab, at=start), "ack.given", at=start + answer * DAY)
    gone = told(lab, at=start)
    event(lab, gone, "notification.withdrawn", at=start + 3 * DAY, reason="resolved")
    (all_,) = figures(figure(lab, now), None)
    assert (all_.key, all_.n, all_.events, all_.censored) == ("all", 4, 3, 1)
    assert all_.median_seconds == 2 * 86_400
    assert all_.quartiles == (86_400, 4 * 86_400)
    assert all_.within == {"P1D": 0.25, "P3D": 0.5, "P7D": 1.0, "P30D": 1.0}


def test_who_never_answers_stays_in_the_figure(lab: Workspace, now: dt.datetime, start: dt.datetime) -> None:
    event(lab, told(lab, at=start), "ack.given", at=start + HOUR)
    for _ in range(2):
        told(lab, at=start)
    (all_,) = figures(figure(lab, now), None)
    assert (all_.n, all_.events, all_.median_seconds) == (3, 1, None)
    assert all_.within["P30D"] == pytest.approx(1 / 3)


def test_nothing_logged_is_one_empty_group_or_none(lab: Workspace, now: dt.datetime) -> None:
    assert [(each.key, each.n) for each in figures(figure(lab, now), None)] == [("all", 0)]
    assert figures(figure(lab, now), "team") == []


def test_what_was_logged_by_mistake_leaves_the_figure(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    for reason in ("mistake", "duplicate"):
        event(lab, told(lab, at=start), "notification.withdrawn", at=start + DAY, reason=reason)
    assert figure(lab, now) == []


def test_a_withdrawal_that_was_taken_back_counts_again(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    ref = told(lab, at=now - 9 * DAY)
    withdrawn = event(lab, ref, "notification.withdrawn", at=start + 95 * DAY, reason="mistake")
    event(lab, ref, "event.corrected", at=start + 96 * DAY, event=withdrawn, why="the wrong row")
    assert days(figure(lab, now)) == [(9, False)]


def test_what_was_told_for_information_owes_no_answer(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    ref = told(lab, at=start, answer_asked=False)
    event(lab, ref, "outcome.remediation_observed", at=start + DAY)
    assert figure(lab, now) == figure(lab, now, "answer") == figure(lab, now, "receipt") == []
    assert days(figure(lab, now, "remediation_observed")) == [(1, True)]


def test_a_test_message_is_no_report(lab: Workspace, now: dt.datetime, start: dt.datetime) -> None:
    told(lab, at=start, kind="ping")
    assert figure(lab, now) == figure(lab, now, "delivered") == []


def test_an_answer_that_may_be_automatic_is_none(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    ref = told(lab, at=now - 5 * DAY)
    event(lab, ref, "ack.given", at=now - 5 * DAY, by=("recipient", "A2"), may_be_automatic=True)
    assert days(figure(lab, now)) == [(5, False)]
    event(lab, ref, "ack.given", at=now - 3 * DAY, by=("recipient", "A2"))
    assert days(figure(lab, now)) == [(2, True)]


def test_a_machine_is_no_person(lab: Workspace, now: dt.datetime, start: dt.datetime) -> None:
    ref = told(lab, at=now - 5 * DAY)
    event(lab, ref, "reply.automatic", at=now - 5 * DAY + HOUR, by=("recipient", "S"), subclass="receipt")
    assert [each.answered for each in figure(lab, now)] == [False]
    assert days(figure(lab, now, "receipt")) == [(1 / 24, True)]


def test_a_delivery_report_does_not_start_the_clock_that_it_stops(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    ref = told(lab, at=start)
    event(lab, ref, "delivery.delivered", at=start + HOUR, by=("remote_mta", "S"))
    event(lab, ref, "ack.given", at=start + 3 * HOUR, by=("recipient", "A2"))
    assert days(figure(lab, now, "delivered")) == [(1 / 24, True)]
    assert days(figure(lab, now)) == [(2 / 24, True)]


def bounced(lab: Workspace, ref: str, at: dt.datetime) -> str:
    return event(lab, ref, "delivery.failed", at=at, by=("remote_mta", "S"), status="5.1.1")


def test_what_could_not_be_delivered_is_followed_until_it_bounced(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    ref = told(lab, at=start)
    bounced(lab, ref, start + HOUR)
    bounced(lab, ref, start + DAY)  # the last delivery failed: from now on nothing can arrive
    (found,) = figure(lab, now)
    assert (found.end, found.seconds) == ("undeliverable", 86_400)
    assert verdict_matrix([found.verdict])["undeliverable"]["unknown"] == 1


def test_a_bounce_that_was_answered_all_the_same_is_an_answer(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    ref = told(lab, at=start)
    bounced(lab, ref, start + HOUR)
    event(lab, ref, "ack.given", at=start + 3 * DAY)
    assert days(figure(lab, now)) == [(3, True)]


def test_bounces_are_the_directorys_and_make_no_team_slower(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    # Answered after 1 and 2 days, one open, one bounced at once. By hand: of the three that could be answered
    # S = 2/3, 1/3; of the four that were sent 1/4, then 1/2 were answered, and 1/4 could not be delivered.
    for answer in (1, 2):
        event(lab, told(lab, at=start), "ack.given", at=start + answer * DAY)
    told(lab, at=start)
    bounced(lab, told(lab, at=start), start)
    found = figure(lab, now)
    (all_,) = figures(found, None)
    assert (all_.n, all_.events, all_.censored, all_.ended_otherwise["undeliverable"]) == (4, 2, 1, 1)
    assert all_.median_seconds == 2 * 86_400
    assert [all_.within["P1D"], all_.within["P3D"]] == pytest.approx([1 / 3, 2 / 3])
    first, third, *_ = became_by(queries.incidence(found), WINDOWS.values())
    assert (first.answered, first.ended_otherwise["undeliverable"]) == pytest.approx((1 / 4, 1 / 4))
    assert (third.answered, third.still_open) == pytest.approx((1 / 2, 1 / 4))


def test_where_all_bounced_nothing_is_said_of_the_team(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    for _ in range(3):
        bounced(lab, told(lab, at=start), start + HOUR)
    (all_,) = figures(figure(lab, now), None)
    assert (all_.n, all_.censored, all_.ended_otherwise["undeliverable"]) == (3, 0, 3)
    assert (all_.median_seconds, all_.within["P7D"]) == (None, None)


def test_not_for_this_team_is_an_answer_and_ends_the_wait_for_what_they_would_do(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    ref = told(lab, at=start)
    event(lab, ref, "response.misdirected", at=start + DAY, by=("recipient", "A2"))
    assert days(figure(lab, now)) == days(figure(lab, now, "answer")) == [(1, True)]
    (found,) = figure(lab, now, "remediation_claimed")
    assert (found.end, found.seconds) == ("misdirected", 86_400)
    event(lab, ref, "response.accepted", at=start + 2 * DAY, by=("recipient", "A2"))
    assert [each.end for each in figure(lab, now, "remediation_claimed")] == [None]


def test_answers_that_may_be_automatic_are_counted_apart(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    for more in ({}, {"may_be_automatic": True}):
        event(lab, told(lab, at=start), "ack.given", at=start, by=("recipient", "A2"), **more)
    found = figure(lab, now)
    assert sum(verdict_matrix(each.verdict for each in found)["answered"].values()) == 2
    assert sum(each.answered for each in found) == queries.may_be_automatic(found) == 1


def test_acted_and_never_answered_is_a_cell_of_its_own(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    event(lab, told(lab, at=start), "outcome.remediation_observed", at=start + 2 * DAY, count=12, all=12)
    found = figure(lab, now)
    assert [(*each.verdict, each.answered) for each in found] == [("no_answer", "observed", False)]


def test_nothing_recorded_later_is_known(lab: Workspace, now: dt.datetime, start: dt.datetime) -> None:
    ref = told(lab, at=start)
    event(lab, ref, "ack.given", at=start + DAY, recorded=start + 20 * DAY)
    told(lab, at=start, recorded=start + 30 * DAY)
    assert days(figure(lab, start + 10 * DAY)) == [(10, False)]
    assert days(figure(lab, start + 20 * DAY)) == [(1, True)]
    assert days(figure(lab, now)) == [(1, True), (100, False)]


def case_of(lab: Workspace, start: dt.datetime) -> Incident:
    with transaction() as session:
        return open_incident(
            session, workspace_id=lab.id, now=start, actor="user:a", given={"title": "Sinkhole"}
        )


def set_closed(case: Incident, closed: bool, *, at: dt.datetime) -> None:
    with transaction() as session:
        change_incident(
            session, session.get_one(Incident, case.id), now=at, actor="user:a", given={"closed": closed}
        )


def test_a_closed_case_is_followed_no_longer(lab: Workspace, now: dt.datetime, start: dt.datetime) -> None:
    case = case_of(lab, start)
    ref = told(lab, at=start, incident=case)
    set_closed(case, True, at=start + 4 * DAY)
    event(lab, ref, "ack.given", at=start + 6 * DAY)
    assert days(figure(lab, now)) == [(4, False)]
    assert [queries.answered_later(figure(lab, at)) for at in (now, start + 5 * DAY)] == [1, 0]
    assert days(figure(lab, start + 2 * DAY)) == [(2, False)]


def test_a_case_that_was_opened_again_is_followed_on(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    case = case_of(lab, start)
    told(lab, at=start, incident=case)
    set_closed(case, True, at=start + 4 * DAY)
    set_closed(case, False, at=start + 8 * DAY)
    assert days(figure(lab, start + 6 * DAY)) == [(4, False)]
    assert days(figure(lab, start + 9 * DAY)) == [(9, False)]


def test_closing_is_read_from_the_events_and_not_from_the_column(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    case = case_of(lab, start)
    told(lab, at=start, incident=case)
    with transaction() as session:
        session.get_one(Incident, case.id).closed_at = start + DAY
    assert days(figure(lab, start + 9 * DAY)) == [(9, False)]


def test_figures_rest_on_events_and_not_on_columns(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    ref = told(lab, at=start)
    event(lab, ref, "ack.given", at=start + DAY)
    told(lab, at=start, answer_asked=False)
    before = figure(lab, now)
    with transaction() as session:
        session.execute(
            text(
                "UPDATE notifications SET response = 'awaiting', sent_level = 'P4', channel_kind = 'phone', "
                "answer_asked = (1 = 1), withdrawn_at = created_at, kind = 'ping'"
            )
        )
    assert figure(lab, now) == before
    assert figure(lab, now, sent_level="P4") == []


def test_only_what_was_surely_sent_when_asked_so(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    told(lab, at=start)
    proven = told(lab, at=start)
    event(lab, proven, "delivery.delivered", at=start, by=("remote_mta", "S"))
    assert [each.ref for each in figure(lab, now, sent_level="P2")] == [proven]
    assert len(figure(lab, now)) == 2


def test_a_window_of_sending_begins_with_its_first_moment_and_ends_before_its_last(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    refs = [told(lab, at=start + n * DAY) for n in range(3)]
    found = figure(lab, now, since=start + DAY, until=start + 2 * DAY)
    assert [each.ref for each in found] == refs[1:2]
    assert [each.ref for each in figure(lab, now, team="isp")] == []


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("team", [("cert-at", "CERT.at"), ("isp", "ISP abuse desk")]),
        ("kind", [("national", "national"), ("provider", "provider")]),
        ("country", [("AT", "Austria")]),
        ("channel", [("email", "email"), ("phone", "phone")]),
        ("month", [("2026-08", "2026-08"), ("2026-10", "2026-10")]),
    ],
)
def test_groups_stand_side_by_side(
    lab: Workspace, now: dt.datetime, start: dt.datetime, by: str, keys: list[tuple[str, str]]
) -> None:
    told(lab, at=start)
    told(lab, at=start + 60 * DAY, team="isp", channel=("phone", "+43 1 5550100"))
    groups = figures(figure(lab, now), by)
    assert [(each.key, each.label) for each in groups] == keys
    assert sum(each.n for each in groups) == 2


def test_another_workspace_sees_nothing_and_the_team_sees_its_own(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    told(lab, at=start)
    told(lab, at=start, team="isp")
    with transaction() as session:
        other = create_workspace(session, name="other", now=now, actor="operator")
        isp = team_id_of(session, "isp")
    assert figure(other, now) == []
    assert queries.teams_told(Own(other.id)) == []
    mine = cases(Own(None, isp), level="acknowledgement", now=now, sent_level="P0")
    assert [each.team for each in mine] == ["isp"]
    assert cases(Own(None, None), level="acknowledgement", now=now) == []
    assert queries.teams_told(Own(lab.id)) == [("cert-at", "CERT.at"), ("isp", "ISP abuse desk")]


def test_what_broke_a_rule_of_its_team_moves_no_figure_and_is_counted_apart(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    told(lab, at=start)
    with transaction() as session:
        profile = {"profile": {"intake": ["one-address"]}}
        session.execute(update(Team).where(Team.slug == "cert-at").values(**profile))
    told(lab, at=start, assets=[{"kind": "ip", "value": "192.0.2.1"}, {"kind": "ip", "value": "192.0.2.2"}])
    told(lab, at=start, assets=[{"kind": "ip", "value": "192.0.2.1"}])
    found = cases(Own(lab.id), level="acknowledgement", now=now)
    assert [each.meets_rules for each in found] == [True, False, True]
    assert (len(queries.counted(found).cases), queries.counted(found).left_out) == (2, 1)
    assert queries.counted(found, queries.EVERY) == (found, 0)
