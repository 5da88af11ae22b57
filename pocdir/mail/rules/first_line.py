"""What a person says on the first line of a reply: one word of a short list, in the languages of the letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

CONFIRM, RECEIVED = "confirm", "received"
# The word that a letter asks for comes first; the others are said just as well.
SAID = {
    CONFIRM: {
        "en": ("confirm", "confirmed", "i confirm", "we confirm"),
        "ar": ("أؤكد", "نؤكد", "تأكيد", "مؤكد", "تم التأكيد"),
        "zh": ("确认", "已确认", "確認"),
        "fr": ("je confirme", "nous confirmons", "confirmé", "confirme", "confirmer"),
        "ru": ("подтверждаю", "подтверждаем", "подтверждено", "подтвердить"),
        "es": ("confirmo", "confirmamos", "confirmado", "confirmar"),
    },
    RECEIVED: {
        "en": ("received",),
        "ar": ("تم الاستلام", "استلمنا", "استلمت", "وصلت"),
        "zh": ("收到", "已收到"),
        "fr": ("reçu", "bien reçu"),
        "ru": ("получено", "получили", "получил", "получила"),
        "es": ("recibido",),
    },
}  # fmt: skip
LONGEST_LINE = 200
LONGEST_CLOSING, MOST_OF_CLOSING = 60, 400  # characters of a line, and in all
LONGEST_EXCERPT = 1000  # characters of a person's words that are shown

_ENDS = re.compile(
    r"--\s*|_{5,}|-{3,}.{0,60}-{3,}"
)  # a signature's mark (RFC 3676, 4.3), a rule, "-----Original Message-----"
_HEAD = re.compile(r"\*?(?:from|von|de|от|من|发件人)\*?\s?[:\uff1a].{1,300}", re.IGNORECASE)
_ATTRIBUTES = ("On ", "Am ", "Le ", "El ")
_ROUND = "Ps", "Pe", "Pi", "Pf", "Zs", "Cf"
_POINTS = frozenset(".,!;:*_\"'`~-·。！，、،؛")  # no question mark: what asks does not say


def first_word(text: str) -> str | None:
    """CONFIRM or RECEIVED where the first own line of a reply says this and nothing else; None: it says something
    else. What is quoted, and what stands below a signature's mark, is nobody's own line."""
    line = next(iter(own_lines(text)), "")
    return _MEANS.get(_bare(line)) if len(line) <= LONGEST_LINE else None


def excerpt(text: str) -> str:
    """The own words of a reply, cut, each line without what a terminal or a page would obey."""
    lines = ("".join(sign for sign in line if _is_shown(sign)) for line in own_lines(text))
    return "\n".join(lines)[:LONGEST_EXCERPT].rstrip()


def says_more(text: str) -> bool:
    """Whether own words stand below the first line that are longer than names and numbers of a closing are."""
    rest = list(own_lines(text))[1:]
    return any(len(line) > LONGEST_CLOSING for line in rest) or sum(map(len, rest)) > MOST_OF_CLOSING


def own_lines(text: str) -> Iterator[str]:
    """The lines of a reply that are the writer's own and not empty."""
    waiting: list[str] = []  # what may say who wrote what is quoted below it
    for line in (each.strip() for each in text.split("\n")):
        if line.startswith(">"):
            yield from filter(None, _without_attribution(waiting))
            waiting = []
        elif _ENDS.fullmatch(line) or _HEAD.fullmatch(line):
            break
        else:
            waiting.append(line)
    yield from filter(None, waiting)


def _without_attribution(lines: list[str]) -> list[str]:
    """Without `On Monday somebody wrote:`, on one line or on two, before what is quoted."""
    while lines and not lines[-1]:
        lines = lines[:-1]
    if not lines or not lines[-1].endswith((":", "\uff1a")):
        return lines
    return lines[:-2] if len(lines) > 1 and lines[-2].startswith(_ATTRIBUTES) else lines[:-1]


def _is_shown(sign: str) -> bool:
    return unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _bare(line: str) -> str:
    """Without points, brackets, accents that are left out, and case."""
    folded = unicodedata.normalize("NFKD", line).casefold()
    kept = "".join(sign for sign in folded if not unicodedata.category(sign).startswith("M"))
    while kept and (kept[0] in _POINTS or unicodedata.category(kept[0]) in _ROUND):
        kept = kept[1:]
    while kept and (kept[-1] in _POINTS or unicodedata.category(kept[-1]) in _ROUND):
        kept = kept[:-1]
    return " ".join(kept.split())


_MEANS = {_bare(word): what for what, by in SAID.items() for words in by.values() for word in words}
