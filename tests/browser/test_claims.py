"""A team comes to its entry and proposes a change, a steward decides: in a browser, for everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from pocdir.core import clock
from pocdir.db import db
from pocdir.mail.models import Mail
from tests.browser.conftest import Service, sign_in
from tests.browser.test_accessibility import DESKTOP, PHONE, Judge
from tests.outreach import made

pytestmark = pytest.mark.browser

TEAMS = {"light": "carrier", "dark": "cert-at"}


@pytest.fixture(autouse=True)
def a_team_of_its_own(service: Service) -> None:
    """What is entered here must not meet the tests that look up the others."""
    with service.app.app_context():
        made.carrier(clock.now())
        db.session.remove()


def link_to(service: Service, kind: str, path: str) -> str:
    """The link in the newest letter of this kind."""
    with service.app.app_context():
        mails = db.session.scalars(db.select(Mail).where(Mail.kind == kind).order_by(Mail.id.desc()))
        body = mails.first().body
        db.session.remove()
    return re.search(rf"/{path}/[\w-]+", body)[0]


def walked_through(judge: Judge, service: Service, slug: str) -> Iterator[str]:
    page = judge.page
    yield from judge.look(f"/teams/{slug}/claim")
    page.locator("input[name=address]").first.check()
    page.get_by_role("button", name="Send the link").click()
    yield from judge.judged("the link is on its way")
    link = link_to(service, "claim", "claim")
    yield from judge.look(link + "?lang=ar")
    yield from judge.look(link + "?lang=en")
    page.get_by_label("New password").fill(service.password)
    page.get_by_label("The same once more").fill(service.password)
    page.get_by_role("button", name="Yes, make the account").click()
    yield from judge.judged("the team's own page")
    page.get_by_role("link", name="Who answers for it").click()
    yield from judge.judged("who answers")
    yield from judge.look(f"/teams/{slug}/propose")
    page.get_by_label("Website").fill("https://moved.example/")
    page.locator("input[name='channels.0.value']").fill(f"desk@{slug}.example")
    page.get_by_role("button", name="Propose").click()
    yield from judge.judged("the proposal as its team sees it")


@pytest.mark.parametrize(("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)])
def test_a_team_claims_its_entry_and_a_steward_decides(
    chromium: Browser, service: Service, scheme: str, size: dict
) -> None:
    def opened() -> Judge:
        context = chromium.new_context(base_url=service.url, reduced_motion="reduce", locale="en-GB")
        return Judge(context.new_page(), [(scheme, size)], whole=False)

    asking, deciding = opened(), opened()
    staff, steward = asking.page, deciding.page
    wrong = list(walked_through(asking, service, TEAMS[scheme]))
    where = staff.url
    sign_in(steward, "steward@example.org", service.password)
    wrong += [*deciding.look("/proposals"), *deciding.look(where)]
    if TEAMS[scheme] == "cert-at":  # a national team: every address on record was told
        notice = link_to(service, "proposal_notice", "proposed")
        wrong += [*asking.look(notice + "?lang=ar"), *asking.look(notice + "?lang=en")]
        staff.get_by_role("button", name="call it off").click()
        wrong += asking.judged("asked once more")
        staff.get_by_role("button", name="Yes, call it off").click()
        wrong += asking.judged("called off")
    else:
        steward.get_by_role("button", name="Approve").click()
        steward.get_by_text("Approved, and entered.").wait_for()
        wrong += deciding.judged("approved")
    assert wrong == []


def test_it_works_without_javascript(chromium: Browser, service: Service) -> None:
    context = chromium.new_context(base_url=service.url, java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto("/teams/cert-at")
    page.get_by_role("link", name="Is this your team?").click()
    page.locator("input[name=address]").last.check()
    page.get_by_role("button", name="Send the link").click()
    page.get_by_role("heading", name="Look into that mailbox").wait_for()
    context.close()
