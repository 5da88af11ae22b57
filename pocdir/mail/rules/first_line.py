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
LONGEST_LINE = 200  # of which anything is asked but who wrote it
LONGEST_EXCERPT = 1000  # characters of a person's words that are shown

# A signature's mark (RFC 3676, 4.3), a rule, "-----Original Message-----"; what is encrypted stands there unread.
_ENDS = re.compile(r"--\s*|_{5,}|(?!-----BEGIN PGP MESSAGE)-{3,}.{0,60}-{3,}")
_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
_HEAD = re.compile(r"\*?(?:from|von|de|от|من|发件人)\*?\s?[:\uff1a].{1,190}", re.IGNORECASE)
_FIELD = re.compile(r"[^\s:\uff1a][^:\uff1a]{0,30}[:\uff1a].{0,190}")
_ATTRIBUTES = ("On ", "Am ", "Le ", "El ")
_WROTE = re.compile(r"wrote|schrieb|a écrit|escribi|пишет|пишут|написал|写道|寫道|كتب|كتابة", re.IGNORECASE)
_WHEN_OR_WHO = re.compile(r"\d:\d\d|<[^<>]{0,100}@[^<>]{0,100}>|^(?:On|Am|Le|El) .{0,60}\d")
# No question mark, no colon and no semicolon: what asks or goes on does not say. No quotation marks, no tilde: what is
# quoted or struck out is not said.
_POINTS = frozenset(".,!*_-·。！，、،")
_OVERLAY = 1  # the combining class of what strikes a letter through


def first_word(text: str) -> str | None:
    """CONFIRM or RECEIVED where this is all that a reply says of its own, on one line; else None. What is quoted, and
    what stands below a signature's mark, is nobody's own line."""
    lines = list(own_lines(text))
    return _MEANS.get(bare(lines[0])) if len(lines) == 1 and len(lines[0]) <= LONGEST_LINE else None


def own_words(text: str) -> str:
    """The own lines of a reply, each without what a terminal or a page would obey."""
    return "\n".join("".join(sign for sign in line if _is_shown(sign)) for line in own_lines(text))


def shown_lines(text: str) -> Iterator[str]:
    """All lines, each without what a terminal or a page would obey."""
    for line in text.split("\n"):
        yield "".join(sign for sign in line if _is_shown(sign)).rstrip()


def own_lines(text: str) -> Iterator[str]:
    """The lines of a reply that are the writer's own and not empty."""
    waiting: list[str] = []  # what may say who wrote what is quoted below it
    lines = _without_armour([each.strip() for each in text.split("\n")])
    for at, line in enumerate(lines):
        if line.startswith(">"):
            yield from _without_attribution(waiting)
            waiting = []
        elif len(line) <= LONGEST_LINE and (_ENDS.fullmatch(line) or _is_head(lines[at : at + 3])):
            break
        elif line:
            waiting.append(line)
    yield from waiting


def _without_armour(lines: list[str]) -> list[str]:
    """What was signed in the clear (RFC 9580, 7) as it was written: without the armour's head, nor its escapes."""
    kept, in_head, is_signed = [], False, False
    for line in lines:
        if line == _SIGNED:
            in_head = is_signed = True
        elif in_head:
            in_head = bool(line)
        else:
            kept.append(line.removeprefix("- ") if is_signed else line)
    return kept


def _is_head(lines: list[str]) -> bool:
    """Whether the head of a quoted mail begins, as some programs put it above: three fields at least."""
    few = [line[:LONGEST_LINE] for line in lines]
    return len(few) > 2 and bool(_HEAD.fullmatch(few[0])) and all(map(_FIELD.fullmatch, few[1:]))


def _without_attribution(lines: list[str]) -> list[str]:
    """Without `On 23 November somebody wrote:`, on one line or on two, before what is quoted."""
    if not lines or not lines[-1].endswith((":", "\uff1a")):
        return lines
    if _attributes(lines[-1]):
        return lines[:-1]
    if len(lines) > 1 and lines[-2].startswith(_ATTRIBUTES) and _attributes(f"{lines[-2]} {lines[-1]}"):
        return lines[:-2]
    return lines


def _attributes(line: str) -> bool:
    return len(line) <= 2 * LONGEST_LINE and bool(_WROTE.search(line) and _WHEN_OR_WHO.search(line))


def _is_shown(sign: str) -> bool:
    return unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def bare(line: str) -> str:
    """Without points, accents that are left out, and case."""
    folded = unicodedata.normalize("NFKD", line).casefold()
    kept = "".join(
        sign
        for sign in folded
        if unicodedata.category(sign) != "Mn" or unicodedata.combining(sign) == _OVERLAY
    )
    while kept and _is_point(kept[0]):
        kept = kept[1:]
    while kept and _is_point(kept[-1]):
        kept = kept[:-1]
    return " ".join(kept.split())


def _is_point(sign: str) -> bool:
    return sign in _POINTS or unicodedata.category(sign) in ("Zs", "Cf")


_MEANS = {bare(word): what for what, by in SAID.items() for words in by.values() for word in words}
