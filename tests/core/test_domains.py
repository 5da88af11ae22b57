"""Domain names: one spelling, the public suffix, the country of the top level domain."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocdir.core.domains import country_of_tld, parse_domain, registrable_domain


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("example.org", "example.org"),
        ("EXAMPLE.ORG.", "example.org"),
        ("münchen.de", "xn--mnchen-3ya.de"),
        ("MÜNCHEN.DE.", "xn--mnchen-3ya.de"),
        ("XN--MNCHEN-3YA.de", "xn--mnchen-3ya.de"),
        ("mu\u0308nchen.de", "xn--mnchen-3ya.de"),
        ("faß.de", "xn--fa-hia.de"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("_dmarc.example.org", "_dmarc.example.org"),
        ("r3---sn-abc.example.org", "r3---sn-abc.example.org"),
        ("аpple.com", "xn--pple-43d.com"),
    ],
)
def test_a_name_has_one_spelling(text: str, name: str) -> None:
    assert parse_domain(text) == name
    assert parse_domain(name) == name


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "org", "a..b", ".example.org", "-a.org", "a-.org", "a b.org", "a/b.org", "a@b.org",
        "1.2.3.4", "1.2.3", "a.0x1f", "a.１２３", "x" * 64 + ".org", "a." * 127 + "org", "i❤.ws",
        "a\u200d.org", "xn--.de", "xn--ü.de", "ﷺ." * 60, "a" * 5000, "\u0300.org", "a℀b.org",
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w+ .*\w+") as refusal:
        parse_domain(text)
    assert type(refusal.value) is ValueError


@pytest.mark.parametrize(
    ("name", "registrable"),
    [
        ("www.a.b.example.co.uk", "example.co.uk"),
        ("example.co.uk", "example.co.uk"),
        ("co.uk", None),
        ("www.hospital.example", "hospital.example"),
        ("a.b.unlisted-tld", "b.unlisted-tld"),
        ("example.ck", None),
        ("a.b.example.ck", "b.example.ck"),
        ("www.ck", "www.ck"),
        ("a.www.ck", "www.ck"),
        ("user.github.io", "github.io"),
        ("www.xn--55qx5d.cn", "www.xn--55qx5d.cn"),
    ],
)
def test_the_registrable_domain_is_one_label_more_than_the_public_suffix(
    name: str, registrable: str | None
) -> None:
    assert registrable_domain(name) == registrable


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("example.at", "AT"),
        ("example.co.uk", "GB"),
        ("example.eu", "EU"),
        ("example.xn--p1ai", "RU"),
        ("example.xn--fiqs8s", "CN"),
        ("example.xn--node", "GE"),
        ("example.org", None),
        ("example.example", None),
        ("example.su", None),
        ("example.xn--zckzah", None),
    ],
)
def test_the_top_level_domain_tells_the_country_in_every_script(name: str, code: str | None) -> None:
    assert country_of_tld(name) == code


def test_the_suffix_list_is_read_without_the_library_that_goes_online() -> None:
    program = """
import sys
from pocdir.core.domains import suffix_labels
assert suffix_labels(["example", "co", "uk"]) == 2
sys.exit("requests" in sys.modules or "tldextract" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80).map(lambda text: f"{text}.org"))
def test_any_text_is_a_name_that_reads_as_itself_or_a_value_error(text: str) -> None:
    try:
        name = parse_domain(text)
    except ValueError:
        return
    assert parse_domain(name) == name
    assert name.isascii()
