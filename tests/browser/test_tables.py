"""Wide tables keep within their card, and a phone's page within the phone."""

from __future__ import annotations

from playwright.sync_api import Page

INSIDE = """(() => { const table = document.querySelector("table"), card = table.closest(".card");
return table.getBoundingClientRect().right <= card.getBoundingClientRect().right })()"""
SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


def test_the_table_of_coverage_keeps_within_its_card(page: Page) -> None:
    page.set_viewport_size({"width": 1200, "height": 900})
    page.goto("/coverage")
    assert page.evaluate(INSIDE)


def test_too_few_for_a_band_is_said_without_scrolling_sideways(signed_in: Page) -> None:
    signed_in.goto("/notify?team=cert-se")  # whom no other test of the browser tells
    signed_in.locator("button[value=log]").click()
    signed_in.locator("[name=type]").select_option("ack.given")
    with signed_in.expect_navigation():
        signed_in.get_by_role("button", name="Add", exact=True).click()
    signed_in.set_viewport_size({"width": 360, "height": 740})
    signed_in.goto("/responsiveness?team=cert-se")
    assert "too few for a band" in signed_in.content()
    assert not signed_in.evaluate(SIDEWAYS)
