"""Single values: one spelling for each, a reason for each refusal."""

from __future__ import annotations

import contextlib
import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocdir.core.errors import Invalid
from pocdir.directory.formats import values

SPELLINGS = [
    (values.prefix, "203.0.113.0/24", "203.0.113.0/24"),
    (values.prefix, "203.0.113.7", "203.0.113.7/32"),
    (values.prefix, "203.0.113.0-203.0.113.255", "203.0.113.0/24"),
    (values.prefix, " 203.0.113.0 - 203.0.113.9 ", "203.0.113.0-203.0.113.9"),
    (values.prefix, "::ffff:203.0.113.0/120", "203.0.113.0/24"),
    (values.prefix, "2001:DB8:0::/32", "2001:db8::/32"),
    (values.asn, 64500, "64500"),
    (values.asn, "as64500", "64500"),
    (values.asn, "4294967295", "4294967295"),
    (values.domain, "MÜNCHEN.DE.", "xn--mnchen-3ya.de"),
    (values.domain, "Example.ORG", "example.org"),
    (values.country, "UK", "GB"),
    (values.country, "aut", "AT"),
    (values.country, "XK", "XK"),
    (values.country, None, None),
    (values.sector, "Public Administration", "public-administration"),
    (values.RESPONSIBILITY_VALUES["country+sector"], "at/Energy", "AT/energy"),
    (values.RESPONSIBILITY_VALUES["global"], "*", "*"),
    (values.email, "CERT@Cert.Example", "cert@cert.example"),
    (values.email, "cert@example.test", "cert@example.test"),
    (values.phone, "+43  1 5056416-78", "+43 1 5056416-78"),
    (values.url, "https://cert.example/report?a=b", "https://cert.example/report?a=b"),
    (values.matrix, "@cert:example.org", "@cert:example.org"),
    (values.fingerprint, "0x1234 5678" + "ab" * 16, "12345678" + "AB" * 16),
    (values.language, "ZH-hant-tw", "zh-Hant-TW"),
    (values.timezone, "Europe/Vienna", "Europe/Vienna"),
    (values.date, "2012", "2012"),
    (values.slug, "cert-at", "cert-at"),
    (values.text(20), "  Zoe\u0308 ", "Zoë"),
]


def named(it: object) -> str:
    """The same name in every process: a function's own, else what it looks like."""
    return ascii(getattr(it, "__name__", it))[:30]


@pytest.mark.parametrize(("check", "written", "kept"), SPELLINGS, ids=named)
def test_a_value_has_one_spelling(check, written, kept):
    assert check(written) == kept
    assert check(kept) == kept


REFUSALS = [
    (values.prefix, "203.0.113.5/24"),
    (values.prefix, "203.0.113.0/255.255.255.0"),
    (values.prefix, "203.0.113.9-203.0.113.1"),
    (values.prefix, "203.0.113.1-2001:db8::1"),
    (values.prefix, "203.0.113.0/24-203.0.114.0/24"),
    (values.prefix, "01.2.3.4"),
    (values.prefix, "fe80::1%eth0"),
    (values.prefix, "0.0.0.0/0"),
    (values.prefix, 5),
    (values.asn, 0),
    (values.asn, 4294967296),
    (values.asn, "1.10"),
    (values.asn, True),
    (values.domain, "https://example.org"),
    (values.domain, "*.example.org"),
    (values.domain, "203.0.113.5"),
    (values.country, "ZZ"),
    (values.country, "Austria"),
    (values.sector, "AT/energy"),
    (values.RESPONSIBILITY_VALUES["country"], None),
    (values.RESPONSIBILITY_VALUES["country+sector"], "energy"),
    (values.RESPONSIBILITY_VALUES["global"], "all"),
    (values.email, "CERT <cert@cert.example>"),
    (values.email, "cert at cert.example"),
    (values.phone, "call us"),
    (values.url, "javascript:alert(1)"),
    (values.url, "https://user:secret@cert.example/"),
    (values.url, "https://cert.example/ <script>"),
    (values.fingerprint, "0BC6A8E5"),
    (values.language, "German"),
    (values.timezone, "../../etc/passwd"),
    (values.timezone, "Mars/Base"),
    *(
        (values.timezone, name)
        for name in ("localtime", "posix/Europe/Vienna", "right/UTC", "posixrules", "")
    ),
    (values.date, "2026-02-30"),
    (values.slug, "CERT"),
    (values.slug, "cert--at"),
    (values.slug, "new"),
    (values.text(20), "evil\u202etxt"),
    (values.text(20), "nul\x00"),
    (values.text(20), "\ud800"),
    (values.text(20), ""),
]


@pytest.mark.parametrize(("check", "written"), REFUSALS, ids=named)
def test_what_is_no_such_value_is_refused(check, written):
    with pytest.raises(Invalid):
        check(written)


def test_host_bits_name_the_right_prefix():
    with pytest.raises(Invalid, match=re.escape("203.0.113.0/24 is right")):
        values.prefix("203.0.113.5/24")


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_a_range_keeps_its_first_and_last_address(one, other):
    first, last = sorted((one, other))
    if (first, last) == (ipaddress.ip_address("0.0.0.0"), ipaddress.ip_address("255.255.255.255")):
        return
    kept = values.prefix(f"{first}-{last}")
    if "/" in kept:
        network = ipaddress.ip_network(kept)
        assert (network[0], network[-1]) == (first, last)
    else:
        assert kept == f"{first}-{last}"


@given(st.text(max_size=300))
def test_any_name_gets_a_slug(name):
    assert values.slug(values.slug_of(name)) == values.slug_of(name)


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())
CHECKS = [
    *values.CHANNEL_VALUES.values(),
    *values.RESPONSIBILITY_VALUES.values(),
    *(
        values.slug,
        values.country,
        values.fingerprint,
        values.language,
        values.timezone,
        values.date,
        values.day,
    ),
]


@given(ANYTHING, st.sampled_from(CHECKS))
def test_anything_is_a_value_or_refused(raw, check):
    with contextlib.suppress(Invalid):
        check(raw)
