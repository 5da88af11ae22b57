"""The way back, in a real browser: to the answer of a lookup, and to a form that had a slip in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import CHROMIUM, FLAGS, Service, sign_in


@pytest.fixture(params=[True, False], ids=["back-forward cache", "no back-forward cache"])
def reader(request: pytest.FixtureRequest, chromium: Browser, service: Service) -> Iterator[Page]:
    """A browser as people have it: playwright switches the back/forward cache off unless it is told not to."""
    left_out = ["--disable-back-forward-cache"] if request.param else []
    browser = chromium.browser_type.launch(executable_path=CHROMIUM, args=FLAGS, ignore_default_args=left_out)
    yield browser.new_context(base_url=service.url, java_script_enabled=False).new_page()
    browser.close()


def test_back_from_a_team_leads_to_the_answer_and_the_question_is_in_no_address(reader: Page) -> None:
    reader.goto("/")
    reader.locator("#q").fill("203.0.113.70")
    reader.get_by_role("button", name="Look up", exact=True).click()
    reader.get_by_role("link", name="ISP abuse desk").first.click()
    assert reader.url.endswith("/teams/isp")
    reader.go_back()
    assert reader.url.endswith("/lookup")
    assert reader.get_by_role("link", name="ISP abuse desk").count() > 0


def test_back_leads_to_a_form_that_had_a_slip_in_it(reader: Page, service: Service) -> None:
    sign_in(reader, service.email, service.password)
    reader.goto("/incidents/new")
    reader.get_by_label("Title").fill("Sinkhole")
    reader.get_by_label("Addresses and names concerned").fill("nothing of the kind")
    reader.get_by_role("button", name="Open the incident").click()
    assert "Nothing was saved yet" in reader.content()
    reader.get_by_role("link", name="Directory").first.click()
    reader.go_back()
    assert reader.get_by_label("Title").input_value() == "Sinkhole"
