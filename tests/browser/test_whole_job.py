"""The whole job, as a researcher and a duty officer do it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

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
    link = page.locator("code", has_text="/r/").first.inner_text()

    record(service)
    page.goto("/unanswered")
    expect(page.get_by_role("link", name="ISP abuse desk").first).to_be_visible()
    page.goto("/responsiveness")
    expect(page.get_by_role("main")).to_contain_text("1")

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
    expect(page.get_by_role("link", name="ISP abuse desk")).to_have_count(0)
    page.goto("/responsiveness?by=team")
    expect(page.get_by_role("main")).to_contain_text("ISP abuse desk")
    context.close()


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
