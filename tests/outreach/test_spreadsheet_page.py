"""An old spreadsheet on its page: shown first, logged once, added to when it has grown."""

from __future__ import annotations

import base64
import html
import re
import zlib
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.outreach.browsing import event_count, send

pytestmark = pytest.mark.usefixtures("teams")


SHEET = """contact,date,bounced,answered,subject
reports@cert.example,2026-10-01,,2026-10-03,Botnet
abuse@isp.example,2026-10-01,yes,,Botnet
nobody@nowhere.example,2026-10-01,,,Botnet
reports@cert.example,03/04/2026,,,Botnet
"""


def test_a_spreadsheet_is_shown_first_logged_once_and_counted_once(browser: FlaskClient) -> None:
    before = event_count()
    shown = send(browser, "/notify/spreadsheet", action="preview", text=SHEET)
    assert shown.status_code == 200, shown.text
    assert event_count() == before
    upload = re.search(r'name="upload" value="([^"]+)"', shown.text)
    assert upload
    for known in (0, 2):
        done = send(browser, "/notify/spreadsheet", action="apply", upload=upload[1])
        assert done.status_code == 200, done.text
        assert f"{2 - known} notification" in done.text
    assert event_count() == before + 2 * 2 + 2


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "<html>", "contact,date\n"])
def test_what_is_no_spreadsheet_is_refused_beside_the_box(browser: FlaskClient, text: str) -> None:
    response = send(browser, "/notify/spreadsheet", action="preview", text=text)
    assert response.status_code in (200, 422)
    assert "Log 0" not in response.text
    assert send(browser, "/notify/spreadsheet", action="apply", upload="!!").status_code == 422


def test_a_spreadsheet_too_long_for_one_transaction_goes_to_the_command_line(browser: FlaskClient) -> None:
    rows = "".join(f"reports@cert.example,2026-03-04,{n}\n" for n in range(1_001))
    response = send(browser, "/notify/spreadsheet", action="preview", text="email,date,subject\n" + rows)
    assert response.status_code == 422
    assert "the command line takes more" in response.text


def preview(browser: FlaskClient, text: str, **typed: Any) -> tuple[str, str]:
    """The page that shows what would happen, and what it posts back."""
    shown = send(browser, "/notify/spreadsheet", action="preview", text=text, **typed)
    assert shown.status_code == 200, shown.text
    upload = re.search(r'name="upload" value="([^"]+)"', shown.text)
    assert upload
    return html.unescape(shown.text), upload[1]


def test_a_spreadsheet_that_has_grown_adds_what_is_new_in_it(browser: FlaskClient) -> None:
    rows = "contact,date,answered,remarks\nreports@cert.example,2026-10-01,,first\n"
    send(browser, "/notify/spreadsheet", action="apply", upload=preview(browser, rows)[1])
    before = event_count()
    shown, upload = preview(browser, rows.replace(",,first", ",2026-10-03,first"))
    assert "known, will be added to" in shown
    assert "1 answer" in shown
    assert "Add to 1 notification" in shown
    done = send(browser, "/notify/spreadsheet", action="apply", upload=upload)
    assert "1 row known already gained something" in done.text
    assert event_count() == before + 1
    assert "Add to" not in preview(browser, rows.replace(",,first", ",2026-10-03,first"))[0]


def test_rows_that_are_not_logged_stand_apart_before_and_after(browser: FlaskClient) -> None:
    shown, upload = preview(browser, SHEET)
    done = html.unescape(send(browser, "/notify/spreadsheet", action="apply", upload=upload).text)
    for page in (shown, done):
        assert "Rows that need your hand" in page
        assert "nobody@nowhere.example" in page
        assert "say whether the day comes first" in page
    assert "not read" not in shown
    assert "not read: <code>Colour" in preview(browser, SHEET.replace("subject", "Colour"))[0]


def test_an_upload_that_was_cut_off_is_refused_whole(browser: FlaskClient) -> None:
    upload = base64.b64encode(zlib.compress(b"contact,date\n" + b"x" * 1_000_001)).decode()
    for broken in (upload, upload[:400]):
        refused = send(browser, "/notify/spreadsheet", action="apply", upload=broken)
        assert refused.status_code == 422
        assert "bring the file again" in refused.text
