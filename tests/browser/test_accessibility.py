"""Every page: axe finds nothing, nothing scrolls sideways; in Arabic what is translated whole."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from pocdir.accounts.queries import workspace_or_only
from pocdir.core import clock
from pocdir.db import db, transaction
from pocdir.directory.checks import actions
from pocdir.directory.checks import queries as checks
from pocdir.directory.checks.letters import link_token, post
from pocdir.directory.queries.entries import team_by_slug
from pocdir.outreach.escalation.actions import policies
from pocdir.outreach.escalation.jobs import record_steps
from tests.browser.conftest import Service, sign_in
from tests.latency.made import DAY, told
from tests.mail import keys
from tests.outreach.policies import chosen

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
    "/steps",
    "/policies",
    "/told",
    "/responsiveness",
    "/account",
    "/workspace",
)
STEWARDS = (
    "/steward",
    "/directory/import",
    "/directory/quarantine",
    "/directory/duplicates",
    "/directory/duplicates/certa/cert-fr",
    "/teams/new",
    "/teams/isp/edit",
    "/teams/isp/contacts",
    "/teams/isp/history",
    "/proposals",
    "/outbox",
    "/sending",
    "/inbox?result=unmatched",
)
DAYS = itertools.count(1)  # a row that was brought before is known, and not logged again
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
ALL = [(scheme, size) for scheme in ("light", "dark") for size in (DESKTOP, PHONE)]
ORDINARY = [ALL[0], ALL[-1]]
SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
ALIKE = "tbody tr:nth-child(n + 21)"  # a quarter of all the time would go into the rows of two tables
AXE = Axe().axe_script


def violations(page: Page, *, whole: bool) -> list[Any]:
    """What axe finds wrong with the open page; `whole`: in every row of a table."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found: list[Any] = page.evaluate(
        "([looked, options]) => axe.run(looked, options).then(found => found.violations)",
        [{"include": ["html"], "exclude": [] if whole else [ALIKE]}, {"resultTypes": ["violations"]}],
    )
    return found


class Judge(NamedTuple):
    """What is wrong with a page, in each of these ways to see it: axe's violations, and scrolling sideways."""

    page: Page
    ways: list[tuple[str, dict[str, int]]]
    whole: bool  # with every row of its tables

    def look(self, path: str) -> Iterator[str]:
        self.page.goto(path)
        return self.judged(path)

    def judged(self, path: str) -> Iterator[str]:
        """The same of the page that is open."""
        self.page.wait_for_load_state()
        for scheme, size in reversed(self.ways):
            self.page.emulate_media(color_scheme=scheme)
            self.page.set_viewport_size(size)
            for it in violations(self.page, whole=self.whole):
                yield f"{path}, {scheme}, {size['width']}: {it['id']}: {it['nodes'][0]['html'][:200]}"
            if self.page.evaluate(SIDEWAYS):
                yield f"{path}, {scheme}, {size['width']}: scrolls sideways"


def with_query(path: str, query: str) -> str:
    """The path may have a query already."""
    return path + (query.replace("?", "&") if "?" in path else query)


def pages_of(
    chromium: Browser, service: Service, ways: list[Any], language: str, *, whole: bool
) -> Iterator[str]:
    query = f"?lang={language}"

    def judge() -> Judge:
        context = chromium.new_context(
            base_url=service.url, viewport=DESKTOP, locale="en-GB", reduced_motion="reduce"
        )  # no colour is on its way to another one when axe looks
        return Judge(context.new_page(), ways, whole)

    anybody = judge()
    page = anybody.page
    for path in PUBLIC:
        yield from anybody.look(with_query(path, query))
    page.goto("/?lang=en")
    sign_in(page, service.email, service.password)
    suggest(service)
    for path in MEMBERS:
        yield from anybody.look(with_query(path, query))
    page.goto("/steps?lang=en")
    page.locator("button[name=only]").first.click(timeout=5_000)
    yield from anybody.judged("steps: what became of them")
    yield from worked_through(anybody, query)
    page.context.close()
    link = entry_link(service)
    steward = judge()
    page = steward.page
    sign_in(page, "steward@example.org", service.password)
    for path in STEWARDS:
        yield from steward.look(with_query(path, query))
    yield from a_letter(steward, query)
    page.goto("/directory/quarantine?lang=en")
    yield from steward.look(str(page.locator("tbody th a").first.get_attribute("href")) + query)
    page.goto("/inbox?result=unmatched&lang=en")
    yield from steward.look(str(page.locator("tbody th a").first.get_attribute("href")) + query)
    yield from keyed(steward, query)
    page.context.close()
    desk = judge()
    sign_in(desk.page, "desk@example.org", service.password)
    yield from at_the_desk(desk, query)
    desk.page.context.close()
    team = judge()
    yield from asked_about_the_entry(team, link, query)
    team.page.context.close()


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


def a_letter(judge: Judge, query: str) -> Iterator[str]:
    """A letter in the outbox that leads into an entry: behind its button, and open."""
    page = judge.page
    page.goto("/outbox?lang=en")
    letter = str(page.locator("tbody a[href^='/outbox/']").first.get_attribute("href"))
    yield from judge.look(letter + query)
    page.goto(letter + "?lang=en")
    page.get_by_role("main").locator("form button").first.click()
    yield from judge.judged("a letter that was opened")


def asked_about_the_entry(judge: Judge, link: str, query: str) -> Iterator[str]:
    """The pages of a reachability test, which has both its own answer and the entry's confirmation."""
    page = judge.page
    yield from judge.look(link + query)
    for action in ("reached", "confirm"):
        page.goto(link + query)
        page.locator(f"button[value={action}]").click()
        yield from judge.judged(f"entry: {action}, asked again")
    page.get_by_role("main").locator("form button").click()
    yield from judge.judged("entry: confirmed")


def at_the_desk(judge: Judge, query: str) -> Iterator[str]:
    """A team's own desk, and one answer to what was told to it: asked once more, then recorded."""
    page = judge.page
    yield from judge.look("/desk" + query)
    yield from judge.look("/told" + query)
    page.goto("/told?lang=en")
    page.locator("input[name=choose]").first.check()
    page.get_by_role("button", name="Go on").click()
    yield from judge.judged("answers: asked again")
    page.get_by_role("button", name="Yes, record this").click()
    yield from judge.judged("answers: recorded")


def suggest(service: Service) -> None:
    """A step that is due in the lab; what is logged later follows no policy."""
    now = clock.now()
    with service.app.app_context():
        lab = workspace_or_only("lab")
        chosen(lab, now - 9 * DAY, {"wait": "P1D", "target": "national"})
        told(lab, at=now - 5 * DAY, team="isp", assets=[{"kind": "domain", "value": "x.at", "port": None}])
        with transaction() as session:
            policies.choose(session, None, workspace_id=lab.id, now=now, actor="user:a")
        record_steps(now)
        db.session.remove()


def keyed(judge: Judge, query: str) -> Iterator[str]:
    """A team's keys: one that stands, one that waits, one that is refused."""
    page = judge.page
    for team, key in (("isp", keys.key()), ("cert-at", keys.key(seed="at")), ("isp", keys.key(revoked=True))):
        page.goto(f"/teams/{team}/keys?lang=en")
        page.get_by_label("The key as text").fill(key.text)
        page.get_by_label("For which address").select_option(index=1)
        page.get_by_role("button", name="Bring this key").click()
        yield from judge.judged(f"a key of {team}")
    yield from judge.look("/teams/isp/keys" + query)


def split(judge: Judge, query: str) -> Iterator[str]:
    """A file that was brought: on its way, done, refused; and the plan of the incident made of it."""
    page = judge.page
    for content in (b"ip,note\n203.0.113.70,=x\n10.0.0.1,y\n", b"a,b\nc,d\n"):
        page.goto("/route?lang=en")
        page.get_by_label("File", exact=True).set_input_files(
            {"name": "sinkhole.csv", "mimeType": "text/csv", "buffer": content}
        )
        page.get_by_role("button", name="Split the file").click()
        yield from judge.judged("a file that was brought")
        if "/route/" in page.url:
            page.get_by_role("link", name="Download all").wait_for(timeout=60_000)
            yield from judge.look(page.url.split("?")[0] + query)
            page.get_by_role("button", name="Open an incident from this file").click()
            yield from judge.judged("the plan of a file")


def worked_through(judge: Judge, query: str) -> Iterator[str]:
    """Pages that need something to show: an answer, an incident, a plan, a notification, the recipient's."""
    page = judge.page
    page.goto("/?lang=en")
    page.locator("#q").fill("203.0.113.70")
    page.get_by_role("button", name="Look up").click()
    yield from judge.judged("lookup answer")
    yield from split(judge, query)
    page.goto("/incidents/new?lang=en")
    page.get_by_label("Title").fill("Sinkhole")
    page.get_by_label("Addresses and names concerned").fill("203.0.113.70")
    page.get_by_role("button", name="Open the incident").click()
    incident = page.url.split("?")[0]
    yield from judge.look(incident + "/plan" + query)
    page.goto(incident + "/plan?lang=en")
    page.get_by_role("button", name="Log the chosen ones").click()
    yield from measured(judge, incident)
    yield from judge.look(incident + query)
    yield from judge.look(incident + "/edit" + query)
    page.goto(incident + "?lang=en")
    page.get_by_role("link", name="ISP abuse desk").first.click()
    notification = page.url.split("?")[0]
    link = page.locator("code", has_text="/r/").first.inner_text()
    yield from judge.look(notification + query)
    yield from judge.look(notification + "/withdraw" + query)
    page.goto(notification)
    page.get_by_label("Their ticket number").fill("#4711")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("link", name="Correct").first.click()
    yield from judge.judged("correction")
    yield from answered(judge, link + query)
    yield from brought(judge)


def measured(judge: Judge, incident: str) -> Iterator[str]:
    """Sightings that are brought: a row that is wrong, what would be kept, and the incident with its curve."""
    page = judge.page
    for rows in ("value,seen_at\n203.0.113.70,then", "value,seen_at\n203.0.113.70,2025-11-01T01:00:00Z"):
        page.goto(incident + "/sightings?lang=en")
        page.get_by_label("Measured from").fill("2025-11-01T00:00")
        page.get_by_label("Measured until").fill("2025-11-03T00:00")
        page.get_by_label("Or paste the rows").fill(rows)
        page.get_by_role("button", name="Show what would be kept").click()
        yield from judge.judged("sightings to keep")
    page.get_by_role("button", name="Keep 1 sighting").click()


def answered(judge: Judge, link: str) -> Iterator[str]:
    """The recipient's pages one after the other; each may be in Arabic."""
    page = judge.page
    yield from judge.look(link)
    page.locator("button[value=received]").click()
    yield from judge.judged("recipient: asked again")
    page.locator("main form .actions button").click()
    yield from judge.judged("recipient: done")
    yield from judge.look(link)


def brought(judge: Judge) -> Iterator[str]:
    """A spreadsheet as it would be read, and what became of it."""
    page = judge.page
    page.goto("/notify/spreadsheet?lang=en")
    rows = f"contact,date,bounced,answered\nreports@cert.example,2026-03-{next(DAYS):02},no,yes\nnobody,someday,,"
    page.get_by_label("Or paste the rows").fill(rows)
    page.get_by_role("button", name="Show what would happen").click()
    yield from judge.judged("spreadsheet: what would happen")
    page.locator("button[value=apply]").click()
    yield from judge.judged("spreadsheet: what became of it")


def test_no_page_shuts_anybody_out(chromium: Browser, service: Service) -> None:
    assert list(pages_of(chromium, service, ORDINARY, "en", whole=False)) == []


@pytest.mark.long
@pytest.mark.parametrize("language", ["en", "ar"])
def test_no_page_shuts_anybody_out_in_any_of_eight_ways(
    chromium: Browser, service: Service, language: str
) -> None:
    assert list(pages_of(chromium, service, ALL, language, whole=True)) == []
