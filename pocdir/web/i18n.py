"""Languages: chosen by link, cookie or header; the direction follows."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import cast

from babel import Locale, UnknownLocaleError
from babel.lists import format_list
from flask import Flask, Response, g, request
from flask_babel import Babel, format_number, format_timedelta, get_locale, gettext, refresh
from jinja2 import pass_context
from jinja2.runtime import Context

from pocdir import running
from pocdir.config import PACKAGE
from pocdir.core import clock, codes
from pocdir.core.errors import Invalid
from pocdir.core.text import Phrase, isolated
from pocdir.core.times import duration
from pocdir.web.secret_links import RECIPIENT_PATHS

LANGUAGES = {
    "en": "English",
    "ar": "العربية",
    "zh": "中文",
    "fr": "Français",
    "ru": "Русский",
    "es": "Español",
}
# What is translated whole: every page; and what a recipient sees, who never chose to come here.
COMPLETE = ("en",)
RECIPIENT = tuple(LANGUAGES)
COOKIE = "pocdir_lang"


def init_app(app: Flask) -> None:
    """Texts through gettext, `locale`, `direction` and `languages` for every template."""
    Babel(
        app,
        default_translation_directories=str(PACKAGE / "translations"),
        locale_selector=chosen_language,
    )
    app.jinja_env.add_extension("jinja2.ext.do")
    ngettext = cast(Callable[..., str], app.jinja_env.globals["ngettext"])
    app.jinja_env.globals["ngettext"] = _counting(ngettext)
    # A line that holds a tag alone leaves no empty line behind.
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals["now"] = clock.now
    app.jinja_env.filters.update(
        country_name=country_name,
        language_name=language_name,
        time_ago=time_ago,
        spelt=spelt,
        isolated=isolated,
    )
    app.context_processor(_context)
    app.after_request(_remember)


def chosen_language() -> str:
    """`?lang=`, the cookie, what the browser asks for, or the language of the letter that brought the link.

    Only where the page is translated whole; else English.
    """
    for wanted in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if wanted in _offered():
            return wanted
    return request.accept_languages.best_match(_offered(), letter_language())


def in_words(message: str) -> str:
    """A refusal's sentence in the reader's language, with its values where it has some."""
    if isinstance(message, Phrase):
        return gettext(message.pattern, **message.values)
    return gettext(message)


def letter_language(tag: str | None = None) -> str:
    """Remember for this request in which language its letter was written, and give it; English when not told."""
    if tag is not None:
        g.letter_language = tag
        refresh()
    spoken = str(g.get("letter_language", "en"))
    return spoken if spoken in _offered() else "en"


def _offered() -> tuple[str, ...]:
    return RECIPIENT if request.path.startswith(RECIPIENT_PATHS) else COMPLETE


def _counting(ngettext: Callable[..., str]) -> Callable[..., str]:
    """`ngettext` for templates that writes its number as every other number on the page is written."""

    @pass_context
    def counted(context: Context, one: str, many: str, number: int, **values: object) -> str:
        return ngettext(context, one, many, number, **({"num": format_number(number)} | values))

    return counted


def country_name(code: str) -> str:
    """The name of a country code in the page's language; the code itself when it has none."""
    return codes.name_of(code, str(get_locale() or "en"))


def language_name(tag: str) -> str:
    """The name of a BCP 47 tag in the page's language; the tag itself when it has none."""
    try:
        return Locale.parse(tag, sep="-").get_display_name(get_locale()) or tag
    except (UnknownLocaleError, ValueError):
        return tag


def time_ago(passed: dt.timedelta) -> str:
    """How long ago, or in how long: to about two months in days, as durations are told beside it, not in weeks."""
    days = abs(passed) / dt.timedelta(days=1)
    if 1.5 <= days < 60:
        return format_timedelta(passed, granularity="day", threshold=1000, add_direction=True)
    return format_timedelta(passed, add_direction=True)


def spelt(text: str) -> str:
    """An ISO 8601 duration in words, exactly: "1 day, 12 hours"; what is none stays as it is."""
    try:
        seconds = int(duration(text).total_seconds())
    except Invalid:
        return text
    parts = {
        "day": seconds // 86_400, "hour": seconds // 3_600 % 24, "minute": seconds // 60 % 60, "second": seconds % 60,
    }  # fmt: skip
    words = [
        format_timedelta(dt.timedelta(**{f"{unit}s": n}), granularity=unit, threshold=math.inf)
        for unit, n in parts.items()
        if n
    ]
    return format_list(words, style="unit", locale=get_locale()) if words else text


def _context() -> dict[str, object]:
    locale = get_locale()
    return {
        "locale": locale.language if locale else "en",
        "direction": locale.text_direction if locale else "ltr",
        "languages": [(tag, LANGUAGES[tag]) for tag in _offered()],
        "demo": running.settings().demo,
    }


def _remember(response: Response) -> Response:
    if request.path.startswith("/api/"):
        return response
    wanted = request.args.get("lang")
    if wanted in _offered():
        response.set_cookie(
            COOKIE, wanted, max_age=31_536_000, httponly=True, samesite="Lax", secure=request.is_secure
        )
    return response
