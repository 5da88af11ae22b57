"""Country codes: ISO 3166-1 alpha-2 with EU and XK, what else people write for them, and their names."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache, lru_cache

from babel import Locale, UnknownLocaleError
from babel.core import get_global

from pocdir.core.text import fold

LANGUAGES = ("en", "ar", "zh", "fr", "ru", "es")  # those in which a name is understood

_ISO_3166_1 = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT
BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH
ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT
HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS
LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI
NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG
SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG
UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
ALL_CODES: tuple[str, ...] = tuple(sorted([*_ISO_3166_1.split(), "EU", "XK"]))
_CODES = frozenset(ALL_CODES)
_OTHER_CODES = {"UK": "GB", "EUE": "EU", "XKX": "XK", "XKK": "XK"}  # in use beside ISO's own
_OTHER_NAMES = {  # in use beside CLDR's own
    "Britain": "GB",
    "Burma": "MM",
    "Cabo Verde": "CV",
    "Czech Republic": "CZ",
    "Democratic Republic of Congo": "CD",
    "Democratic Republic of the Congo": "CD",
    "DR Congo": "CD",
    "East Timor": "TL",
    "Great Britain": "GB",
    "Hong Kong": "HK",
    "Ivory Coast": "CI",
    "Macao": "MO",
    "Macau": "MO",
    "Palestine": "PS",
    "Republic of Korea": "KR",
    "Republic of Moldova": "MD",
    "Republic of the Congo": "CG",
    "Russian Federation": "RU",
    "State of Palestine": "PS",
    "Swaziland": "SZ",
    "Syrian Arab Republic": "SY",
    "The Netherlands": "NL",
    "Turkey": "TR",
    "UAE": "AE",
    "United States of America": "US",
    "Viet Nam": "VN",
}


def alpha2(text: str) -> str | None:
    """The two letters for alpha-2, alpha-3, UK, EU, XK in any case; None for what is no code (as ZZ)."""
    code = text.strip()
    if not code.isascii():
        return None
    code = code.upper()
    if code in _CODES:
        return code
    return _OTHER_CODES.get(code) or (_alpha3().get(code) if len(code) == 3 else None)


def code_by_name(text: str) -> str | None:
    """The code of a country named in one of LANGUAGES, whole, whatever the case, accents and punctuation."""
    return _codes_by_name().get(_name_key(text))


def name_of(code: str, locale: str = "en") -> str:
    """The name that CLDR gives a code in a language; the code itself when CLDR has none."""
    return _names(locale).get(code, code)


@cache
def _alpha3() -> dict[str, str]:
    aliases: dict[str, list[str]] = get_global("territory_aliases")  # type: ignore[assignment]
    iso = frozenset(_ISO_3166_1.split())
    return {
        alias: codes[0]
        for alias, codes in aliases.items()
        if len(alias) == 3 and len(codes) == 1 and codes[0] in iso and alias.isalpha()
    }


@lru_cache(maxsize=32)
def _names(locale: str) -> dict[str, str]:
    try:
        territories = Locale.parse(locale, sep="-" if "-" in locale else "_").territories
    except (UnknownLocaleError, ValueError):
        return _names("en")
    return {code: territories[code] for code in ALL_CODES if code in territories}


@cache
def _codes_by_name() -> dict[str, str]:
    """Whole names; then what stands before a bracket, where it is nobody else's; then names in common use."""
    names = [(code, name) for language in LANGUAGES for code, name in _names(language).items()]
    before_bracket = [(code, re.split("[(（]", name)[0]) for code, name in names]
    known: dict[str, str] = {}
    for pairs in (names, before_bracket, [(code, name) for name, code in _OTHER_NAMES.items()]):
        found = defaultdict(set)
        for code, name in pairs:
            found[_name_key(name)].add(code)
        known = {key: codes.pop() for key, codes in found.items() if len(codes) == 1} | known
    return known


def _name_key(name: str) -> str:
    key = re.sub(r"[^\w]+", " ", fold(name).replace("&", " and ")).strip()
    return re.sub(r"\bst\b", "saint", key)
