"""The synthetic year as its visitor sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import picture
from tests.site.service import environment, pocdir, running

pytestmark = pytest.mark.browser
PASSWORD = "a long enough phrase"


@pytest.fixture(scope="module")
def visitor(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The owner of the demonstration, who came by the printed link and chose a password."""
    data = tmp_path_factory.mktemp("demo")
    made = pocdir("demo", "--notifications", "400", "--incidents", "12", "--json", environ=environment(data))
    assert made.returncode == 0, made.stderr
    link = urlsplit(json.loads(made.stdout)["link"]).path
    with running(data, "up", environ=environment(data / "demo", POCDIR_DEMO="1")) as service:
        context = chromium.new_context(base_url=service.url, locale="en-GB")
        page = context.new_page()
        page.goto(link)
        for box in page.locator("input[type=password]").all():
            box.fill(PASSWORD)
        page.get_by_role("main").get_by_role("button").first.click()
        page.wait_for_url(lambda url: "/welcome/" not in url)
        yield page
        context.close()


def test_every_page_says_that_it_is_invented(visitor: Page) -> None:
    for path in ("/", "/incidents", "/unanswered", "/responsiveness", "/teams"):
        visitor.goto(path)
        expect(visitor.get_by_text("Demonstration.")).to_be_visible()


def test_the_dashboard_shows_the_talks_case(visitor: Page) -> None:
    visitor.goto("/responsiveness")
    cell = visitor.get_by_role("row", name="no answer recorded").get_by_role("cell").first
    assert int(cell.inner_text().replace(",", "")) > 0
    picture(visitor, "responsiveness")
    visitor.goto("/responsiveness?by=kind")
    expect(visitor.locator("svg").first).to_be_visible()


def test_a_real_address_is_looked_up(visitor: Page) -> None:
    visitor.goto("/")
    visitor.locator("#q").fill("193.0.6.139")
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_role("main")).to_contain_text("AS3333")
    picture(visitor, "lookup")


def test_no_chart_or_list_is_empty(visitor: Page, tmp_path: Path) -> None:
    for path in ("/incidents", "/unanswered", "/coverage"):
        visitor.goto(path)
        assert visitor.get_by_role("main").get_by_role("row").count() > 5
