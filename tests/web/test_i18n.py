"""Languages: the recipient's pages are whole in the six of the UN, and no page is half in any language."""

from __future__ import annotations

import datetime as dt
import gettext
import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
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
from pocdir.outreach.desk import letter as digest
from pocdir.outreach.rules import letter as letters
from pocdir.web.i18n import LANGUAGES
from tests.conftest import ROOT, Api
from tests.outreach import made

OTHERS = ("ar", "zh", "fr", "ru", "es")
TEMPLATES = ROOT / "templates"
GERMAN = {"Accept-Language": "de-AT,de;q=0.9"}
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


def catalogue_file(language: str) -> Path:
    return PACKAGE / "translations" / language / "LC_MESSAGES" / "messages.po"


@pytest.fixture(scope="module")
def catalogues() -> list[Catalog]:
    with ExitStack() as files:
        return [read_po(files.enter_context(catalogue_file(each).open("rb"))) for each in OTHERS]


def lacking(catalogues: list[Catalog], texts: set[Any]) -> list[tuple[str, Any]]:
    """Each language with each of these texts that it does not say."""
    return [(str(one.locale), text) for one in catalogues for text in texts if not said(one, text)]


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
def test_every_text_of_the_recipients_pages_is_there_in_all_languages(
    name: str, catalogues: list[Catalog]
) -> None:
    texts = set(texts_of(f"outreach/{name}.html", None, set()))
    assert len(texts) > 20
    assert lacking(catalogues, texts) == []


@pytest.mark.parametrize("name", ["proposed", "claim_link", "objection"])
def test_every_text_of_the_pages_behind_a_teams_link_is_there_in_all_languages(
    name: str, catalogues: list[Catalog]
) -> None:
    texts = set(texts_of(f"directory/{name}.html", None, set()))
    assert len(texts) > 15
    assert lacking(catalogues, texts) == []


def test_every_word_of_a_teams_own_letters_is_there_in_all_languages(
    now: dt.datetime, catalogues: list[Catalog]
) -> None:
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
    waiting = [digest.Open(link="l", sent_at=now, tlp="TLP:AMBER", sender="s", asked_for=now)]
    digest.letter(team="t", waiting=waiting, total=2, desk="d", _=note)
    assert len(set(asked)) > 15
    assert lacking(catalogues, set(asked)) == []


@pytest.mark.parametrize(
    "module", ["actions/notices", "keys/letters", "merging/notice", "quarantine/actions/notice"]
)
def test_every_word_of_a_notice_to_a_team_is_there_in_all_languages(
    module: str, catalogues: list[Catalog]
) -> None:
    with (PACKAGE / "directory" / f"{module}.py").open("rb") as file:
        asked = {text for _, text, _, _ in extract("python", file)}
    asked |= {it.pattern for it in doubts.WORDS.values()}
    assert lacking(catalogues, asked) == []


ENTRY_PAGES = (
    "check.html",
    "check_confirm.html",
    "check_done.html",
    "letter_confirmation.txt",
    "letter_ping.txt",
)


@pytest.mark.parametrize("name", ENTRY_PAGES)
def test_every_text_to_a_team_about_its_own_entry_is_there_in_all_languages(
    name: str, catalogues: list[Catalog]
) -> None:
    texts = set(texts_of(f"directory/{name}", None, set()))
    assert len(texts) > 5
    assert lacking(catalogues, texts) == []


def test_every_text_of_the_error_page_is_there_in_all_languages(catalogues: list[Catalog]) -> None:
    texts = set(texts_of("error.html", None, set()))
    assert lacking(catalogues, texts) == []


def test_every_word_of_the_letter_is_there_in_all_languages(
    now: dt.datetime, catalogues: list[Catalog]
) -> None:
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
                files=[letters.File("isp.csv", 2, "d" * 64)],
                link="l" if assets else None,
            )
            letters.mailto_url("a@b.example", "s", letters.letter(matter, note).body * 9, note)
    assert lacking(catalogues, set(asked)) == []


def said(catalogue: Catalog, text: str) -> bool:
    """Whether a text has its translation, with all its plural forms, and the same values to fill in."""
    found = catalogue.get(text)
    if found is None or found.fuzzy or not found.string:
        return False
    forms = [found.string] if isinstance(found.string, str) else list(found.string)
    values = set(re.findall(r"%\(\w+\)s", text))
    # Arabic says none, one and two without the number.
    whole = forms[3:] if len(forms) == 6 else forms
    return (
        all(forms)
        and len(forms) == (catalogue.num_plurals if found.pluralizable else 1)
        and all(set(re.findall(r"%\(\w+\)s", form)) == values for form in whole)
    )


NUMBERS = {  # each with numbers that have a form of their own, and more with the form of each
    "ar": ((0, 1, 2, 3, 11, 100), (0, 1, 2, 110, 99, 102)),
    "zh": ((0,), (21,)),
    "fr": ((1, 2), (0, 100)),
    "ru": ((1, 2, 5), (21, 104, 11)),
    "es": ((1, 2), (1, 0)),
}


@pytest.mark.parametrize("language", OTHERS)
def test_each_number_has_its_form(language: str) -> None:
    with catalogue_file(language).with_suffix(".mo").open("rb") as file:
        ngettext = gettext.GNUTranslations(file).ngettext

    def forms(numbers: tuple[int, ...]) -> list[str]:
        return [ngettext("%(num)s address concerned", "%(num)s addresses concerned", it) for it in numbers]

    own, others = NUMBERS[language]
    assert len(set(forms(own))) == len(own)
    assert forms(others) == forms(own)


@pytest.mark.parametrize("language", OTHERS)
def test_the_compiled_catalogue_is_that_of_the_texts(language: str) -> None:
    compiled = io.BytesIO()
    with catalogue_file(language).open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    with catalogue_file(language).with_suffix(".mo").open("rb") as file:
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
        client.post(link, data=confirmed | {"ticket": "T" * 900}, headers=headers).text,
        client.post(link, data=confirmed | {"note": "a\x01b"}, headers=headers).text,
        client.post(link, data=confirmed | {"count": "99999999"}, headers=headers).text,
        client.post(link, data=confirmed, headers=headers).text,
        client.get(link, headers=headers).text,
        client.get("/r/" + "A" * 52, headers=headers).text,
    ]


# Words that are the same in English and in another language.
ALIKE = {"fr": {"ticket", "Menu", "API", "port 8080"}, "es": {"ticket", "API"}, "zh": {"API"}, "ru": {"API"}}


def test_no_english_stays_on_the_recipients_pages(app: Flask, link: str) -> None:
    visit(app.test_client(), link, {})  # so that all readers after it see what was said before
    english = visit(app.test_client(), link, {})
    for language in OTHERS:
        asked = {"Accept-Language": f"{language}-EG,{language};q=0.9"}
        head = f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">'
        for ours, theirs in zip(english, visit(app.test_client(), link, asked), strict=True):
            assert '<html lang="en" dir="ltr">' in ours
            assert head in theirs
            shared = Shown(ours).texts & Shown(theirs).texts - DATA - ALIKE.get(language, set()) - set(
                LANGUAGES.values()
            )
            assert {text for text in shared if re.search("[A-Za-z]{2}", text)} == set()


def test_a_choice_of_language_holds_for_the_next_page(app: Flask, link: str) -> None:
    client = app.test_client()
    for language in OTHERS:
        head = f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">'
        assert head in client.get(f"{link}?lang={language}").text
        assert head in client.get(link, headers=GERMAN).text
    assert '<html lang="en" dir="ltr">' in client.get("/").text


def test_a_reader_of_none_of_the_languages_gets_that_of_the_letter(app: Flask, api: Api, link: str) -> None:
    letter = urlsplit(logged(api, subject="In French", language="fr")["recipient_page"]).path
    for headers, language in ((GERMAN, "fr"), ({}, "fr"), ({"Accept-Language": "ru"}, "ru")):
        assert f'<html lang="{language}"' in app.test_client().get(letter, headers=headers).text
    assert '<html lang="en"' in app.test_client().get("/", headers=GERMAN).text


def test_dates_and_numbers_are_those_of_the_language(app: Flask, api: Api, link: str) -> None:
    many = [f"198.51.{n // 250}.{n % 250}" for n in range(1_234)]
    page = urlsplit(logged(api, subject="Many", assets=many)["recipient_page"]).path
    for language, number in (
        ("fr", "1\u202f234 adresses"),
        ("ru", "1\xa0234 адреса"),
        ("es", "1.234 direcciones"),
    ):
        assert number in app.test_client().get(f"{page}?lang={language}").text


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


@pytest.mark.parametrize("headers", [GERMAN, {"Cookie": "pocdir_lang=de"}], ids=["header", "cookie"])
def test_who_asks_for_german_gets_english_whole(app: Flask, link: str, headers: dict[str, str]) -> None:
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

    words = {
        "ar": "نبلغكم بهذا",
        "zh": "我们向你们报告此事",
        "fr": "Nous vous signalons",
        "ru": "Мы сообщаем вам",
    }
    words |= {"es": "Les avisamos de esto", "en": "We report this to you", "de": "We report this to you"}
    assert [language for language in words if words[language] not in body(language)] == []
