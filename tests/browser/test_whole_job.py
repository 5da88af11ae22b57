"""The whole job, as a researcher and a duty officer do it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from pocdir.core import clock
from pocdir.outreach.jobs import record_lapses
from tests.browser.conftest import Service, days_ago, serving, sign_in

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def postgresql_service(
    tmp_path_factory: pytest.TempPathFactory, postgresql_database: str
) -> Iterator[Service]:
    """The same service on PostgreSQL."""
    yield from serving(tmp_path_factory.mktemp("service-pg"), postgresql_database)


def whole_job(chromium: Browser, service: Service, *, javascript: bool) -> None:
    """Look up, log, open the recipient's link elsewhere, acknowledge, see the dashboard change."""
    context = chromium.new_context(base_url=service.url, locale="en-GB", java_script_enabled=javascript)
    page = context.new_page()
    sign_in(page, service.email, service.password)

    page.goto("/")
    page.locator("#q").fill("hxxp://203[.]0.113.70/gate.php")
    page.keyboard.press("Enter")
    expect(page.get_by_text("abuse@isp.example").first).to_be_visible()
    assert "203" not in page.url
    page.get_by_role("button", name="Log a notification").first.click()

    page.get_by_label("Subject").fill("Sinkhole hits")
    page.get_by_label("Sent at").fill(days_ago(3))
    page.get_by_role("button", name="Log it").click()
    expect(page.get_by_role("heading", name="The letter")).to_be_visible()
    notification = page.url
    listed = page.locator(f"main a[href$='{urlsplit(notification).path}']")
    link = page.locator("code", has_text="/r/").first.inner_text()

    record(service)
    page.goto("/unanswered")
    expect(listed.first).to_be_visible()
    before = dashboard(page)
    assert before.waiting > 0

    recipient = chromium.new_context(locale="en-GB", java_script_enabled=javascript).new_page()
    recipient.goto(link)
    recipient.get_by_role("button", name="Received, we handle it").click()
    recipient.get_by_label("Your ticket number").fill("#4711")
    recipient.get_by_role("button", name="Yes, record this").click()
    expect(recipient.get_by_role("heading", name="Recorded. Thank you.")).to_be_visible()
    recipient.context.close()

    page.goto(notification)
    expect(page.get_by_role("main")).to_contain_text("#4711")
    page.goto("/unanswered")
    expect(listed).to_have_count(0)
    after = dashboard(page)
    assert after == before._replace(
        waiting=before.waiting - 1,
        reached=before.reached + 1,
        of_the_team=before.of_the_team + 1,
        in_the_matrix=before.in_the_matrix + 1,
    )
    context.close()


class Dashboard(NamedTuple):
    """The numbers that an answer moves, and the one that it does not."""

    waiting: int
    sent: int
    reached: int
    of_the_team: int
    in_the_matrix: int


def dashboard(page: Page) -> Dashboard:
    """As the researcher reads it off home's list and the page of answer times."""
    page.goto("/unanswered")
    waiting = tile(page, "Asked for, and not recorded")
    page.goto("/responsiveness?by=team")
    words = page.get_by_text(re.compile(r"[\d,]+ reached this")).inner_text()
    team = page.get_by_role("row", name="ISP abuse desk").get_by_role("cell")
    matrix = (
        page.locator(".matrix").get_by_role("row", name="answered", exact=False).first.get_by_role("cell")
    )
    return Dashboard(
        waiting=waiting,
        sent=tile(page, "Notifications"),
        reached=number(words.split(" reached")[0]),
        of_the_team=number(team.nth(1).inner_text()),
        in_the_matrix=sum(number(cell.inner_text()) for cell in matrix.all()),
    )


def tile(page: Page, label: str) -> int:
    """The large figure under a label; 0 where the page has none yet."""
    found = page.locator(".tiles > div").filter(has=page.get_by_text(label, exact=True)).locator(".figure")
    return number(found.first.inner_text())


def number(text: str) -> int:
    return int(text.replace(",", ""))


def record(service: Service) -> None:
    """Let the worker's clock pass, as it does every few seconds."""
    with service.app.app_context():
        record_lapses(clock.now() + dt.timedelta(seconds=1))


def test_the_whole_job_with_javascript(chromium: Browser, service: Service) -> None:
    whole_job(chromium, service, javascript=True)


def test_the_whole_job_without_javascript(chromium: Browser, service: Service) -> None:
    whole_job(chromium, service, javascript=False)


def test_the_whole_job_on_postgresql(chromium: Browser, postgresql_service: Service) -> None:
    whole_job(chromium, postgresql_service, javascript=True)


def test_an_incident_from_addresses_to_notifications(signed_in: Page) -> None:
    page = signed_in
    page.goto("/incidents/new")
    page.get_by_label("Title").fill("Sinkhole of November")
    page.get_by_label("Addresses and names concerned").fill("203.0.113.70\n203.0.113.71:8080\n192.168.0.1")
    page.get_by_role("button", name="Open the incident").click()
    page.get_by_role("link", name="Whom to tell").first.click()
    expect(page.get_by_role("main")).to_contain_text("ISP abuse desk")
    page.get_by_role("button", name="Log the chosen ones").click()
    expect(page.get_by_role("heading", name="Sinkhole of November")).to_be_visible()
    expect(page.get_by_role("link", name="ISP abuse desk").first).to_be_visible()
