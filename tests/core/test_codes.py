"""Country codes and the names people type for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocdir.core.codes import ALL_CODES, LANGUAGES, alpha2, code_by_name, name_of


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("AT", "AT"),
        ("at", "AT"),
        (" At ", "AT"),
        ("AUT", "AT"),
        ("GB", "GB"),
        ("UK", "GB"),
        ("uk", "GB"),
        ("GBR", "GB"),
        ("EU", "EU"),
        ("XK", "XK"),
        ("XKX", "XK"),
        ("TWN", "TW"),
        ("HKG", "HK"),
        ("MAC", "MO"),
        ("DDR", "DE"),
    ],
)
def test_a_code_is_known_in_each_of_its_spellings(text: str, code: str) -> None:
    assert alpha2(text) == code


@pytest.mark.parametrize(
    "text",
    ["", "A", "ZZ", "ZZZ", "AA", "AAA", "XA", "QMM", "QUU", "UN", "SUN", "SU", "A1", "AUTT", "ß"],
)
def test_what_is_no_code_is_none(text: str) -> None:
    assert alpha2(text) is None


def test_there_are_251_codes_in_order() -> None:
    assert len(ALL_CODES) == 251
    assert list(ALL_CODES) == sorted(ALL_CODES)
    assert {"EU", "XK", "TW", "HK", "MO", "PS"} <= set(ALL_CODES)


@pytest.mark.parametrize("code", ALL_CODES)
def test_every_code_is_found_by_its_name_in_every_language(code: str) -> None:
    assert alpha2(code) == code
    for language in LANGUAGES:
        assert code_by_name(name_of(code, language)) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("AUSTRIA", "AT"),
        ("autriche", "AT"),
        ("Cote d'Ivoire", "CI"),
        ("Côte d’Ivoire", "CI"),
        ("Saint Lucia", "LC"),
        ("st lucia", "LC"),
        ("Bosnia and Herzegovina", "BA"),
        ("Turkey", "TR"),
        ("turkiye", "TR"),
        ("hong kong", "HK"),
        ("Myanmar", "MM"),
        ("European Union", "EU"),
    ],
)
def test_names_are_understood_without_accents_and_in_common_forms(text: str, code: str) -> None:
    assert code_by_name(text) == code


@pytest.mark.parametrize(
    "text", ["", "Atlantis", "virgin islands", "Виргинские о-ва", "刚果", "Unknown Region"]
)
def test_what_names_no_country_or_several_is_none(text: str) -> None:
    assert code_by_name(text) is None


def test_a_name_is_given_in_the_language_asked_for() -> None:
    assert name_of("AT") == "Austria"
    assert name_of("AT", "fr") == "Autriche"
    assert name_of("AT", "pt-BR") == "Áustria"


def test_an_unknown_language_is_english_and_an_unknown_code_itself() -> None:
    assert name_of("AT", "xx") == name_of("AT", "../etc") == "Austria"
    assert name_of("ZZ") == "ZZ"


@given(st.text())
def test_any_text_is_a_code_or_none(text: str) -> None:
    assert alpha2(text) in {None, *ALL_CODES}
    assert code_by_name(text) in {None, *ALL_CODES}
