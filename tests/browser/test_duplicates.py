"""A steward merges two entries and splits them again, without JavaScript; every page on the way is looked at."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Service, picture, sign_in
from tests.browser.test_accessibility import DESKTOP, PHONE, Judge

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)])
def test_two_entries_are_merged_and_split_in_the_browser(
    chromium: Browser, service: Service, scheme: str, size: dict
):
    context = chromium.new_context(
        base_url=service.url, color_scheme=scheme, viewport=size, locale="en-GB", java_script_enabled=False
    )
    page = context.new_page()
    sign_in(page, "steward@example.org", service.password)
    looking = chromium.new_context(
        base_url=service.url, reduced_motion="reduce", storage_state=context.storage_state()
    ).new_page()
    judge = Judge(looking, [(scheme, size)], whole=False)

    def look(path: str, name: str) -> list[str]:
        wrong = list(judge.look(path))
        picture(looking, f"{name}-{scheme}")
        return wrong

    wrong = look("/directory/duplicates", "duplicates") + look(
        "/directory/duplicates/amc-cert/uva-cert", "pair"
    )
    page.goto("/directory/duplicates/amc-cert/uva-cert")
    page.check("#keep-2")
    page.fill("textarea[name=reason]", "one desk for both, they say")
    page.click("text=They are one team")
    assert page.url.endswith("/teams/uva-cert")
    page.goto("/teams/amc-cert")
    assert page.url.endswith("/teams/uva-cert")
    wrong += look("/teams/uva-cert", "merged") + look("/directory/duplicates", "duplicates-merged")
    wrong += look("/directory/duplicates/amc-cert/split", "split")
    page.goto("/directory/duplicates/amc-cert/split")
    page.fill("textarea[name=reason]", "two after all")
    page.click("button:text('They are two teams')")
    page.goto("/teams/amc-cert")
    assert page.url.endswith("/teams/amc-cert")
    page.goto("/directory/duplicates/certa/cert-fr")
    page.check("#keep-2")
    page.fill("textarea[name=reason]", "renamed")
    page.click("text=They are one team")
    wrong += look("/directory/duplicates", "duplicates-waiting")
    page.click("text=Refuse >> nth=0")
    assert wrong == []
    context.close()
