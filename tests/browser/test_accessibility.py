"""Every page: axe finds nothing, nothing scrolls sideways; in Arabic what is translated whole."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from pocdir.core import clock
from pocdir.db import transaction
from pocdir.directory.checks import actions
from pocdir.directory.checks import queries as checks
from pocdir.directory.checks.letters import link_token, post
from pocdir.directory.queries import team_by_slug
from tests.browser.conftest import Service, sign_in
from tests.mail import keys

pytestmark = pytest.mark.browser

PUBLIC = (
    "/",
    "/teams",
    "/teams/cert-at",
    "/teams/cert-at/claim",
    "/teams/cert-at/propose",
    "/teams/cert-at?as_of=2026-01-01",
    "/coverage",
    "/rules",
    "/route",
    "/methods",
    "/api",
    "/login",
    "/nothing-here",
)
MEMBERS = (
    "/incidents",
    "/incidents/new",
    "/notify",
    "/notify/spreadsheet",
    "/unanswered",
    "/told",
    "/responsiveness",
    "/account",
    "/workspace",
)
STEWARDS = (
    "/steward",
    "/directory/quarantine",
    "/directory/duplicates",
    "/directory/duplicates/certa/cert-fr",
    "/teams/new",
    "/teams/isp/edit",
    "/teams/isp/contacts",
    "/teams/isp",
    "/proposals",
    "/outbox",
)
DAYS = itertools.count(1)  # a row that was brought before is known, and not logged again
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
ORDINARY = [("light", DESKTOP, "en"), ("dark", PHONE, "en")]
ALL = [
    (scheme, size, language)
    for scheme in ("light", "dark")
    for size in (DESKTOP, PHONE)
    for language in ("en", "ar")
]


def look(page: Page, path: str) -> list[str]:
    """What is wrong with a page: axe's violations, and scrolling sideways."""
    page.goto(path)
    return judged(page, path)


def judged(page: Page, path: str) -> list[str]:
    """The same of the page that is open."""
    page.wait_for_load_state()
    found = Axe().run(page).response["violations"]
    wrong = [f"{path}: {it['id']}: {it['nodes'][0]['html'][:200]}" for it in found]
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        wrong.append(f"{path}: scrolls sideways")
    return wrong


def pages_of(chromium: Browser, service: Service, scheme: str, size: dict, language: str) -> Iterator[str]:
    context = chromium.new_context(base_url=service.url, color_scheme=scheme, viewport=size, locale="en-GB")
    page = context.new_page()
    query = f"?lang={language}"
    for path in PUBLIC:
        yield from look(page, path + query)
    page.goto("/?lang=en")
    sign_in(page, service.email, service.password)
    for path in MEMBERS:
        yield from look(page, path + query)
    yield from worked_through(page, query)
    context.close()
    context = chromium.new_context(base_url=service.url, color_scheme=scheme, viewport=size, locale="en-GB")
    page = context.new_page()
    sign_in(page, "steward@example.org", service.password)
    for path in STEWARDS:
        yield from look(page, path + query)
    page.goto("/directory/quarantine?lang=en")
    yield from look(page, str(page.locator("tbody th a").first.get_attribute("href")) + query)
    yield from keyed(page, query)
    context.close()
    context = chromium.new_context(base_url=service.url, color_scheme=scheme, viewport=size, locale="en-GB")
    yield from asked_about_the_entry(context.new_page(), entry_link(service), query)
    context.close()


def entry_link(service: Service) -> str:
    """The link of a letter to a team about its own entry."""
    with service.app.app_context():
        team = team_by_slug("isp")
        check = next(iter(checks.of_team(team.id)), None)
        if check is None:
            with transaction() as session:
                check = actions.ask(session, slug="isp", kind="ping", post=post(), now=clock.now())
        assert check is not None
        return f"/r/entry/{link_token(check)}"


def asked_about_the_entry(page: Page, link: str, query: str) -> Iterator[str]:
    """The pages of a reachability test, which has both its own answer and the entry's confirmation."""
    yield from look(page, link + query)
    for action in ("reached", "confirm"):
        page.goto(link + query)
        page.locator(f"button[value={action}]").click()
        yield from judged(page, f"entry: {action}, asked again")
    page.get_by_role("main").locator("form button").click()
    yield from judged(page, "entry: confirmed")


def keyed(page: Page, query: str) -> Iterator[str]:
    """A team's keys: one that stands, one that waits, one that is refused."""
    for team, key in (("isp", keys.key()), ("cert-at", keys.key(seed="at")), ("isp", keys.key(revoked=True))):
        page.goto(f"/teams/{team}/keys?lang=en")
        page.get_by_label("The key as text").fill(key.text)
        page.get_by_label("For which address").select_option(index=1)
        page.get_by_role("button", name="Bring this key").click()
        yield from judged(page, f"a key of {team}")
        yield from look(page, f"/teams/{team}/keys{query}")
        yield from look(page, f"/teams/{team}{query}")


def split(page: Page, query: str) -> Iterator[str]:
    """A file that was brought: on its way, done, refused; and the plan of the incident made of it."""
    for content in (b"ip,note\n203.0.113.70,=x\n10.0.0.1,y\n", b"a,b\nc,d\n"):
        page.goto("/route?lang=en")
        page.get_by_label("File", exact=True).set_input_files(
            {"name": "sinkhole.csv", "mimeType": "text/csv", "buffer": content}
        )
        page.get_by_role("button", name="Split the file").click()
        yield from judged(page, "a file that was brought")
        if "/route/" in page.url:
            page.get_by_role("link", name="Download all").wait_for(timeout=60_000)
            yield from look(page, page.url.split("?")[0] + query)
            page.get_by_role("button", name="Open an incident from this file").click()
            yield from judged(page, "the plan of a file")


def worked_through(page: Page, query: str) -> Iterator[str]:
    """Pages that need something to show: an answer, an incident, a plan, a notification, the recipient's."""
    page.goto("/?lang=en")
    page.locator("#q").fill("203.0.113.70")
    page.get_by_role("button", name="Look up").click()
    yield from judged(page, "lookup answer")
    yield from split(page, query)
    page.goto("/incidents/new?lang=en")
    page.get_by_label("Title").fill("Sinkhole")
    page.get_by_label("Addresses and names concerned").fill("203.0.113.70")
    page.get_by_role("button", name="Open the incident").click()
    incident = page.url.split("?")[0]
    yield from look(page, incident + "/plan" + query)
    page.goto(incident + "/plan?lang=en")
    page.get_by_role("button", name="Log the chosen ones").click()
    yield from look(page, incident + query)
    yield from look(page, incident + "/edit" + query)
    page.goto(incident + "?lang=en")
    page.get_by_role("link", name="ISP abuse desk").first.click()
    notification = page.url.split("?")[0]
    link = page.locator("code", has_text="/r/").first.inner_text()
    yield from look(page, notification + query)
    yield from look(page, notification + "/withdraw" + query)
    page.goto(notification)
    page.get_by_label("Their ticket number").fill("#4711")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("link", name="Correct").first.click()
    yield from judged(page, "correction")
    yield from answered(page, link + query)
    yield from brought(page)


def answered(page: Page, link: str) -> Iterator[str]:
    """The recipient's pages one after the other; each may be in Arabic."""
    yield from look(page, link)
    page.locator("button[value=received]").click()
    yield from judged(page, "recipient: asked again")
    page.locator("main form .actions button").click()
    yield from judged(page, "recipient: done")
    yield from look(page, link)


def brought(page: Page) -> Iterator[str]:
    """A spreadsheet as it would be read, and what became of it."""
    page.goto("/notify/spreadsheet?lang=en")
    rows = f"contact,date,bounced,answered\nreports@cert.example,2026-03-{next(DAYS):02},no,yes\nnobody,someday,,"
    page.get_by_label("Or paste the rows").fill(rows)
    page.get_by_role("button", name="Show what would happen").click()
    yield from judged(page, "spreadsheet: what would happen")
    page.locator("button[value=apply]").click()
    yield from judged(page, "spreadsheet: what became of it")


@pytest.mark.parametrize(("scheme", "size", "language"), ORDINARY)
def test_no_page_shuts_anybody_out(
    chromium: Browser, service: Service, scheme: str, size: dict, language: str
) -> None:
    assert list(pages_of(chromium, service, scheme, size, language)) == []


@pytest.mark.long
@pytest.mark.parametrize(("scheme", "size", "language"), ALL)
def test_no_page_shuts_anybody_out_in_any_of_eight_ways(
    chromium: Browser, service: Service, scheme: str, size: dict, language: str
) -> None:
    assert list(pages_of(chromium, service, scheme, size, language)) == []
