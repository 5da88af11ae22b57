"""What the first line of a reply says instead of a visit to the recipient's page, in the languages of the letters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pocdir.mail.rules.first_line import LONGEST_LINE, bare, own_lines

LONGEST_NOTE = 500  # characters of what follows a colon

# The phrases of each choice of `outreach.rules.recipient.ACTIONS`; in English as the letter names them.
PHRASES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "received": {
        "en": ("received", "we have received it", "we have it"),
        "ar": ("تم الاستلام", "استلمنا", "استلمت", "وصلت"),
        "zh": ("收到", "已收到"),
        "fr": ("reçu", "bien reçu"),
        "ru": ("получено", "получили", "получил", "получила"),
        "es": ("recibido",),
    },
    "passed_on": {
        "en": ("passed on", "passed on to", "forwarded", "forwarded to"),
        "ar": ("تم التحويل", "تمت الإحالة", "أحيل إلى", "حولنا إلى"),
        "zh": ("已转交", "已轉交", "已转发"),
        "fr": ("transmis", "transmis à"),
        "ru": ("передано", "передали", "переслали"),
        "es": ("transmitido", "transmitido a", "reenviado", "reenviado a"),
    },
    "not_ours": {
        "en": ("not ours", "not for us", "this is not ours", "this is not for us"),
        "ar": ("ليس لنا", "لا يخصنا"),
        "zh": ("不是我们的", "不归我们", "不屬於我們"),
        "fr": ("pas pour nous", "ce n'est pas pour nous", "pas à nous"),
        "ru": ("не наше", "не к нам", "не для нас"),
        "es": ("no es nuestro", "no es para nosotros"),
    },
    "need": {
        "en": ("need", "we need", "needed"),
        "ar": ("نحتاج", "نحتاج إلى"),
        "zh": ("需要", "我们需要"),
        "fr": ("besoin", "nous avons besoin de", "il nous faut"),
        "ru": ("нужно", "нам нужно", "требуется"),
        "es": ("necesitamos", "falta"),
    },
    "done": {
        "en": ("done", "it is done"),
        "ar": ("تم", "تمت المعالجة"),
        "zh": ("完成", "已完成", "已处理", "已處理"),
        "fr": ("fait", "c'est fait"),
        "ru": ("сделано", "готово"),
        "es": ("hecho",),
    },
}
_CHOICES = {bare(phrase): choice for choice, by in PHRASES.items() for each in by.values() for phrase in each}
_AFTER_COLON = {"not_ours": "ask", "need": "note", "received": "ticket"}
_COLON = re.compile(r"[:\uff1a]")
_ASKS = re.compile(r"[?\uff1f\u061f\u037e]")
# Whom it may be passed on to; after another word a number may be a date: `forwarded 12 Nov`.
_OPERATORS = (
    "operators?", "providers?", "isps?", "networks?", "customers?", "companies", "organi[sz]ations?", "teams?",
    "مشغل", "مشغلين", "جهة", "جهات", "شركة", "شركات", "家", "个", "個", "家运营商", "个运营商",
    "op[ée]rateurs?", "fournisseurs?", "clients?", "[ée]quipes?", "entreprises?",
    "оператор(?:у|ам|ов|а)?", "провайдер(?:у|ам|ов|а)?", "компани(?:и|ям|й)",
    "operador(?:es)?", "proveedor(?:es)?", "clientes?", "empresas?", "equipos?",
)  # fmt: skip
_NUMBER = re.compile(rf"(.*?[^\d ]) ?(\d{{1,7}})(?: ?(?:{'|'.join(_OPERATORS)}))?")  # passed on 31 operators
_TICKET = re.compile(r"[#№]? ?(?=[\w./-]*\d)[A-Za-z0-9][\w./-]{0,39}")
# `Received: 23.11.2026`, `Received: mx1.example.org`: a program's list of facts, and no ticket.
_NO_TICKET = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}.*|.*\.[A-Za-z].*|[\d.]*\.[\d.]*")
_NUMBERED = re.compile(
    r"(.+?),?(?: (?:ticket|case|caso|dossier|тикет|工单|تذكرة))? ?[#№] ?((?=[\w./-]*\d)[A-Za-z0-9][\w./-]{0,39})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Said:
    """A choice of the recipient's page, what is filled in with it, and whether the reply says more of its own."""

    choice: str
    filled_in: Mapping[str, Any] = field(default_factory=dict)
    is_all: bool = True


def said(text: str) -> Said | None:
    """The choice that the first own line of a reply makes, else None: a line that asks or says more is free text."""
    lines = list(own_lines(text))
    if not lines or len(lines[0]) > LONGEST_LINE + LONGEST_NOTE:
        return None
    found = _choice(lines[0])
    return Said(found[0], found[1], is_all=len(lines) == 1) if found else None


def _choice(line: str) -> tuple[str, dict[str, Any]] | None:
    head, *tail = _COLON.split(line, maxsplit=1)
    if _ASKS.search(head):
        return None
    if tail:
        return _with_tail(_CHOICES.get(bare(head), ""), tail[0].strip())
    if (choice := _CHOICES.get(bare(line))) and choice != "need":
        return choice, {}
    if (found := _NUMBERED.fullmatch(line.strip(" .!"))) and _CHOICES.get(bare(found[1])) == "received":
        return "received", {"ticket": found[2]}
    if (found := _NUMBER.fullmatch(bare(line))) and _CHOICES.get(found[1].strip()) == "passed_on":
        return "passed_on", {"count": int(found[2])}
    return None


def _with_tail(choice: str, tail: str) -> tuple[str, dict[str, Any]] | None:
    """`need: ...` and `not ours: team@...` say what or whom; a ticket number is one word."""
    name = _AFTER_COLON.get(choice)
    if name is None or not tail or len(tail) > LONGEST_NOTE:
        return None
    if name == "ticket":
        number = tail.strip(" .")
        is_one = _TICKET.fullmatch(number) and not _NO_TICKET.fullmatch(number.lstrip("#№ "))
        return (choice, {name: number.lstrip("#№ ")}) if is_one else None
    return choice, {name: tail}
