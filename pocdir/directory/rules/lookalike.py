"""Names that look like others: a skeleton after Unicode TR39, cut to the letters that lists of teams are written in."""

from __future__ import annotations

import re
import unicodedata

from pocdir.core.text import fold

# Letters of other scripts, and digits, by the Latin letter they are drawn like (from Unicode's confusables.txt:
# those of Cyrillic, Greek, Armenian and Cherokee that fonts in common use draw the same, or nearly).
_DRAWN_LIKE = {
    "a": "аα", "b": "Ь", "c": "сϲ", "d": "ԁ", "e": "еҽ", "g": "ցɡ", "h": "һհ", "i": "іιɩӏ", "j": "јϳ", "k": "кκ",
    "l": "1ІΙӀ|ǀI", "m": "м", "n": "пո", "o": "0оοօσ", "p": "рρ", "q": "ԛզ", "r": "г", "s": "ѕ",
    "t": "тτ", "u": "սυ", "v": "νѵ", "w": "ԝѡω", "x": "хχ", "y": "уүγ", "z": "ʐ",
    "A": "АΑᎪ", "B": "ВΒᏴ", "C": "СϹᏟ", "D": "Ꭰ", "E": "ЕΕᎬ", "F": "Ϝ", "G": "ԌᏀ", "H": "НΗᎻ", "J": "ЈᎫ",
    "K": "КΚᏦ", "L": "Ꮮ", "M": "МΜᎷ", "N": "Ν", "O": "ОΟՕ", "P": "РΡᏢ", "R": "Ꭱ", "S": "ЅՏᏚ", "T": "ТΤᎢ",
    "V": "ѴᏙ", "W": "ԜᎳ", "X": "ХΧ", "Y": "ҮΥУ", "Z": "ΖᏃ",
}  # fmt: skip
_SKELETON = {ord(drawn): latin for latin, drawings in _DRAWN_LIKE.items() for drawn in drawings}
# Scripts whose letters are mistaken for one another; those of East Asia are mixed by everybody.
_SCRIPTS = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})
_JOINERS = "\u200c\u200d"
_JOINED = frozenset(
    {"ARABIC", "DEVANAGARI", "BENGALI", "SINHALA", "MALAYALAM", "KANNADA", "TELUGU", "TAMIL", "KHMER"}
)
_WORD = re.compile(r"[^\W\d_]+")


def skeleton(name: str) -> str:
    """What is left of a name when letters that are drawn alike count as one: two names with one skeleton look alike.

    Whoever compares also asks whether they are the same name (`core.text.fold`): those look alike, and may.
    """
    if name.isascii():
        return " ".join(name.translate(_SKELETON).lower().split())
    plain = unicodedata.normalize("NFKC", name)
    seen = "".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Mn", "Me"))
    return fold(seen.translate(_SKELETON))


def mixed_word(text: str) -> str | None:
    """The first word whose letters come from two scripts that are mistaken for one another; None: there is none."""
    if text.isascii():
        return None
    for word in _WORD.findall(unicodedata.normalize("NFC", text)):
        if len({_script(letter) for letter in word} & _SCRIPTS) > 1:
            return str(word)
    return None


def unseen(text: str) -> str | None:
    """The first sign in a text that nobody sees, as U+200B; joiners are part of how some scripts are written."""
    for before, sign in zip(" " + text, text, strict=False):
        if unicodedata.category(sign) == "Cf" and not (sign in _JOINERS and _script(before) in _JOINED):
            return f"U+{ord(sign):04X}"
    return None


def letters(word: str) -> str:
    """The word's letters of other scripts than Latin, each with its script: nobody sees the difference otherwise."""
    strange = dict.fromkeys(letter for letter in word if _script(letter) in _SCRIPTS - {"LATIN"})
    return ", ".join(f"{letter} ({_script(letter).title()})" for letter in strange)


def _script(letter: str) -> str:
    name = unicodedata.name(letter, "").partition(" ")[0]
    return "LATIN" if name in ("FULLWIDTH", "MATHEMATICAL") else name
