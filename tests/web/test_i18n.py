"""Languages: the recipient's pages are whole in Arabic, and no page is half in any language."""

from __future__ import annotations

import datetime as dt
import gettext
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import Environment, nodes
from jinja2.ext import extract_from_ast

from pocdir.config import PACKAGE
from pocdir.directory.claims import letter as claims
from pocdir.directory.proposals import letter as proposed
from pocdir.directory.rules import doubts
from pocdir.directory.rules.approval import DELAY, Approval
from pocdir.outreach.rules import letter as letters
from tests.conftest import ROOT, Api
from tests.outreach import made

CATALOGUE = PACKAGE / "translations" / "ar" / "LC_MESSAGES" / "messages.po"
TEMPLATES = ROOT / "templates"
FRENCH = {"Accept-Language": "fr-FR,fr;q=0.9"}
ARABIC = {"Accept-Language": "ar-EG,ar;q=0.9"}
# What stays as it is: names, the language menu, the sender's words, and the status as HTTP names it.
DATA = {"pocdir", "English", "Sinkhole", "TLP:AMBER", "404 · Not Found ·", "404 · pocdir"}


def texts_of(file: str, macro: str | None, seen: set[tuple[str, str | None]]) -> Iterator[Any]:
    """The msgids of a template, or of one macro in it, with those of all macros that it names."""
    if (file, macro) in seen:
        return
    seen.add((file, macro))
    reader = Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do"])
    tree = reader.parse((TEMPLATES / file).read_text())
    macros = {each.name: each for each in tree.find_all(nodes.Macro)}
    imported = {}
    for each in tree.find_all(nodes.FromImport):
        for name in each.names:
            original, alias = (name, name) if isinstance(name, str) else name
            imported[alias] = (each.template.value, original)
    part = macros[macro] if macro else tree
    for _line, _function, found in extract_from_ast(part):
        yield found if isinstance(found, str) else next(text for text in found if text)
    for name in {each.name for each in part.find_all(nodes.Name)}:
        if name in imported:
            yield from texts_of(*imported[name], seen)
        elif macro and name in macros:
            yield from texts_of(file, name, seen)
    for each in () if macro else tree.find_all(nodes.Extends):
        yield from texts_of(each.template.value, None, seen)


class Shown(HTMLParser):
    """What a page says: its texts without codes and times, and the attributes that are read aloud."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: set[str] = set()
        self.inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.texts |= {
            value for name, value in attrs if value and name in ("aria-label", "placeholder", "alt")
        }

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside not in ("code", "time") and (text := " ".join(data.split())):
            self.texts.add(text)


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    with CATALOGUE.open("rb") as file:
        return read_po(file)


@pytest.fixture
def link(app: Flask, api: Api, now: dt.datetime) -> Iterator[str]:
    """A recipient's link."""
    with time_machine.travel(now, tick=False):
        made.teams(now)
        yield urlsplit(logged(api)["recipient_page"]).path


def logged(api: Api, **more: Any) -> dict[str, Any]:
    told = {
        "team": "cert-at",
        "subject": "Sinkhole",
        "assets": [{"kind": "ip", "value": "203.0.113.70", "port": 8080}],
        "expect": [{"of": "acknowledgement", "within": "P2D"}],
    }
    response = api.post("/api/v1/notifications", told | more)
    assert response.status_code == 201, response.text
    return response.json


@pytest.mark.parametrize("name", ["recipient", "recipient_confirm", "recipient_done"])
def test_every_text_of_the_recipients_pages_is_there_in_arabic(name: str, catalogue: Catalog) -> None:
    texts = set(texts_of(f"outreach/{name}.html", None, set()))
    assert len(texts) > 20
    assert [text for text in texts if text not in catalogue or not said(catalogue, text)] == []


@pytest.mark.parametrize("name", ["proposed", "claim_link", "objection"])
def test_every_text_of_the_pages_behind_a_teams_link_is_there_in_arabic(
    name: str, catalogue: Catalog
) -> None:
    texts = set(texts_of(f"directory/{name}.html", None, set()))
    assert len(texts) > 15
    assert [text for text in texts if not said(catalogue, text)] == []


def test_every_word_of_a_teams_own_letters_is_there_in_arabic(now: dt.datetime, catalogue: Catalog) -> None:
    asked: list[str] = []

    def note(text: str) -> str:
        asked.append(text)
        return text

    channel = {"field": "channel", "of": ["email", "a@b.example", "incident"]}
    changes = [
        channel | {"before": None, "after": {"preference": 1}},
        channel | {"before": {"preference": 1}, "after": None},
        channel | {"before": {"preference": 1}, "after": {"preference": 2}},
        {"field": "website", "of": [], "before": None, "after": {"value": "https://b.example/"}},
    ]
    for needed in (Approval(2, notice=True), Approval(1, DELAY, notice=True)):
        for by_team in (True, False):
            proposed.notice(
                team="t",
                url="u",
                changes=changes,
                by_team=by_team,
                needed=needed,
                not_before=now,
                _=note,
            )
    claims.link(team="t", url="u", link="l", expires=now, _=note)
    claims.again(team="t", url="u", when=now, _=note)
    assert len(set(asked)) > 15
    assert [text for text in set(asked) if not said(catalogue, text)] == []


@pytest.mark.parametrize("module", ["notices", "keys/letters", "merging/notice", "quarantine/notice"])
def test_every_word_of_a_notice_to_a_team_is_there_in_arabic(module: str, catalogue: Catalog) -> None:
    with (PACKAGE / "directory" / f"{module}.py").open("rb") as file:
        asked = {text for _, text, _, _ in extract("python", file)}
    asked |= {it.pattern for it in doubts.WORDS.values()}
    assert [text for text in asked if not said(catalogue, text)] == []


ENTRY_PAGES = (
    "check.html",
    "check_confirm.html",
    "check_done.html",
    "letter_confirmation.txt",
    "letter_ping.txt",
)


@pytest.mark.parametrize("name", ENTRY_PAGES)
def test_every_text_to_a_team_about_its_own_entry_is_there_in_arabic(name: str, catalogue: Catalog) -> None:
    texts = set(texts_of(f"directory/{name}", None, set()))
    assert len(texts) > 5
    assert [text for text in texts if text not in catalogue or not said(catalogue, text)] == []


def test_every_text_of_the_error_page_is_there_in_arabic(catalogue: Catalog) -> None:
    texts = set(texts_of("error.html", None, set()))
    assert [text for text in texts if text not in catalogue or not said(catalogue, text)] == []


def test_every_word_of_the_letter_is_there_in_arabic(now: dt.datetime, catalogue: Catalog) -> None:
    asked: list[str] = []

    def note(text: str) -> str:
        asked.append(text)
        return text

    for kind in ("report", "follow_up", "sample_request", "referral", "ping"):
        for assets in ([letters.Asset("192.0.2.1", 80, now, now)] * 501, []):
            matter = letters.Matter(
                kind=kind,
                reference="r",
                tlp="TLP:CLEAR",
                sender=letters.Sender("a", "b"),
                title="t",
                about=("c", "d"),
                assets=assets,
                asked=[letters.Asked("answer", now)] if assets else [],
                link="l",
            )
            letters.mailto_url("a@b.example", "s", letters.letter(matter, note).body * 9, note)
    assert [text for text in set(asked) if not said(catalogue, text)] == []


def said(catalogue: Catalog, text: str) -> bool:
    """Whether a text has its translation, with all its plural forms, and the same values to fill in."""
    found = catalogue.get(text)
    if found is None or found.fuzzy or not found.string:
        return False
    forms = [found.string] if isinstance(found.string, str) else list(found.string)
    values = set(re.findall(r"%\(\w+\)s", text))
    whole = forms if isinstance(found.string, str) else forms[3:]
    return (
        all(forms)
        and len(forms) == (6 if found.pluralizable else 1)
        and all(set(re.findall(r"%\(\w+\)s", form)) == values for form in whole)
    )


def test_each_number_has_its_arabic_form(app: Flask) -> None:
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        ngettext = gettext.GNUTranslations(file).ngettext
    one, many = "%(num)s address concerned", "%(num)s addresses concerned"
    forms = [ngettext(one, many, number) for number in (0, 1, 2, 3, 11, 100)]
    assert len(set(forms)) == 6
    assert [ngettext(one, many, number) for number in (110, 99, 102)] == [forms[3], forms[4], forms[5]]


@pytest.mark.parametrize("catalogue_file", sorted((PACKAGE / "translations").rglob("*.po")), ids=str)
def test_the_compiled_catalogue_is_that_of_the_texts(catalogue_file: Path) -> None:
    compiled = io.BytesIO()
    with catalogue_file.open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    with catalogue_file.with_suffix(".mo").open("rb") as file:
        kept = gettext.GNUTranslations(file)
    fresh = gettext.GNUTranslations(compiled)
    assert without_header(kept) == without_header(fresh), "make translations"


def without_header(read: gettext.GNUTranslations) -> dict[Any, str]:
    return {key: text for key, text in read._catalog.items() if key != ""}


def visit(client: FlaskClient, link: str, headers: dict[str, str]) -> list[str]:
    """The recipient's three pages, an answer taken back, and a refusal, as this reader sees them."""
    confirmed = {"action": "passed_on", "confirmed": "yes", "count": "3", "ticket": "T-1"}
    return [
        client.get(link, headers=headers).text,
        client.post(link, data={"action": "passed_on"}, headers=headers).text,
        client.post(link, data=confirmed | {"count": "x"}, headers=headers).text,
        client.post(link, data=confirmed, headers=headers).text,
        client.get(link, headers=headers).text,
        client.get("/r/" + "A" * 52, headers=headers).text,
    ]


def test_no_english_stays_on_the_recipients_pages_in_arabic(app: Flask, link: str) -> None:
    visit(app.test_client(), link, {})  # so that both readers after it see what was said before
    english = visit(app.test_client(), link, {})
    arabic = visit(app.test_client(), link, ARABIC)
    for ours, theirs in zip(english, arabic, strict=True):
        assert '<html lang="en" dir="ltr">' in ours
        assert '<html lang="ar" dir="rtl">' in theirs
        shared = Shown(ours).texts & Shown(theirs).texts - DATA
        assert {text for text in shared if re.search("[A-Za-z]{2}", text)} == set()


def test_a_choice_of_language_holds_for_the_next_page(app: Flask, link: str) -> None:
    client = app.test_client()
    assert '<html lang="ar" dir="rtl">' in client.get(link + "?lang=ar").text
    assert '<html lang="ar" dir="rtl">' in client.get(link).text
    assert '<html lang="en" dir="ltr">' in client.get("/").text


@pytest.mark.parametrize("language", ["ar", "fr", "xx"])
def test_a_page_that_is_not_translated_whole_stays_english_whole(
    app: Flask, link: str, language: str
) -> None:
    client = app.test_client()
    for path in ("/", "/teams/cert-at", "/login", "/methods", "/nothing-here"):
        asked = client.get(f"{path}?lang={language}").text
        assert '<html lang="en" dir="ltr">' in asked
        assert "العربية" not in asked, "what is not there is not offered"
        plain_address = plain(asked).replace(f"?lang={language}", "")
        assert plain_address == plain(app.test_client().get(path).text)


@pytest.mark.parametrize("headers", [FRENCH, {"Cookie": "pocdir_lang=fr"}], ids=["header", "cookie"])
def test_who_asks_for_french_gets_english_whole(app: Flask, link: str, headers: dict[str, str]) -> None:
    for path in (link, "/r/" + "A" * 52, "/", "/teams/cert-at", "/nothing-here"):
        asked = app.test_client().get(path, headers=headers).text
        assert '<html lang="en" dir="ltr">' in asked
        assert plain(asked) == plain(app.test_client().get(path).text)


def plain(page: str) -> str:
    """Without what differs from visit to visit."""
    return re.sub(r'name="csrf_token" value="[^"]*"', "", page)


def test_the_letter_is_in_the_language_that_the_sender_chose(api: Api, link: str) -> None:
    def body(language: str) -> str:
        ref = logged(api, subject=f"In {language}", language=language)["ref"]
        return api.get(f"/api/v1/notifications/{ref}/letter").json["body"]

    assert "نبلغكم بهذا" in body("ar")
    assert "We report this to you" in body("en")
    assert "We report this to you" in body("de")
