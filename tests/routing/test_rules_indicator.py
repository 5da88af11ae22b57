"""What somebody pastes: what it is read as, what is refused and why, and that nothing else can happen."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pocdir.core.errors import Invalid
from pocdir.routing.rules.addresses import is_special, parse_prefix
from pocdir.routing.rules.indicator import KINDS, LONGEST, domain, parse, span

NAMES = {
    "cert-at": ("cert-at",),
    "cert.at": ("cert-at",),
    "computer emergency response team austria": ("cert-at",),
    "cert/cc": ("cert-cc",),
    "cert-cc": ("cert-cc",),
    "equipe de reponse": ("equipe",),
    "dr. web e.v.": ("dr-web",),
    "cert": ("cert-a", "cert-b"),
    "austria": ("not-the-country",),
}


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("203.0.113.70", "ip", "203.0.113.70"),
        ("203[.]0.113.70", "ip", "203.0.113.70"),
        ("203(.)0{.}113[dot]70", "ip", "203.0.113.70"),
        ("203.0.113.70:443", "ip", "203.0.113.70"),
        ("  203.0.113.70\n", "ip", "203.0.113.70"),
        ('"203.0.113.70"', "ip", "203.0.113.70"),
        ("\ufeff203.0.113.70\u200b", "ip", "203.0.113.70"),
        ("2001:DB8:0:0::1", "ip", "2001:db8::1"),
        ("2001:0db8::0001", "ip", "2001:db8::1"),
        ("2001[:]db8[:][:]1", "ip", "2001:db8::1"),
        ("[2001:db8::1]", "ip", "2001:db8::1"),
        ("[2001:db8::1]:443", "ip", "2001:db8::1"),
        ("::ffff:203.0.113.70", "ip", "203.0.113.70"),
        ("::FFFF:cb00:7146", "ip", "203.0.113.70"),
        ("203.0.113.0/24", "prefix", "203.0.113.0/24"),
        ("203[.]0[.]113[.]0/24", "prefix", "203.0.113.0/24"),
        ("2001:DB8::/32", "prefix", "2001:db8::/32"),
        ("::ffff:203.0.113.0/120", "prefix", "203.0.113.0/24"),
        ("203.0.113.0-203.0.113.9", "range", "203.0.113.0-203.0.113.9"),
        ("203.0.113.0 – 203.0.113.9", "range", "203.0.113.0-203.0.113.9"),
        ("203.0.113.0-203.0.113.255", "range", "203.0.113.0-203.0.113.255"),
        ("2001:DB8::1-2001:db8::FF", "range", "2001:db8::1-2001:db8::ff"),
        ("AS64500", "asn", "64500"),
        ("as 64500", "asn", "64500"),
        ("ASN64500", "asn", "64500"),
        ("64500", "asn", "64500"),
        ("4294967295", "asn", "4294967295"),
        ("user@example.org", "email", "user@example.org"),
        ("User.Name+tag@Example.ORG", "email", "User.Name+tag@example.org"),
        ("user(at)example(dot)org", "email", "user@example.org"),
        ("user [at] example [dot] org", "email", "user@example.org"),
        ("mailto:user@münchen.de?subject=x", "email", "user@xn--mnchen-3ya.de"),
        ("<user@example.org>", "email", "user@example.org"),
        ("user@[203.0.113.70]", "email", "user@[203.0.113.70]"),
        ("user@[IPv6:2001:DB8::1]", "email", "user@[IPv6:2001:db8::1]"),
        ("https://www.Example.ORG/a?b#c", "url", "https://www.example.org/a?b#c"),
        ("hxxp://example[.]org/a", "url", "http://example.org/a"),
        ("hXXps[:]//example[.]org", "url", "https://example.org"),
        ("hxxps[://]example[.]org", "url", "https://example.org"),
        ("h**p://example.org", "url", "http://example.org"),
        ("http://münchen.de/ä", "url", "http://xn--mnchen-3ya.de/ä"),
        ("http://user:secret@example.org:8080/", "url", "http://example.org:8080/"),
        ("http://203.0.113.70:80/x", "url", "http://203.0.113.70:80/x"),
        ("http://[2001:DB8::1]:80/x", "url", "http://[2001:db8::1]:80/x"),
        ("http://[::ffff:203.0.113.70]/", "url", "http://203.0.113.70/"),
        ("http://evil.example\\@good.example/", "url", "http://evil.example\\@good.example/"),
        ("example.org/path", "url", "example.org/path"),
        ("http://example.org/a(at)[.]b", "url", "http://example.org/a(at)[.]b"),
        ("example.org", "domain", "example.org"),
        ("example.org:8080", "domain", "example.org"),
        ("example[.]org", "domain", "example.org"),
        ("MÜNCHEN.DE.", "domain", "xn--mnchen-3ya.de"),
        ("xn--mnchen-3ya.de", "domain", "xn--mnchen-3ya.de"),
        ("203.0.113.5-static.example.net", "domain", "203.0.113.5-static.example.net"),
        ("*.example.org", "domain", "example.org"),
        ("co.uk", "domain", "co.uk"),
        ("203.0.113.70.", "ip", "203.0.113.70"),
        ("203.0.113.70,", "ip", "203.0.113.70"),
        ("'example.org';", "domain", "example.org"),
        ("at", "country", "AT"),
        ("UK", "country", "GB"),
        ("gbr", "country", "GB"),
        ("EU", "country", "EU"),
        ("austria", "country", "AT"),
        ("Côte d'Ivoire", "country", "CI"),
        ("奥地利", "country", "AT"),
        ("UAE", "country", "AE"),
        ("Palestine", "country", "PS"),
        ("U.S. Virgin Islands", "country", "VI"),
        ("CERT-AT", "team", "cert-at"),
        ("Computer  Emergency Response Team AUSTRIA", "team", "cert-at"),
        ("Équipe de réponse", "team", "equipe"),
        ("CERT/CC", "team", "cert-cc"),
        ("Dr. Web e.V.", "team", "dr-web"),
    ],
)
def test_it_is_read_as(text: str, kind: str, value: str) -> None:
    indicator = parse(text, NAMES)
    assert (indicator.kind, indicator.value, indicator.input) == (kind, value, text)


def test_what_holds_a_dot_is_a_domain_before_it_is_a_team() -> None:
    assert parse("CERT.at", NAMES).kind == "domain"


def test_a_country_comes_before_a_team_of_that_name() -> None:
    assert parse("Austria", NAMES).kind == "country"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nothing was given"),
        (" \t\n\u200b", "nothing was given"),
        ("203.0.113.070", "leading zero"),
        ("http://203.0.113.070/", "leading zero"),
        ("203.0.113.256", "four numbers from 0 to 255"),
        ("203.0.113", "four numbers from 0 to 255"),
        ("203.0.113.70.1", "four numbers from 0 to 255"),
        ("127.1", "four numbers from 0 to 255"),
        ("2001:db8::1::2", "no IPv6 address"),
        ("2001:db8:::1", "no IPv6 address"),
        ("fe80::1%eth0", "zone id"),
        ("fe80::1%eth0/64", "zone id"),
        ("http://[fe80::1%25eth0]/", "zone id"),
        ("203.0.113.5/24", "the prefix is 203.0.113.0/24"),
        ("10.0.0.1/8", "the prefix is 10.0.0.0/8"),
        ("2001:db8:1::/32", "the prefix is 2001:db8::/32"),
        ("203.0.113.0/33", "a number from 0 to 32"),
        ("2001:db8::/129", "a number from 0 to 128"),
        ("203.0.113.0/024", "a number from 0 to 32"),
        ("203.0.113.0/", "a number from 0 to 32"),
        ("203.0.113.0/-1", "a number from 0 to 32"),
        ("203.0.113.0/24/25", "a number from 0 to 32"),
        ("203.0.113.0/255.255.255.0", "a number from 0 to 32"),
        ("10/8", "four numbers"),
        ("203.0.113.9-203.0.113.0", "the range is 203.0.113.0-203.0.113.9"),
        ("203.0.113.0-2001:db8::1", "same family"),
        ("203.0.113.0-9", "two whole addresses"),
        ("203.0.113.0-203.0.113.256", "four numbers from 0 to 255"),
        ("AS4294967296", "AS numbers end"),
        ("9" * 4000, "AS numbers end"),
        ("user@@example.org", "one @"),
        ("a@b@example.org", "one @"),
        ("@example.org", "before its one @"),
        ("user@", "domain name"),
        ("user@localhost", "at least two parts"),
        ("user@-example.org", "no hyphen first or last"),
        ("http://", "names no host"),
        ("http:///path", "names no host"),
        ("http://intranet/", "at least two parts"),
        ("http://3405803846/", "at least two parts"),
        ("http://0xcb.0.0x71.0x46/", "does not end in a number"),
        ("http://example.org:99999/", "65535"),
        ("http://exam ple.org/", "letters, digits and hyphens"),
        ("a..b", "between two dots"),
        ("a.123", "does not end in a number"),
        ("i❤.ws", "xn--"),
        ("ZZ", "ZZ is no country code"),
        ("Atlantis", "for example, 203.0.113.70"),
        ("Österreich", "for example, 203.0.113.70"),
        ("javascript:alert(1)", "for example, 203.0.113.70"),
        ("N/A", "for example, 203.0.113.70"),
        ("-", "for example, 203.0.113.70"),
        ("CERT", "cert-a, cert-b"),
        ("example.org\x00", "U+0000"),
        ("exa\nmple.org", "U+000A"),
        ("203.0.113.1\n203.0.113.2", "one indicator"),
        ("\u202eexample.org", "RIGHT-TO-LEFT OVERRIDE"),
        ("exam\u200bple.org", "ZERO WIDTH SPACE"),
        ("example.org\ud800", "U+D800"),
        ("x" * 10_000, "longer than"),
        ("http://example.org/" + "x" * LONGEST, "longer than"),
    ],
)
def test_it_is_refused_with_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse(text, NAMES)
    assert refusal.value.code == "indicator_invalid"
    assert says in refusal.value.message


def test_a_letter_that_looks_like_another_makes_another_name() -> None:
    assert parse("ехample.org").value == "xn--ample-ywe6i.org"
    with pytest.raises(Invalid):
        parse("Аustria", NAMES)


def test_a_password_in_a_url_is_not_repeated() -> None:
    assert "secret" not in parse("https://user:secret@example.org/").value


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://user@www.example.org:8080/x", "www.example.org"),
        ("http://evil.example\\@good.example/", "evil.example"),
        ("http://good.example@evil.example/", "evil.example"),
        ("example.org/x", "example.org"),
        ("user@example.org", "example.org"),
        ("example.org", "example.org"),
        ("203.0.113.70", None),
        ("http://203.0.113.70/", None),
        ("AT", None),
    ],
)
def test_the_domain_is_that_of_the_host(text: str, host: str | None) -> None:
    assert domain(parse(text)) == host


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("203.0.113.70", "203.0.113.70/32"),
        ("http://203.0.113.70:80/", "203.0.113.70/32"),
        ("http://[2001:db8::1]:80/", "2001:db8::1/128"),
        ("user@[203.0.113.70]", "203.0.113.70/32"),
        ("user@[IPv6:2001:db8::1]", "2001:db8::1/128"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("203.0.113.0-203.0.113.9", "203.0.113.0-203.0.113.9"),
        ("example.org", "None"),
        ("AS64500", "None"),
    ],
)
def test_the_span_is_all_the_addresses_asked_about(text: str, asked: str) -> None:
    assert str(span(parse(text))) == asked


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.1.1", "172.31.255.255", "192.0.2.1",
        "192.168.1.1", "198.19.0.1", "198.51.100.1", "203.0.113.70", "224.0.0.1", "255.255.255.255",
        "::", "::1", "64:ff9b::1", "100::1", "2001::1", "2001:db8::1", "2002::1", "3fff::1", "5f00::1",
        "fc00::1", "fe80::1", "ff02::1", "::ffff:10.0.0.1",
    ],
)  # fmt: skip
def test_special_space_is_not_routable(text: str) -> None:
    assert is_special(span(parse(text)))


@pytest.mark.parametrize(
    "text",
    [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "172.32.0.0",
        "192.169.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2a00::1",
    ],
)
def test_public_space_is_routable(text: str) -> None:
    assert not is_special(span(parse(text)))


NASTY = [
    "[" * LONGEST, "(" * LONGEST, "." * LONGEST, ":" * LONGEST, "@" * LONGEST, "-" * LONGEST, "'" * LONGEST,
    "a." * (LONGEST // 2), "1." * (LONGEST // 2), " (dot" * 800, "[. " * 1300, "ä" * LONGEST, "ä." * 2000,
    "\ufdfa." * 2000, "\u0300" * LONGEST, "http://" + "[" * 4000, "http://" + "a@" * 2000, "h" * LONGEST + "://",
    "1.1.1.1-" * 500, "as" + " 1" * 2000, "a@" + "[" * 4000, "%" * LONGEST, "2001:" * 800,
]  # fmt: skip


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_hostile_text_is_answered_without_long_thought(text: str) -> None:
    """A pattern that backtracks without bound would take minutes over one of these."""
    with pytest.raises(Invalid):
        parse(text, NAMES)


@given(st.text(max_size=60) | st.text(alphabet="0123456789abcdefx.:/-@[](){}%# \\?*", max_size=40))
@example("[[.]]")
@example("http://a.b/[[.]]")
@example("mailto:mailto:a@b.cc")
def test_any_text_is_an_indicator_that_reads_as_itself_or_is_refused(text: str) -> None:
    try:
        indicator = parse(text, NAMES)
    except Invalid as refusal:
        assert refusal.code == "indicator_invalid"
        return
    again = parse(indicator.value, NAMES)
    assert indicator.kind in KINDS
    assert (again.kind, again.value) == (indicator.kind, indicator.value)
    span(indicator), domain(indicator)


DEFANGED = st.sampled_from([".", "[.]", "(.)", "{.}", "[dot]", " (dot) ", "[DOT]"])


@given(st.ip_addresses(v=4), st.lists(DEFANGED, min_size=3, max_size=3))
def test_a_defanged_address_is_the_address(address: object, dots: list[str]) -> None:
    parts = str(address).split(".")
    text = "".join(part + dot for part, dot in zip(parts, [*dots, ""], strict=True))
    assert parse(text).value == str(address)


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_prefix_with_host_bits_is_told_the_right_prefix(address: object, length: int) -> None:
    text = f"{address}/{min(length, 32) if '.' in str(address) else length}"
    try:
        indicator = parse(text)
    except Invalid as refusal:
        right = refusal.message.rpartition(" ")[2]
        assert str(parse_prefix(right)) == right
        assert parse(right).kind == "prefix"
    else:
        assert indicator.kind == "prefix"


@given(st.ip_addresses(v=6) | st.ip_addresses(network="2000::/3"))
@example(IPv6Address("2001:db8:0:1:1:1:1:1"))  # one group of nothing is not left out
@example(IPv6Address("2001:db8::8080"))  # no port
def test_an_ipv6_address_is_itself_however_it_is_spelt(address: IPv6Address) -> None:
    plain = str(address.ipv4_mapped or address)
    for spelt in (str(address), address.exploded, str(address).upper(), f" {address} "):
        assert (parse(spelt).kind, parse(spelt).value) == ("ip", plain)
