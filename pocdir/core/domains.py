"""Domain names in A-label form, and where the public suffix ends. Refusals are ValueErrors that say why."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from pocdir.core.codes import alpha2

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DOTS = str.maketrans("。．｡", "...")  # RFC 3490: all of them separate labels
_SNAPSHOT = ".tld_set_snapshot"  # the public suffix list as tldextract ships it
_COUNTRY_OF_TLD = re.compile(r"// (xn--[a-z0-9-]+) .*: ?([A-Z]{2})$")


def parse_domain(text: str) -> str:
    """The name in small letters and A-labels, without the last dot: `MÜNCHEN.de.` is `xn--mnchen-3ya.de`."""
    if len(text) > 1024:
        raise ValueError("a domain name has at most 253 characters")
    labels = text.translate(_DOTS).removesuffix(".").split(".")
    if len(labels) < 2:
        raise ValueError("a domain name has at least two parts, for example example.org")
    labels = [label for part in labels for label in _a_label(part).split(".")]
    if _NUMBER.fullmatch(labels[-1]):
        raise ValueError("a domain name does not end in a number, and this is no address either")
    name = ".".join(labels)
    if len(name) > 253:
        raise ValueError("a domain name has at most 253 characters")
    return name


def _a_label(label: str) -> str:
    if not label:
        raise ValueError("there is nothing between two dots of the domain name")
    if not label.isascii():
        label = _encoded(label)
    label = label.lower()
    if not all(map(_LABEL.fullmatch, label.split("."))):
        raise ValueError(
            "the parts of a domain name have 1 to 63 letters, digits and hyphens, no hyphen first or last"
        )
    return label


def _encoded(label: str) -> str:
    """IDNA 2008 after the mapping of UTS 46 (not transitional: ß stays ß)."""
    import idna  # its tables take a while to load, and most names never need them

    try:
        if len(label) > 63:
            raise ValueError
        mapped = idna.uts46_remap(label, std3_rules=False, transitional=False)
        return ".".join(part if part.isascii() else idna.alabel(part).decode() for part in mapped.split("."))
    except (ValueError, IndexError):  # idna's own are UnicodeErrors
        raise ValueError("no domain name has these characters (IDNA 2008); try A-labels (xn--...)") from None


class _SuffixList(NamedTuple):
    rules: frozenset[str]
    wildcards: frozenset[str]  # `ck` for the rule `*.ck`
    exceptions: frozenset[str]
    countries: dict[str, str]  # of the top level domains that are no two letters


def suffix_labels(labels: list[str]) -> int:
    """How many of the last labels are the public suffix (ICANN section; rule `*` for what is not listed)."""
    suffixes, count = _suffix_list(), len(labels)
    for start in range(count):
        name = ".".join(labels[start:])
        if name in suffixes.exceptions:
            return count - start - 1
        if name in suffixes.rules or ".".join(labels[start + 1 :]) in suffixes.wildcards:
            return count - start
    return 1


def registrable_domain(name: str) -> str | None:
    """The public suffix and one label more; None for a public suffix. The name is one of parse_domain."""
    labels = name.split(".")
    start = len(labels) - suffix_labels(labels) - 1
    return ".".join(labels[start:]) if start >= 0 else None


def country_of_tld(name: str) -> str | None:
    """The code whose registry runs the top level domain, None for a generic one."""
    tld = name.rpartition(".")[2]
    return alpha2(tld) if len(tld) == 2 else _suffix_list().countries.get(tld)


def ends_in_listed_tld(name: str) -> bool:
    """Whether its top level domain exists: `report.txt` and `source.ip` are written like domains, and are none."""
    return name.rpartition(".")[2] in _suffix_list().rules


@cache
def _suffix_list() -> _SuffixList:
    """Read without tldextract itself, which would import requests: 8 ms instead of 300."""
    spec = find_spec("tldextract")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("tldextract, which brings the public suffix list, is not installed")
    text = Path(spec.submodule_search_locations[0], _SNAPSHOT).read_text(encoding="utf-8")
    lines = text[: text.index("// ===END ICANN DOMAINS===")].splitlines()
    names = [_punycode(line.strip()) for line in lines if line.strip() and not line.startswith("//")]
    matches = (_COUNTRY_OF_TLD.match(line) for line in lines if line.startswith("// xn--"))
    countries = {match[1]: code for match in matches if match and (code := alpha2(match[2]))}
    return _SuffixList(
        frozenset(name for name in names if name[0] not in "*!"),
        frozenset(name[2:] for name in names if name.startswith("*.")),
        frozenset(name[1:] for name in names if name.startswith("!")),
        countries,
    )


def _punycode(name: str) -> str:
    """A-labels of a name that is normalised already."""
    if name.isascii():
        return name
    parts = name.split(".")
    return ".".join(p if p.isascii() else "xn--" + p.encode("punycode").decode() for p in parts)
